"""A typed yes: how a person at this terminal agrees to something.

Knows terminals. Nothing but the word `yes` agrees; the end of the input and Ctrl-C are neither a yes nor a no.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext

import anyio
import anyio.to_thread

from fraction_mcp.errors import ConfigError

__all__ = ["needs_terminal", "on_a_terminal", "typed_yes"]

_LONGEST_LINE = 4_000


def on_a_terminal() -> bool:
    """Whether somebody can be asked here: they see what stands on stderr, and type on stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def needs_terminal(command: str) -> None:
    """Raises ConfigError where nobody is there to type: consent is not read from a pipe."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{command} needs a terminal: a person types `yes` there, and nothing else counts")


async def typed_yes(prompt: str) -> bool | None:
    """Ask on stderr. True for a typed `yes`, False for any other line, None at the end of the input or on Ctrl-C.

    Other tasks go on meanwhile.
    """
    line: list[str] = []
    with _interrupts() as interrupts:  # before the prompt: whoever sees it may press Ctrl-C
        sys.stderr.write(prompt)
        sys.stderr.flush()
        async with anyio.create_task_group() as group:

            async def until_interrupted() -> None:
                async for _ in interrupts:
                    group.cancel_scope.cancel()

            group.start_soon(until_interrupted)
            line.append(await _line())
            group.cancel_scope.cancel()
    if not line or not line[0]:
        sys.stderr.write("\n")
        return None
    return line[0].strip().lower() == "yes"


def _interrupts() -> AbstractContextManager[AsyncIterator[signal.Signals]]:
    """Ctrl-C ends the question, and not the program: each one, as it is pressed."""
    if sys.platform == "win32":  # there it interrupts the program, which has written nothing
        return nullcontext(_never())
    return anyio.open_signal_receiver(signal.SIGINT)


async def _never() -> AsyncIterator[signal.Signals]:
    await anyio.sleep_forever()
    yield signal.SIGINT


async def _line() -> str:
    """The next line of the terminal; empty at its end. A thread that waits for it could not be called off."""
    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    await anyio.wait_readable(sys.stdin.fileno())
    return os.read(sys.stdin.fileno(), _LONGEST_LINE).decode(sys.stdin.encoding, "replace")
