"""What every request meets first: where it comes from, its id, its size, the name it was sent to and the page that sent
it. Nothing behind it is asked before it has passed.
"""

import re
import secrets
from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp.logs import http_request_id
from fraction_mcp.server.team.proxies import Proxies

__all__ = ["LARGEST_HEAD", "LARGEST_REQUEST", "Front"]

LARGEST_HEAD = 16_384
LARGEST_REQUEST = 1_048_576
Headers = Iterable[tuple[bytes, bytes]]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{8,128}")
_HEALTH = {"/healthz", "/readyz"}  # asked by orchestrators, which know no name; they tell nobody anything
_OPEN = {"/token", "/register", "/revoke"}  # a client may be a page itself; none of these looks at a cookie
_REFUSALS = {
    400: "A request has one Host.",
    403: "This page may not speak to this server. It is reached under its own address alone.",
    413: "The request is too large.",
    421: "This server does not go by that name. Whoever runs it can add one: --allowed-host.",
    431: "The head of the request is too large.",
}


class Front:
    """`hosts` and `origins` are spelt in small letters, as the headers Host and Origin are."""

    def __init__(self, app: ASGIApp, *, proxies: Proxies, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._proxies = proxies
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        came = self._proxies.origin(peer, scope["headers"])
        scope = {**scope, "client": (came.address or peer, 0), "scheme": "https" if came.https else scope["scheme"]}
        request_id = _request_id(scope, trusted=came.trusted)
        token = http_request_id.set(request_id)
        answer = _Answer(send, request_id.encode())
        try:
            if status := self._refusal(scope):
                await answer.refuse(status)
                return
            await self._app(scope, _Body(receive).receive, answer.send)
        finally:
            http_request_id.reset(token)

    def _refusal(self, scope: Scope) -> int:
        """The status to refuse it with; 0 for none."""
        headers = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) + len(scope["raw_path"]) > LARGEST_HEAD:
            return 431
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        if len(length) > 12 or int(length) > LARGEST_REQUEST:  # what is no number, h11 refuses
            return 413
        if scope["path"] in _HEALTH:
            return 0
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1:
            return 400
        if hosts[0].decode("latin-1").lower() not in self._hosts:
            return 421
        if scope["path"] in _OPEN or scope["path"].startswith("/.well-known/oauth-"):
            return 0
        return 0 if self._is_of_ours(headers) else 403

    def _is_of_ours(self, headers: Headers) -> bool:
        """Our own pages send no referrer, and so their forms' origin is `null`; then the browser must say by itself
        that they are ours (see `is_own_form`). No page of another site can have it say so."""
        origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        ours = self._origins | {"null"} if sites == [b"same-origin"] else self._origins
        return all(origin in ours for origin in origins)


class _Body:
    """What comes in, counted: a request in chunks says nothing of its length beforehand."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._came = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._came += len(message.get("body", b""))
        if self._came > LARGEST_REQUEST:
            raise HTTPException(413, _REFUSALS[413])
        return message


class _Answer:
    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._id = request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"x-request-id", self._id)]}
        await self._send(message)

    async def refuse(self, status: int) -> None:
        body = _REFUSALS[status].encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _request_id(scope: Scope, *, trusted: bool) -> str:
    """The proxy's own, where it may give one: both logs then tell of the same request."""
    request_ids: list[bytes] = [value for name, value in scope["headers"] if name == b"x-request-id"] if trusted else []
    if len(request_ids) == 1 and _SANE_ID.fullmatch(request_ids[0]):
        return request_ids[0].decode()
    return secrets.token_hex(8)
