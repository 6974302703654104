"""What both embedded ERPs share of HTTP: calls, replies, and which handler a path means.

Knows that a path is a list of percent-encoded segments, so that a slash inside a code is not a slash of the path.
Refuses to know envelopes, accounts and records.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from starlette.types import Receive, Scope, Send

from .jsontext import encode

MAX_BODY = 5_000_000


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def is_json(self) -> bool:
        return self.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is anything that `encode` can write."""

    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)


H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Route(Generic[H]):
    method: str
    pattern: tuple[str, ...]
    handler: H


def route(method: str, pattern: str, handler: H) -> Route[H]:
    return Route(method, tuple(pattern.strip("/").split("/")), handler)


@dataclass(frozen=True, slots=True)
class Found(Generic[H]):
    handler: H
    params: Mapping[str, str]


def find(routes: Sequence[Route[H]], method: str, segments: Sequence[str]) -> Found[H] | list[str]:
    """The handler of a request, or the methods that its path has (none: there is no such path)."""
    allowed = []
    for candidate in routes:
        params = _params(candidate.pattern, segments)
        if params is None:
            continue
        if candidate.method == method:
            return Found(candidate.handler, params)
        allowed.append(candidate.method)
    return allowed


def _params(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    params = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            params[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return params


def raw_path(scope: Scope) -> str:
    """The path as it was sent: `path` is decoded already, and has lost which slashes were data."""
    raw = scope.get("raw_path")
    return raw.decode("ascii", "replace") if isinstance(raw, bytes) else quote(scope["path"])


async def serve(scope: Scope, receive: Receive, send: Send, *, skip: int, answer: Callable[[Request], Reply]) -> None:
    """Read a request whose first `skip` path segments are the mount's, and send the reply to it."""
    segments = [unquote(segment) for segment in raw_path(scope).split("/")[1 + skip :]]
    if segments and segments[-1] == "":
        segments.pop()
    request = Request(
        method=scope["method"],
        segments=tuple(segments),
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="replace")),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=await _body(receive),
    )
    await send_reply(send, answer(request))


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > MAX_BODY:
            return bytes(body)


async def send_reply(send: Send, reply: Reply) -> None:
    body = encode(reply.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **reply.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
