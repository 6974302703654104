"""The outermost layer: it logs every request to an ERP, and makes the trouble that was armed for it.

Knows ASGI, and how to tear down uvicorn's connection. Refuses to know what a request asks for.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .accounts import FRACTION_PATH, FRACTTAL_PATH
from .faults import Fault, Faults
from .fraction.envelope import STATUS_OF, failure
from .http import Reply, raw_path, send_reply
from .requestlog import LoggedRequest, RequestLog

_FRACTTAL_ROOT: Final = "/fracttal"
_CODES: Final = {status: code for code, status in reversed(STATUS_OF.items())}
_PAGE: Final = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>proxy</body></html>"
_WORDS: Final = {200: "Welcome", 502: "502 Bad Gateway", 503: "503 Service Unavailable", 504: "504 Gateway Time-out"}


class TokenStore(Protocol):
    def expire_tokens(self, system: str) -> None: ...


class Gate:
    def __init__(self, app: ASGIApp, faults: Faults, requests: RequestLog, store: TokenStore) -> None:
        self._app = app
        self._faults = faults
        self._requests = requests
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = _place(scope)
        if place is None:
            await self._app(scope, receive, send)
            return
        system, endpoint, path = place
        method = scope["method"]
        fault = self._faults.strike(system, method, endpoint, path)
        query = scope["query_string"].decode("latin-1")
        entry = LoggedRequest(system, method, path, endpoint, query, fault=fault.kind if fault else None)
        self._requests.append(entry)

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        if fault is None:
            await self._app(scope, receive, logged)
        else:
            await self._trouble(fault, system, scope, receive, logged)

    async def _trouble(self, fault: Fault, system: str, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "expire":
            self._store.expire_tokens(system)
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if fault.kind == "timeout":
            if not await _left(receive, fault.seconds):
                await self._app(scope, _replay(body, receive), send)
        elif fault.kind == "drop_before":
            await _drop(receive)
        elif fault.kind in {"status", "html", "empty", "garbage"}:
            await _instead(fault, system, send)
        else:
            answer = await self._work(scope, body, receive)
            await _spoil(fault, system, answer, receive, send)

    async def _work(self, scope: Scope, body: list[Message], receive: Receive) -> list[Message]:
        """The answer that would have been sent: by now everything is committed."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, _replay(body, receive), keep)
        return answer


def _place(scope: Scope) -> tuple[str, str, str] | None:
    """The system, the path behind its mount, and the whole path of a request to an ERP."""
    if scope["type"] != "http":
        return None
    path = raw_path(scope)
    for system, mount in (("fraction", FRACTION_PATH), ("fracttal", FRACTTAL_PATH), ("fracttal", _FRACTTAL_ROOT)):
        if path.startswith(f"{mount}/"):
            return system, path.removeprefix(mount), path
    return None


async def _read(receive: Receive) -> list[Message]:
    """The whole request, so that what is done next does not depend on how much of it had arrived."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def again() -> Message:
        for message in waiting:
            return message
        return await receive()

    return again


async def _left(receive: Receive, seconds: float) -> bool:
    """Whether the client left within that time; in process there is no telling, and the time passes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _disconnected(receive)
            return True
    return False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(receive: Receive) -> asyncio.Transport | None:
    """uvicorn hands out a bound method of the object that owns the connection."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    return transport if isinstance(transport, asyncio.Transport) else None


async def _drop(receive: Receive) -> None:
    """Close the connection at once. uvicorn is quiet about a request whose client has gone: wait until it knows."""
    transport = _transport(receive)
    if transport is None:
        raise ConnectionResetError("the sandbox dropped the connection")
    transport.abort()
    await _disconnected(receive)


async def _instead(fault: Fault, system: str, send: Send) -> None:
    if fault.kind == "status":
        await send_reply(send, _refusal(fault, system, fault.status or 500))
        return
    status, content_type, text = _foreign(fault)
    text = fault.body or text
    headers = [(b"content-type", content_type), (b"content-length", str(len(text.encode())).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def _foreign(fault: Fault) -> tuple[int, bytes, str]:
    if fault.kind == "html":
        status = fault.status or 502
        return status, b"text/html; charset=utf-8", _PAGE.format(_WORDS.get(status, f"Error {status}"))
    return fault.status or 200, b"application/json", '"OK"' if fault.kind == "garbage" else ""


def _refusal(fault: Fault, system: str, status: int) -> Reply:
    """An error in the system's own envelope, with the headers that belong to its rate limit."""
    message = fault.message or "The sandbox was asked to refuse this."
    reset = math.ceil(fault.seconds)
    if system == "fracttal":
        budget = {"Request-Call-Limit": "200", "Request-Call-Remaining": "0", "Request-Call-Reset": str(reset)}
        body = {"success": False, "message": fault.code or message, "data": None}
        return Reply(status, body, budget if status == 406 else {})
    code = fault.code or _CODES.get(status, "SERVER_ERROR")
    ends = str(math.ceil(time.time()) + reset)
    budget = {"X-RateLimit-Limit": "2000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ends}
    return Reply(status, failure([{"code": code, "message": message}]), budget if status == 429 else {})


async def _spoil(fault: Fault, system: str, answer: list[Message], receive: Receive, send: Send) -> None:
    if fault.kind == "drop_after":
        await _drop(receive)
    elif fault.kind == "after_500":
        await send_reply(send, _refusal(fault, system, fault.status or 500))
    elif fault.kind == "timeout_after":
        if not await _left(receive, fault.seconds):
            for message in answer:
                await send(message)
    else:
        await _halve(fault, answer, receive, send)


async def _halve(fault: Fault, answer: list[Message], receive: Receive, send: Send) -> None:
    start, body = dict(answer[0]), b"".join(message.get("body", b"") for message in answer[1:])
    half = body[: len(body) // 2]
    transport = _transport(receive)
    if fault.kind == "truncate":
        _set_length(start, len(half))
    await send(start)
    cut = fault.kind == "cut" and transport is not None
    await send({"type": "http.response.body", "body": half, "more_body": cut})
    if cut and transport is not None:
        transport.close()  # unlike abort, it sends what has been written so far
        await _disconnected(receive)


def _set_length(start: MutableMapping[str, Any], length: int) -> None:
    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    start["headers"] = [*kept, (b"content-length", str(length).encode())]
