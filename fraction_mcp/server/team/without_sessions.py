"""No session means no stream of its own, and nothing to end: GET and DELETE of the MCP endpoint are answered 405.

The SDK would hold such a stream open for as long as the client likes, on which nothing ever comes; assistants that run
on their maker's machines would use up the connections of their few addresses with them.
"""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["WithoutSessions"]


class WithoutSessions:
    """Behind the check of the token: whoever has none is told that first."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and scope["path"] == self._path and scope["method"] in {"GET", "DELETE"}
        if refused and getattr(scope.get("auth"), "scopes", ()):
            error_body = {
                "error": "method_not_allowed",
                "error_description": "this server keeps no session: POST alone",
            }
            await JSONResponse(error_body, 405, {"allow": "POST"})(scope, receive, send)
            return
        await self._app(scope, receive, send)
