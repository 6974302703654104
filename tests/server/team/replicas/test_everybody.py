"""Two replicas on one PostgreSQL behind a proxy that sends each request to the other one."""

from functools import partial
from pathlib import Path

import anyio
import pytest

from tests.postgresql import Server
from tests.server.team.replicas.team import Person, Team, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def price(person: Person) -> None:
    told = await person.call("get_price_for_quantity", part="WIDGET-001", quantity=5, customer="Acme Corp")
    (line,) = told["prices"]
    assert line["unit_price"] == person.company.price, told


async def over(person: Person, write_id: str) -> None:
    """A write that was approved is done, as whichever replica tells it."""

    async def is_done() -> bool:
        told = await person.status(write_id)
        assert told.get("outcome") in {"done", "in_progress"}, told
        return bool(told["outcome"] == "done")

    await until(is_done, every_s=1)


async def in_rounds(person: Person) -> None:
    """A question that one replica makes and the other one hears the answer to."""
    part = {"part_number": "NEW-ROUND", "description": f"Of {person.company.name}"}
    asked = await person.asks("create_part", part)
    made_at = person.at
    told = await person.answers("create_part", part, asked)
    assert person.at != made_at
    assert told.get("outcome") in {"done", "in_progress"}, told  # in progress: others' writes took the other one's time
    await over(person, told["write_id"])


@pytest.mark.smoke
async def test_a_question_of_one_replica_is_answered_at_the_other(
    server: Server, template: Path, tmp_path: Path
) -> None:
    async with team_of(2, postgres=server, template=template, folder=tmp_path) as team:
        async with team.person(1) as anna, team.person(2) as bert:
            for person in (anna, bert):
                await price(person)
                await in_rounds(person)
        assert [company.made() for company in team.companies.of.values()] == [["NEW-ROUND"]] * 2
        assert team.held_against_each() >= 8
        assert team.complaints() == []


async def by_the_inbox(person: Person) -> None:
    """What one replica asked for is approved on a page of the other one."""
    told = await person.call("create_part", part_number="NEW-INBOX", description=f"Of {person.company.name}")
    assert told.get("outcome") == "awaiting_approval", told
    await person.approves(told["write_id"])
    await over(person, told["write_id"])


async def in_a_batch(person: Person) -> None:
    numbers = ("NEW-BATCH-1", "NEW-BATCH-2", "NEW-BATCH-3")
    writes = [{"tool": "create_part", "arguments": {"part_number": number}} for number in numbers]
    told = await person.call("submit_writes", writes=writes)
    assert told.get("outcome") == "awaiting_approval", told
    await person.approves(told["write_id"])
    await over(person, told["write_id"])


async def everything(team: Team, number: int, *, prices: int) -> None:
    async with team.person(number) as person:
        for _ in range(prices):
            await price(person)
        await in_rounds(person)
        await in_a_batch(person)
        await price(person)
        await by_the_inbox(person)
        await price(person)


@pytest.mark.slow
@pytest.mark.long
async def test_fifty_people_at_once_each_get_their_own(server: Server, template: Path, tmp_path: Path) -> None:
    """Reads, a write in rounds, one by the inbox and a batch; each replica carries its half."""
    async with team_of(50, postgres=server, template=template, folder=tmp_path) as team:
        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number in team.companies.of:
                group.start_soon(partial(everything, team, number, prices=5))
        print(f"{anyio.current_time() - begun:.0f} s, {sum(team.proxy.served.values())} requests")
        for company in team.companies.of.values():
            assert sorted(company.made()) == ["NEW-BATCH-1", "NEW-BATCH-2", "NEW-BATCH-3", "NEW-INBOX", "NEW-ROUND"]
            assert company.asked("POST", "/parts") == 5
        assert team.held_against_each() >= 50 * 15
        assert min(team.proxy.served[place] for place in (0, 1)) > 500
        assert team.complaints() == []


@pytest.mark.slow
async def test_a_write_is_left_to_the_replica_where_its_person_said_yes(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """Else both read the ERP anew for it, and the one that comes second tells its person nothing of what came of it."""
    async with team_of(1, postgres=server, template=template, folder=tmp_path) as team, team.person(1) as anna:
        part = {"part_number": "NEW-LEFT"}
        asked = await anna.asks("create_part", part)
        hold = team.companies.hold(anna.company, "/parts", method="GET")
        async with anyio.create_task_group() as group:

            async def answered() -> None:
                told = await anna.answers("create_part", part, asked)
                assert told["outcome"] == "done", told

            group.start_soon(answered)
            await until(hold.reached.is_set)
            await anyio.sleep(3)  # the other one looks every second
            assert anna.company.asked("POST", "/parts") == 0
            hold.let_go.set()
        assert anna.company.made() == ["NEW-LEFT"]
