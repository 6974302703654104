"""A typed yes: how a person at this terminal agrees to something.

Knows terminals. Nothing but the word `yes`, typed after the question, agrees; the end of the input and Ctrl-C are
neither a yes nor a no.
"""

import os
import sys

import anyio
import anyio.to_thread

from fraction_mcp.cli.signals import interruptible
from fraction_mcp.errors import ConfigError

__all__ = ["NO_FASTER_S", "needs_terminal", "on_a_terminal", "typed_line", "typed_yes"]

NO_FASTER_S = 1.1
"""How long after a server's question it is answered at the earliest: what comes within a second counts as a host's own
answer, and a person may type `yes` faster than that."""

_LONGEST_LINE = 4_000
_QUIET_S = 0.05


def on_a_terminal() -> bool:
    """Whether somebody can be asked here: they see what stands on stderr, and type on stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def needs_terminal(command: str) -> None:
    """Raises ConfigError where nobody can be asked: consent is not read from a pipe, nor to a question that is none
    of a terminal's."""
    if not on_a_terminal():
        raise ConfigError(f"{command} needs a terminal: a person types `yes` there, and nothing else counts")


async def typed_yes(question: str) -> bool | None:
    """Ask on stderr. True for a typed `yes`, False for any other line, None at the end of the input or on Ctrl-C.

    What was typed or pasted before the question is thrown away. Other tasks go on meanwhile.
    """
    line = await _answer(f"{question} Type yes: ")
    return line.strip().lower() == "yes" if line else None


async def typed_line(question: str) -> str:
    """What was typed, as `typed_yes` asks for it; empty for nothing, the end of the input and Ctrl-C."""
    return (await _answer(question)).strip()


async def _answer(question: str) -> str:
    line = ""
    with interruptible():
        await _forget_what_was_typed()
        sys.stderr.write(question)
        sys.stderr.flush()
        line = await _line()
    if not line:
        sys.stderr.write("\n")
    return line


async def _forget_what_was_typed() -> None:
    """Flush the terminal's input until nothing has come for a moment: a paste arrives in pieces."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - Windows has it alone

        while msvcrt.kbhit():
            msvcrt.getwch()
        return
    import termios  # noqa: PLC0415 - Windows lacks it

    quiet = False
    try:
        while not quiet:
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
            with anyio.move_on_after(_QUIET_S) as waited:
                await anyio.wait_readable(sys.stdin.fileno())
            quiet = waited.cancelled_caught
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)  # half a line shows to nobody who waits
    except termios.error:
        return  # the terminal has gone: reading from it tells


async def _line() -> str:
    """The next whole line of the terminal; empty at its end. A thread that waits for it could not be called off."""
    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    typed = b""
    while not typed.endswith((b"\n", b"\r")):
        await anyio.wait_readable(sys.stdin.fileno())
        try:
            piece = os.read(sys.stdin.fileno(), _LONGEST_LINE)
        except OSError:  # Linux's way to say that the terminal has gone
            return ""
        if not piece:
            return ""
        typed += piece
    return typed.decode(sys.stdin.encoding, "replace")
