"""Two replicas on one PostgreSQL behind a proxy that sends each request to the other one: what everybody does at once."""

from pathlib import Path

import pytest

from tests.postgresql import Server
from tests.server.team.replicas.team import Person, team_of

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def price(person: Person) -> None:
    told = await person.call("get_price_for_quantity", part="WIDGET-001", quantity=5, customer="Acme Corp")
    (line,) = told["prices"]
    assert line["unit_price"] == person.company.price, told


async def in_rounds(person: Person) -> None:
    """A question that one replica makes and the other one hears the answer to."""
    part = {"part_number": "NEW-ROUND", "description": f"Of {person.company.name}"}
    asked = await person.asks("create_part", part)
    made_at = person.at
    told = await person.answers("create_part", part, asked)
    assert person.at != made_at
    assert told["outcome"] == "done", told
    assert (await person.status(told["write_id"]))["outcome"] == "done"


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
