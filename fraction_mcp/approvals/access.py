"""What stands before every page: the checks that no page may forget, and the headers that every answer has.

Knows paths and headers. What the checks mean is `auth`'s.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp.approvals.auth import InboxAuth

__all__ = ["SESSION", "AccessMiddleware", "SignedIn", "closed_off"]

SESSION = "fraction_mcp.session"
"""Where a request's scope holds its session."""

_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
_FORMS = "form-action 'self'; "
_FRAMES = "base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "content-security-policy": _POLICY + _FORMS + _FRAMES,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_ON_THE_WAY = {
    "content-security-policy": _POLICY + _FRAMES,
    "cross-origin-opener-policy": "unsafe-none",
}


def closed_off(send: Send, *, on_the_way: bool = False) -> Send:
    """`send`, with the headers that close a page off on every answer.

    `on_the_way`: of a page that another site sends a person to, and that sends them back. Browsers hold `form-action`
    against every redirect that a form leads to, and a client's address may lead on to where nobody here knows (an
    editor's own scheme, another of its hosts); and a client that opened a window for it waits for that one to return.
    """
    headers = {**_HEADERS, **(_ON_THE_WAY if on_the_way else {})}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers


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
