"""`fraction-mcp`: the ways in, for people and for MCP hosts.

Each command's own module is imported when it is called: `serve` loads nothing that it does not need.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fraction_mcp.cli.clients import commands as clients
from fraction_mcp.cli.output import speak_any_character_set
from fraction_mcp.cli.version import VersionAction

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 0 fine; 1 the operation failed; 2 wrong usage or configuration; 128 and its number for
    a signal, so 130 after Ctrl-C."""
    try:
        speak_any_character_set()
        return _told(arguments)
    except KeyboardInterrupt:
        return 130


def _told(arguments: Sequence[str] | None) -> int:
    """Run a command, and say on stderr in a line what went wrong, where it is no bug."""
    closed = _null_for_closed_streams()
    parser = _parser()
    asked, rest = parser.parse_known_args(arguments)
    if rest and "pairs" in asked and not any(word.startswith("-") for word in rest):
        asked.pairs += rest  # argparse leaves over what comes behind a flag: call TOOL --sandbox name=value
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    from fraction_mcp.errors import ConfigError, FractionMcpError, JournalError  # noqa: PLC0415 - after --help and --version

    try:
        if asked.run is _serve and not asked.http:
            _refuse_closed(closed)
        return _ran(asked)
    except FractionMcpError as error:
        where = f" ({error.where})" if isinstance(error, ConfigError | JournalError) and error.where else ""
        hint = f". {error.hint}" if error.hint else ""
        sys.stderr.write(f"fraction-mcp: {error.message}{where}{hint}\n")
        return 2 if isinstance(error, ConfigError) else 1
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        sys.stderr.close()
        return 1
    except Exception as error:
        told = _of_a_session(error) if asked.run in {_call, _demo, _tools} else ""
        if not told:
            raise
        sys.stderr.write(f"fraction-mcp: {told}\n")
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


def _ran(asked: argparse.Namespace) -> int:
    """Task groups wrap what was raised inside them: a single cause is the cause, and an interrupt always is."""
    run: Callable[[argparse.Namespace], int] = asked.run
    try:
        return run(asked)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fraction-mcp", description="The MCP server for FractionERP and Fracttal.", allow_abbrev=False
    )
    parser.add_argument("--version", action=VersionAction)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="serve MCP on stdio, or on HTTP with --http", allow_abbrev=False)
    _sandbox_flag(serve)
    serve.add_argument("--http", action="store_true", help="streamable HTTP at /mcp, on a loopback address")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=_port, default=8765)
    serve.add_argument("--read-only", action="store_true", help="offer no tool that writes")
    serve.set_defaults(run=_serve)

    demo = commands.add_parser("demo", help="watch an assistant's session on the embedded ERPs", allow_abbrev=False)
    demo.set_defaults(run=_demo)

    call = commands.add_parser("call", help="call one tool through a real MCP session", allow_abbrev=False)
    call.add_argument("tool", metavar="TOOL")
    call.add_argument("pairs", metavar="name=value", nargs="*", help="arguments; lists and objects as JSON")
    call.add_argument("--args", metavar="JSON", default="", help="all arguments as one JSON object")
    _sandbox_flag(call)
    call.add_argument("--json", action="store_true", help="print the structured result")
    call.set_defaults(run=_call)

    _deciding(commands)
    clients.register(commands)

    tools = commands.add_parser("tools", help="list the tools that are offered", allow_abbrev=False)
    tools.add_argument("--json", action="store_true", help="as tools/list sends them")
    tools.set_defaults(run=_tools)

    schemas = commands.add_parser("schemas", help="print, write or check the published schemas", allow_abbrev=False)
    what = schemas.add_mutually_exclusive_group()
    what.add_argument("--write", metavar="DIR", help="write one file a tool")
    what.add_argument("--check", metavar="DIR", help="fail where the files differ from what is served")
    what.add_argument(
        "--format", choices=("mcp", "openai-responses", "openai-chat", "anthropic", "gemini"), default="mcp"
    )
    schemas.set_defaults(run=_schemas)

    sandbox = commands.add_parser("sandbox", help="serve the embedded ERPs over HTTP", allow_abbrev=False)
    sandbox.add_argument("--port", type=_port, default=8790)
    sandbox.add_argument("--parts", type=_parts, default=600, metavar="N", help="how many parts, up to 100,000")
    sandbox.add_argument("--seed", type=int, default=1, metavar="N")
    sandbox.add_argument("--reset", action="store_true", help="start the company afresh")
    sandbox.set_defaults(run=_sandbox)
    return parser


def _deciding(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What people do with the writes that assistants ask for."""
    inbox = commands.add_parser("approvals", help="decide about writes, in the browser", allow_abbrev=False)
    inbox.add_argument("--port", type=_port, default=0, help="a free one unless given")
    inbox.add_argument("--no-open", action="store_true", help="print the sign-in link, and open no browser")
    inbox.add_argument(
        "--for-servers", action="store_true", help=argparse.SUPPRESS
    )  # started by `serve`, not by people
    _sandbox_flag(inbox)
    inbox.set_defaults(run=_approvals)

    for name, told in (("approve", "approve a write, in this terminal"), ("decline", "decline one")):
        command = commands.add_parser(name, help=told, allow_abbrev=False)
        command.add_argument("id", metavar="ID")
        _sandbox_flag(command)
        command.set_defaults(run=_decide, what=name)

    resolve = commands.add_parser("resolve", help="settle a write whose outcome is unknown", allow_abbrev=False)
    resolve.add_argument("id", metavar="ID")
    resolve.add_argument("what", choices=("landed", "absent"), help="whether it is in the ERP")
    _sandbox_flag(resolve)
    resolve.set_defaults(run=_decide)

    writes = commands.add_parser("writes", help="list writes, or show one's whole life", allow_abbrev=False)
    writes.add_argument("id", metavar="ID", nargs="?", default="")
    writes.set_defaults(run=_writes)

    audit = commands.add_parser("audit", help="list or verify the journal's events", allow_abbrev=False)
    audit.add_argument("--verify", action="store_true", help="check that no event was edited, removed or reordered")
    audit.add_argument(
        "--anchor", metavar="HASH", nargs="?", const="", help="print the head to keep elsewhere; or verify against it"
    )
    audit.set_defaults(run=_audit)

    migrate = commands.add_parser("migrate", help="bring the journal's schema up to date", allow_abbrev=False)
    migrate.set_defaults(run=_migrate)


def _sandbox_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", action="store_true", help="work in the embedded ERPs; no account is needed")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return int(text)


def _parts(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 600 <= int(text) <= 100_000):
        raise argparse.ArgumentTypeError("the company has 600 to 100000 parts")
    return int(text)


# Each of these imports its command when it is called.


def _serve(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.serve import serve  # noqa: PLC0415

    return serve(sandbox=asked.sandbox, http=asked.http, host=asked.host, port=asked.port, read_only=asked.read_only)


def _demo(_asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.demo import demo  # noqa: PLC0415

    return demo()


def _call(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.call import call  # noqa: PLC0415

    return call(asked.tool, asked.pairs, asked.args, sandbox=asked.sandbox, as_json=asked.json)


def _tools(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.schemas import list_tools  # noqa: PLC0415

    return list_tools(as_json=asked.json)


def _schemas(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.schemas import schemas  # noqa: PLC0415

    return schemas(write=asked.write, check=asked.check, style=asked.format)


def _sandbox(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.serve import serve_embedded  # noqa: PLC0415

    return serve_embedded(port=asked.port, parts=asked.parts, seed=asked.seed, reset=asked.reset)


def _approvals(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.inbox import approvals, approvals_for_servers  # noqa: PLC0415

    if asked.for_servers:
        return approvals_for_servers(sandbox=asked.sandbox)
    return approvals(port=asked.port, open_browser=not asked.no_open, sandbox=asked.sandbox)


def _decide(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.decide import decide  # noqa: PLC0415

    return decide(asked.what, asked.id, sandbox=asked.sandbox)


def _writes(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.ledger import writes  # noqa: PLC0415

    return writes(asked.id)


def _audit(asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.ledger import audit  # noqa: PLC0415

    return audit(verify=asked.verify, anchor=asked.anchor)


def _migrate(_asked: argparse.Namespace) -> int:
    from fraction_mcp.cli.ledger import migrate  # noqa: PLC0415

    return migrate()
