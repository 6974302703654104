"""`approve`, `decline` and `resolve`: a person decides about one write at a terminal, and types so.

Knows which question fits which state. What a decision does is the clerk's.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio

from fraction_mcp.cli.consent import needs_terminal, typed_yes
from fraction_mcp.cli.serve import office_for
from fraction_mcp.cli.showing import Teller, outcome_of
from fraction_mcp.errors import FractionMcpError, WriteNotFound
from fraction_mcp.operations.approval import Clerk
from fraction_mcp.operations.journal import Journal
from fraction_mcp.operations.lifecycle import State, Write
from fraction_mcp.operations.telling import who_is_here
from fraction_mcp.shapes import quoted

__all__ = ["decide"]


async def _approve(clerk: Clerk, write: Write, by: str) -> Write:
    return await clerk.approve(write, by=by, digest=write.digest)


async def _decline(clerk: Clerk, write: Write, by: str) -> Write:
    return await clerk.decline(write, by=by)


async def _landed(clerk: Clerk, write: Write, by: str) -> Write:
    return await clerk.settle(write, landed=True, by=by)


async def _absent(clerk: Clerk, write: Write, by: str) -> Write:
    return await clerk.settle(write, landed=False, by=by)


@dataclass(frozen=True)
class _Decision:
    """From which states it may be made, what is asked, what a yes does, and which states say that it worked."""

    states: tuple[State, ...]
    question: str
    act: Callable[[Clerk, Write, str], Awaitable[Write]]
    good: tuple[State, ...]


_DECISIONS: Mapping[str, _Decision] = {
    "approve": _Decision(
        (State.AWAITING, State.APPROVED), "Approve?", _approve, (State.DONE, State.APPROVED, State.SENDING)
    ),
    "decline": _Decision((State.AWAITING, State.APPROVED), "Decline?", _decline, (State.DECLINED,)),
    "landed": _Decision((State.UNKNOWN,), "Did you find it in the ERP?", _landed, (State.DONE,)),
    "absent": _Decision((State.UNKNOWN,), "Are you sure that it is not in the ERP?", _absent, (State.FAILED,)),
}


def decide(what: str, write_id: str, *, sandbox: bool) -> int:
    """Show the write, ask, and do it. Raises ConfigError without a terminal."""
    needs_terminal("resolve" if what in {"landed", "absent"} else what)
    return anyio.run(_decide, _DECISIONS[what], write_id, sandbox)


async def _decide(decision: _Decision, write_id: str, sandbox: bool) -> int:
    async with office_for(sandbox=sandbox) as office:
        settings = office.settings
        if not Journal.is_there(settings.database_url.get_secret_value(), settings.state_folder()):
            raise WriteNotFound(f"there is no write {quoted(write_id)}: no write was ever asked for here")
        clerk = await office.clerk()
        write = await clerk.write(write_id)
        if write.state not in decision.states:
            raise FractionMcpError(outcome_of(write).rstrip("."), hint="So there is nothing to decide.")
        # Whoever types must have seen it: where stdout goes elsewhere, it is shown where the question is.
        Teller(sys.stderr if sys.stderr.isatty() else sys.stdout).preview(write)
        if not await typed_yes(f"\n{decision.question} Type yes: "):
            sys.stderr.write("Nothing was decided: it stands as before.\n")
            return 1
        after = await decision.act(clerk, write, f"{who_is_here()} in a terminal")
    return _told(after, write, decision)


def _told(after: Write, shown: Write, decision: _Decision) -> int:
    if after.state is State.AWAITING and after.digest != shown.digest:
        sys.stderr.write("It changed while it was shown here: nothing was approved. Ask for it again to see it.\n")
        return 1
    words = outcome_of(after)
    if after.state is State.APPROVED:
        words = f"{after.plan['title']}: approved; a server that works in its ERP and account will send it."
    good = after.state in decision.good
    Teller(sys.stdout if good else sys.stderr).say(words)
    return 0 if good else 1
