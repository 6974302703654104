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
        asked = self._requests.read(sealed)
        if asked is None:
            return self._over(_UNREADABLE)
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in(sealed)
        return self._question(asked, signed, sealed)

    async def answer(self, request: Request) -> Response:
        form = await read_form(request)
        sealed = form.get("request", "")
        asked = self._requests.read(sealed)
        if asked is None:
            return self._over(_UNREADABLE)
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in(sealed)
        if not is_same(self._requests.token(asked, signed.csrf), form.get("csrf", "")):
            return self._question(asked, signed, sealed, status=403, told=_NOT_HERE)
        decision = form.get("decision", "")
        if decision not in {"allow", "deny"}:
            return self._question(asked, signed, sealed, status=400)
        if not await self._store.once(f"consent {asked.id}", until=asked.until):
            return self._over(_ANSWERED)
        return RedirectResponse(await self._answered(asked, signed, allowed=decision == "allow"), 303)

    async def _answered(self, asked: ConsentRequest, signed: Signed, *, allowed: bool) -> str:
        where = destination_of(str(asked.params.redirect_uri)).shown
        logger.info("%s %s the client at %s", signed.subject, "allows" if allowed else "does not allow", where)
        if not allowed:
            return self._answers.declined(asked.params)
        return await self._answers.granted(asked.client_id, asked.params, signed.subject)

    def _question(
        self, asked: ConsentRequest, signed: Signed, sealed: str, *, status: int = 200, told: str = ""
    ) -> Response:
        return self._shown.page(
            "consent.html",
            status=status,
            told=told,
            destination=destination_of(str(asked.params.redirect_uri)),
            client_name=asked.client_name,
            client_id=asked.client_id,
            scopes=asked.params.scopes or [],
            person=signed,
            request=sealed,
            csrf=self._requests.token(asked, signed.csrf),
        )

    def _over(self, words: str) -> Response:
        return self._shown.page("over.html", status=400, title=_OVER, words=words)


def _to_sign_in(sealed: str) -> Response:
    back = "/consent?" + urlencode({"request": sealed})
    return RedirectResponse("/sign-in?" + urlencode({"next": back}), 303)
