"""`approve`, `decline` and `resolve`: a person decides about one write at a terminal, and types so.

Knows which question fits which state, and what to say before it. What a decision does is the write service's.
"""

import sys

from fraction_mcp.cli.consent import needs_terminal, typed_yes
from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.cli.showing import Teller, outcome_of
from fraction_mcp.cli.signals import finishing, run
from fraction_mcp.errors import FractionMcpError, WriteNotFound
from fraction_mcp.operations.writes.decisions import APPROVE, DECISIONS, Decision, cannot_send_here
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.os_account import who_is_here
from fraction_mcp.values.text import quoted

__all__ = ["decide"]


_QUESTIONS = {
    "approve": "Approve?",
    "decline": "Decline?",
    "landed": "Did you find it in the ERP?",
    "absent": "Are you sure that it is not in the ERP?",
}


def decide(what: str, write_id: str, *, sandbox: bool) -> int:
    """Show the write, ask, and do it. Raises ConfigError without a terminal."""
    needs_terminal("resolve" if what in {"landed", "absent"} else what)
    return run(_decide, DECISIONS[what], write_id, sandbox)


async def _decide(decision: Decision, write_id: str, sandbox: bool) -> int:
    async with runtime_for(sandbox=sandbox) as runtime:
        settings = runtime.settings
        if not Journal.is_there(settings.database_url.get_secret_value(), settings.state_folder()):
            raise WriteNotFound(f"there is no write {quoted(write_id)}: no write was ever asked for here")
        service = await runtime.write_service()
        write = await service.write(write_id)
        if not (decision.fits(write) or (decision is APPROVE and write.state is State.APPROVED)):
            raise FractionMcpError(outcome_of(write).rstrip("."), hint="So there is nothing to decide.")
        # Whoever types must have seen it: it is shown where the question is.
        teller = Teller(sys.stderr)
        teller.preview(write)
        teller.say()
        if decision is APPROVE and write.state is State.APPROVED:
            return await _already(service, write, teller)
        if decision is APPROVE and (who := _sent_by_others(service, write)):
            teller.say(who)
        if not await typed_yes(_QUESTIONS[decision.name]):
            sys.stderr.write("Nothing was decided: it stands as before.\n")
            return 1
        with finishing():
            after = await decision.act(service, write, f"{who_is_here()} in a terminal", write.digest)
            return _told(after, write, decision)


async def _already(service: WriteService, write: Write, teller: Teller) -> int:
    """What was approved before is asked about no more: it is sent, where this process may, or said who will."""
    yes = [event for event in await service.journal.events(write.id) if event.kind == Step.APPROVED]
    by = f" by {yes[-1].detail['by']}" if yes and yes[-1].detail.get("by") else ""
    teller.say(f"It was approved already{by}: nothing is asked.")
    if who := _sent_by_others(service, write):
        teller.say(who)
        return 0
    with finishing():
        return _told(await service.follow_up(write), write, APPROVE)


def _sent_by_others(service: WriteService, write: Write) -> str:
    """Why this terminal cannot send the write, and who will; empty where it can."""
    why = cannot_send_here(service, write)
    there = f"a server that works there as {write.identity.account} sends it"
    return f"This terminal cannot send it, since {why}: {there}." if why else ""


def _told(after: Write, shown: Write, decision: Decision) -> int:
    if after.state is State.AWAITING and after.digest != shown.digest:
        sys.stderr.write("It changed while it was shown here: nothing was approved. Ask for it again to see it.\n")
        return 1
    words = outcome_of(after)
    if after.state is State.APPROVED:
        words = f"{after.plan.title}: approved; a server that works in its ERP and account will send it."
    good = after.state in decision.good
    Teller(sys.stdout if good else sys.stderr).say(words)
    return 0 if good else 1
