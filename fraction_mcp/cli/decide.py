"""`approve`, `decline` and `resolve`: a person decides about one write at a terminal, and types so.

Knows which question fits which state, and what to say before it. What a decision does is the clerk's.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fraction_mcp.cli.consent import needs_terminal, typed_yes
from fraction_mcp.cli.serve import office_for
from fraction_mcp.cli.showing import Teller, outcome_of
from fraction_mcp.cli.signals import finishing, run
from fraction_mcp.erp.endpoints import System
from fraction_mcp.errors import FractionMcpError, WriteNotFound
from fraction_mcp.operations.approval import Clerk
from fraction_mcp.operations.journal import Journal
from fraction_mcp.operations.lifecycle import State, Write
from fraction_mcp.operations.standing import identity_parts
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
    return run(_decide, _DECISIONS[what], write_id, sandbox)


async def _decide(decision: _Decision, write_id: str, sandbox: bool) -> int:
    async with office_for(sandbox=sandbox) as office:
        settings = office.settings
        if not Journal.is_there(settings.database_url.get_secret_value(), settings.state_folder()):
            raise WriteNotFound(f"there is no write {quoted(write_id)}: no write was ever asked for here")
        clerk = await office.clerk()
        write = await clerk.write(write_id)
        if write.state not in decision.states:
            raise FractionMcpError(outcome_of(write).rstrip("."), hint="So there is nothing to decide.")
        # Whoever types must have seen it: it is shown where the question is.
        teller = Teller(sys.stderr)
        teller.preview(write)
        teller.say()
        if write.state is State.APPROVED and decision.act is _approve:
            return await _already(clerk, write, teller)
        if decision.act is _approve and (who := _sent_by_others(clerk, write)):
            teller.say(who)
        if not await typed_yes(decision.question):
            sys.stderr.write("Nothing was decided: it stands as before.\n")
            return 1
        with finishing():
            after = await decision.act(clerk, write, f"{who_is_here()} in a terminal")
            return _told(after, write, decision)


async def _already(clerk: Clerk, write: Write, teller: Teller) -> int:
    """What was approved before is asked about no more: it is sent, where this process may, or said who will."""
    yes = [event for event in await clerk.journal.events(write.id) if event.kind == "approved"]
    by = f" by {yes[-1].detail['by']}" if yes and yes[-1].detail.get("by") else ""
    teller.say(f"It was approved already{by}: nothing is asked.")
    if who := _sent_by_others(clerk, write):
        teller.say(who)
        return 0
    with finishing():
        return _told(await clerk.follow_up(write), write, _DECISIONS["approve"])


def _sent_by_others(clerk: Clerk, write: Write) -> str:
    """Why this process cannot send the write, and who will; empty where it can."""
    system = System(write.plan["system"])
    if clerk.desk.erps.get(system) is None:
        why = f"no account of {system.label} is configured here"
    elif not clerk.reaches(write):
        why = f"another {system.label} or another account is configured here"
    elif clerk.desk.read_only:
        why = "writes are switched off here (FRACTION_MCP_READ_ONLY)"
    else:
        return ""
    account = identity_parts(write.identity)[3]
    return f"This terminal cannot send it, since {why}: a server that works there as {account} sends it."


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
