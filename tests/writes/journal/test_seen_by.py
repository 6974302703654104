"""A journal that shows only what one may see: to every method of it, the write of another is one that never was."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fraction_mcp.operations.writes.approvers import Decider, Viewer
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_history import History
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Write, WriteOutcome
from tests.writes.made import HERE

from .conftest import Database, claim, planned_again

pytestmark = pytest.mark.anyio

CY = Viewer("signed-in:cy@x.example", "cy@x.example")
NEVER = "w000000000000"
HOW: dict[str, Any] = {"nonce": "n", "sent": {}, "choice": "approve", "least_s": 0.0}

Probe = Callable[[Journal, str, Write], Awaitable[Any]]
"""What a method says of a write that is called by this id; `Write` is the whole of it, as its owner has it."""

# Every method that is told a write, or tells of some. What it answers must be the same for one that never was.
OF_ONE: dict[str, Probe] = {
    "get": lambda journal, write_id, _: journal.get(write_id),
    "batch": lambda journal, write_id, _: journal.batch(write_id),
    "events": lambda journal, write_id, _: journal.events(write_id),
    "approve": lambda journal, write_id, write: journal.approve(
        write_id, digest=write.digest, by=Decider("Cy", "cy@x.example")
    ),
    "decline": lambda journal, write_id, _: journal.decline(write_id, by="Cy"),
    "is_its_turn": lambda journal, write_id, _: journal.is_its_turn(write_id),
    "claim": lambda journal, write_id, write: journal.claim(
        write_id, planned=planned_again(write), owner="Cy", lease_s=60
    ),
    "hold": lambda journal, write_id, _: journal.hold(write_id, owner="one", lease_s=60),
    "finish": lambda journal, write_id, _: journal.finish(write_id, Step.DONE, WriteOutcome()),
    "settle": lambda journal, write_id, _: journal.settle(write_id, landed=True, by="Cy", outcome=WriteOutcome()),
    "note": lambda journal, write_id, _: journal.note(write_id, Step.LOOKED, {}),
    "asked": lambda journal, write_id, _: journal.asked([write_id], {"nonce": "m"}, "a question"),
    "answer": lambda journal, write_id, _: journal.answer([write_id], **HOW),
    "set_token": lambda journal, write_id, _: journal.set_token(write_id, "h" * 64),
    "gave_token": lambda journal, write_id, write: journal.gave_token(
        Batch((Write(**{**{name: getattr(write, name) for name in Write.__slots__}, "id": write_id}),))
    ),
    "history.decisions": lambda journal, write_id, _: _told(journal, write_id),
}


async def _told(journal: Journal, write_id: str) -> Any:
    return list((await journal.history.decisions([write_id])).values())


# What tells of all there are: of those of another it must tell nothing.
OF_ALL: dict[str, Probe] = {
    "latest": lambda journal, _, __: journal.latest(limit=None),
    "events": lambda journal, _, __: journal.events(),
    "landed_before": lambda journal, _, write: journal.landed_before(write.key, 0),
    "history.page": lambda journal, _, __: _page(journal),
    "history.latest": lambda journal, _, __: journal.history.latest(tuple(State), skip=0, limit=9),
    "history.newest": lambda journal, _, __: journal.history.newest(),
    "history.count": lambda journal, _, __: journal.history.count(tuple(State)),
}


async def _page(journal: Journal) -> Any:
    return (await journal.history.page())[0]


# What is of the whole by its nature, or asks for a write of one's own.
OF_THE_WHOLE = {
    "open",
    "migrate",
    "is_there",
    "now",
    "aclose",
    "seen_by",
    "history",
    "head",
    "verify",
    "changed",
}
OF_ONE_S_OWN = {"propose", "propose_batch"}


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_every_method_of_a_journal_is_held_to_the_law() -> None:
    probed = {name for name in (*OF_ONE, *OF_ALL) if "." not in name}
    assert public(Journal) == probed | OF_THE_WHOLE | OF_ONE_S_OWN
    looked_back = {name.partition(".")[2] for name in (*OF_ONE, *OF_ALL) if "." in name}
    assert public(History) == looked_back


async def said(probe: Probe, journal: Journal, write_id: str, write: Write) -> Any:
    try:
        return await probe(journal, write_id, write)
    except KeyError:
        return KeyError


async def anothers(database: Database, journal: Journal, state: State) -> Write:
    """A write of Anna's, in a state in which something might be done about it."""
    if state is State.AWAITING:
        write: Write = await journal.propose(database.draft(asker="signed-in:anna@x.example"))
        await journal.asked([write.id], {"nonce": "n"}, "a question")
        await journal.set_token(write.id, "t" * 64)
        return (await journal.get(write.id)) or write
    if state is State.APPROVED:
        return await database.approved(journal, asker="signed-in:anna@x.example")
    write = await database.claimed(journal, asker="signed-in:anna@x.example")
    if state is State.SENDING:
        return write
    step = Step.UNKNOWN if state is State.UNKNOWN else Step.DONE
    return await journal.finish(write.id, step, WriteOutcome(), owner="one")


@pytest.mark.matrix
@pytest.mark.parametrize("state", [State.AWAITING, State.APPROVED, State.SENDING, State.UNKNOWN, State.DONE])
async def test_no_method_lets_another_s_write_through(database: Database, state: State) -> None:
    whole = await database.open()
    write = await anothers(database, whole, state)
    journal, head = whole.seen_by(CY), await whole.head()
    for name, probe in OF_ONE.items():
        if name == "gave_token" and state is not State.AWAITING:
            continue  # it is asked of what waits
        assert await said(probe, journal, write.id, write) == await said(probe, journal, NEVER, write), name
    for name, probe in OF_ALL.items():
        assert not await said(probe, journal, write.id, write), name
    assert await whole.head() == head, "something happened to a write that is not there"
    assert await whole.get(write.id) == write
    assert await journal.verify() == ""


async def test_one_s_own_write_goes_its_whole_way_in_a_journal_of_one_s_own(database: Database) -> None:
    whole = await database.open()
    await anothers(database, whole, State.AWAITING)
    journal = whole.seen_by(CY)
    write = await journal.propose(database.draft(asker=CY.asker))
    await journal.asked([write.id], {"nonce": "n"}, "a question")
    assert (await journal.answer([write.id], **HOW)).choice == "approve"
    await journal.approve(write.id, digest=write.digest, by=Decider("Cy", CY.subject))
    assert await claim(journal, write)
    await journal.finish(write.id, Step.DONE, WriteOutcome(), owner="one")
    assert [one.id for one in await journal.latest()] == [write.id]
    assert await journal.history.count(tuple(State)) == 1
    assert len(await journal.events()) == len(await whole.events(write.id))
    assert await journal.verify() == ""


async def test_what_somebody_may_approve_is_theirs_to_see_and_nothing_that_only_looks_so(database: Database) -> None:
    whole = await database.open()
    write = await whole.propose(database.draft(approvers=("bo@x.example", "boss@x.example")))
    for subject in ("boss@x.example", "BOSS@x.example ", "bo@x.example"):
        assert await whole.seen_by(Viewer("somebody else", subject)).get(write.id) == write
    for subject in ("", "b", "o@x.example", "bo@x.exampl_", "%", "bo@x.example,boss@x.example", ",", "b_@x.example"):
        assert await whole.seen_by(Viewer("somebody else", subject)).get(write.id) is None, subject
    approved = await whole.seen_by(Viewer("x", "boss@x.example")).approve(
        write.id, digest=write.digest, by=Decider("the boss", "boss@x.example")
    )
    assert approved.state is State.APPROVED


async def test_an_answer_to_one_s_own_and_another_s_write_at_once_touches_neither(database: Database) -> None:
    whole = await database.open()
    theirs = await anothers(database, whole, State.AWAITING)
    journal = whole.seen_by(CY)
    mine = await journal.propose(database.draft(asker=CY.asker))
    await journal.asked([mine.id], {"nonce": "n"}, "a question")
    head = await whole.head()
    for work in (journal.asked([mine.id, theirs.id], {}, "x"), journal.answer([mine.id, theirs.id], **HOW)):
        with pytest.raises(KeyError):
            await work
    assert await whole.head() == head


async def test_nobody_asks_in_the_name_of_another(database: Database) -> None:
    journal = (await database.open()).seen_by(CY)
    for work in (
        journal.propose(database.draft(asker="signed-in:anna@x.example")),
        journal.propose_batch([database.draft(asker=CY.asker), database.draft(asker="another")]),
    ):
        with pytest.raises(ValueError, match="in the name of somebody else"):
            await work


async def test_the_limit_of_what_waits_counts_each_asker_s_own(database: Database) -> None:
    whole = await database.open()
    for _ in range(3):
        await whole.propose(database.draft(asker="another", identity=HERE))
    assert await whole.seen_by(CY).history.count((State.AWAITING,)) == 0
    assert await whole.history.count((State.AWAITING,)) == 3
