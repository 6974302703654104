"""What a token allows: reading with `erp:read`, tools that write with `erp:write` as well.

A call that lacks a scope is answered before it reaches the server, as HTTP has it (403, `insufficient_scope`), so that
a client can ask its person for more; and once more inside the server, for whatever a body may have hidden.
"""

import json
from typing import Any

from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult
from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp.tools.catalogue import catalogue

__all__ = ["READ", "SCOPES", "WRITE", "ScopeMiddleware", "refuse_beyond_scope"]

READ, WRITE = "erp:read", "erp:write"
SCOPES = (READ, WRITE)

_LARGEST = 1_048_576


def _writes(name: object) -> bool:
    spec = catalogue().get(name) if isinstance(name, str) else None
    return spec is not None and not spec.effect.reads


async def refuse_beyond_scope(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware of the MCP server: no tool that writes runs without the scope for it."""
    token = get_access_token()
    params = ctx.params or {}
    if ctx.method == "tools/call" and _writes(params.get("name")) and (token is None or WRITE not in token.scopes):
        raise MCPError(INVALID_REQUEST, f"this sign-in does not allow writing: the scope {WRITE} is needed")
    return await call_next(ctx)


class ScopeMiddleware:
    """Before the MCP endpoint, behind the check of the token: 403 for a tool that writes, where the token only reads.

    `metadata` is the address of the protected resource's metadata.
    """

    def __init__(self, app: ASGIApp, metadata: str) -> None:
        self._app = app
        self._metadata = metadata

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        granted = _scopes_of(scope) if scope["type"] == "http" and scope["method"] == "POST" else []
        if not granted or WRITE in granted:  # whoever has no token at all is told so by what comes next
            await self._app(scope, receive, send)
            return
        body, messages = await _read(receive)
        if _asks_to_write(body):
            challenge = (
                f'Bearer error="insufficient_scope", scope="{READ} {WRITE}", resource_metadata="{self._metadata}"'
            )
            error_body = {"error": "insufficient_scope", "error_description": f"this tool writes: {WRITE} is needed"}
            await JSONResponse(error_body, 403, {"www-authenticate": challenge})(scope, receive, send)
            return

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, again, send)


def _scopes_of(scope: Scope) -> list[str]:
    credentials = scope.get("auth")
    return list(getattr(credentials, "scopes", ()))


async def _read(receive: Receive) -> tuple[bytes, list[Message]]:
    """The body, and the messages that it came in: no more than a request may have; what is beyond is refused later."""
    body, messages = b"", list[Message]()
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body") or len(body) > _LARGEST:
            return body, messages


def _asks_to_write(body: bytes) -> bool:
    try:
        rpc_request = json.loads(body)
    except (ValueError, RecursionError):
        return False  # the server says what is wrong with it
    params = rpc_request.get("params") if isinstance(rpc_request, dict) else None
    return isinstance(params, dict) and rpc_request.get("method") == "tools/call" and _writes(params.get("name"))
