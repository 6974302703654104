"""A way into a team's server for a program that knows no sign-in: it adds a token, and translates its own name.

Names and origins of others are handed on as they came, so that the server itself refuses them.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.types import Receive, Scope, Send

from clients.served import free_port

_OF_THE_HOP = {b"connection", b"content-length", b"transfer-encoding"}


@contextmanager
def bearing(token: str, url: str) -> Iterator[str]:
    """The origin under which the server at `url` is met with that token."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(_Way(token, url, port), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class _Way:
    def __init__(self, token: str, url: str, port: int) -> None:
        self._token = f"Bearer {token}".encode()
        self._url = url
        theirs = urlsplit(url).netloc
        ours = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]
        self._names = {name.encode(): theirs.encode() for name in ours}
        self._names |= {f"http://{name}".encode(): url.encode() for name in ours}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        given = [(name, value) for name, value in scope["headers"] if name not in _OF_THE_HOP]
        headers = [(name, self._names.get(value, value)) for name, value in given]
        headers.append((b"authorization", self._token))
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as http,
            http.stream(scope["method"], self._url + scope["path"], headers=headers, content=body) as answer,
        ):
            told = [(name, value) for name, value in answer.headers.raw if name.lower() not in _OF_THE_HOP]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": told})
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
