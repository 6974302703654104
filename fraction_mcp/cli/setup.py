"""`setup`: a person led from nothing to an assistant that works. Each step is a command of its own as well."""

import sys

from fraction_mcp import accounts
from fraction_mcp.accounts import ErpName
from fraction_mcp.cli.accounts import INSTEAD, ask_accounts, place_of, profile_of
from fraction_mcp.cli.asking import choose, needs_person, says_yes
from fraction_mcp.cli.clients.found import Entry, Found, found_clients
from fraction_mcp.cli.clients.install import install
from fraction_mcp.config import DEFAULT_PROFILE, Settings
from fraction_mcp.erp.endpoints import System
from fraction_mcp.errors import FractionMcpError

__all__ = ["setup"]

_ERPS: tuple[tuple[ErpName, ...], ...] = (("fractionerp",), ("fracttal",), ("fractionerp", "fracttal"), ())
_FAILED = 1


def setup(*, profile: str) -> int:
    """Accounts, a trial, and the assistants of this machine. Raises ConfigError without a terminal."""
    needs_person("setup", INSTEAD)
    settings = profile_of(profile)
    _say("This sets fraction-mcp up: an account, a trial of it, and the assistants on this machine.")
    _say("Ctrl-C ends it at any point; what was kept by then stays kept.\n")
    sandbox = _account(settings)
    code = _assistants(settings, sandbox=sandbox)
    _say("\nDone. `fraction-mcp doctor` checks everything whenever something does not work.")
    return code


def _account(settings: Settings) -> bool:
    """Have an account in the profile; whether it is to be the embedded company instead."""
    kept = accounts.read_profile(settings.state_folder())
    for each in kept:
        where = place_of(each)
        _say(f"Profile {settings.profile} has {System(each.erp).label} as {each.account}; its secret is {where}.")
    if kept and not says_yes("Change that?", default=False):
        return False
    _say("Which ERP do you work in?")
    options = ["FractionERP", "Fracttal", "both", "none yet: try it in an embedded company (SANDBOX)"]
    (which,) = choose("Number", options, default="1")
    ask_accounts(settings, _ERPS[which])
    return not _ERPS[which]


def _assistants(settings: Settings, *, sandbox: bool) -> int:
    programs = [program for program in found_clients() if program.is_here]
    if not programs:
        _say("\nNo assistant's program was found on this machine. Once one is there: fraction-mcp install CLIENT")
        return 0
    _say("\nWhich of these may use it?")
    chosen = choose("Numbers, `all` or `none`", [_label(program) for program in programs], several=True, default="all")
    profile = "" if sandbox or settings.profile == DEFAULT_PROFILE else settings.profile
    code = 0
    for number in chosen:
        _say("")
        try:
            install(programs[number].client.name, sandbox=sandbox, profile=profile, dry_run=False)
        except FractionMcpError as error:  # one program's file is no reason to leave the others out
            sys.stderr.write(f"fraction-mcp: {error.message}\n")
            code = _FAILED
    return code


def _label(program: Found) -> str:
    if program.entry is Entry.OURS:
        return f"{program.client.title} (set up already)"
    return f"{program.client.title}: {program.problem}" if program.problem else program.client.title


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
