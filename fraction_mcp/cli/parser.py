"""What is typed behind `fraction-mcp`: commands and options, and what is said where one is misspelt.

Each command's own module is imported when it is called: `serve` loads nothing that it does not need.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn, TypeAlias

from fraction_mcp.cli.clients import commands as clients
from fraction_mcp.cli.version import VersionAction

__all__ = ["Parser", "parser"]

Commands: TypeAlias = Any  # what add_subparsers gives is a private class of argparse's


class Parser(argparse.ArgumentParser):
    """argparse's, which names the nearest command, option or value where there is none of that name."""

    _commands: Commands = None

    def understood(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """What was typed. Prints the help where nothing was; ends the process where it is no command."""
        words = sys.argv[1:] if arguments is None else list(arguments)
        if not words:
            self.print_help()
            self.exit()
        options, rest = self.parse_known_args(words)
        if rest and "pairs" in options and not any(word.startswith("-") for word in rest):
            options.pairs += rest  # argparse leaves over what comes behind a flag: call TOOL --sandbox name=value
        elif rest:
            self.refuse_unknown(rest, words)
        return options

    def refuse_unknown(self, rest: Sequence[str], words: Sequence[str]) -> NoReturn:
        """Of an option that the command does not have, the nearest that it has."""
        command = self
        for word in words:
            command = command.commands().get(word, command)
        known = command.options()
        word = next((word for word in rest if word.startswith("-")), rest[0])
        near = difflib.get_close_matches(word.partition("=")[0], known, n=1, cutoff=0.5)
        command.error(f"unrecognized arguments: {' '.join(rest)}" + (f"; did you mean {near[0]}?" if near else ""))

    def commands(self) -> "dict[str, Parser]":
        return dict(self._commands.choices) if self._commands else {}

    def options(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]

    def add_subparsers(self, **options: Any) -> Any:
        self._commands = super().add_subparsers(**options)
        return self._commands

    def error(self, message: str) -> NoReturn:
        """As argparse, but for a choice among many: the nearest one in place of all."""
        match = re.match(r"(argument [^:]+: )?invalid choice: '(.*)' \(choose from (.*)\)", message, re.S)
        if match:
            choices = [choice.strip("' ") for choice in match[3].split(",")]
            near = difflib.get_close_matches(match[2].lower(), choices, n=1, cutoff=0.5)
            message = f"there is no {match[2]}; " + (
                f"did you mean {near[0]}?" if near else f"there are {', '.join(choices)}"
            )
        super().error(message)


def parser() -> Parser:
    whole = Parser(
        prog="fraction-mcp",
        description="The MCP server for FractionERP and Fracttal. Begin with: fraction-mcp setup",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 declined or expired, "
        "4 ambiguous or not found, 5 waits for a person, 6 outcome unknown, 130 interrupted.",
        allow_abbrev=False,
    )
    whole.add_argument("--version", action=VersionAction)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    _beginning(commands)
    _serving(commands)
    _asking(commands)
    _pricing(commands)
    _tools(commands)
    _deciding(commands)
    _looking_back(commands)
    _developing(commands)
    return whole


def _add(commands: Commands, name: str, description: str, run: Callable[[argparse.Namespace], int]) -> Parser:
    command: Parser = commands.add_parser(name, help=description, description=description, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def _calls(module: str, function: str, *names: str, **fixed: object) -> Callable[[argparse.Namespace], int]:
    """What runs a command: that function of its own module, with these of the options by their names."""

    def run(options: argparse.Namespace) -> int:
        target = getattr(import_module(f"fraction_mcp.cli.{module}"), function)
        code: int = target(**{name: getattr(options, name) for name in names}, **fixed)
        return code

    return run


def _where(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--sandbox", action="store_true", help="work in the embedded ERPs; no account is needed")
    _profile(which)


def _profile(command: "argparse.ArgumentParser | argparse._MutuallyExclusiveGroup") -> None:
    command.add_argument("--profile", metavar="NAME", default="", help="which stored account (default: default)")


def _shape(command: argparse.ArgumentParser) -> None:
    shape = command.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", dest="as_json", help="print the structured result")
    shape.add_argument("--csv", action="store_true", dest="as_csv", help="print the table as CSV, as into a pipe")


def _beginning(commands: Commands) -> None:
    _add(
        commands, "setup", "be led through everything: account, trial, assistants", _calls("setup", "setup", "profile")
    )
    _profile(commands.choices["setup"])
    for name, description in (
        ("login", "keep an account, its secret in the OS keychain"),
        ("logout", "forget an account and its secret"),
    ):
        _profile(_add(commands, name, description, _calls("accounts", name, "profile")))
    whoami = _add(
        commands, "whoami", "say which account is used, tried now",
        _calls("accounts", "whoami", "profile", "sandbox", "as_json"),
    )  # fmt: skip
    _where(whoami)
    whoami.add_argument("--json", action="store_true", dest="as_json")
    doctor = _add(
        commands, "doctor", "check everything that a call needs, with the mend",
        _calls("doctor", "doctor", "profile", "sandbox", "as_json"),
    )  # fmt: skip
    _where(doctor)
    doctor.add_argument("--json", action="store_true", dest="as_json")
    clients.register(commands)


def _serving(commands: Commands) -> None:
    serve = _add(
        commands, "serve", "serve MCP on stdio, or on HTTP with --http",
        _calls("serve", "serve", "sandbox", "profile", "http", "host", "port", "read_only", "auth", *_OF_TEAMS),
    )  # fmt: skip
    _where(serve)
    serve.add_argument("--http", action="store_true", help="streamable HTTP at /mcp, on a loopback address")
    serve.add_argument("--host", default="127.0.0.1", help="another than a loopback address needs --auth")
    serve.add_argument("--port", type=_port, default=8765)
    serve.add_argument("--read-only", action="store_true", help="offer no tool that writes")
    _team(serve)
    _add(commands, "demo", "watch an assistant's session on the embedded ERPs", _calls("demo", "demo"))


# What `serve` is given for a team, by the names of `server.team.options.Asked`.
_OF_TEAMS = (
    "issuer", "audience", "subject", "scope_claim", "grant", "public_url", "allowed_host", "trusted_proxy",
    "client_host", "allow_registration", "metrics_host", "metrics_port",
)  # fmt: skip


def _team(serve: Parser) -> None:
    team = serve.add_argument_group("one server for a team (docs/deployment.md)")
    team.add_argument(
        "--auth", choices=("none", "jwt", "sign-in"), default="none",
        help="who may come: whoever reaches a loopback address; whoever has a token of your identity provider; "
        "whoever signs in with a FractionERP account",
    )  # fmt: skip
    team.add_argument("--issuer", metavar="URL", default="", help="jwt: whose tokens count")
    team.add_argument("--audience", metavar="URL", default="", help="jwt: what they must have been made for")
    team.add_argument(
        "--subject", metavar="SUBJECT=PROFILE", action="append", default=[],
        help="jwt: whose account somebody uses; without any, all use this server's",
    )  # fmt: skip
    team.add_argument(
        "--scope-claim", metavar="CLAIM", default="",
        help="jwt: which claim says what a token allows (default: scope, or scp)",
    )  # fmt: skip
    team.add_argument(
        "--grant", metavar="NAME=SCOPES", action="append", default=[],
        help="jwt: what a name in that claim allows, as 'ERP buyers=erp:read erp:write'; "
        "without any, erp:read and erp:write by those names",
    )  # fmt: skip
    team.add_argument("--public-url", metavar="URL", default="", help="the https:// address that people use")
    team.add_argument(
        "--allowed-host", metavar="HOST", action="append", default=[],
        help="a further name that it is reached by",
    )  # fmt: skip
    team.add_argument(
        "--trusted-proxy", metavar="CIDR", action="append", default=[],
        help="whose X-Forwarded-For and X-Forwarded-Proto are believed",
    )  # fmt: skip
    team.add_argument(
        "--client-host", metavar="HOST", action="append", default=[],
        help="sign-in: a further host whose clients may introduce themselves",
    )  # fmt: skip
    team.add_argument("--allow-registration", action="store_true", help="sign-in: any client may register itself")
    team.add_argument("--metrics-port", metavar="P", type=_port, default=None, help="serve /metrics on this port")
    team.add_argument("--metrics-host", metavar="HOST", default="", help="and this address (default: 127.0.0.1)")


def _asking(commands: Commands) -> None:
    call = commands.add_parser(
        "call", help="call one tool through a real MCP session", allow_abbrev=False, add_help=False,
        description="Call one tool through a real MCP session. `call TOOL --help` shows its arguments.",
    )  # fmt: skip
    call.add_argument("tool", metavar="TOOL", nargs="?", default="")
    call.add_argument("pairs", metavar="name=value", nargs="*", help="arguments; lists and objects as JSON")
    call.add_argument("--args", metavar="JSON", default="", help="all arguments as one JSON object")
    call.add_argument(
        "--batch",
        metavar="FILE.jsonl",
        default="",
        help='calls of one session, a line each: {"tool": ..., "arguments": {...}}',
    )
    call.add_argument("--trace", action="store_true", help="on stderr: the requests to the ERPs, milliseconds, tokens")
    call.add_argument("-h", "--help", action="store_true", dest="wants_help", help="this, or a tool's arguments")
    _where(call)
    _shape(call)

    def run_call(options: argparse.Namespace) -> int:
        if not options.tool and (options.wants_help or not options.batch):
            call.print_help() if options.wants_help else call.error("which TOOL? `fraction-mcp tools` lists them")
            return 0
        if options.wants_help:
            return _calls("schemas", "show_tool", "tool", "profile")(options)
        names = ("tool", "pairs", "args", "batch", "trace", "sandbox", "profile", "as_json", "as_csv")
        return _calls("call", "call", *names)(options)

    call.set_defaults(run=run_call)


def _pricing(commands: Commands) -> None:
    price = _add(
        commands, "price", "price parts for a customer",
        _calls("call", "price", "pairs", "customer", "trace", "sandbox", "profile", "as_json", "as_csv"),
    )  # fmt: skip
    price.add_argument("pairs", metavar="PART=QUANTITY", nargs="+")
    price.add_argument(
        "--customer", metavar="NAME", default="", help="a name or an id; without it, one part for everybody"
    )
    price.add_argument("--trace", action="store_true", help="on stderr: the requests to the ERPs, milliseconds, tokens")
    _where(price)
    _shape(price)


def _tools(commands: Commands) -> None:
    tools = _add(
        commands, "tools", "list the tools, or show one's arguments",
        _calls("schemas", "list_tools", "tool", "profile", "as_json"),
    )  # fmt: skip
    tools.add_argument("tool", metavar="NAME", nargs="?", default="")
    tools.add_argument("--json", action="store_true", dest="as_json", help="as tools/list sends them")
    _profile(tools)


def _deciding(commands: Commands) -> None:
    """What people do with the writes that assistants ask for."""
    inbox = _add(
        commands, "approvals", "decide about writes, in the browser",
        _calls("inbox", "approvals", "port", "no_open", "for_servers", "sandbox", "profile"),
    )  # fmt: skip
    inbox.add_argument("--port", type=_port, default=0, help="a free one unless given")
    inbox.add_argument("--no-open", action="store_true", help="print the sign-in link, and open no browser")
    inbox.add_argument(
        "--for-servers", action="store_true", help=argparse.SUPPRESS
    )  # started by `serve`, not by people
    _where(inbox)
    for name, description in (("approve", "approve a write, in this terminal"), ("decline", "decline one")):
        option_names = ("id", "sandbox", "profile", *(["reason"] if name == "decline" else []))
        command = _add(commands, name, description, _calls("decide", "decide", *option_names, what=name))
        command.add_argument("id", metavar="ID", nargs="?", default="", help="or its beginning; without it, what waits")
        if name == "decline":
            command.add_argument("--reason", metavar="TEXT", default="", help="why: the assistant is told")
        _where(command)
    resolve = _add(
        commands, "resolve", "settle a write whose outcome is unknown",
        _calls("decide", "decide", "id", "what", "sandbox", "profile"),
    )  # fmt: skip
    resolve.add_argument("id", metavar="ID", help="or its beginning")
    resolve.add_argument("what", choices=("landed", "absent"), help="whether it is in the ERP")
    _where(resolve)


def _looking_back(commands: Commands) -> None:
    writes = _add(
        commands, "writes", "list writes, or show one's whole life",
        _calls("ledger", "writes", "id", "states", "sandbox", "profile", "as_json", "as_csv"),
    )  # fmt: skip
    writes.add_argument("id", metavar="ID", nargs="?", default="", help="or its beginning")
    writes.add_argument(
        "--state", action="append", dest="states", metavar="STATE", default=[],
        choices=("waiting", "awaiting_approval", "approved", "sending", "done", "failed", "unknown", "declined",
                 "cancelled", "expired"),
        help="only these: waiting, done, failed, unknown, declined, cancelled, expired ...",
    )  # fmt: skip
    _where(writes)
    _shape(writes)
    audit = _add(
        commands, "audit", "list or verify the journal's events",
        _calls("ledger", "audit", "verify", "anchor", "sandbox", "profile"),
    )  # fmt: skip
    audit.add_argument("--verify", action="store_true", help="check that no event was edited, removed or reordered")
    audit.add_argument(
        "--anchor", metavar="HASH", nargs="?", const="", help="print the head to keep elsewhere; or verify against it"
    )
    _where(audit)
    migrate = _add(
        commands, "migrate", "bring the journal's schema up to date", _calls("ledger", "migrate", "sandbox", "profile")
    )
    _where(migrate)


def _developing(commands: Commands) -> None:
    schemas = _add(
        commands, "schemas", "print, write or check the published schemas",
        _calls("schemas", "schemas", "write", "check", "style"),
    )  # fmt: skip
    what = schemas.add_mutually_exclusive_group()
    what.add_argument("--write", metavar="DIR", help="write one file a tool")
    what.add_argument("--check", metavar="DIR", help="fail where the files differ from what is served")
    what.add_argument(
        "--format", dest="style", default="mcp",
        choices=("mcp", "openai-responses", "openai-chat", "anthropic", "gemini"),
        help="mcp, openai, anthropic or gemini",
    )  # fmt: skip
    _sandbox(commands)
    completion = _add(
        commands, "completion", "print a script that completes commands in a shell",
        _calls("completion", "completion", "shell"),
    )  # fmt: skip
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


def _sandbox(commands: Commands) -> None:
    sandbox = _add(
        commands, "sandbox", "serve the embedded ERPs over HTTP; or reset them, or have something fail",
        _calls("serve", "serve_embedded", "port", "parts", "seed"),
    )  # fmt: skip
    _company(sandbox)
    sandbox.add_argument("--port", type=_port, default=8790)
    controls = sandbox.add_subparsers(title="controls", metavar="CONTROL", parser_class=Parser)
    reset = _add(controls, "reset", "start the company afresh", _calls("sandbox", "reset", "parts", "seed"))
    _company(reset)
    fault = _add(
        controls, "fault", "have requests fail; without KIND, list the kinds and what is armed",
        _calls("sandbox", "fault", "kind", "on", "times", "after", "status", "code", "seconds", "clear"),
    )  # fmt: skip
    fault.add_argument("kind", metavar="KIND", nargs="?", default="")
    fault.add_argument("--on", metavar="METHOD/PATH", default="*/*", help="such as POST/parts or GET/parts/*; * is any")
    fault.add_argument("--times", type=_count, default=1, metavar="N", help="how many requests meet it")
    fault.add_argument("--after", type=_count, default=0, metavar="N", help="once so many have passed unharmed")
    fault.add_argument("--status", type=_count, default=0, help="of kinds that answer with one")
    fault.add_argument("--code", default="", help="of kind status: the code in the ERP's envelope")
    fault.add_argument("--seconds", type=float, default=60.0, help="of kinds that hold a request")
    fault.add_argument("--clear", action="store_true", help="disarm everything")


def _company(command: argparse.ArgumentParser) -> None:
    command.add_argument("--parts", type=_parts, default=600, metavar="N", help="how many parts, up to 100,000")
    command.add_argument("--seed", type=int, default=1, metavar="N")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is not a number of times")
    return int(text)


def _parts(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 600 <= int(text) <= 100_000):
        raise argparse.ArgumentTypeError("the company has 600 to 100000 parts")
    return int(text)
