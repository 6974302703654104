"""The consent page: who asks, where the answer goes, and what it would allow; and what the person's answer does.

It is shown each time a client asks, to a browser in which somebody has signed in, and an answer counts from that
browser's own page alone, and once.
"""

import logging
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fraction_mcp.approvals.auth import is_same
from fraction_mcp.approvals.rendering import fields_of
from fraction_mcp.server.team.browser import Browsers, Signed
from fraction_mcp.server.team.consent_request import ConsentRequest, ConsentRequests, destination_of
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.store import Consented, TeamStore

__all__ = ["ConsentPage"]

logger = logging.getLogger(__name__)

_OVER = "This question is over"
_UNREADABLE = "It was asked more than ten minutes ago, or its address is not complete. Nothing was allowed."
_ANSWERED = "It has been answered already, and an answer counts once. Nothing more was allowed."
_NOT_HERE = "The page was out of date, or of somebody else's sign-in. Nothing was allowed: look at it again."


class ConsentPage:
    """`GET` and `POST /consent`. `issuer` is this server's, as clients compare it; `resource` what a client means that
    names none."""

    def __init__(
        self,
        browsers: Browsers,
        requests: ConsentRequests,
        store: TeamStore,
        keys: KeyRing,
        shown: Shown,
        *,
        issuer: str,
        resource: str,
    ) -> None:
        self._browsers = browsers
        self._requests = requests
        self._store = store
        self._keys = keys
        self._shown = shown
        self._issuer = issuer
        self._resource = resource

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
        form = await fields_of(request)
        sealed = form.get("request", "")
        asked = self._requests.read(sealed)
        if asked is None:
            return self._over(_UNREADABLE)
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in(sealed)
        if not is_same(self._token(asked, signed), form.get("csrf", "")):
            return self._question(asked, signed, sealed, status=403, told=_NOT_HERE)
        decision = form.get("decision", "")
        if decision not in {"allow", "deny"}:
            return self._question(asked, signed, sealed, status=400)
        if not await self._store.once(f"consent {asked.id}", until=asked.until):
            return self._over(_ANSWERED)
        return RedirectResponse(await self._answered(asked, signed, allowed=decision == "allow"), 303)

    async def _answered(self, asked: ConsentRequest, signed: Signed, *, allowed: bool) -> str:
        where = destination_of(asked.redirect_uri).shown
        logger.info("%s %s the client at %s", signed.subject, "allows" if allowed else "does not allow", where)
        if not allowed:
            return asked.answered(self._issuer, error="access_denied")
        consented = Consented(
            subject=signed.subject,
            client_id=asked.client_id,
            scopes=asked.scopes,
            resource=asked.params.resource or self._resource,
            redirect_uri=asked.redirect_uri,
            redirect_named=asked.params.redirect_uri_provided_explicitly,
            challenge=asked.params.code_challenge,
        )
        return asked.answered(self._issuer, code=await self._store.new_code(consented))

    def _question(
        self, asked: ConsentRequest, signed: Signed, sealed: str, *, status: int = 200, told: str = ""
    ) -> Response:
        return self._shown.page(
            "consent.html",
            status=status,
            told=told,
            destination=destination_of(asked.redirect_uri),
            client_name=asked.client_name,
            client_id=asked.client_id,
            scopes=asked.scopes,
            person=signed,
            request=sealed,
            csrf=self._token(asked, signed),
        )

    def _token(self, asked: ConsentRequest, signed: Signed) -> str:
        """Of this question in this browser: that of another page, or of another browser's, is none."""
        return self._keys.derive("consent form", asked.id, signed.csrf).hex()

    def _over(self, words: str) -> Response:
        return self._shown.page("over.html", status=400, title=_OVER, words=words)


def _to_sign_in(sealed: str) -> Response:
    back = "/consent?" + urlencode({"request": sealed})
    return RedirectResponse("/sign-in?" + urlencode({"next": back}), 303)
