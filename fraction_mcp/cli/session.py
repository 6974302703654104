"""A real MCP session with this very server, as a host would open it: a child process, its stdin and stdout.

The transport is our own, since the SDK's kills a child that has not ended four seconds after its stdin was closed: this
child may be sending a write, and ends by itself once it is over.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.shared.message import SessionMessage
from mcp.types import Implementation, jsonrpc_message_adapter

from fraction_mcp import __version__
from fraction_mcp.cli.trace import LOGS, trace_line
from fraction_mcp.config import Settings

__all__ = ["own_server"]

_INFO = Implementation(name="fraction-mcp", version=__version__)  # who asked, in the journal and the inbox
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
_KILLED_AFTER_S = 2

Message = SessionMessage | Exception


@asynccontextmanager
async def own_server(
    *flags: str,
    environment: Mapping[str, str] | None = None,
    elicitation_callback: ElicitationFnT | None = None,
    trace: bool = False,
) -> AsyncIterator[Client]:
    """The SDK's client on `fraction-mcp serve` with these flags, in this environment.

    The server opens no inbox of its own: it would end with the session, before a person could decide in it. With
    `trace` its requests to the ERPs and what each call cost are told on stderr; see `trace`.
    """
    env = {**os.environ, "FRACTION_MCP_OPEN_INBOX": "false", **(environment or {}), **(LOGS if trace else {})}
    longest_write_s = 4 * Settings.load(stored=False).timeout_s + 5  # as long as a claim holds (runtime.py)
    child = _child(_command(flags), env, patience_s=longest_write_s + 10, on_line=trace_line if trace else None)
    async with Client(child, client_info=_INFO, elicitation_callback=elicitation_callback) as client:
        yield client


def _command(flags: Sequence[str]) -> list[str]:
    # -P: what is called fraction_mcp in the current folder must not be run with these credentials.
    return [sys.executable, "-P", "-m", "fraction_mcp", "serve", *flags]


@asynccontextmanager
async def _child(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    patience_s: float,
    on_line: Callable[[bytes], None] | None = None,
) -> AsyncIterator[tuple[MemoryObjectReceiveStream[Message], MemoryObjectSendStream[SessionMessage]]]:
    """A process, and the messages that go to and fro. However this is left, the process is given time to end."""
    process = await anyio.open_process(
        command,
        stderr=subprocess.PIPE if on_line else None,  # its words stand beside ours
        env=environment,
        start_new_session=True,  # a Ctrl-C at this terminal is ours alone
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
    )
    came, incoming = anyio.create_memory_object_stream[Message](0)
    outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    async with came, incoming, outgoing, to_send, anyio.create_task_group() as group:
        group.start_soon(_read, process, came)
        group.start_soon(_write, process, to_send)
        heard = anyio.Event()
        group.start_soon(_hear, process, on_line, heard)
        try:
            yield incoming, outgoing
        finally:
            incoming.close()
            outgoing.close()
            with anyio.CancelScope(shield=True):
                await _ended(process, patience_s)
                with anyio.move_on_after(_KILLED_AFTER_S):
                    await heard.wait()
            group.cancel_scope.cancel()


async def _hear(process: Process, on_line: Callable[[bytes], None] | None, heard: anyio.Event) -> None:
    """Each line of its stderr, where somebody listens."""
    rest = b""
    if process.stderr is None or on_line is None:
        heard.set()
        return
    with suppress(*_GONE):
        async for chunk in process.stderr:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                on_line(line)
    heard.set()


async def _read(process: Process, came: MemoryObjectSendStream[Message]) -> None:
    """Lines until the process closes its stdout: also those that nobody wants any more, so that it is never stuck."""
    if process.stdout is None:
        return
    rest = b""
    with came, suppress(*_GONE):
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                with suppress(anyio.BrokenResourceError):
                    await came.send(_message(line))


def _message(line: bytes) -> Message:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:  # the session's to tell
        return error


async def _write(process: Process, to_send: MemoryObjectReceiveStream[SessionMessage]) -> None:
    if process.stdin is None:
        return
    with suppress(*_GONE):
        async for message in to_send:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await process.stdin.send(text.encode() + b"\n")


async def _ended(process: Process, patience_s: float) -> None:
    """Closing its stdin tells a server to end. One that does not in all that time is stopped."""
    if process.stdin is not None:
        with suppress(*_GONE):
            await process.stdin.aclose()
    for stop, wait_s in ((process.terminate, patience_s), (process.kill, _KILLED_AFTER_S)):
        with anyio.move_on_after(wait_s):
            await process.wait()
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            stop()
    await process.wait()
