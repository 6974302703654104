"""What stands before every page: the checks that no page may forget.

Knows paths and headers. What the checks mean is `auth`'s, what every answer says of itself `web`'s.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.approvals.auth import InboxAuth
from fraction_mcp.approvals.web import closed_off

__all__ = ["SESSION", "AccessMiddleware", "SignedIn"]

SESSION = "fraction_mcp.session"
"""Where a request's scope holds its session."""


class AccessMiddleware:
    """Before everything, whoever asks: the name that was asked for, the page that a form came from, the headers."""

    def __init__(self, app: ASGIApp, auth: InboxAuth) -> None:
        self._app = app
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        app: ASGIApp = self._refusal(scope) or self._app
        await app(scope, receive, closed_off(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._auth.is_host(headers.get("host", "")):
            return PlainTextResponse("This inbox is not reached by that name.\n", 421)
        if scope["method"] not in {"GET", "HEAD"} and not self._auth.is_own_form(headers):
            return PlainTextResponse("This did not come from a page of the inbox. Nothing was decided.\n", 403)
        return None


class SignedIn:
    """Before every page of a session, whose place stands in the path. `shut` answers whoever has no such session."""

    def __init__(self, app: ASGIApp, auth: InboxAuth, shut: ASGIApp) -> None:
        self._app = app
        self._auth = auth
        self._shut = shut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._auth.session(scope["path_params"]["place"], Request(scope).cookies)
        if session is None:
            await self._shut(scope, receive, send)
            return
        scope[SESSION] = session
        await self._app(scope, receive, send)
