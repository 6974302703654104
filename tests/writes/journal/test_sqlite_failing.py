"""A journal on SQLite whose file is damaged, locked, read-only or no database, or whose disk is full: what is known is
said, in the contract's form, and what was not sent is not said to have been written."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread
import pytest

from fraction_mcp.cli import main
from fraction_mcp.errors import ConfigError, ErpOutcomeUnknown, JournalError, JournalUnreachable
from fraction_mcp.operations.writes import journal_database, journal_sqlite
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import WriteOutcome
from fraction_mcp.runtime import _replan
from tests.support import child_environment
from tests.writes.firm import Firm
from tests.writes.made import draft, frozen_plan

pytestmark = pytest.mark.anyio

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can mount, or do something as another user"
)


@contextlib.asynccontextmanager
async def holding(file: Path) -> AsyncIterator[None]:
    """Another program that holds the file's write lock, as a database browser does; it waits for its turn, too."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        await anyio.to_thread.run_sync(other.execute, "BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def filled(folder: Path, writes: int = 60) -> Path:
    """The file of a journal with so many writes, closed."""
    journal = await Journal.open("", folder)
    for _ in range(writes):
        await journal.propose(draft(plan=frozen_plan(title="A write" * 100)))
    await journal.aclose()
    return folder / "journal.sqlite3"


def damaged(file: Path) -> None:
    """Pages in the middle overwritten, the first one whole."""
    content = bytearray(file.read_bytes())
    content[8192 : len(content) - 4096] = b"\xff" * (len(content) - 12288)
    file.write_bytes(content)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Take all the room that is left."""
    file = folder / "filler"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    return file


def only_error(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["is_error"]
    error: dict[str, Any] = answer["error"]
    return error


# ----------------------------------------------------------------------------------------------------------- full disk


@pytest.mark.process
@AS_ROOT
async def test_a_full_disk_is_told_and_what_was_there_stays_whole(small_disk: Path) -> None:
    journal = await Journal.open("", small_disk / "state")
    first = await journal.propose(draft())
    filler = fill_up(small_disk)

    async def go_on() -> None:
        for _ in range(100):
            await journal.propose(draft(plan=frozen_plan(title="A write" * 1000)))

    with pytest.raises(JournalError, match="the disk that holds the journal is full") as caught:
        await go_on()
    assert caught.value.hint == "Make room on it, and try again."
    assert (await journal.events())[0].write_id == first.id, "what needs no room goes on"
    assert await journal.verify() == ""
    filler.unlink()
    await journal.propose(draft(plan=frozen_plan(title="A write" * 1000)))
    assert await journal.verify() == ""
    await journal.aclose()


@pytest.mark.process
@AS_ROOT
async def test_a_call_whose_proposal_finds_no_room_says_that_nothing_was_written(firm: Firm, small_disk: Path) -> None:
    async with firm.seat(state_dir=small_disk / "state") as seat:
        await seat.call("create_part", part_number="FULL-0")
        fill_up(small_disk)
        for number in range(1, 200):
            answer = await seat.call("create_part", part_number=f"FULL-{number}", description="x" * 200)
            if answer["is_error"]:
                break
        error = only_error(answer)
        assert (error["code"], error["written"], error["retryable"]) == ("INTERNAL_ERROR", "no", False)
        assert error["message"] == "the disk that holds the journal is full"
    assert firm.sent() == []


@pytest.mark.process
@AS_ROOT
async def test_a_disk_that_was_full_after_the_send_is_told_as_a_write_that_may_have_been_made(
    firm: Firm, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Journal.finish

    async def full_first(self: Journal, write_id: str, step: Step, outcome: WriteOutcome, *, owner: str = "") -> Any:
        fill_up(small_disk)
        return await finish(self, write_id, step, replace(outcome, why="x" * 500_000), owner=owner)

    async with firm.runtime(state_dir=small_disk / "state") as runtime:
        service = await runtime.write_service()
        arguments = {"part_number": "FULL-SENT"}
        plan = await _replan(service.context, "create_part", arguments)
        write = await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test")
        monkeypatch.setattr(Journal, "finish", full_first)
        with pytest.raises(ErpOutcomeUnknown, match="it may have been written"):
            await service.approve(write, by=Decider("a person"), digest=write.digest)
        assert (await service.write(write.id)).state is State.SENDING
    assert len(firm.parts("FULL-SENT")) == 1


@pytest.mark.process
async def test_a_file_that_may_not_grow_is_told_in_words(tmp_path: Path) -> None:
    """What a quota does, for whoever cannot mount a small disk."""
    code = """if True:
        import anyio, resource, sys
        from pathlib import Path
        from fraction_mcp.errors import JournalError
        from fraction_mcp.operations.writes.journal import Journal
        async def run():
            journal = await Journal.open("", Path(sys.argv[1]))
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            try:
                for number in range(1000):
                    await journal.note("w0", "looked", {"found": "x" * 10_000})
            except JournalError as error:
                print(error)
            print(await journal.verify())
            await journal.aclose()
        anyio.run(run)"""
    ran = await anyio.run_process([sys.executable, "-c", code, str(tmp_path / "state")], check=False)
    told, whole = ran.stdout.decode().splitlines()
    assert told == "the journal's file could not be read or written", ran.stderr
    assert whole == "the write w0 is missing", "the chain is whole, and there never was such a write"
    assert ran.stderr == b""


# -------------------------------------------------------------------------------------------------------------- locked


async def test_a_locked_journal_is_told_in_time_and_can_be_read_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_BUSY_S", 0.2)
    journal = await Journal.open("", tmp_path)
    again = draft()
    write = await journal.propose(again)
    async with holding(tmp_path / "journal.sqlite3"):
        with pytest.raises(JournalUnreachable, match="another process holds the journal locked") as caught:
            await journal.propose(draft())
        assert await journal.get(write.id) == write
        assert await journal.latest() == [write]
        assert (await journal.batch(write.id)).writes == (write,)
        assert await journal.propose(again) == write, "what is asked for as it stands changes nothing"
        assert "Close what has it open" in caught.value.hint
        assert [event.kind for event in await journal.events()] == ["proposed"]
        assert len(await journal.head()) == 64
        another = await Journal.open("", tmp_path)
        assert len(await another.events(write.id)) == 1
        await another.aclose()
    await journal.propose(draft())
    await journal.aclose()


@contextlib.contextmanager
def making(file: Path) -> Iterator[sqlite3.Connection]:
    """Another process that makes the journal at this moment: the file is there, and not yet as a journal's is."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as another:
        another.execute("BEGIN IMMEDIATE")
        another.execute("CREATE TABLE somebodys (id)")
        yield another


async def test_a_journal_that_another_process_is_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait by itself before it changes how a file is written. (Found by `python -m torture crash`.)"""
    with making(tmp_path / "journal.sqlite3") as another:
        monkeypatch.setattr(journal_sqlite, "sleep", lambda _: another.rollback())  # it ends while we wait
        journal = await Journal.open("", tmp_path)
    await journal.propose(draft())
    await journal.aclose()


async def test_a_journal_that_another_process_never_finishes_making_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_BUSY_S", 0.2)
    with making(tmp_path / "journal.sqlite3"), pytest.raises(JournalUnreachable, match="holds the journal locked"):
        await Journal.open("", tmp_path)


async def test_those_of_one_process_take_turns_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """SQLite's own waiting asks again and again, and whoever asks at the right moment is next. Under load somebody was
    told that the journal is locked who had come long before others. (Found by `python -m torture soak`.)"""
    database, came = journal_database.JournalDatabase("", tmp_path), list[int]()

    async def take(number: int) -> None:
        async with database.transaction():
            came.append(number)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group, database.transaction():
            for number in range(12):
                group.start_soon(take, number)
                await anyio.wait_all_tasks_blocked()
    await database.aclose()
    assert came == sorted(came)


async def test_however_many_wait_for_a_locked_journal_none_waits_for_the_others_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_BUSY_S", 0.5)
    journal, told = await Journal.open("", tmp_path), list[str]()

    async def propose() -> None:
        try:
            await journal.propose(draft())
        except JournalUnreachable as error:
            told.append(error.message)

    async with holding(tmp_path / "journal.sqlite3"):
        with anyio.fail_after(25):
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(propose)
    await journal.aclose()
    assert set(told) <= {"another process holds the journal locked", "the journal is busy"}
    assert len(told) == 20


async def test_a_call_on_a_locked_journal_says_that_nothing_was_written(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_BUSY_S", 0.2)
    async with firm.seat() as seat:
        await seat.call("create_part", part_number="LOCKED-0")
        async with holding(firm.state / "journal.sqlite3"):
            result = await seat.client.call_tool("create_part", {"part_number": "LOCKED-1"})
        assert (await seat.call("create_part", part_number="LOCKED-1"))["outcome"] == "awaiting_approval"
    error = (result.structured_content or {})["error"]
    assert (error["code"], error["written"], error["retryable"]) == ("INTERNAL_ERROR", "no", True)
    text = "".join(getattr(block, "text", "") for block in result.content)
    assert "another process holds the journal locked; nothing was written. Close what has it open" in text
    assert str(firm.state) not in text, "an assistant is not told where the journal is"


# -------------------------------------------------------------------------------------------- damaged, or no database


class Asked(Protocol):
    async def __call__(self, *words: str) -> tuple[int, str]: ...


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Runs a command on the journal in `tmp_path / state`: its exit code, and its one line on stderr."""
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))

    async def ran(*words: str) -> tuple[int, str]:
        code = await anyio.to_thread.run_sync(main, words)
        told = capsys.readouterr().err
        assert len(told.splitlines()) == 1, told
        assert "Traceback" not in told
        return code, told

    return ran


@pytest.mark.slow
@pytest.mark.parametrize("words", [("writes",), ("audit",), ("audit", "--verify")], ids=" ".join)
async def test_a_damaged_page_is_told_in_a_line_with_what_to_do(
    tmp_path: Path, asked: Asked, words: tuple[str, ...]
) -> None:
    file = await filled(tmp_path / "state")
    damaged(file)
    code, told = await asked(*words)
    assert code == 1
    assert told.startswith(f"fraction-mcp: the journal's database is damaged ({file}). ")
    assert "restore it from a backup" in told


async def test_a_call_on_a_damaged_journal_says_that_nothing_was_written(firm: Firm) -> None:
    damaged(await filled(firm.state))
    async with firm.seat() as seat:
        error = only_error(await seat.call("create_part", part_number="DAMAGED-1"))
    assert (error["code"], error["written"], error["retryable"]) == ("INTERNAL_ERROR", "no", False)
    assert error["message"] == "the journal's database is damaged"
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize("words", [("writes",), ("migrate",), ("approvals", "--sandbox", "--no-open")], ids=" ".join)
@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_told_in_a_line_and_left_as_it_is(
    tmp_path: Path, asked: Asked, content: bytes, words: tuple[str, ...]
) -> None:
    file = tmp_path / "state" / "journal.sqlite3"
    file.parent.mkdir(mode=0o700, parents=True)
    file.touch(mode=0o600)
    file.write_bytes(content)
    code, told = await asked(*words)
    assert (code, "the journal's file is not an SQLite database" in told) == (2, True), told
    assert str(file) in told
    assert file.read_bytes() == content


# ----------------------------------------------------------------------------------------------------------- read-only


@pytest.mark.process
@AS_ROOT
async def test_a_read_only_disk_is_told_in_a_line(tmp_path: Path, small_disk: Path, asked: Asked) -> None:
    shutil.copytree((await filled(tmp_path / "made", 1)).parent, small_disk / "state")
    await anyio.run_process(["mount", "-o", "remount,ro", str(small_disk)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRACTION_MCP_STATE_DIR", str(small_disk / "state"))
        code, told = await asked("writes")
        assert (code, "cannot be used: " in told) == (2, True), told
        patch.setenv("FRACTION_MCP_STATE_DIR", str(small_disk / "new"))
        code, told = await asked("approvals", "--sandbox", "--no-open")
        assert (code, "Read-only file system" in told) == (2, True), told


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="fmcp-journal-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@AS_ROOT
@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "told"),
    [(0o700, 0o400, "Permission denied|may not be written"), (0o500, 0o600, "may not be written|cannot be opened")],
)
async def test_a_user_who_may_not_write_the_journal_is_told_so(
    reachable: Path, folder_mode: int, file_mode: int, told: str
) -> None:
    file = await filled(reachable / "state", 1)
    for path in (file.parent, *file.parent.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    file.chmod(file_mode)
    file.parent.chmod(folder_mode)

    async def proposed() -> None:
        journal = await Journal.open("", file.parent)
        try:
            await journal.propose(draft())
        finally:
            await journal.aclose()

    os.seteuid(NOBODY)
    try:
        with pytest.raises((ConfigError, JournalError), match=told):
            await proposed()
    finally:
        os.seteuid(0)


# ------------------------------------------------------------------------------------------------ what somebody changed


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE writes SET plan = 'no JSON'", "the write w"),
        ("UPDATE writes SET plan = '[]'", "the write w"),
        ("UPDATE writes SET outcome = '7'", "the write w"),
        ("UPDATE writes SET state = 'no state'", "the write w"),
        ("UPDATE events SET detail = '[1]'", "event 1 "),
        ("UPDATE events SET detail = '{'", "event 1 "),
        pytest.param(f"UPDATE writes SET plan = '{'[' * 9_000}'", "the write w", id="nested without end"),
    ],
)
async def test_a_row_that_no_journal_wrote_is_named(tmp_path: Path, change: str, told: str) -> None:
    file = await filled(tmp_path, 1)
    with closing(sqlite3.connect(file)) as other, other:
        (write_id,) = other.execute("SELECT id FROM writes").fetchone()
        other.execute(change)
    journal = await Journal.open("", tmp_path)
    with pytest.raises(JournalError, match=f"{told}.*in the journal cannot be read: something else"):
        await (journal.events() if "events" in change else journal.get(write_id))
    await journal.aclose()
