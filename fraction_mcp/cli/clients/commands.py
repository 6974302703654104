"""How `install` and `uninstall` are asked for. Loads what they do when they are called."""

import argparse
from typing import Any

__all__ = ["CLIENT_NAMES", "register"]

CLIENT_NAMES = ("claude-desktop", "claude-code", "cursor", "vscode", "codex", "gemini-cli")


def register(commands: "argparse._SubParsersAction[Any]") -> None:
    install = commands.add_parser("install", help="let an assistant's program start this server", allow_abbrev=False)
    install.add_argument("client", metavar="CLIENT", choices=CLIENT_NAMES, help=", ".join(CLIENT_NAMES))
    _options(install, "work in the embedded ERPs; no account is needed", "which stored account it works with")
    install.set_defaults(run=_install)

    uninstall = commands.add_parser("uninstall", help="undo install", allow_abbrev=False)
    uninstall.add_argument("client", metavar="CLIENT", choices=CLIENT_NAMES, help=", ".join(CLIENT_NAMES))
    _options(uninstall, "only an entry for the embedded ERPs", "only an entry for that account")
    uninstall.set_defaults(run=_uninstall)


def _options(parser: argparse.ArgumentParser, sandbox: str, profile: str) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sandbox", action="store_true", help=sandbox)
    which.add_argument("--profile", metavar="NAME", default="", help=profile)
    parser.add_argument("--dry-run", action="store_true", help="show the difference, and write nothing")


def _install(options: argparse.Namespace) -> int:
    from fraction_mcp.cli.clients.install import install  # noqa: PLC0415 - when it is called

    return install(options.client, sandbox=options.sandbox, profile=options.profile, dry_run=options.dry_run)


def _uninstall(options: argparse.Namespace) -> int:
    from fraction_mcp.cli.clients.install import uninstall  # noqa: PLC0415 - when it is called

    return uninstall(options.client, sandbox=options.sandbox, profile=options.profile, dry_run=options.dry_run)
