"""A write's life in the journal, on a real SQLite file and a real PostgreSQL."""

import itertools
import stat
from typing import Any

import pytest
import sqlalchemy as sa

from fraction_mcp.errors import TooManyWaiting
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal_tables import events
from fraction_mcp.operations.writes.states import MOVES, State, Step
from fraction_mcp.operations.writes.write import WriteOutcome
from tests.writes.made import ELSEWHERE, HERE, frozen_plan

from .conftest import Database, claim

pytestmark = pytest.mark.anyio

HOW = {  # a way into each state, as a list of steps
    State.AWAITING: (),
    State.APPROVED: ("approved",),
    State.SENDING: ("approved", "claimed"),
    State.DONE: ("approved", "claimed", "done"),
    State.FAILED: ("approved", "claimed", "failed"),
    State.UNKNOWN: ("approved", "claimed", "unknown"),
    State.DECLINED: ("declined",),
    State.CANCELLED: ("approved", "cancelled"),
    State.EXPIRED: (),
}


async def step(journal: Any, write: Any, kind: str, owner: str = "one") -> Any:
    """Ask for one move, by the method that a process would use."""
    match kind:
        case "approved":
            return await journal.approve(write.id, digest=write.digest, by=Decider("a person"))
        case "declined" | "cancelled":
            # It is one no: a decline of what waits, a withdrawal of what was approved.
            other = State.APPROVED if kind == "declined" else State.AWAITING
            there = await journal.get(write.id)
            return there if there.state is other else await journal.decline(write.id, by="a person")
        case "claimed":
            await claim(journal, write, owner)
            return await journal.get(write.id)
        case "settled_landed" | "settled_absent":
            return await journal.settle(
                write.id, landed=kind == "settled_landed", by="a person", outcome=WriteOutcome()
            )
        case "expired":
            pytest.fail("only time does this")
    return await journal.finish(write.id, Step(kind), WriteOutcome(why=kind))


async def brought_to(database: Database, journal: Any, state: State) -> Any:
    ends = database.clock.now + (0 if state is State.EXPIRED else 3600)
    write = await journal.propose(database.draft(expires_at=ends))
    for kind in HOW[state]:
        await step(journal, write, kind)
    write = await journal.get(write.id)
    assert write.state is state
    return write


# A proposal comes from nowhere, time alone lets a write expire, another of its batch stops it, and the others are
# noted where no state changes.
_NO_MOVES = {Step.PROPOSED, Step.EXPIRED, Step.STOPPED, *(step for step, move in MOVES.items() if move.to is None)}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", [kind for kind in MOVES if kind not in _NO_MOVES])
async def test_a_move_is_made_from_its_own_states_and_from_no_other(database: Database, kind: str) -> None:
    journal = await database.open()
    sources = MOVES[kind].sources
    for state in State:
        write = await brought_to(database, journal, state)
        events = len(await journal.events(write.id))
        after = await step(journal, write, kind, owner="two")
        if state in sources:
            assert after.state is MOVES[kind].to, f"{kind} from {state}"
            assert [event.kind for event in await journal.events(write.id)][events:] == [kind]
        else:
            assert after == write, f"{kind} from {state}"
            assert len(await journal.events(write.id)) == events
    assert await journal.verify() == ""


async def test_a_move_of_a_write_that_is_not_there_is_an_error(database: Database) -> None:
    journal = await database.open()
    with pytest.raises(KeyError):
        await journal.approve("w000000000000", digest="d", by=Decider("a person"))
    assert await journal.get("w000000000000") is None


# ----------------------------------------------------------------------------------------------------------- proposing


@pytest.mark.matrix
@pytest.mark.parametrize("state", [State.AWAITING, State.APPROVED, State.SENDING, State.UNKNOWN])
async def test_asking_for_an_open_write_again_returns_it(database: Database, state: State) -> None:
    journal = await database.open()
    write = await brought_to(database, journal, state)
    again = await journal.propose(database.draft(key=write.key))
    assert again == write
    assert len(await journal.latest()) == 1


@pytest.mark.matrix
@pytest.mark.parametrize("state", [s for s in State if s not in (State.AWAITING, State.APPROVED, State.SENDING,
                                                                State.UNKNOWN)])  # fmt: skip
async def test_asking_for_a_write_that_is_over_makes_a_new_one(database: Database, state: State) -> None:
    journal = await database.open()
    write = await brought_to(database, journal, state)
    again = await journal.propose(database.draft(key=write.key))
    assert again.id != write.id
    assert again.state is State.AWAITING


async def test_a_waiting_write_takes_on_a_new_state_of_the_erp_under_its_id(database: Database) -> None:
    journal = await database.open()
    write = await journal.propose(database.draft())
    await journal.set_token(write.id, "t" * 64)
    anew = await journal.propose(
        database.draft(key=write.key, digest="e" * 64, plan=frozen_plan(title="Another state"))
    )
    assert (anew.id, anew.state) == (write.id, State.AWAITING)
    assert (anew.digest, anew.plan.title) == ("e" * 64, "Another state")
    assert anew.token_hash == "", "a token that was given for another preview confirms nothing"
    assert [event.kind for event in await journal.events(write.id)] == ["proposed", "token_given", "replanned"]


@pytest.mark.matrix
@pytest.mark.parametrize("state", [State.APPROVED, State.SENDING, State.UNKNOWN])
async def test_a_write_that_a_person_has_judged_takes_on_nothing_new(database: Database, state: State) -> None:
    journal = await database.open()
    write = await brought_to(database, journal, state)
    again = await journal.propose(
        database.draft(key=write.key, digest="e" * 64, plan=frozen_plan(title="Another state"))
    )
    assert again == write


# ------------------------------------------------------------------------------------------------------------ deciding


async def test_a_yes_to_something_else_than_what_is_there_does_not_count(database: Database) -> None:
    journal = await database.open()
    write = await journal.propose(database.draft())
    assert (await journal.approve(write.id, digest="e" * 64, by=Decider("a person"))).state is State.AWAITING
    assert (await journal.approve(write.id, digest=write.digest, by=Decider("a person"))).state is State.APPROVED


async def test_an_approval_uses_the_two_step_token_up(database: Database) -> None:
    journal = await database.open()
    write = await journal.propose(database.draft())
    await journal.set_token(write.id, "t" * 64)
    await journal.approve(write.id, digest=write.digest, by=Decider("a token"))
    await step(journal, write, "claimed")
    waiting = await journal.finish(write.id, Step.NOT_SENT, WriteOutcome(), owner="one")
    assert (waiting.state, waiting.token_hash) == (State.AWAITING, "")


@pytest.mark.parametrize(("after", "state"), [(-0.001, State.APPROVED), (0, State.EXPIRED), (0.001, State.EXPIRED)])
async def test_a_write_can_be_approved_until_the_second_of_its_expiry(
    database: Database, after: float, state: State
) -> None:
    journal = await database.open()
    write = await journal.propose(database.draft())
    database.clock.now = write.expires_at + after
    assert (await journal.approve(write.id, digest=write.digest, by=Decider("a person"))).state is state


@pytest.mark.parametrize(("after", "counts"), [(-0.001, True), (0, False), (0.001, False)])
async def test_an_approved_write_can_be_claimed_until_the_second_of_its_expiry(
    database: Database, after: float, counts: bool
) -> None:
    journal = await database.open()
    write = await database.approved(journal)
    database.clock.now = write.expires_at + after
    assert await claim(journal, write) is counts
    assert (await journal.get(write.id)).state is (State.SENDING if counts else State.EXPIRED)


async def test_a_claim_is_bound_to_the_erp_that_was_approved(database: Database) -> None:
    journal = await database.open()
    write = await database.approved(journal)
    assert not await claim(journal, write, identity=ELSEWHERE)
    assert (await journal.get(write.id)).state is State.APPROVED


async def test_what_nobody_approved_cannot_be_claimed(database: Database) -> None:
    journal = await database.open()
    write = await journal.propose(database.draft())
    assert not await claim(journal, write)


# ----------------------------------------------------------------------------------------------- after the claim


async def test_a_lease_that_has_run_out_makes_the_write_unknown_for_whoever_looks_next(database: Database) -> None:
    write = await database.claimed(await database.open())
    other = await database.open()
    database.clock.now = write.lease_until - 0.001
    assert (await other.get(write.id)).state is State.SENDING
    database.clock.now = write.lease_until
    assert [found.id for found in await other.latest((State.UNKNOWN,))] == [write.id]
    assert await other.latest((State.SENDING,)) == []
    assert (await other.get(write.id)).outcome.why


async def test_a_late_answer_counts_if_it_is_the_owner_s(database: Database) -> None:
    journal = await database.open()
    write = await database.claimed(journal, owner="one")
    database.clock.now = write.lease_until
    assert (
        await journal.finish(write.id, Step.DONE, WriteOutcome(result={"id": 2}), owner="two")
    ).state is State.UNKNOWN
    done = await journal.finish(write.id, Step.DONE, WriteOutcome(result={"id": 1}), owner="one")
    assert (done.state, done.outcome) == (State.DONE, WriteOutcome(result={"id": 1}))


async def test_a_late_answer_changes_nothing_once_a_person_has_settled_it(database: Database) -> None:
    journal = await database.open()
    write = await database.claimed(journal, owner="one")
    database.clock.now = write.lease_until
    settled = await journal.settle(write.id, landed=False, by="a person", outcome=WriteOutcome(why="not there"))
    assert await journal.finish(write.id, Step.DONE, WriteOutcome(result={"id": 1}), owner="one") == settled
    assert settled.state is State.FAILED


async def test_a_write_that_landed_is_remembered_by_its_key_for_a_while(database: Database) -> None:
    journal = await database.open()
    write = await database.claimed(journal)
    await journal.finish(write.id, Step.DONE, WriteOutcome(), owner="one")
    now = database.clock.now
    assert (await journal.landed_before(write.key, now - 900)).id == write.id
    assert await journal.landed_before(write.key, now + 1) is None
    assert await journal.landed_before("another", now - 900) is None


# ----------------------------------------------------------------------------------------------------------- the rest


async def test_the_journal_tells_writes_apart_by_their_erp(database: Database) -> None:
    journal = await database.open()
    here, there = [await journal.propose(database.draft(identity=identity)) for identity in (HERE, ELSEWHERE)]
    assert [write.id for write in await journal.latest(identity=ELSEWHERE)] == [there.id]
    assert {write.id for write in await journal.latest()} == {here.id, there.id}


async def test_what_is_read_together_is_of_one_moment(database: Database) -> None:
    here, there = await database.open(), await database.open()
    await there.note("w0", Step.LOOKED, {})
    counted = sa.select(sa.func.count()).select_from(events)
    async with here.database.reading() as connection:
        before = (await connection.execute(counted)).scalar_one()
        await there.note("w0", Step.LOOKED, {})  # and nobody has waited for whoever reads
        assert (await connection.execute(counted)).scalar_one() == before
    assert len(await here.events()) == before + 1


async def test_what_is_written_down_comes_back_whatever_characters_it_holds(database: Database) -> None:
    odd = {"n": [1, None, True, {"ü": "😀"}]}
    plan = frozen_plan(title="Ł\x00\x1f\u202e\n'\"; DROP TABLE writes --", arguments=odd)
    journal = await database.open()
    write = await journal.propose(database.draft(plan=plan, asked_by="'; -- 株式会社"))
    assert (await (await database.open()).get(write.id)).plan == plan
    assert await journal.verify() == ""


async def test_the_folder_and_the_file_are_their_owner_s_alone(tmp_path: Any) -> None:
    from fraction_mcp.operations.writes.journal import Journal

    folder = tmp_path / "deep" / "state"
    journal = await Journal.open("", folder)
    await journal.note("w0", Step.LOOKED, {})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes
    assert set(modes.values()) == {0o600}, modes
    await journal.aclose()


def test_the_moves_lead_from_a_proposal_to_every_state() -> None:
    reached = {State.AWAITING}
    for move in itertools.chain.from_iterable([MOVES.values()] * len(MOVES)):
        if move.to is not None and reached & set(move.sources):
            reached.add(move.to)
    assert reached == set(State)


@pytest.mark.slow
async def test_one_asker_has_a_hundred_open_proposals_at_most_and_nobody_else_is_held_up(database: Database) -> None:
    journal = await database.open()
    first = await journal.propose(database.draft())
    for _ in range(99):
        await journal.propose(database.draft())
    with pytest.raises(TooManyWaiting, match="100 writes of yours wait"):
        await journal.propose(database.draft())
    assert (await journal.propose(database.draft(key=first.key))).id == first.id, "it is there already"
    await journal.propose(database.draft(asker="another"))
    await journal.decline(first.id, by="a person")
    await journal.propose(database.draft())
    with pytest.raises(TooManyWaiting):
        await journal.propose(database.draft())
    database.clock.now += 3600
    await journal.propose(database.draft(expires_at=database.clock.now + 1))  # what has expired waits no longer
