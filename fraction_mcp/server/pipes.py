"""stdin and stdout as the event loop reads and writes them, for the SDK's stdio transport.

The SDK's own streams hop to a thread and back for every line; on a pipe the event loop needs neither, and a call takes
about half as long. Where the streams are no pipes (a file, Windows), the SDK's own are used. As there, descriptor 0
points at the null device and descriptor 1 at stderr while serving, so that no stray print reaches the wire.
"""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

__all__ = ["loop_streams"]

_LONGEST_LINE = 64 * 1024 * 1024


class _Lines:
    """What the SDK reads: an async iterator of lines."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def __aiter__(self) -> "_Lines":
        return self

    async def __anext__(self) -> str:
        line = await self._reader.readline()
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class _Out:
    """What the SDK writes to: `write` and `flush`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, text: str) -> None:
        self._writer.write(text.encode())

    async def flush(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:  # the host has left: what the SDK knows as a closed stream
            raise anyio.ClosedResourceError from None


@asynccontextmanager
async def loop_streams() -> AsyncIterator[tuple[Any, Any]]:
    """stdin and stdout for `stdio_server`; a pair of None where the SDK's own must do."""
    if os.isatty(0):
        sys.stderr.write("fraction-mcp speaks MCP on stdin and stdout: an assistant's client starts it (see README).\n")
    if sys.platform == "win32" or not (_is_pipe(0) and _is_pipe(1)):
        yield None, None
        return
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(wire_in, "rb"))
    outgoing, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(wire_out, "wb"))
    outgoing.set_write_buffer_limits(high=0)  # a flush waits until the host has everything
    try:
        yield _Lines(reader), _Out(asyncio.StreamWriter(outgoing, protocol, None, loop))
    finally:
        incoming.close()
        outgoing.close()


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
