"""The inbox while its journal fails: what a person reads, that nothing counted, and that it comes back by itself."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from fraction_mcp.approvals.searching import table_of
from fraction_mcp.approvals.view import Search
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write

from .conftest import Browser, Writer
from .test_pages import text
from .test_serving import served

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def broken(writer: Writer, table: str = "head") -> AsyncIterator[None]:
    """A database from which a table has gone; it is there again at the end."""
    await anyio.to_thread.run_sync(_run, writer, f"ALTER TABLE {table} RENAME TO gone")
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(_run, writer, f"ALTER TABLE gone RENAME TO {table}")


def _run(writer: Writer, statement: str) -> None:
    with closing(sqlite3.connect(writer.state_folder / "journal.sqlite3")) as database:
        database.execute(statement)
        database.commit()


@pytest.mark.matrix
@pytest.mark.parametrize("path", ["", "cards", "?decided=w000000000000", "?q=down"])
async def test_a_page_says_what_happened_to_the_journal_and_what_to_do(
    writer: Writer, browser: Browser, path: str
) -> None:
    await writer.part("DOWN-1")
    async with broken(writer, "writes"):
        answer = await browser.http.get(path)
        assert answer.status_code == 503
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        told = text(answer.text)
        assert "The journal's database failed: 'no such table: writes'" in told
        assert "Nothing was decided" in told
        assert str(writer.state_folder) not in answer.text
    await browser.load()


async def test_a_table_that_cannot_be_had_is_a_page_and_one_that_ends_half_way_says_so(
    writer: Writer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await writer.part(f"DOWN-{number}")
    async with broken(writer, "writes"):
        answer = await browser.http.get("/writes.csv")
        assert answer.status_code == 503
        assert "The journal's database failed" in text(answer.text)
    monkeypatch.setattr("fraction_mcp.operations.writes.journal_history.AT_ONCE", 2)
    pieces = table_of(writer.service.journal, Search())
    assert (await anext(pieces)).count("DOWN-") == 4  # each in its title and as its reference
    async with broken(writer, "writes"):
        rest = [piece async for piece in pieces]
    assert len(rest) == 1
    assert rest[0].startswith('"THE TABLE ENDS HERE, AND IS NOT WHOLE",,')


@pytest.mark.parametrize("what", ["approve", "decline"])
async def test_a_button_pressed_while_the_journal_fails_decides_nothing_and_says_so(
    writer: Writer, browser: Browser, what: str
) -> None:
    write = await writer.part("DOWN-2")
    await browser.load()
    async with broken(writer):
        answer = await browser.http.post(f"/writes/{write.id}/{what}", data=browser.form(write))
        assert answer.status_code == 503
        assert "The journal's database failed" in text(answer.text)
    assert await writer.state(write) is State.AWAITING
    await browser.press(write, "approve")
    assert writer.parts("DOWN-2") == 1


async def test_a_page_that_is_open_goes_on_when_the_journal_answers_again(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with anyio.fail_after(25):
        async with served(writer) as http, http.stream("GET", "/events") as stream:
            lines = stream.aiter_lines()
            async with broken(writer):
                for _ in range(3):
                    while await anext(lines) != ":":
                        pass
                async with http.stream("GET", "/events") as second:
                    assert second.status_code == 200
                    assert await anext(second.aiter_lines()) == ":"
            await writer.part("DOWN-3")
            while await anext(lines) != f"data: {await writer.service.journal.head()}":
                pass
    assert not [record for record in caplog.records if record.exc_info]


async def test_whoever_watches_for_approvals_tells_a_failing_journal_once_and_again_when_it_changes(
    writer: Writer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.operations.writes.service._WATCH_S", 0.01)
    monkeypatch.setattr("fraction_mcp.operations.writes.service._TROUBLED_S", 0.01)
    caplog.set_level(logging.WARNING)
    write = await writer.part("DOWN-4")
    looked = 0
    latest = writer.service.journal.latest

    async def counted(*given: Any, **named: Any) -> list[Write]:
        nonlocal looked
        looked += 1
        return await latest(*given, **named)

    async def looks(more: int) -> None:
        until = looked + more
        while looked < until:
            await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(writer.service.journal, "latest", counted)
    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(writer.service.watch)
            async with broken(writer):
                await looks(5)
            await looks(5)
            async with broken(writer, "writes"):
                await looks(5)
            await writer.service.journal.approve(write.id, digest=write.digest, by=Decider("another process"))
            while writer.parts("DOWN-4") == 0:
                await anyio.lowlevel.checkpoint()
    told = [record for record in caplog.records if record.name == "fraction_mcp.operations.writes.service"]
    assert [record.exc_info for record in told] == [None] * 2
    assert all(f"no such table: {name}" in one.getMessage() for one, name in zip(told, ("head", "writes"), strict=True))
