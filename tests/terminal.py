"""A person at a terminal, for tests: a pseudo-terminal, what stands on its screen, and what is typed there."""

import os
import re
import select
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.runtime import _replan
from tests import process
from tests.support import child_environment

fcntl = pytest.importorskip("fcntl", reason="a terminal of the tests' own")
pty = pytest.importorskip("pty", reason="a terminal of the tests' own")
termios = pytest.importorskip("termios", reason="a terminal of the tests' own")
tty = pytest.importorskip("tty", reason="a terminal of the tests' own")

LONG_ENOUGH_S = 60


@pytest.fixture(scope="session")
def small_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("company") / "sandbox.sqlite3"
    sandbox.open_sandbox(path, parts=40).state.store.close()
    return path


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_company: Path) -> Path:
    """A state folder with an embedded company in it, and no journal yet."""
    folder = tmp_path / "state"
    folder.mkdir()
    shutil.copy(small_company, folder / "sandbox.sqlite3")
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(folder))
    process.children_of_commands_are_ours(monkeypatch)
    return folder


def piped(state: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command whose stdin is no terminal."""
    return process.run(*words, stdin=stdin, env=child_environment(FRACTION_MCP_STATE_DIR=str(state)))


class Terminal:
    """A person at a terminal who runs one command. `seen` is what stands on the screen so far."""

    def __init__(self, started: process.Started, fd: int) -> None:
        self.process = started
        self._fd = fd
        self.seen = ""

    def until(self, pattern: str) -> str:
        """Wait until the screen shows it; fails where the command ends before."""
        deadline = time.monotonic() + LONG_ENOUGH_S
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"{pattern} never came:\n{self.seen}"
            assert self._more(), f"{pattern} did not come before the end:\n{self.seen}"
        return self.seen

    def types(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def becomes_raw(self) -> None:
        tty.setraw(self._fd)

    def hangs_up(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def exit_code(self) -> int:
        self.drains()
        return self.process.wait(LONG_ENOUGH_S)

    def drains(self) -> None:
        while self._fd >= 0 and self._more():
            pass

    def _more(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], LONG_ENOUGH_S)
        try:
            piece = os.read(self._fd, 65_536) if ready else b""
        except OSError:  # Linux's way to say that nobody holds the other end
            piece = b""
        self.seen += piece.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(piece)


@contextmanager
def terminal(
    state: Path,
    *words: str,
    stdout: int | None = None,
    stderr: int | None = None,
    typed_ahead: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """A command whose terminal is its controlling one, with `typed_ahead` in it before it starts."""
    ours, theirs = pty.openpty()
    ahead = threading.Thread(target=os.write, args=(ours, typed_ahead.encode()))
    ahead.start()  # a long paste is not taken in before its echo is read
    base = child_environment() if environment is None else environment
    environment = {**base, "FRACTION_MCP_STATE_DIR": str(state), "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "100"}
    started = process.start(
        *words,
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs if stderr is None else stderr,
        env=environment,
        terminal=True,
    )
    os.close(theirs)
    screen = Terminal(started, ours)
    try:
        yield screen
    finally:
        started.kill()
        started.wait()
        screen.drains()
        ahead.join()
        screen.hangs_up()


def journal_of(state: Path) -> Path:
    """The journal of the embedded company."""
    return state / "journal.sqlite3"


def waiting(state: Path, ref: str = "TERM-1") -> str:
    """The id of a write that an assistant asked for where nobody could be asked."""

    async def asked() -> str:
        async with runtime_for(sandbox=True) as runtime:
            service = await runtime.write_service()
            arguments = {"customer": "Acme Corp", "customer_ref": ref}
            plan = await _replan(service.context, "create_enquiry", arguments)
            write = await service.propose(
                plan, tool="create_enquiry", arguments=arguments, asked_by="Claude Desktop 1.4"
            )
            return write.id

    return anyio.run(asked)


def unsure(write_id: str) -> None:
    """Send it, and lose the answer."""

    async def lost() -> None:
        async with runtime_for(sandbox=True) as runtime:
            service = await runtime.write_service()
            app: Any = runtime._sandbox
            app.state.faults.arm("html", method="POST", path="/contracts", status=502)
            write = await service.write(write_id)
            await service.approve(write, digest=write.digest, by=Decider("a test"))

    anyio.run(lost)


def enquiries(state: Path, ref: str) -> int:
    with closing(sqlite3.connect(state / "sandbox.sqlite3")) as db:
        sql = "SELECT count(*) FROM contracts WHERE json_extract(doc, '$.customer_ref') = ?"
        count: int = db.execute(sql, (ref,)).fetchone()[0]
        return count


def standing(state: Path) -> list[str]:
    """The states of all writes."""
    with closing(sqlite3.connect(journal_of(state))) as db:
        return [row[0] for row in db.execute("SELECT state FROM writes")]
