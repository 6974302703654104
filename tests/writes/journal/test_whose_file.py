"""Wherever state is kept, it is this user's alone: one's own that was left open is closed, another's is refused."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from fraction_mcp.cli import main
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.migrations import VERSION
from tests.support import child_environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")

NOBODY = 65534
KEPT = ["journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"]
AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with one event, as a process that was killed leaves it, with its -wal and its -shm."""
    folder = tmp_path_factory.mktemp("left")
    code = """if True:
        import anyio, os, sys
        from pathlib import Path
        from fraction_mcp.operations.writes.journal import Journal
        async def run():
            journal = await Journal.open("", Path(sys.argv[1]))
            await journal.note("w0", "looked", {})
            os._exit(0)
        anyio.run(run)"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=60)
    assert sorted(path.name for path in folder.iterdir()) == sorted(KEPT)
    return folder


@pytest.fixture
def state(tmp_path: Path, left: Path, company: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with that journal and an embedded company in it."""
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    folder = Path(shutil.copytree(left, tmp_path / "state"))
    folder.chmod(0o700)
    shutil.copy(company, folder / "sandbox.sqlite3")
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(folder))
    return folder


COMMANDS = [("writes",), ("audit",), ("migrate",), ("approvals", "--sandbox", "--no-open"), ("serve", "--sandbox"),
            ("call", "get_part", "part=WIDGET-001", "--sandbox")]  # fmt: skip


@pytest.mark.matrix
@pytest.mark.parametrize("name", KEPT)
def test_a_journal_s_file_that_was_left_open_is_closed_with_a_line_on_stderr(
    state: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (state / name).chmod(0o666)
    assert main(["audit"]) == 0
    told = capsys.readouterr()
    assert told.err == f"fraction-mcp: {state / name} was open to other users; it is closed to them now (0600)\n"
    assert "looked" in told.out
    assert {mode(path) for path in state.iterdir() if path.is_file()} == {0o600}
    assert main(["audit"]) == 0
    assert capsys.readouterr().err == ""


def test_the_folder_that_was_left_open_is_closed_too(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.chmod(0o777)
    assert main(["audit"]) == 0
    assert (mode(state), capsys.readouterr().err.count(str(state))) == (0o700, 1)


@pytest.mark.matrix
@AS_ROOT
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", [*KEPT, "."])
def test_another_user_s_is_refused_at_start(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, words: tuple[str, ...]
) -> None:
    os.chown(state / name, NOBODY, NOBODY)
    assert main(words) == 2
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert told.err.startswith(f"fraction-mcp: {(state / name)} belongs to another user")


@pytest.mark.matrix
@AS_ROOT
@pytest.mark.parametrize("words", [("serve", "--sandbox"), ("sandbox",), ("approvals", "--sandbox", "--no-open")])
def test_another_user_s_sandbox_is_refused_at_start(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    os.chown(state / "sandbox.sqlite3", NOBODY, NOBODY)
    assert main(words) == 2
    assert "sandbox.sqlite3 belongs to another user" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.process
def test_a_sandbox_that_was_left_open_is_closed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "sandbox.sqlite3").chmod(0o664)
    assert main(["call", "get_part", "part=WIDGET-001", "--sandbox"]) == 0
    assert mode(state / "sandbox.sqlite3") == 0o600


def test_a_sandbox_s_file_that_is_damaged_is_told_in_a_line(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = state / "sandbox.sqlite3"
    file.write_bytes(file.read_bytes()[:5000])
    assert main(["approvals", "--sandbox", "--no-open"]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert f"the embedded ERPs' file {file} cannot be used: database disk image is malformed" in told


# ------------------------------------------------------------------------------------------------- one that a URL names


@pytest.fixture
def named(state: Path, left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal elsewhere, which a URL names."""
    file = tmp_path / "elsewhere" / "named.db"
    file.parent.mkdir(mode=0o700)
    for path in left.iterdir():
        shutil.copy(path, file.with_name(path.name.replace("journal.sqlite3", file.name)))
    monkeypatch.setenv("FRACTION_MCP_DATABASE_URL", f"sqlite:///{file}")
    return file


def test_a_named_journal_is_closed_with_its_folder(named: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = [named.parent, named, *(named.with_name(f"named.db-{ending}") for ending in ("wal", "shm"))]
    for path in opened:
        path.chmod(0o777)
    assert main(["audit"]) == 0
    assert [mode(path) for path in opened[:2]] == [0o700, 0o600]
    assert {mode(path) for path in named.parent.iterdir()} == {0o600}
    assert capsys.readouterr().err.count("was open to other users") == len(opened)


@pytest.mark.matrix
@AS_ROOT
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_another_user_s_named_journal_is_refused_at_start(
    named: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    os.chown(named, NOBODY, NOBODY)
    assert main(words) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "named.db belongs to another user" in told
    assert "FRACTION_MCP_DATABASE_URL names another place" in told


def test_a_folder_that_everybody_shares_is_refused_and_left_as_it_is(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "j.db").touch()
    for setting, value in (
        ("FRACTION_MCP_DATABASE_URL", f"sqlite:///{shared}/j.db"),
        ("FRACTION_MCP_STATE_DIR", shared),
    ):
        monkeypatch.setenv(setting, str(value))
        assert main(["approvals", "--sandbox", "--no-open"]) == 2
        assert f"{shared} is a folder that everybody shares; {setting}" in capsys.readouterr().err
        assert mode(shared) == 0o1777
        monkeypatch.delenv(setting)


# --------------------------------------------------------------------------------------------------- what a start costs


def test_a_newer_journal_stops_a_server_that_writes_at_its_start(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(state / "journal.sqlite3")) as database, database:
        database.execute("UPDATE head SET version = 99")
    for words in (("serve", "--sandbox"), ("call", "get_part", "part=WIDGET-001", "--sandbox")):
        assert main(words) == 2
        told = capsys.readouterr()
        assert (told.out, len(told.err.splitlines())) == ("", 1)
        assert f"version 99, and this fraction-mcp knows versions up to {VERSION}" in told.err


@pytest.mark.process
def test_looking_at_the_journal_at_start_loads_no_sqlalchemy_and_leaves_nothing_behind(state: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from fraction_mcp.operations.writes.journal_file import check_at_start
        check_at_start("", Path(sys.argv[1]))
        print({"sqlalchemy", "aiosqlite", "asyncpg"} & set(sys.modules))"""
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", code, str(state)], capture_output=True, text=True, check=True, timeout=60
        )
        assert (ran.stdout, ran.stderr) == ("set()\n", "")
        assert sorted(path.name for path in state.iterdir()) == ["journal.sqlite3", "sandbox.sqlite3"]

    async def events() -> int:
        journal = await Journal.open("", state)
        found = await journal.events()
        await journal.aclose()
        return len(found)

    assert anyio.run(events) == 1


def test_a_start_makes_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    from fraction_mcp.operations.writes.journal_file import check_at_start

    for url in ("", f"sqlite:///{tmp_path}/none/j.db", "postgres://u@h/d"):
        check_at_start(url, tmp_path / "state")
    assert list(tmp_path.iterdir()) == []
