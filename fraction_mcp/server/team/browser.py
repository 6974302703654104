"""The browsers of a team's people: which one a request comes from, who signed in there, which forms are its own.

Knows cookies and headers. A session lives in the store, so that every replica knows it, and ends there: 12 hours after
the sign-in, or two hours after it was last seen. Its secret is in the browser's cookie alone, and another one after
each sign-in. Where people sign in by https, the cookies' names begin with `__Host-`, which no other host and no plain
http can set; on the loopback, where tests are, they do not.
"""

import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.approvals.auth import is_own_form, is_same
from fraction_mcp.approvals.web import closed_off
from fraction_mcp.errors import JournalError
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store import TeamStore

__all__ = ["Browsers", "PageGuard", "Signed"]

logger = logging.getLogger(__name__)

_LIFE_S = 12 * 60 * 60
_TROUBLE = "This server's database does not answer at the moment. Try again in a minute.\n"


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """A browser in which somebody has signed in. `csrf` stands in every form that it is shown."""

    subject: str
    name: str
    csrf: str

    def is_own(self, csrf: str) -> bool:
        return is_same(self.csrf, csrf)


class Browsers:
    """The browsers that come to `public_url`."""

    def __init__(self, store: TeamStore, keys: KeyRing, public_url: str) -> None:
        self._store = store
        self._keys = keys
        self._secure = urlsplit(public_url).scheme == "https"
        host = "__Host-" if self._secure else ""
        self.cookie = f"{host}fraction_mcp_person"
        self._visitor = f"{host}fraction_mcp_visitor"

    async def current(self, request: Request) -> Signed | None:
        """Who is signed in in the browser that asks; None where nobody is, and where the ERP has signed them out: only
        their password mends that."""
        secret = request.cookies.get(self.cookie, "")
        session = await self._store.browser(secret) if secret else None
        person = await self._store.person(session.subject) if session else None
        if session is None or person is None:
            return None
        return Signed(session.subject, person.name, session.csrf)

    async def begin(self, request: Request, response: Response, subject: str) -> None:
        """`subject` has just signed in: whatever the browser was before ends, and it gets a secret that nobody could
        have known."""
        await self._ended(request)
        session = await self._store.new_browser(subject)
        self._set(response, self.cookie, session.secret, max_age=_LIFE_S)
        self._forget(response, self._visitor)

    async def end(self, request: Request, response: Response) -> None:
        await self._ended(request)
        self._forget(response, self.cookie)

    async def _ended(self, request: Request) -> None:
        if secret := request.cookies.get(self.cookie, ""):
            await self._store.end_browser(secret)

    # ------------------------------------------------------------------------------------------------ not yet signed in

    def visitor(self, request: Request) -> str:
        """The secret of a browser in which nobody has signed in; a new one where it has none."""
        return request.cookies.get(self._visitor, "") or secrets.token_urlsafe(32)

    def remember(self, request: Request, response: Response, visitor: str) -> None:
        if request.cookies.get(self._visitor) != visitor:
            self._set(response, self._visitor, visitor)

    def visitors_token(self, visitor: str) -> str:
        """What stands in the sign-in form that this browser is shown: another site knows neither, and so can sign
        nobody in as somebody else."""
        return self._keys.derive("sign-in form", visitor).hex()

    def is_visitors(self, request: Request, token: str) -> bool:
        visitor = request.cookies.get(self._visitor, "")
        return bool(visitor) and any(
            is_same(known.hex(), token) for known in self._keys.derivations("sign-in form", visitor)
        )

    def _set(self, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        # Lax: the way here leads over another site's link, which must find whoever is signed in.
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")


class PageGuard:
    """Before every page, whoever asks: the name that was asked for, the page that a form came from, the headers.

    `origins` are those under which this server's pages are reached. `on_the_way` is as in `closed_off`.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], *, on_the_way: bool = False) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)
        self._hosts = {urlsplit(origin).netloc for origin in self._origins}
        self._on_the_way = on_the_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._refusal(scope) or self._app
        send = closed_off(send, on_the_way=self._on_the_way)
        try:
            await app(scope, receive, send)
        except JournalError as error:
            logger.warning("a page of the sign-in failed: %s", error.message)
            await PlainTextResponse(_TROUBLE, 503, {"retry-after": "60"})(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This server is not reached by that name.\n", 421)
        if scope["method"] not in {"GET", "HEAD"} and not is_own_form(headers, self._is_ours):
            return PlainTextResponse("This did not come from a page of this server. Nothing was done.\n", 403)
        return None

    def _is_ours(self, origin: str) -> bool:
        return origin.lower() in self._origins
