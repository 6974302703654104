"""A site of somebody else's, over real TLS on this machine: what it answers is said path by path, byte by byte."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

Answer = bytes | Callable[[socket.socket], object]


class Site:
    """`https://localhost:PORT`, which answers each path with what it is given, and notes what it is asked."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.connections = 0
        self.over = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.authority = f"localhost:{self.port}"
        self.trust = ssl.create_default_context(cafile=str(certificate))
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path: str) -> str:
        return f"https://{self.authority}{path}"

    def says(self, path: str, document: object, **headers: str) -> str:
        self.answers[path] = answer(json.dumps(document).encode(), headers=headers)
        return self.url(path)

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as one:
            received = b""
            while b"\r\n\r\n" not in received:
                received += one.recv(4096) or b"\r\n\r\n"
            self.asked.append(received.decode())
            path = received.split(b" ")[1].decode()
            given = self.answers.get(path, answer(b"{}", "404 Not Found"))
            if callable(given):
                given(one)
            else:
                one.sendall(given)


def answer(body: bytes, status: str = "200 OK", *, headers: Mapping[str, str] | None = None) -> bytes:
    told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
