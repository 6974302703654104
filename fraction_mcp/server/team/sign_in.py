"""The sign-in page: a person's e-mail and password of FractionERP, handed to it once and kept nowhere.

Knows what a refusal may say. One message stands for a wrong password, a wrong e-mail, an account that is not there and
one that may not come in: which of them it was would tell a stranger who works here. So FractionERP is asked in every
case, and how often somebody may try is counted for every e-mail, whether or not anybody has it, and for every address.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Protocol
from unicodedata import combining, normalize

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fraction_mcp.approvals.web import read_form
from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.errors import ErpError, RateLimited
from fraction_mcp.server.team.browser import Browsers
from fraction_mcp.server.team.people import LONGEST_SUBJECT
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.store import TeamStore
from fraction_mcp.server.team.store_people import subject_of
from fraction_mcp.values.characters import unseen

__all__ = ["ErpLogin", "SignInPage", "own_path"]

logger = logging.getLogger(__name__)

HOME = "/account"
_LONGEST_EMAIL = LONGEST_SUBJECT
_LONGEST_PASSWORD = 1_024
_LONGEST_NEXT = 8_000
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_STEP = r"/[\w-]+(?:\.[\w-]+)*"
_OWN = re.compile(rf"/(?:account|consent|approvals(?:{_STEP})*/?)(?:\?[\w.~%=&+:,/-]*)?", re.ASCII)

_REFUSED = (
    "FractionERP did not take this e-mail and password. One of them is wrong, or the account may not sign in. "
    "Try again; whoever runs FractionERP for you can set a new password."
)
_ANOTHERS = (
    "FractionERP took this e-mail and password, but another person of this server has an e-mail that reads the same. "
    "Nobody was signed in: tell whoever runs FractionERP for you."
)
_STALE = "This page was out of date, or your browser keeps no cookies of this site. Nothing was sent: try again."
_BOTH = "Both the e-mail and the password are needed."
_LIMITED = "There were too many attempts to sign in with this e-mail, or from where you are. Try again in {when}."
_BUSY = "FractionERP takes no more requests at the moment, so nobody was signed in. Try again in {when}."
_UNREACHED = (
    "FractionERP could not be asked at the moment, so nobody was signed in. Your e-mail and password may be right: "
    "try again in a minute."
)


class ErpLogin(Protocol):
    """Signs in to FractionERP. Raises ErpError."""

    async def __call__(self, email: str, password: SecretStr) -> ErpSession: ...


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What is told where nobody was signed in, and what is counted: `refused`, `limited` or `unavailable`."""

    outcome: str
    status: int
    words: str
    again_s: float = 0


class SignInPage:
    """`GET` and `POST /sign-in`. `counted` is told how each attempt went: `signed_in`, or the outcome of a refusal."""

    def __init__(
        self,
        browsers: Browsers,
        store: TeamStore,
        login: ErpLogin,
        shown: Shown,
        counted: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._browsers = browsers
        self._store = store
        self._login = login
        self._shown = shown
        self._counted = counted

    async def look(self, request: Request) -> Response:
        to = own_path(request.query_params.get("next", ""))
        if await self._browsers.current(request):
            return RedirectResponse(to, 303)
        return self._page(request, to)

    async def sign_in(self, request: Request) -> Response:
        form = await read_form(request)
        to = own_path(form.get("next", ""))
        email, password = form.get("email", "").strip(), SecretStr(form.get("password", ""))
        if not self._browsers.is_visitors(request, form.get("csrf", "")):
            return self._page(request, to, _Refusal("refused", 403, _STALE))
        fits = 0 < len(email) <= _LONGEST_EMAIL and 0 < len(password) <= _LONGEST_PASSWORD
        if not fits or any(map(unseen, email)):
            return self._page(request, to, _Refusal("refused", 400, _BOTH), email)
        session = await self._session(_place_of(request), email, password)
        if isinstance(session, _Refusal):
            self._counted(session.outcome)
            return self._page(request, to, session, email)
        subject = await self._store.signed_in(session)
        if not subject:
            self._counted("refused")
            return self._page(request, to, _Refusal("refused", 403, _ANOTHERS), email)
        response = RedirectResponse(to, 303)
        await self._browsers.begin(request, response, subject)
        self._counted("signed_in")
        logger.info("%s signed in from %s", subject, _place_of(request))
        return response

    async def _session(self, place: str, email: str, password: SecretStr) -> ErpSession | _Refusal:
        buckets = (f"address:{place}", f"account:{_counted_as(email)}")
        if wait_s := await self._store.may_try(*buckets):
            return _Refusal("limited", 429, _LIMITED.format(when=_in_words(wait_s)), wait_s)
        try:
            session = await self._login(email, password)
        except ErpError as error:
            return await self._refused(place, buckets, error)
        await self._store.succeeded(*buckets)
        return session

    async def _refused(self, place: str, buckets: tuple[str, ...], error: ErpError) -> _Refusal:
        if _is_no(error):
            await self._store.failed(*buckets)
            logger.info("FractionERP refused a sign-in from %s: %s", place, error.code)
            return _Refusal("refused", 403, _REFUSED)
        await self._store.untried(*buckets)
        logger.warning("nobody can sign in: %s", error.message)
        if isinstance(error, RateLimited):
            wait_s = error.retry_after_s or 60
            return _Refusal("unavailable", 503, _BUSY.format(when=_in_words(wait_s)), wait_s)
        return _Refusal("unavailable", 503, _UNREACHED, 60)

    def _page(self, request: Request, to: str, refusal: _Refusal | None = None, email: str = "") -> Response:
        visitor = self._browsers.visitor(request)
        response = self._shown.page(
            "sign_in.html",
            status=refusal.status if refusal else 200,
            csrf=self._browsers.visitors_token(visitor),
            next=to,
            told=refusal.words if refusal else "",
            email=email if _EMAIL.fullmatch(email) else "",  # what is none may be a password in the wrong field
        )
        if refusal and refusal.again_s:
            response.headers["retry-after"] = str(ceil(refusal.again_s))
        self._browsers.remember(request, response, visitor)
        return response


def own_path(path: str) -> str:
    """The path of ours that was asked for, or where people go otherwise: never another site, however it is spelt."""
    return path if len(path) <= _LONGEST_NEXT and _OWN.fullmatch(path) else HOME


def _counted_as(email: str) -> str:
    """What tries at an account are counted under: an ERP may take several spellings for one, each a way to try anew."""
    plain = "".join(c for c in normalize("NFKD", email.casefold()) if not combining(c) and not unseen(c))
    return subject_of(plain)


def _is_no(error: ErpError) -> bool:
    """Whether the ERP answered, and the answer was no. Any refusal counts, whatever it says of itself: an ERP that
    answers in another way for an account that it does not know would tell by our page who has one."""
    return error.status is not None and 400 <= error.status < 500 and not isinstance(error, RateLimited)


def _in_words(wait_s: float) -> str:
    return f"{ceil(wait_s)} seconds" if wait_s <= 90 else f"{ceil(wait_s / 60)} minutes"


def _place_of(request: Request) -> str:
    """Where a request comes from, as far as attempts are counted: of IPv6, the network that one household or office
    has, since each has addresses without end."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
