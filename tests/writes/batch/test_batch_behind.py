"""What is sent of a batch is what was approved, in its order, whoever has written in the journal meanwhile."""

from typing import Any

import pytest

from fraction_mcp.operations.writes.approvers import Decider
from tests.writes.batch.conftest import Batches, Behind
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

SECOND = "plan ->> '$.arguments.part_number' = 'BATCH-2'"


async def approved_after(firm: Firm, batches: type[Batches], behind: Behind, *statements: str) -> Any:
    """A batch that waits, is tampered with, and then approved by a person who saw what the rows then said; how all of
    what was asked for stands."""
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        service = await seat.runtime.write_service()
        await behind(*statements)
        for each in told["writes"]:
            write = await service.write(each["write_id"])
            batch = await service.batch(write)
            if write.state == "awaiting_approval":
                await service.approve(write, digest=batch.digest, by=Decider("a person"))
        assert await service.journal.verify() != ""
        return [str((await service.write(each["write_id"])).state) for each in told["writes"]]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("change", "states"),
    [
        (f"batch = '' WHERE {SECOND}", ["done", "failed", "done"]),
        (f"batch = 'b000000000000' WHERE {SECOND}", ["done", "failed", "done"]),
        (f"position = 7 WHERE {SECOND}", ["done", "failed", "done"]),
        (f"position = 0 WHERE {SECOND}", ["done", "failed", "done"]),
        ("position = 4 - position", ["failed", "done", "failed"]),
        ("batch = ''", ["failed"] * 3),
        ("batch = 'b000000000000'", ["failed"] * 3),
    ],
)
async def test_a_write_whose_place_in_its_batch_was_changed_is_not_sent(
    firm: Firm, batches: type[Batches], behind: Behind, change: str, states: list[str]
) -> None:
    """Those beside it were shown to a person who approved just them."""
    assert await approved_after(firm, batches, behind, f"UPDATE writes SET {change}") == states
    assert len(firm.sent()) == states.count("done")


async def test_what_was_put_into_a_batch_is_not_sent_with_it(
    firm: Firm, batches: type[Batches], behind: Behind
) -> None:
    async with firm.seat() as seat:
        alone = await seat.call("create_part", part_number="INTRUDER")
    into = "SELECT batch FROM writes WHERE position = 1"
    states = await approved_after(
        firm, batches, behind, f"UPDATE writes SET batch = ({into}), position = 9 WHERE id = '{alone['write_id']}'"
    )
    assert states == ["done"] * 3
    assert firm.parts("INTRUDER") == []


LOOKS_DONE = "UPDATE writes SET state = 'done' WHERE position = 1"


@pytest.mark.matrix
@pytest.mark.parametrize(
    "statements",
    [
        [LOOKS_DONE],
        ["DELETE FROM writes WHERE position = 1"],
        [LOOKS_DONE, "UPDATE events SET kind = 'done' WHERE kind = 'approved' AND write_id = '{first}'"],
    ],
    ids=["its row", "it is gone", "its row and an event"],
)
async def test_what_only_looks_done_lets_nothing_behind_it_go(
    firm: Firm, batches: type[Batches], behind: Behind, statements: list[str]
) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        service = await seat.runtime.write_service()
        first, second, third = [await service.write(each["write_id"]) for each in told["writes"]]
        digest = (await service.batch(first)).digest
        await service.journal.approve(first.id, digest=digest, by=Decider("another process"))
        await behind(*(statement.format(first=first.id) for statement in statements))
        await service.commit(second)
        states = [str((await service.write(each.id)).state) for each in (second, third)]
        assert states == ["failed", "awaiting_approval"]
    assert firm.sent() == []


async def test_nothing_is_claimed_out_of_its_turn(
    firm: Firm, batches: type[Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        service = await seat.runtime.write_service()
        monkeypatch.setattr(service, "may_commit", lambda _: False)  # whoever watches leaves the first one waiting
        writes = [await service.write(each["write_id"]) for each in told["writes"]]
        digest = (await service.batch(writes[0])).digest
        await service.journal.approve(writes[0].id, digest=digest, by=Decider("another process"))
        for write in reversed(writes[1:]):
            again = await service._committer._planned_again(write, service.context.fraction)
            assert again is not None
            claimed = await service.journal.claim(write.id, planned=again, owner="too early", lease_s=60)
            assert (claimed, str((await service.write(write.id)).state)) == (False, "approved")
    assert firm.sent() == []
