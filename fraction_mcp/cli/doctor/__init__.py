"""`doctor`: everything that a call needs, looked at in the order in which it is needed, a line a check with the mend.

Reads only: it signs in, reads one record, starts a server of its own and ends it. What a check cannot say because an
earlier one failed is left out, so that the first failure is the one to mend.
"""

import sys
from collections.abc import AsyncIterator
from functools import partial

from fraction_mcp.cli.doctor import erps, machine, network
from fraction_mcp.cli.doctor.check import Check, failure
from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.serve import checked_settings, is_embedded_place
from fraction_mcp.cli.signals import run
from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from fraction_mcp.threads import left_behind

__all__ = ["doctor"]

_MARKS = {"ok": "ok  ", "warning": "warn", "failure": "FAIL"}


def doctor(*, profile: str, sandbox: bool, as_json: bool) -> int:
    """Exit code 0 where a call would work, with or without warnings; 1 where one would fail."""
    return run(_doctor, profile, sandbox, as_json)


async def _doctor(profile: str, sandbox: bool, as_json: bool) -> int:
    results: list[Check] = []
    badge = "SANDBOX  " if sandbox else ""
    async for check in _checks(profile, sandbox):
        results.append(check)
        if not as_json:
            mend = f"  Mend: {check.mend}" if check.mend else ""
            print(f"{_MARKS[check.state]}  {badge}{check.name}: {check.told}{'.' if mend else ''}{mend}", flush=True)
    failed = sum(check.state == "failure" for check in results)
    if as_json:
        checks = [{"name": c.name, "state": c.state, "told": c.told, "mend": c.mend} for c in results]
        print(as_json_text({"ok": not failed, "sandbox": sandbox, "checks": checks}))
    else:
        warned = sum(check.state == "warning" for check in results)
        sys.stderr.write(f"{len(results)} checks, {failed} failed, {warned} with a warning.\n")
    return 1 if failed else 0


async def _checks(profile: str, sandbox: bool) -> AsyncIterator[Check]:
    for check in machine.versions():
        yield check
    settings = None
    try:
        settings = checked_settings(sandbox=sandbox, profile=profile)
    except ConfigError as error:
        yield failure("settings", error.message, error.hint or "fraction-mcp setup, or what the line names")
    for check in machine.unused():
        yield check
    if settings is not None:
        if not sandbox:
            for check in machine.given(settings):
                yield check
        async for check in _working(settings):
            yield check
    for check in (machine.keychain(), machine.browser(), *machine.assistants()):
        yield check
    if settings is not None:
        flags = ["--sandbox"] if sandbox else ["--profile", profile] if profile else []
        yield await machine.start(flags)


async def _working(settings: Settings) -> AsyncIterator[Check]:
    """The keychain's secret, the network, the accounts, the journal."""
    try:
        await left_behind(settings.fetch_secrets)
    except ConfigError as error:
        yield failure("secret", error.message, "fraction-mcp login keeps it anew")
        return
    reached = True
    if not is_embedded_place(settings):
        for name, url in erps.addresses(settings):
            for check in await left_behind(partial(network.checks, name, url)):
                yield check
                reached = reached and check.state != "failure"
    if reached:
        for check in await erps.checks(settings):
            yield check
    for check in await machine.journal(settings):
        yield check
