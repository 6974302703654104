"""What an ERP may send and where a user may keep state: nothing that is odd, and allowed, makes the journal fail."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import anyio.to_thread
import pytest

from fraction_mcp.cli import main
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import WriteOutcome
from tests.support import child_environment
from tests.writes.journal.conftest import Database

pytestmark = pytest.mark.anyio

IDS = [
    [1, 2],
    {"a": [1]},
    None,
    True,
    1.5,
    10**40,
    float("inf"),
    Decimal("1.10"),
    "",
    "\x00",
    "\ud800 half of a character",
    "\x1b[2J\u202e",
    b"bytes",
]


@pytest.mark.matrix
@pytest.mark.parametrize("odd", IDS, ids=repr)
async def test_an_id_that_is_neither_text_nor_number_is_written_down_and_read(database: Database, odd: Any) -> None:
    journal = await database.open()
    write = await database.claimed(journal)
    outcome = WriteOutcome(result={"id": odd, "quote_number": odd}, differs=("one", "two"), found_by="reading back")
    done = await journal.finish(write.id, Step.DONE, outcome, owner="one")
    await journal.note(write.id, Step.LOOKED, {"found": odd, "why": odd})
    assert done.state is State.DONE
    assert (await journal.landed_before(write.key, 0)).outcome == done.outcome
    assert [found.id for found in await journal.latest((State.DONE,))] == [write.id]
    assert (await journal.events(write.id))[-1].kind == "looked"
    assert await journal.verify() == ""


@pytest.mark.matrix
@pytest.mark.parametrize("odd", [one for one in IDS if not isinstance(one, bytes | Decimal)], ids=repr)
async def test_what_was_written_down_comes_back_as_it_was(database: Database, odd: Any) -> None:
    """All but what no database can hold: half of a character, in whose place stands the sign for that."""
    journal = await database.open()
    write = await database.claimed(journal)
    await journal.finish(write.id, Step.FAILED, WriteOutcome(result=[odd]), owner="one")
    told = "\ufffd half of a character" if isinstance(odd, str) and "\ud800" in odd else odd
    assert (await (await database.open()).get(write.id)).outcome == WriteOutcome(result=[told])


@pytest.mark.matrix
@pytest.mark.parametrize("odd", ["", "\x00", "w0\x00", "\ud800", "'; DROP TABLE writes; --", "w" * 10_000, "é"])
async def test_a_write_that_cannot_be_there_is_not_there(database: Database, odd: str) -> None:
    assert await (await database.open()).get(odd) is None


class Listed(Protocol):
    async def __call__(self, folder: Path, *words: str) -> str: ...


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Listed:
    async def ran(folder: Path, *words: str) -> str:
        for name in set(os.environ) - set(child_environment()):
            monkeypatch.delenv(name)
        monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(folder))
        assert await anyio.to_thread.run_sync(main, words) == 0
        told = capsys.readouterr()
        assert told.err == ""
        return told.out

    return ran


@pytest.mark.matrix
@pytest.mark.parametrize("odd", IDS, ids=repr)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_commands_that_read_the_journal_show_it(database: Database, listed: Listed, odd: Any) -> None:
    journal = await database.open()
    write = await database.claimed(journal)
    await journal.note(write.id, Step.LOOKED, {"found": odd, "why": odd})
    await journal.finish(write.id, Step.UNKNOWN, WriteOutcome(result={"id": odd}, why="\x1b[2J\u202e"), owner="one")
    settled = await journal.settle(write.id, landed=True, by="a person", outcome=WriteOutcome(result={"id": odd}))
    assert settled.state is State.DONE
    for words in (("writes",), ("writes", write.id), ("audit",), ("audit", "--verify")):
        shown = await listed(database.folder, *words)
        assert "\x1b" not in shown
        assert "\u202e" not in shown


# -------------------------------------------------------------------------------------------------------------- places


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


NAMES = ["a b", "a#b", "a?b=c", "a%20b", "100%", "a&b;c", "ü 株", "it's"]


@pytest.mark.matrix
@pytest.mark.parametrize("name", NAMES)
async def test_the_state_folder_may_be_called_anything(tmp_path: Path, listed: Listed, name: str) -> None:
    folder = tmp_path / name / "state"
    journal = await Journal.open("", folder)
    await journal.note("w0", Step.LOOKED, {})
    await journal.aclose()
    assert names_in(tmp_path) == [name], "it lies nowhere else"
    assert names_in(folder) == ["journal.sqlite3"]
    assert "looked" in await listed(folder, "audit")


@pytest.mark.matrix
@pytest.mark.parametrize("name", NAMES)
async def test_a_journal_may_be_named_by_a_url_wherever_it_is(tmp_path: Path, name: str) -> None:
    escaped = name.replace("%", "%25").replace("?", "%3F")
    for scheme in ("sqlite", "sqlite+aiosqlite"):
        journal = await Journal.open(f"{scheme}:///{tmp_path}/{escaped}/j.db", tmp_path)
        await journal.note("w0", Step.LOOKED, {})
        await journal.aclose()
    assert (tmp_path / name / "j.db").exists()
    assert names_in(tmp_path) == [name]
