"""One client on stdin and stdout, as the event loop reads and writes them for the SDK's stdio transport.

The SDK's own streams hop to a thread and back for every line; on a pipe the event loop needs neither, and a call takes
about half as long. A thread that waits for a terminal's next line could not be called off, so Ctrl-C would end nothing
there: the event loop reads terminals, too. Any other stream (a file, Windows' own) is left to the SDK. As there,
descriptor 0 points at the null device and descriptor 1 at stderr while serving: no stray print reaches the wire.
"""

import asyncio
import logging
import os
import re
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from fraction_mcp.server.openings import serve_connection

__all__ = ["loop_streams", "serve_stdio"]

logger = logging.getLogger(__name__)

_LONGEST_LINE = 64 * 1024 * 1024
_PIECE = 64 * 1024
_UNREAD = "a message of more than 64 MiB on stdin was not read"
# JSON-RPC 2.0: where the id of a request could not be read, the answer's is null.
_TOO_LONG = (
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"a message of more than 64 MiB was not read; '
    'nothing was done"}}\n'
)

# Half of a surrogate pair, as JSON escapes it. What is none is taken with it: an escaped backslash, a whole pair.
_HALF = re.compile(r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})")


_LOOKS_S = 2.0


async def serve_stdio(runtime: Runtime) -> None:
    """Serve one client on stdin and stdout until it closes them, or the program that started this one is gone."""
    async with runtime, anyio.create_task_group() as group:
        group.start_soon(_orphaned, group.cancel_scope)
        server = create_server(runtime)
        async with loop_streams() as (stdin, stdout), stdio_server(stdin, stdout) as (read, write):
            await serve_connection(server, read, write)
        group.cancel_scope.cancel()


async def _orphaned(serving: anyio.CancelScope) -> None:
    """End the serving once the parent has died: another child of its may hold stdin open for ever.

    A process whose parent dies becomes another one's child, on Linux and macOS alike; on Windows it keeps the dead
    one's number, so that there nothing is known but the end of stdin.
    """
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells
        await anyio.sleep(_LOOKS_S)
    with suppress(OSError):  # nobody may read it any more
        os.write(2, b"fraction-mcp: the program that started this server is gone, so it ends\n")
    serving.cancel()


class _Lines:
    """What the SDK reads: an async iterator of lines. One that is too long is skipped, and answered as an error; half a
    character, for which the SDK would leave a request without an answer, is U+FFFD."""

    def __init__(self, reader: asyncio.StreamReader, refuse: Callable[[], None]) -> None:
        self._reader = reader
        self._refuse = refuse

    def __aiter__(self) -> "_Lines":
        return self

    async def __anext__(self) -> str:
        skipping = False
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as longer:
                await self._reader.readexactly(longer.consumed)
                skipping = True
                continue
            except asyncio.IncompleteReadError as end:  # the last line, without an end of its own
                line = end.partial
            if skipping:
                skipping = False
                self._refuse()
            elif line:
                return _whole(line.decode("utf-8", "replace"))
            else:
                raise StopAsyncIteration


def _whole(line: str) -> str:
    if "\\ud" not in line and "\\uD" not in line:
        return line
    return _HALF.sub(lambda match: r"\ufffd" if match[1] else match[0], line)


class _Out:
    """What the SDK writes to: `write` and `flush`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, text: str) -> None:
        self._writer.write(text.encode("utf-8", "backslashreplace"))

    async def flush(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:  # the host has left: what the SDK knows as a closed stream
            raise anyio.ClosedResourceError from None

    def refuse_line(self) -> None:
        _log_unread_line()
        self._writer.write(_TOO_LONG.encode())


@asynccontextmanager
async def loop_streams() -> AsyncIterator[tuple[Any, Any]]:
    """stdin and stdout for `stdio_server`; None for one where the SDK's own must do."""
    if os.isatty(0):
        sys.stderr.write("fraction-mcp speaks MCP on stdin and stdout: an assistant's client starts it (see README).\n")
    if sys.platform == "win32":
        yield None, None
        return
    async with AsyncExitStack() as stack:
        out = await stack.enter_async_context(_stdout()) if _is_pipe(1) else None
        incoming = _piped() if _is_pipe(0) else _typed() if os.isatty(0) else None
        reader = await stack.enter_async_context(incoming) if incoming else None
        yield reader and _Lines(reader, out.refuse_line if out else _log_unread_line), out


@asynccontextmanager
async def _stdout() -> AsyncIterator[_Out]:
    wire = os.dup(1)
    os.dup2(2, 1)
    loop = asyncio.get_running_loop()
    outgoing, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(wire, "wb"))
    outgoing.set_write_buffer_limits(high=0)  # a flush waits until the host has everything
    try:
        yield _Out(asyncio.StreamWriter(outgoing, protocol, None, loop))
    finally:
        outgoing.close()


@asynccontextmanager
async def _piped() -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    incoming, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(_diverted_stdin(), "rb")
    )
    try:
        yield reader
    finally:
        incoming.close()


@asynccontextmanager
async def _typed() -> AsyncIterator[asyncio.StreamReader]:
    """A terminal: read when it has a line, and left in the mode that its shell shares with it."""
    wire, loop = _diverted_stdin(), asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)

    def feed() -> None:
        try:
            piece = os.read(wire, _PIECE)
        except OSError:  # Linux's way to say that the terminal has gone
            piece = b""
        if piece:
            reader.feed_data(piece)
        else:
            loop.remove_reader(wire)
            reader.feed_eof()

    loop.add_reader(wire, feed)
    try:
        yield reader
    finally:
        loop.remove_reader(wire)
        os.close(wire)


def _diverted_stdin() -> int:
    """A descriptor of stdin, in whose place the null device then stands."""
    wire, null = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return wire


def _log_unread_line() -> None:
    logger.warning(_UNREAD)


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
