"""`approve`, `decline` and `resolve`: a person decides about one write at a terminal, and types so.

Knows which question fits which state, and what to say before it. What a decision does is the write service's.
"""

import sys
from collections.abc import Sequence

from fraction_mcp.cli.consent import needs_terminal, typed_line, typed_yes
from fraction_mcp.cli.exits import WAITS, GivenUp, code_of_result
from fraction_mcp.cli.finding import found_write
from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.cli.showing import Teller, outcome_of
from fraction_mcp.cli.signals import finishing, run
from fraction_mcp.errors import NotTheApprover, WriteNotFound
from fraction_mcp.operations.writes.batch import Batch, digest_of
from fraction_mcp.operations.writes.decisions import APPROVE, DECISIONS, DECLINE, Decision, Said, cannot_send_here
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import WAITING, State, Step
from fraction_mcp.operations.writes.wording import result_for_batch
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.os_account import who_is_here
from fraction_mcp.values.moments import moment
from fraction_mcp.values.text import quoted

__all__ = ["decide"]


_QUESTIONS = {
    "approve": "Approve?",
    "decline": "Decline?",
    "landed": "Did you find it in the ERP?",
    "absent": "Are you sure that it is not in the ERP?",
}


def decide(*, what: str, id: str, sandbox: bool, profile: str, reason: str = "") -> int:  # noqa: A002 - as it is called where it is typed
    """Show the write, ask, and do it; without an id, offer what waits. Raises ConfigError without a terminal."""
    needs_terminal("resolve" if what in {"landed", "absent"} else what)
    return run(_decide, DECISIONS[what], id, sandbox, profile, reason)


async def _decide(decision: Decision, write_id: str, sandbox: bool, profile: str, reason: str) -> int:
    async with runtime_for(sandbox=sandbox, profile=profile) as runtime:
        settings = runtime.settings
        if not Journal.is_there(settings.database_url.get_secret_value(), settings.state_folder()):
            if not write_id:
                return _nothing_waits()
            raise WriteNotFound(f"there is no write {quoted(write_id)}: no write was ever asked for here")
        service = await runtime.write_service()
        write = await (found_write(service.journal, write_id) if write_id else _offered(service, decision))
        if write is None:
            return _nothing_waits()
        batch = await service.batch(write)
        write = batch.of(write)
        if not (decision.fits(write) or (decision is APPROVE and write.state is State.APPROVED)):
            sys.stderr.write(f"fraction-mcp: {outcome_of(write).rstrip('.')}. So there is nothing to decide.\n")
            return code_of_result({"outcome": str(write.state)}, failed=True)
        # Whoever types must have seen it, and all that is decided with it: it is shown where the question is.
        shown = _decided_with(write, batch, decision)
        teller = Teller(sys.stderr)
        teller.preview(shown, service.journal.now())
        teller.say()
        if decision is APPROVE and write.state is State.APPROVED:
            return await _already(service, write, teller)
        by = service.decider(f"{who_is_here()} in a terminal")
        if decision is APPROVE:
            if why := service.why_not(Batch(shown), by):  # before anybody types a yes that would not count
                raise NotTheApprover(f"{why}; nothing was approved")
            for who in dict.fromkeys(filter(None, (_sent_by_others(service, member) for member in shown))):
                teller.say(who)
        question = _QUESTIONS[decision.name]
        if not await typed_yes(question if len(shown) == 1 else f"{question.rstrip('?')} all {len(shown)}?"):
            sys.stderr.write("Nothing was decided: it stands as before.\n")
            return code_of_result({"outcome": str(write.state)}, failed=True)
        with finishing():
            verdict = Said(by, digest_of(shown), reason)
            await decision.act(service, shown[0], verdict)
            return _reported(await service.batch(shown[0]), shown, decision)


def _nothing_waits() -> int:
    sys.stderr.write("Nothing waits for a decision.\n")
    return 0


async def _offered(service: WriteService, decision: Decision) -> Write | None:
    """What waits: the only one, or the one that the person picks by its number."""
    there = await service.journal.latest(decision.sources)
    groups: dict[str, list[Write]] = {}
    for write in there:
        groups.setdefault(write.batch if decision in _TOGETHER and write.batch else write.id, []).append(write)
    choices = [min(group, key=lambda member: member.position) for group in groups.values()]
    if len(choices) < 2:
        return choices[0] if choices else None
    teller = Teller(sys.stderr)
    rows = [("", "ID", "WHAT", "AGE")]
    for number, write in enumerate(choices, 1):
        age = moment(write.created_at, service.journal.now()).distance
        more = len(groups.get(write.batch, ())) - 1
        rows.append((str(number), write.id, f"{write.plan.title}{f' and {more} more' if more > 0 else ''}", age))
    teller.rows(rows, heading=True, give=(2,))
    answer = await typed_line(f"Which one? A number from 1 to {len(choices)}: ")
    if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer) <= len(choices):
        raise GivenUp("no write was chosen; nothing was decided")
    return choices[int(answer) - 1]


async def _already(service: WriteService, write: Write, teller: Teller) -> int:
    """What was approved before is asked about no more: it is sent, where this process may, or said who will."""
    yes = [event for event in await service.journal.events(write.id) if event.kind == Step.APPROVED]
    by = f" by {yes[-1].detail['by']}" if yes and yes[-1].detail.get("by") else ""
    teller.say(f"It was approved already{by}: nothing is asked.")
    if who := _sent_by_others(service, write):
        teller.say(who)
        return 0
    with finishing():
        await service.follow_up(write)
        return _reported(await service.batch(write), (write,), APPROVE)


def _sent_by_others(service: WriteService, write: Write) -> str:
    """Why this terminal cannot send the write, and who will; empty where it can."""
    why = cannot_send_here(service, write)
    there = f"a server that works there as {write.identity.account} sends it"
    return f"This terminal cannot send it, since {why}: {there}." if why else ""


_TOGETHER = (APPROVE, DECLINE)  # what is a yes or a no to all that waits of a batch


def _decided_with(write: Write, batch: Batch, decision: Decision) -> tuple[Write, ...]:
    """The write, and all of its batch that the same yes or no is about."""
    if decision not in _TOGETHER or write.state not in WAITING:
        return (write,)
    return tuple(member for member in batch.writes if member.state is write.state)


def _reported(after: Batch, shown: Sequence[Write], decision: Decision) -> int:
    """What came of what was shown; the exit code is that of the first that is not as it was to be."""
    ids = {write.id for write in shown}
    these = Batch(tuple(write for write in after.writes if write.id in ids))
    first = these.writes[0]
    if first.state is State.AWAITING and after.digest != digest_of(shown):
        sys.stderr.write("It changed while it was shown here: nothing was approved. Ask for it again to see it.\n")
        return WAITS
    tells = these.tells
    words = outcome_of(tells) if len(ids) == 1 else result_for_batch(these).summary
    if tells.state is State.APPROVED:
        words = f"{tells.plan.title}: approved; a server that works in its ERP and account will send it."
    good = tells.state in decision.good
    Teller(sys.stdout if good else sys.stderr).say(words)
    return 0 if good else code_of_result({"outcome": str(tells.state)}, failed=True)
