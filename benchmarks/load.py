"""Clients that cost little: a process that posts ready bytes over so many connections, and counts what comes back.

`python -m benchmarks.load` reads what to do from its stdin, as JSON (`Load`), and prints what came of it.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

__all__ = ["Load", "Outcome", "request"]


@dataclass(frozen=True)
class Load:
    """So many clients for so long, each of which waits for its answer before it asks again. Client n asks
    `requests[n % len(requests)]` (a port, and the bytes). `refused`: each is to be answered by an error."""

    clients: int
    seconds: float
    requests: Sequence[tuple[int, str]]
    refused: bool = False


@dataclass
class Outcome:
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    core_ms: float = 0.0  # a call, of the servers'

    @property
    def rate(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, of_a_hundred: int) -> float:
        """The milliseconds that so many of a hundred calls were answered within."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, len(ordered) * of_a_hundred // 100)]


def request(port: int, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    head = {"Host": f"127.0.0.1:{port}", **headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return port, f"POST /mcp HTTP/1.1\r\n{lines}\r\n{body.decode()}"


class _Client(asyncio.Protocol):
    """One connection, and one request of it at a time."""

    def __init__(self, sent: bytes, outcome: Outcome, *, refused: bool) -> None:
        self._sent = sent
        self._refused = refused
        self._until = 0.0
        self._outcome = outcome
        self._came = b""
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def begin(self, until: float) -> None:
        self._until = until
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, parted, rest = self._came.partition(b"\r\n\r\n")
        if not parted:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(rest) < int(length):
            return
        now = time.perf_counter()
        self._outcome.milliseconds.append((now - self._began) * 1000)
        if not head.startswith(b"HTTP/1.1 200") or (b'"isError":true' in rest) != self._refused:
            self._outcome.failed.append((head.partition(b"\r\n")[0] + b" " + rest[:300]).decode())
        self._came = b""
        if now < self._until and not self._outcome.failed:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._outcome.failed.append(repr(exc))
        if not self.over.done():
            self.over.set_result(None)


async def _all(load: Load) -> Outcome:
    loop, outcome = asyncio.get_running_loop(), Outcome()
    clients = []
    for number in range(load.clients):
        port, sent = load.requests[number % len(load.requests)]
        made = _Client(sent.encode(), outcome, refused=load.refused)
        await loop.create_connection(lambda client=made: client, "127.0.0.1", port)  # type: ignore[misc]
        clients.append(made)
    began = time.perf_counter()
    for client in clients:
        client.begin(began + load.seconds)
    await asyncio.gather(*(client.over for client in clients))
    outcome.seconds = time.perf_counter() - began
    return outcome


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(asyncio.run(_all(Load(**json.load(sys.stdin)))))))
