"""Whose runtime lives, and for how long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fraction_mcp.config import Settings
from fraction_mcp.erp import Erp
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.team.people import People, Person

from .site import Clock

pytestmark = pytest.mark.anyio


class Accounts:
    """Of nobody; who has one open is in `there`."""

    def __init__(self) -> None:
        self.there = set[str]()

    @asynccontextmanager
    async def of(self, person: Person) -> AsyncIterator[tuple[Erp, ...]]:
        self.there.add(person.subject)
        yield ()
        self.there.remove(person.subject)


async def _first(_what: str, _lasts_s: float) -> bool:
    return True


@asynccontextmanager
async def team(folder: Path, clock: Clock) -> AsyncIterator[tuple[People, Accounts]]:
    accounts, journal = Accounts(), await Journal.open("", folder)
    settings = Settings.model_construct(state_dir=folder)
    address = "https://erp.example/approvals"
    async with People(settings, accounts, journal, address, once=_first, clock=clock) as people:
        yield people, accounts
    assert accounts.there == set()
    await journal.aclose()


def person(name: str) -> Person:
    return Person(f"{name}@x.example", name.title())


async def test_a_person_has_one_runtime_until_they_have_been_idle_for_half_an_hour(
    tmp_path: Path, clock: Clock
) -> None:
    async with team(tmp_path, clock) as (people, accounts):
        first = await people.of(person("anna"))
        clock.now += 1_790
        assert await people.of(person("anna")) is first
        clock.now += 1_801
        await people.of(person("bert"))
        assert await people.of(person("anna")) is not first
        assert accounts.there == {"anna@x.example", "bert@x.example"}


async def test_for_room_only_those_leave_who_can_have_no_call_under_way(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.server.team.people._MOST_LIVE", 2)
    async with team(tmp_path, clock) as (people, _):
        for name in ("anna", "bert", "cora"):
            await people.of(person(name))
        assert len(people) == 3
        clock.now += 700
        await people.of(person("bert"))
        await people.of(person("dora"))
        assert sorted(people._live) == ["bert@x.example", "dora@x.example"]
