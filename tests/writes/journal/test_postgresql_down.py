"""A PostgreSQL that is frozen, restarted, stopped, or lets nobody in: what is known is said, and said in time."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from fraction_mcp.cli import main
from fraction_mcp.errors import ConfigError, ErpOutcomeUnknown, JournalError, JournalUnreachable
from fraction_mcp.operations.writes import journal_database, journal_tables
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.runtime import _replan
from fraction_mcp.server.team import store_tables
from tests import postgresql
from tests.postgresql import Server
from tests.process import command
from tests.support import child_environment
from tests.writes.firm import Firm
from tests.writes.made import draft

# Each worker that comes here starts a PostgreSQL of its own.
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SOON_S = 1.5  # what the journals of this process wait for an answer
ENDS_S = 15.0


@pytest.fixture(scope="module")
def _server() -> Iterator[Server]:
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("nothing can be frozen here")
    with postgresql.on_a_port("host all clerk 127.0.0.1/32 scram-sha-256\n") as server:
        yield server


@pytest.fixture
async def server(_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    tables = (*journal_tables.metadata.tables, *store_tables.metadata.tables)
    await _server.run(f"DROP TABLE IF EXISTS {', '.join(tables)}")
    monkeypatch.setattr(JournalDatabase, "answer_s", SOON_S)
    return _server


@pytest.fixture
async def journal(server: Server, tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(server.url(), tmp_path)
    yield opened
    await opened.aclose()


# ---------------------------------------------------------------------------------------------------------------- busy


async def test_what_comes_while_the_journal_is_busy_waits_for_its_turn(journal: Journal) -> None:
    """What one change may take is no bound for all that come at the same moment: a whole team's."""
    write = await journal.propose(draft())
    looked: EventDetail = {"found": "nothing"}
    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            for _ in range(500):
                group.start_soon(journal.note, write.id, Step.LOOKED, looked)
    assert len([event for event in await journal.events(write.id) if event.kind is Step.LOOKED]) == 500


# -------------------------------------------------------------------------------------------------------------- frozen


@pytest.mark.matrix
@pytest.mark.parametrize("what", ["propose", "get", "latest", "events", "head"])
async def test_a_frozen_postgresql_is_given_up_in_time_and_answers_when_it_goes_on(
    server: Server, journal: Journal, what: str
) -> None:
    write = await journal.propose(draft())
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "propose": lambda: journal.propose(draft()),
        "get": lambda: journal.get(write.id),
        "latest": journal.latest,
        "events": lambda: journal.events(write.id),
        "head": journal.head,
    }
    with server.frozen():
        began = time.monotonic()
        with pytest.raises(JournalUnreachable, match=r"did not answer within 1\.5 seconds") as caught:
            await calls[what]()
        assert time.monotonic() - began < ENDS_S
        assert (caught.value.retryable, caught.value.where) == (True, f"127.0.0.1:{server.port}/postgres")
    await calls[what]()
    assert (await journal.get(write.id)).state is State.AWAITING
    assert await journal.verify() == ""


async def test_a_postgresql_that_freezes_in_the_middle_of_a_change_leaves_all_of_it_or_nothing(
    server: Server, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = await journal.propose(draft())
    dialect = journal.database.engine.sync_engine.dialect
    committed = dialect.do_commit
    with contextlib.ExitStack() as stack:

        def frozen_first(connection: Any) -> None:
            stack.enter_context(server.frozen())
            committed(connection)

        monkeypatch.setattr(dialect, "do_commit", frozen_first)
        with pytest.raises(JournalUnreachable):
            await journal.approve(write.id, digest=write.digest, by=Decider("a person"))
    monkeypatch.undo()
    state = (await journal.get(write.id)).state  # in turn after the change that was under way, however that ends
    kinds = [event.kind for event in await journal.events(write.id)]
    assert (state, kinds) in [(State.AWAITING, ["proposed"]), (State.APPROVED, ["proposed", "approved"])]
    assert await journal.verify() == ""


async def test_a_journal_cannot_be_opened_on_a_frozen_postgresql_and_says_so_in_time(
    server: Server, tmp_path: Path
) -> None:
    with server.frozen(), pytest.raises(JournalUnreachable, match="did not answer within"), anyio.fail_after(25):
        await Journal.open(server.url(), tmp_path)


async def test_a_write_that_was_sent_when_postgresql_froze_is_told_as_one_that_may_have_been_written(
    server: Server, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Journal.finish
    with contextlib.ExitStack() as stack:

        async def frozen_first(self: Journal, *words: Any, **facts: Any) -> Any:
            stack.enter_context(server.frozen())
            return await finish(self, *words, **facts)

        monkeypatch.setattr(Journal, "finish", frozen_first)
        async with firm.runtime(database_url=SecretStr(server.url())) as runtime:
            service = await runtime.write_service()
            arguments = {"part_number": "FROZEN-1"}
            plan = await _replan(service.context, "create_part", arguments)
            write = await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test")
            with pytest.raises(ErpOutcomeUnknown, match="it may have been written"):
                await service.approve(write, by=Decider("a person"), digest=write.digest)
            monkeypatch.undo()
            stack.close()
            assert (await service.write(write.id)).state is State.SENDING
    assert len(firm.parts("FROZEN-1")) == 1


@pytest.mark.process
@pytest.mark.parametrize("step", ["hold", "finish"])
async def test_what_came_of_a_write_is_written_down_when_a_postgresql_that_restarts_is_there_again(
    server: Server, firm: Firm, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its claim stands for minutes: nobody has to settle by hand what this process knows."""
    original, stopped = getattr(Journal, step), list[bool]()
    async with anyio.create_task_group() as group:

        async def restarting(self: Journal, *words: Any, **facts: Any) -> Any:
            if not stopped:
                stopped.append(True)
                await anyio.to_thread.run_sync(server.stop)
                group.start_soon(anyio.to_thread.run_sync, server.start)
            return await original(self, *words, **facts)

        monkeypatch.setattr(Journal, step, restarting)
        async with firm.runtime(database_url=SecretStr(server.url())) as runtime:
            service = await runtime.write_service()
            arguments = {"part_number": "RESTARTED-1"}
            plan = await _replan(service.context, "create_part", arguments)
            write = await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test")
            after = await service.approve(write, by=Decider("a person"), digest=write.digest)
    assert after.state is {"hold": State.AWAITING, "finish": State.DONE}[step]
    assert len(firm.parts("RESTARTED-1")) == len(firm.sent()) == (step == "finish")


@pytest.mark.process
@pytest.mark.parametrize("how", ["frozen", "stopped"])
async def test_a_write_that_is_claimed_while_postgresql_does_not_answer_is_not_sent_and_goes_out_once_later(
    server: Server, firm: Firm, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    claim = Journal.claim
    with contextlib.ExitStack() as stack:

        async def down_first(self: Journal, *words: Any, **facts: Any) -> bool:
            if how == "frozen":
                stack.enter_context(server.frozen())
            else:
                await anyio.to_thread.run_sync(server.stop)
                stack.callback(server.start)
            return await claim(self, *words, **facts)

        monkeypatch.setattr(Journal, "claim", down_first)
        async with firm.runtime(database_url=SecretStr(server.url())) as runtime:
            service = await runtime.write_service()
            arguments = {"part_number": "CLAIMED-1"}
            plan = await _replan(service.context, "create_part", arguments)
            write = await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test")
            with pytest.raises(JournalUnreachable):
                await service.approve(write, by=Decider("a person"), digest=write.digest)
            monkeypatch.setattr(Journal, "claim", claim)
            assert firm.sent() == []
            await anyio.to_thread.run_sync(stack.close)
            assert (await service.write(write.id)).state is State.APPROVED
            await service.watch()
            assert (await service.write(write.id)).state is State.DONE
    assert len(firm.parts("CLAIMED-1")) == len(firm.sent()) == 1


# ------------------------------------------------------------------------------------------ restarted, stopped, locked


@pytest.mark.process
async def test_the_call_after_a_restart_of_postgresql_works(server: Server, journal: Journal) -> None:
    write = await journal.propose(draft())
    server.stop()
    server.start()
    assert (await journal.get(write.id)).state is State.AWAITING


@pytest.mark.process
async def test_a_stopped_postgresql_is_told_and_one_that_was_started_again_is_used(
    server: Server, journal: Journal
) -> None:
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(JournalUnreachable, match="nothing answers where the journal's database should be"):
                await journal.propose(draft())
    finally:
        server.start()
    await journal.propose(draft())


async def test_a_journal_that_another_process_holds_locked_is_told_as_that(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_SESSION", {"lock_timeout": "200ms"})
    holds, waits = [await Journal.open(server.url(), tmp_path) for _ in range(2)]
    async with holds._transaction():
        with pytest.raises(JournalUnreachable, match="another process holds the journal locked"):
            await waits.propose(draft())
    await waits.propose(draft())
    for journal in (holds, waits):
        await journal.aclose()


async def test_a_process_that_stops_in_the_middle_of_a_change_does_not_hold_the_others_for_ever(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "_SESSION", {"idle_in_transaction_session_timeout": "500ms"})
    hangs, goes_on = [await Journal.open(server.url(), tmp_path) for _ in range(2)]

    async def hung() -> None:
        async with hangs._transaction() as transaction:
            await goes_on.propose(draft())  # waits until PostgreSQL has ended the other's transaction
            await transaction.append("w0", Step.LOOKED, {})

    with pytest.raises(JournalError):
        await hung()
    assert [event.kind for event in await goes_on.events()] == ["proposed"]
    for journal in (hangs, goes_on):
        await journal.aclose()


# ------------------------------------------------------------------------------------------------------- nobody let in


class Asked(Protocol):
    async def __call__(self, url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]: ...


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Runs `writes` on a database: its exit code, and what stands on stderr."""
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))

    async def ran(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
        monkeypatch.setenv("FRACTION_MCP_DATABASE_URL", url)
        code = await anyio.to_thread.run_sync(main, ["writes"])
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("fraction-mcp: ")
        assert len(told.err.splitlines()) == 1
        assert "canary" not in told.err
        return code, told.err

    return ran


@pytest.mark.matrix
async def test_who_is_not_let_in_is_told_why_in_one_line(
    server: Server, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    await server.run("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk LOGIN PASSWORD 'right'")
    code, told = await asked(server.url("clerk", "canary"), capsys)
    assert (code, "refuses the user or the password" in told) == (2, True)
    code, told = await asked(server.url("nobody", "canary"), capsys)
    assert (code, "refuses the user or the password" in told) == (2, True)
    code, told = await asked(server.url(password="canary", database="nowhere"), capsys)
    assert (code, "does not exist: create it first" in told) == (2, True)
    assert f"127.0.0.1:{server.port}/nowhere" in told
    code, told = await asked(server.url("clerk", "right"), capsys)
    assert (code, "may not read and change its tables" in told) == (2, True)
    await server.run("DROP ROLE clerk")


async def test_a_database_that_takes_no_writes_is_told_as_that(
    server: Server, journal: Journal, tmp_path: Path
) -> None:
    await server.run("DROP DATABASE IF EXISTS standby", "CREATE DATABASE standby")
    await server.run("ALTER DATABASE standby SET default_transaction_read_only = on")
    with pytest.raises(ConfigError, match="takes no writes"):
        await Journal.open(server.url(database="standby"), tmp_path)
    await server.run("DROP DATABASE standby")


@pytest.mark.parametrize(
    ("url", "told", "code"),
    [
        ("postgres://u:canary@127.0.0.1:1/d", "nothing answers where the journal's database should be", 1),
        ("postgres://u:canary@/d?host=/nowhere", "nothing answers where the journal's database should be", 1),
        ("postgres://u:canary@nowhere.invalid/d", "is not known by that name", 1),
    ],
)
async def test_where_there_is_no_postgresql_it_is_told_in_one_line(
    asked: Asked, capsys: pytest.CaptureFixture[str], url: str, told: str, code: int
) -> None:
    found, said = await asked(url, capsys)
    assert (found, told in said) == (code, True), said


# -------------------------------------------------------------------------------------------------- what a host is told


@pytest.fixture
def environment(server: Server, small_state: Path) -> dict[str, str]:
    return child_environment(
        FRACTION_MCP_STATE_DIR=str(small_state),
        FRACTION_MCP_DATABASE_URL=server.url(password="canary"),
        FRACTION_MCP_OPEN_INBOX="false",
    )


@pytest.fixture
def small_state(company: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir(mode=0o700)
    shutil.copy(company, folder / "sandbox.sqlite3")
    return folder


async def test_a_call_on_a_frozen_postgresql_says_that_nothing_was_written(server: Server, firm: Firm) -> None:
    async with firm.seat(database_url=SecretStr(server.url(password="canary"))) as seat:
        waits = await seat.call("create_part", part_number="FROZEN-2")
        assert waits["outcome"] == "awaiting_approval"
        with server.frozen():
            result = await seat.client.call_tool("create_part", {"part_number": "FROZEN-3"})
            status = await seat.call("get_write_status", write_id=waits["write_id"])
            assert not (await seat.call("get_part", part="WIDGET-001"))["is_error"], "reading needs no journal"
        assert (await seat.call("create_part", part_number="FROZEN-3"))["outcome"] == "awaiting_approval"
    assert result.is_error
    error = (result.structured_content or {})["error"]
    assert (error["code"], error["written"], error["retryable"]) == ("INTERNAL_ERROR", "no", True)
    assert error["message"] == "the journal's database did not answer within 1.5 seconds"
    text = "".join(getattr(block, "text", "") for block in result.content)
    assert "did not answer within 1.5 seconds; nothing was written. Try again in a moment." in text
    assert not {"Traceback", "canary", "127.0.0.1"} & set(text.replace(":", " ").split())
    assert (status["is_error"], status["error"]["written"]) == (True, None)
    assert firm.sent() == []


def unread(port: int) -> bool:
    """Whether something was sent to this port that nobody has read yet (Linux tells)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[1].endswith(f":{port:04X}") and not line[4].endswith(":00000000") for line in lines)


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="nothing here tells whether the journal was asked")
async def test_the_end_of_stdin_ends_the_server_though_postgresql_is_frozen(
    server: Server, environment: dict[str, str]
) -> None:
    """A call is on its way to the journal, and the one that looks after what waits."""

    def talked() -> float:
        with subprocess.Popen(
            command("serve", "--sandbox"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=environment,
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stdout is not None

                def send(number: int | None, method: str, **params: Any) -> None:
                    message = {"jsonrpc": "2.0", "method": method, "params": params}
                    process.stdin.write(json.dumps(message if number is None else {**message, "id": number}) + "\n")
                    process.stdin.flush()

                told = {"name": "raw", "version": "0"}
                send(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=told)
                process.stdout.readline()
                send(None, "notifications/initialized")
                send(2, "tools/call", name="create_part", arguments={"part_number": "FROZEN-4"})
                assert "awaiting_approval" in process.stdout.readline()
                with server.frozen():
                    send(3, "tools/call", name="create_part", arguments={"part_number": "FROZEN-5"})
                    deadline = time.monotonic() + ENDS_S
                    while not unread(server.port):
                        assert time.monotonic() < deadline, "nobody asked the journal for anything"
                        time.sleep(0.01)
                    process.stdin.close()
                    began = time.monotonic()
                    assert process.wait(ENDS_S) == 0
                    return time.monotonic() - began
            finally:
                process.kill()

    assert await anyio.to_thread.run_sync(talked) < ENDS_S
