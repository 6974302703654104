"""Processes that race: for one claim, for the first opening of a journal, and within one process."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal_tables import Transaction
from fraction_mcp.operations.writes.states import State
from tests.process import command

from .conftest import Database, claim

# The two differ most in what a claim rests on: it is always tried on both.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)]

_RACES = 40


class Process:
    """One claimant, on its own interpreter."""

    def __init__(self, stack: ExitStack, url: str, folder: Path, owner: str) -> None:
        self.owner = owner
        words = command(str(Path(__file__).with_name("claimant.py")), url, str(folder), owner)
        pipe = subprocess.PIPE
        self._process = stack.enter_context(subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, bufsize=1))

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def processes(database: Database) -> Iterator[list[Process]]:
    """Two of them, which found no journal and made it at the same moment."""
    with ExitStack() as stack:
        made = [Process(stack, database.url, database.folder, owner) for owner in ("first", "second")]
        yield made
        for process in made:
            process.tell("")


@pytest.mark.matrix
@pytest.mark.process
async def test_of_two_processes_exactly_one_wins_each_of_many_claims(
    database: Database, processes: list[Process]
) -> None:
    assert [await anyio.to_thread.run_sync(process.hear) for process in processes] == ["ready", "ready"]
    journal = await database.open()
    writes = [await database.approved(journal, asker=f"{number}") for number in range(_RACES)]

    def race(write_id: str) -> list[str]:
        for process in processes:
            process.tell(write_id)
        return [process.owner for process in processes if process.hear() == "won"]

    winners = await anyio.to_thread.run_sync(lambda: [race(write.id) for write in writes])
    assert [len(owners) for owners in winners] == [1] * _RACES
    for write, (owner,) in zip(writes, winners, strict=True):
        found = await journal.get(write.id)
        assert (found.state, found.owner) == (State.SENDING, owner)
    claims = [event.write_id for event in await journal.events() if event.kind == "claimed"]
    assert sorted(claims) == sorted(write.id for write in writes)
    assert await journal.verify() == ""


async def test_within_a_process_one_of_many_claims_counts(database: Database) -> None:
    journal = await database.open()
    write = await database.approved(journal)
    won: list[bool] = []

    async def claimed(owner: str) -> None:
        won.append(await claim(journal, write, owner))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(claimed, f"owner {number}")
    assert sorted(won) == [False] * 7 + [True]


async def test_a_process_that_waited_for_its_turn_judges_by_the_time_of_its_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval that ran out while another transaction held the journal is not claimed after it."""
    journal = await database.open()
    write = await database.approved(journal)
    lock = Transaction.lock

    async def waited(transaction: Transaction) -> None:
        database.clock.now = write.expires_at
        await lock(transaction)

    monkeypatch.setattr(Transaction, "lock", waited)
    assert not await claim(journal, write, "late")


@pytest.mark.matrix
async def test_an_inbox_s_yes_racing_a_form_s_no_has_one_outcome(database: Database) -> None:
    here, there = await database.open(), await database.open()
    for _ in range(50):
        write = await here.propose(database.draft())
        won: list[bool] = []

        async def yes(write: Any = write, won: list[bool] = won) -> None:
            approved = await there.approve(write.id, digest=write.digest, by=Decider("the inbox"))
            won.append(approved.state is State.APPROVED and await claim(there, approved, "there"))

        async with anyio.create_task_group() as group:
            group.start_soon(yes)
            group.start_soon(lambda: here.decline(write.id, by="a form"))  # noqa: B023 - awaited in this turn
        state = (await here.get(write.id)).state
        # A no that comes between the yes and the claim withdraws what was approved.
        assert state in ({State.SENDING} if won[0] else {State.DECLINED, State.CANCELLED})
