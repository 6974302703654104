"""The MCP endpoint with turns: stands between the check of a token and the SDK, so that it knows whose call it is."""

import json
import logging
from collections.abc import Callable

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp.server.team.turns import Busy, Turns

__all__ = ["CallsInTurn", "who"]

logger = logging.getLogger(__name__)

_KEPT = 65_536  # of a request, for the id that an answer about it names
_INTERNAL_ERROR = -32603
_GIVEN_UP = (
    "The server gave this call up: {why}. If it asked for a write, get_write_status tells what became of it: do not "
    "repeat it."
)


def who(scope: Scope) -> str:
    """Whose call it is: the token's subject, for a token without one its client, without a token the address."""
    user = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        token = user.access_token
        return f"subject:{token.subject}" if token.subject else f"client:{token.client_id}"
    return f"address:{scope['client'][0] if scope.get('client') else ''}"


class CallsInTurn:
    """Every POST takes a turn, and its time. A stream that listens (GET, subscriptions/listen) takes none."""

    def __init__(self, app: ASGIApp, *, turns: Turns, refused: Callable[[str], None] = lambda _: None) -> None:
        self._app = app
        self._turns = turns
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/mcp":
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST" or (b"mcp-method", b"subscriptions/listen") in scope["headers"]:
            with self._turns.listening():
                await self._app(scope, receive, send)
            return
        call = _Call(receive, send)
        try:
            async with self._turns.turn(who(scope)) as cancel_scope:
                await self._app(scope, call.receive, call.send)
        except Busy as busy:
            self._refused("too_many_of_one" if busy.status == 429 else "too_many")
            retry = [(b"retry-after", str(busy.retry_after_s).encode())]
            await call.answer(busy.status, busy.message, retry)
            return
        if cancel_scope.cancelled_caught:
            self._refused("given_up")
            why = "it took too long" if cancel_scope.deadline <= anyio.current_time() else "the server is ending"
            logger.warning("a call was given up: %s", why)
            await call.answer(504, _GIVEN_UP.format(why=why))


class _Call:
    """One request and its answer, so far."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._body = b""
        self._begun = self._over = self._is_stream = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and len(self._body) <= _KEPT:
            self._body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            self._is_stream = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message["headers"]
            )
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self._over = True
        await self._send(message)

    async def answer(self, status: int, message: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """An error in words, as an answer of its own, or as the end of the stream that had begun."""
        if self._over:
            return
        rpc_error = {"jsonrpc": "2.0", "id": self._id(), "error": {"code": _INTERNAL_ERROR, "message": message}}
        body = json.dumps(rpc_error).encode()
        if self._begun:
            last = b"event: message\r\ndata: " + body + b"\r\n\r\n" if self._is_stream else b""
            await self._send({"type": "http.response.body", "body": last, "more_body": False})
            return
        kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": [*kind, *(headers or [])]})
        await self._send({"type": "http.response.body", "body": body})

    def _id(self) -> str | int | None:
        try:
            rpc_request = json.loads(self._body) if len(self._body) <= _KEPT else {}
        except ValueError:
            return None
        request_id = rpc_request.get("id") if isinstance(rpc_request, dict) else None
        return request_id if isinstance(request_id, str | int) else None
