"""What breaks between two replicas, their PostgreSQL and the ERP: nothing is written twice, nothing lost, and what
nobody knows is called so and looked for by whichever replica is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.postgresql import Server
from tests.server.team.replicas.team import Person, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow]

SOON = {"FRACTION_MCP_TIMEOUT_S": "4"}  # so that a lease runs out within 21 s


async def given_up(work: Callable[[], Any]) -> None:
    """A call whose answer does not come back: its replica is gone."""
    try:
        await work()
    except Exception:  # noqa: BLE001 - whatever the client makes of it
        return
    raise AssertionError("it was answered")


async def outcome_of(person: Person, write_id: str, *wanted: str) -> dict[str, Any]:
    async def told() -> Any:
        now = await person.status(write_id)
        return now if now["outcome"] in wanted else None

    found: dict[str, Any] = await until(told, within_s=90)
    return found


async def waiting(person: Person, number: str) -> str:
    """A write that waits in the inbox."""
    told = await person.call("create_part", part_number=number)
    assert told.get("outcome") == "awaiting_approval", told
    write_id: str = told["write_id"]
    return write_id


@pytest.mark.parametrize("place", [0, 1])
async def test_a_replica_killed_in_mid_commit_leaves_what_the_other_finds(
    place: int, server: Server, template: Path, tmp_path: Path
) -> None:
    async with team_of(2, postgres=server, template=template, folder=tmp_path, changes=SOON) as team:
        async with team.person(1) as anna, team.person(2) as bert:
            part = {"part_number": "NEW-KILLED"}
            asked = await anna.asks("create_part", part)
            hold = team.companies.hold(anna.company, "/parts")
            with anna.only_at(place):
                async with anyio.create_task_group() as group:
                    group.start_soon(given_up, lambda: anna.answers("create_part", part, asked))
                    await until(hold.reached.is_set)
                    await team.replicas[place].killed()
            hold.let_go.set()
            (write_id,) = {row[0] for row in (await anna.call("get_write_status"))["rows"]}
            assert (await anna.status(write_id))["outcome"] == "in_progress"
            own = await waiting(bert, "NEW-MEANWHILE")  # the other one goes on for everybody
            await bert.approves(own)
            await outcome_of(bert, own, "done")
            await outcome_of(anna, write_id, "done")
            await team.put(place)
            for _ in team.replicas:
                told = await anna.call("create_part", **part)
                assert told["error"]["code"] == "DUPLICATE", told
        assert team.companies.of[1].made() == ["NEW-KILLED"]
        assert team.companies.of[1].asked("POST", "/parts") == 1
        assert team.companies.of[2].made() == ["NEW-MEANWHILE"]
        team.held_against_each()


async def test_what_was_approved_at_a_replica_that_is_killed_is_sent_by_the_other(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """The yes stands in the journal; the replica ends while it reads the ERP anew, before it has claimed the write."""
    async with team_of(1, postgres=server, template=template, folder=tmp_path) as team:
        async with team.person(1) as anna:
            write_id = await waiting(anna, "NEW-APPROVED")
            hold = team.companies.hold(anna.company, "/parts", method="GET")
            with anna.only_at(0):
                async with anyio.create_task_group() as group:
                    group.start_soon(given_up, lambda: anna.approves(write_id))
                    await until(hold.reached.is_set)
                    await team.replicas[0].killed()
            hold.let_go.set()
            await outcome_of(anna, write_id, "done")
        assert team.companies.of[1].made() == ["NEW-APPROVED"]
        assert team.companies.of[1].asked("POST", "/parts") == 1


async def test_a_postgresql_restarted_in_mid_commit_loses_and_doubles_nothing(
    server: Server, template: Path, tmp_path: Path
) -> None:
    async with team_of(2, postgres=server, template=template, folder=tmp_path, changes=SOON) as team:
        async with team.person(1) as anna, team.person(2) as bert:
            part = {"part_number": "NEW-RESTARTED"}
            asked = await anna.asks("create_part", part)
            hold = team.companies.hold(anna.company, "/parts")
            told: dict[str, Any] = {}
            async with anyio.create_task_group() as group:

                async def answered() -> None:
                    told.update(await anna.answers("create_part", part, asked))

                group.start_soon(answered)
                await until(hold.reached.is_set)
                await anyio.to_thread.run_sync(server.stop)
                await anyio.to_thread.run_sync(server.start)
                hold.let_go.set()
            assert told["outcome"] in {"done", "unknown"}, told
            await outcome_of(anna, told["write_id"], "done")
            again = await waiting(bert, "NEW-AFTER")
            await bert.approves(again)
            await outcome_of(bert, again, "done")
        assert team.companies.of[1].made() == ["NEW-RESTARTED"]
        assert team.companies.of[1].asked("POST", "/parts") == 1
        assert team.companies.of[2].made() == ["NEW-AFTER"]
        team.held_against_each()
