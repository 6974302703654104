"""A proxy in front of replicas, in turn: whoever was answered by one is answered by the other next."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_FOR = re.compile(rb"\r\nx-forwarded-for: *([^\r]*)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_GONE = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass
class Proxy:
    """`ports` are the replicas' (0: none there), `served` how many requests each has answered. `only` sends everything
    of an address to one of them, by its place in `ports`."""

    port: int = 0
    ports: list[int] = field(default_factory=list)
    served: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    only: dict[str, int] = field(default_factory=dict)
    went: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _in_order(self, address: str) -> list[int]:
        """The replicas to be tried. A person's next request goes to the next one."""
        if address in self.only:
            return [self.only[address]]
        last = self.went[address][-1] if self.went[address] else len(address) + hash(address)
        return [(last + 1 + step) % len(self.ports) for step in range(len(self.ports))]

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._carried(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        named = _FOR.search(head)
        address = named[1].decode() if named else ""
        head = _CONNECTION.sub(b"", head)[:-2] + b"connection: close\r\n\r\n"
        for place in self._in_order(address):
            with suppress(OSError):
                theirs, ours = await asyncio.open_connection("127.0.0.1", self.ports[place])
                break
        else:
            writer.write(_GONE)
            return
        self.went[address].append(place)
        ours.write(head + body)
        answered = False
        leaving = asyncio.ensure_future(reader.read(1))  # whoever leaves takes their request along
        try:
            with suppress(ConnectionError):
                while piece := await _first(theirs.read(65_536), leaving):
                    answered = True
                    writer.write(piece)
                    await writer.drain()
            if answered:
                self.served[place] += 1
            else:
                writer.write(_GONE)
        finally:
            leaving.cancel()
            ours.close()


async def _first(reading: Coroutine[Any, Any, bytes], leaving: "asyncio.Future[bytes]") -> bytes:
    task = asyncio.ensure_future(reading)
    await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    raise ConnectionError("the client has left")


@asynccontextmanager
async def proxied() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0, backlog=512)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
