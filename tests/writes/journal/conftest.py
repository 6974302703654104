"""Journals on a real SQLite file and a real PostgreSQL, under a clock that moves when it is told to."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.write import Draft, Write
from tests.writes.made import draft


@dataclass
class Clock:
    """The journal's clock, which moves when it is told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def planned_again(write: Write, **changes: Any) -> Draft:
    """What a process that is about to send a write has planned."""
    return Draft(**{name: getattr(write, name) for name in Draft.__slots__} | changes)


async def claim(journal: Journal, write: Write, owner: str = "one", **changes: Any) -> bool:
    return await journal.claim(write.id, planned=planned_again(write, **changes), owner=owner, lease_s=60)


@dataclass
class Database:
    """Where a journal lives, and every journal that a test has opened there."""

    url: str
    folder: Path
    clock: Clock
    journals: list[Journal] = field(default_factory=list)
    version: int = 0  # of the schema that a test found there

    async def open(self, clock: Callable[[], float] | None = None) -> Journal:
        self.journals.append(await Journal.open(self.url, self.folder, clock=clock or self.clock))
        return self.journals[-1]

    async def tamper(self, statement: str, **values: Any) -> None:
        """What somebody with the database's own tools could do."""
        async with self.journals[-1].database.engine.begin() as connection:
            await connection.execute(text(statement), values)

    def draft(self, **changes: Any) -> Draft:
        return draft(**{"expires_at": self.clock.now + 3600, **changes})

    async def approved(self, journal: Journal, **changes: Any) -> Write:
        write = await journal.propose(self.draft(**changes))
        return await journal.approve(write.id, digest=write.digest, by=Decider("a person"))

    async def claimed(self, journal: Journal, owner: str = "one", **changes: Any) -> Write:
        write = await self.approved(journal, **changes)
        assert await claim(journal, write, owner), "the claim of an approved write counts"
        return (await journal.get(write.id)) or write


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else ""
    made = Database(url, tmp_path / "state", Clock())
    yield made
    for journal in made.journals:
        await journal.aclose()
