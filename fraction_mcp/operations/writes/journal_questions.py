"""Questions about writes, what was answered to them, and tokens that confirm them, in a transaction of the journal."""

from collections.abc import Mapping, Sequence
from typing import Any

from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.journal_tables import Transaction
from fraction_mcp.operations.writes.states import Step
from fraction_mcp.operations.writes.write import Answer

__all__ = ["answer", "asked", "gave_token", "set_token"]


async def asked(transaction: Transaction, write_ids: Sequence[str], facts: EventDetail, message: str) -> None:
    for number, write_id in enumerate(write_ids):
        words: EventDetail = {"message": message} if number == 0 else {"with": write_ids[0]}
        await transaction.append(write_id, Step.ASKED, {**facts, **words})


async def answer(
    transaction: Transaction,
    write_ids: Sequence[str],
    *,
    at: float,
    nonce: str,
    sent: Mapping[str, Any],
    choice: str,
    least_s: float,
) -> Answer | None:
    """What was sent to the question `nonce`, now (`at`). None where there is no such question, or it was answered."""
    for event in reversed(await transaction.events_of(write_ids[0])):
        if event.detail.get("nonce") != nonce:
            continue
        if event.kind is not Step.ASKED:
            return None
        after_s = round(max(0.0, at - event.at), 3)
        answered = Answer(choice if after_s >= least_s else "", after_s)
        facts: EventDetail = {"nonce": nonce, "sent": dict(sent), "after_s": after_s, "counts_as": answered.choice}
        for write_id in write_ids:
            await transaction.append(write_id, Step.ANSWERED, facts)
        return answered
    return None


async def set_token(transaction: Transaction, write_id: str, token_hash: str) -> None:
    batch = Batch(tuple(await transaction.members(write_id)))
    if batch.waiting:
        await transaction.give_token(batch.waiting[0], token_hash, batch.digest)


async def gave_token(transaction: Transaction, batch: Batch) -> bool:
    first = batch.waiting[0]
    return any(
        event.kind == Step.TOKEN_GIVEN
        and event.detail["sha256"] == first.token_hash
        and event.detail.get("digest", first.digest) == batch.digest
        for event in await transaction.events_of(first.id)
    )
