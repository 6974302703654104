"""`fraction-mcp`: the ways in, for people and for MCP hosts.

Each command's own module is imported when it is called: `serve` loads nothing that it does not need.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fraction_mcp.cli.output import speak_any_character_set
from fraction_mcp.cli.parser import parser as _parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Its exit code is one of `fraction_mcp.cli.exits`, or 128 and the number of a signal: 130 after
    Ctrl-C."""
    try:
        speak_any_character_set()
        return _run_reporting_errors(arguments)
    except KeyboardInterrupt:
        return 130


def _run_reporting_errors(arguments: Sequence[str] | None) -> int:
    """Run a command, and say on stderr in a line what went wrong, where it is no bug."""
    closed = _null_for_closed_streams()
    options = _parser().understood(arguments)
    from fraction_mcp.cli.exits import code_of_error  # noqa: PLC0415
    from fraction_mcp.errors import ConfigError, FractionMcpError, JournalError  # noqa: PLC0415 - after --help and --version

    try:
        if options.command == "serve" and not options.http:
            _refuse_closed(closed)
        return _ran(options)
    except FractionMcpError as error:
        where = f" ({error.where})" if isinstance(error, ConfigError | JournalError) and error.where else ""
        hint = f". {error.hint}" if error.hint else ""
        sys.stderr.write(f"fraction-mcp: {error.message}{where}{hint}\n")
        return code_of_error(error)
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        sys.stderr.close()
        return 1
    except Exception as error:
        error_text = _of_a_session(error) if options.command in {"call", "price", "demo", "tools"} else ""
        if not error_text:
            raise
        sys.stderr.write(f"fraction-mcp: {error_text}\n")
        return 1


def _null_for_closed_streams() -> set[str]:
    """The names of the standard streams that this process was started without. Each becomes the null device: else the
    next file or socket would get its number, and be read from and printed to as if it were the stream."""
    closed = set()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - as long as the process
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
            closed.add(name)
    return closed


def _refuse_closed(closed: set[str]) -> None:
    from fraction_mcp.errors import ConfigError  # noqa: PLC0415 - after --help and --version

    if closed & {"stdin", "stdout"}:
        raise ConfigError("stdin or stdout is closed: a client starts this server, and speaks to it there")


def _ran(options: argparse.Namespace) -> int:
    """Task groups wrap what was raised inside them: a single cause is the cause, and an interrupt always is."""
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt):
            raise KeyboardInterrupt from None
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
            cause = cause.exceptions[0]
        raise cause from None


def _of_a_session(error: Exception) -> str:
    """What to say where an MCP session of ours came to nothing; empty where it is something else, a bug perhaps."""
    from anyio import BrokenResourceError, ClosedResourceError, EndOfStream  # noqa: PLC0415 - only on failure
    from mcp import MCPError  # noqa: PLC0415
    from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415

    from fraction_mcp.values.text import quoted  # noqa: PLC0415

    lost = (BrokenResourceError, ClosedResourceError, EndOfStream)
    cause = error
    while isinstance(cause, ExceptionGroup) and not cause.split((MCPError, *lost))[1]:
        cause = cause.exceptions[0]
    if isinstance(cause, lost) or (isinstance(cause, MCPError) and cause.error.code == CONNECTION_CLOSED):
        return "the MCP server of this session ended before it answered"
    return f"the MCP server failed: {quoted(cause.error.message, 300)}" if isinstance(cause, MCPError) else ""
