"""What is asked for under one question, in a transaction of the journal: entered as a whole, approved as a whole."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from fraction_mcp.errors import BatchRefused, NotTheApprover, TooManyWaiting
from fraction_mcp.operations.writes.approvers import Approvers, Decider
from fraction_mcp.operations.writes.batch import digest_of, is_open
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.journal_rows import dumped, read_write
from fraction_mcp.operations.writes.journal_tables import Transaction, writes
from fraction_mcp.operations.writes.states import OPEN, WAITING, State, Step
from fraction_mcp.operations.writes.write import Draft, Write

__all__ = ["approve", "decline", "differs", "enter", "must_have_room", "same_batch", "stands"]

_MOST_WAITING = 100


async def same_batch(transaction: Transaction, drafts: Sequence[Draft]) -> list[Write] | None:
    """The writes of the batch of exactly these, in this order, of which some are open; None where nothing of them is.

    Raises BatchRefused where one of them is open otherwise: alone, or within another batch.
    """
    keys = [draft.key for draft in drafts]
    query = sa.select(writes).where(writes.c.key.in_(keys), writes.c.state.in_(OPEN)).order_by(writes.c.created_at)
    there = [await transaction.lapsed(read_write(row)) for row in (await transaction.execute(query)).all()]
    there = [write for write in there if write.state in OPEN]
    if not there:
        return None
    members = await transaction.members(there[0].id) if there[0].batch else []
    if len(members) == len(drafts) and all(map(_is_same, members, drafts)):
        return members
    by_key = {write.key: write for write in there}
    reasons = {index: is_open(by_key[key]) for index, key in enumerate(keys) if key in by_key}
    raise BatchRefused([draft.plan.tool for draft in drafts], reasons)


def _is_same(write: Write, draft: Draft) -> bool:
    """By its bytes; or, once it is decided, by what it repeats, where the bytes follow from what is there."""
    repeats = write.state is not State.AWAITING and write.plan.repeats
    return write.key == draft.key or (bool(repeats) and repeats == draft.plan.repeats)


async def enter(transaction: Transaction, drafts: Sequence[Draft], there: Sequence[Write] | None) -> list[Write]:
    """A new batch of these; or the one that is there, with what was planned anew where it still waits."""
    if there is None:
        batch = "b" + secrets.token_hex(6)
        return [
            await transaction.add(draft, batch=batch, position=place) for place, draft in enumerate(drafts, start=1)
        ]
    waiting = [pair for pair in zip(there, drafts, strict=True) if pair[0].state is State.AWAITING]
    if not any(differs(write, draft) for write, draft in waiting):
        return list(there)
    for write, draft in waiting:  # all of them, so that they go on expiring together
        await transaction.replan(write, draft)
    return await transaction.members(there[0].id)


async def must_have_room(transaction: Transaction, drafts: Sequence[Draft]) -> None:
    """Raises TooManyWaiting where the one who asks for these has so many waiting that nobody would read them."""
    mine = sa.select(sa.func.count()).where(writes.c.asker == drafts[0].asker)
    waiting = mine.where(writes.c.state.in_(WAITING), writes.c.expires_at > transaction.now)
    count = (await transaction.execute(waiting)).scalar_one()
    if count + len(drafts) > _MOST_WAITING:
        these = "this one was" if len(drafts) == 1 else f"these {len(drafts)} were"
        raise TooManyWaiting(
            f"{count} writes of yours wait for a person already; {these} not added",
            hint="Ask the user to decide about those first. What waits is not lost.",
        )


def differs(write: Write, draft: Draft) -> bool:
    """Whether what waits was shown with another state of the ERP, or needs the yes of somebody who was not named."""
    return write.digest != draft.digest or (bool(draft.approvers) and not write.approvers)


async def approve(transaction: Transaction, write_id: str, *, digest: str, by: Decider, rules: Approvers) -> None:
    """A yes to everything that waits of a write's batch, where that is what was shown (`digest`); else nothing.

    Each approval says who gave it, and which write must be done before its own is claimed. Raises NotTheApprover where
    one of them needs the yes of somebody else.
    """
    waiting = [write for write in await transaction.members(write_id) if write.state is State.AWAITING]
    if write_id not in {write.id for write in waiting} or digest_of(waiting) != digest:
        return
    if why := rules.why_not(waiting, by):
        raise NotTheApprover(f"{why}; nothing was approved")
    after = ""
    approval: EventDetail = {"by": by.name, "digest": digest}
    if by.subject:
        approval["subject"] = by.subject
    for write in waiting:
        of_a_batch: EventDetail = {"item": write.digest, "after": after} if len(waiting) > 1 else {}
        await transaction.change(write, Step.APPROVED, {**approval, **of_a_batch}, token_hash="")
        after = write.id


async def decline(transaction: Transaction, write_id: str, *, by: str, reason: str = "") -> None:
    """A no to everything of a write's batch that is not on its way: what waits is declined, and what was approved
    already is withdrawn (cancelled). A reason stands with each."""
    write = await transaction.write(write_id)
    members = await transaction.members(write_id) if write.state in WAITING else []
    for member in members:
        step = Step.CANCELLED if member.state is State.APPROVED else Step.DECLINED
        if member.state in WAITING and reason:
            outcome_json = replace(member.outcome, reason=reason).to_json()
            await transaction.change(member, step, {"by": by, **outcome_json}, outcome=dumped(outcome_json))
        elif member.state in WAITING:
            await transaction.change(member, step, {"by": by})


def stands(there: Write, draft: Draft, now: float) -> bool:
    """Whether an open write is what somebody asks for with this draft, as it is: then nothing is to be changed."""
    return not there.is_due(now) and not (there.state is State.AWAITING and differs(there, draft))
