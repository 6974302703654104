"""The consent page: who asks, where the answer goes, and what it would allow; and what the person's answer does.

It is shown each time a client asks, to a browser in which somebody has signed in, and an answer counts from that
browser's own page alone, and once.
"""

import logging
from typing import Protocol
from urllib.parse import urlencode

from mcp.server.auth.provider import AuthorizationParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fraction_mcp.approvals.auth import is_same
from fraction_mcp.approvals.web import read_form
from fraction_mcp.server.team.browser import Browsers, Signed
from fraction_mcp.server.team.consent_request import ConsentRequest, ConsentRequests, destination_of
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.store import TeamStore

__all__ = ["Answers", "ConsentPage"]

logger = logging.getLogger(__name__)

_OVER = "This question is over"
_UNREADABLE = "It was asked more than ten minutes ago, or its address is not complete. Nothing was allowed."
_ANSWERED = "It has been answered already, and an answer counts once. Nothing more was allowed."
_NOT_HERE = "The page was out of date, or of somebody else's sign-in. Nothing was allowed: look at it again."


class Answers(Protocol):
    """Where a browser goes with what its person said."""

    async def granted(self, client_id: str, params: AuthorizationParams, subject: str) -> str: ...
    def declined(self, params: AuthorizationParams) -> str: ...


class ConsentPage:
    """`GET` and `POST /consent`."""

    def __init__(
        self,
        browsers: Browsers,
        requests: ConsentRequests,
        store: TeamStore,
        shown: Shown,
        answers: Answers,
    ) -> None:
        self._browsers = browsers
        self._requests = requests
        self._store = store
        self._shown = shown
        self._answers = answers

    async def look(self, request: Request) -> Response:
        sealed = request.query_params.get("request", "")
        consent_request = self._requests.read(sealed)
        if consent_request is None:
            return self._over(_UNREADABLE)
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in(sealed)
        return self._question(consent_request, signed, sealed)

    async def answer(self, request: Request) -> Response:
        form = await read_form(request)
        sealed = form.get("request", "")
        consent_request = self._requests.read(sealed)
        if consent_request is None:
            return self._over(_UNREADABLE)
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in(sealed)
        if not is_same(self._requests.token(consent_request, signed.csrf), form.get("csrf", "")):
            return self._question(consent_request, signed, sealed, status=403, message=_NOT_HERE)
        decision = form.get("decision", "")
        if decision not in {"allow", "deny"}:
            return self._question(consent_request, signed, sealed, status=400)
        if not await self._store.once(f"consent {consent_request.id}", until=consent_request.until):
            return self._over(_ANSWERED)
        return RedirectResponse(await self._answered(consent_request, signed, allowed=decision == "allow"), 303)

    async def _answered(self, consent_request: ConsentRequest, signed: Signed, *, allowed: bool) -> str:
        where = destination_of(str(consent_request.params.redirect_uri)).shown
        logger.info("%s %s the client at %s", signed.subject, "allows" if allowed else "does not allow", where)
        if not allowed:
            return self._answers.declined(consent_request.params)
        return await self._answers.granted(consent_request.client_id, consent_request.params, signed.subject)

    def _question(
        self, consent_request: ConsentRequest, signed: Signed, sealed: str, *, status: int = 200, message: str = ""
    ) -> Response:
        return self._shown.page(
            "consent.html",
            status=status,
            told=message,
            destination=destination_of(str(consent_request.params.redirect_uri)),
            client_name=consent_request.client_name,
            client_id=consent_request.client_id,
            scopes=consent_request.params.scopes or [],
            person=signed,
            request=sealed,
            csrf=self._requests.token(consent_request, signed.csrf),
        )

    def _over(self, words: str) -> Response:
        return self._shown.page("over.html", status=400, title=_OVER, words=words)


def _to_sign_in(sealed: str) -> Response:
    back = "/consent?" + urlencode({"request": sealed})
    return RedirectResponse("/sign-in?" + urlencode({"next": back}), 303)
