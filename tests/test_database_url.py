"""The address of the journal's database: every mistake is told at start, with a form or a command that works."""

import shlex
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from fraction_mcp.cli import main
from fraction_mcp.database_url import read_database_url
from tests.support import child_environment

SQLITE = "sqlite+aiosqlite:////FOLDER/journal.sqlite3"
POSTGRESQL = "postgresql+asyncpg://USER:PASSWORD@HOST:5432/NAME"


def refusal(url: str) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_database_url(url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        (" POSTGRES://u:p@h/d\n", "postgresql+asyncpg://u:p@h/d"),
        ("postgres://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
        ("postgresql://u@[::1]:5433/d?ssl=verify-full", "postgresql+asyncpg://u@[::1]:5433/d?ssl=verify-full"),
        ("postgresql://u:a?b/c#d@h/d", "postgresql+asyncpg://u:a?b/c#d@h/d"),
        ("postgresql://u:@/d?host=/run/pg", "postgresql+asyncpg://u:@/d?host=%2Frun%2Fpg"),
        ("sqlite:////var/lib/j.db", "sqlite+aiosqlite:////var/lib/j.db"),
        ("sqlite+aiosqlite:///j.db", "sqlite+aiosqlite:///j.db"),
        ("sqlite:///C:\\Users\\Jo Doe\\j.db", "sqlite+aiosqlite:///C:\\Users\\Jo Doe\\j.db"),
    ],
)
def test_what_is_written_is_taken_for_what_is_meant(written: str, meant: str) -> None:
    assert read_database_url(written).text == meant
    assert read_database_url(meant).text == meant, "what was read once reads the same"
    assert sa.make_url(meant).drivername == meant.partition(":")[0]


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////a/b c#d%3Fe%25/j.db", "/a/b c#d?e%/j.db"),
        ("sqlite:///C:/Users/Jo Doe/j.db", "C:/Users/Jo Doe/j.db"),
        ("sqlite+aiosqlite:///j.db", "j.db"),
    ],
)
def test_a_path_may_hold_any_character(url: str, file: str) -> None:
    assert read_database_url(url).file == Path(file)


def test_a_database_on_a_server_has_no_file() -> None:
    assert read_database_url("postgres://u@h/d").file is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:canary@h/d", "must name SQLite or PostgreSQL"),
        ("postgresql+psycopg2://u:canary@h/d", "and the driver that is used here"),
        ("sqlite+pysqlite:////canary", "and the driver that is used here"),
        ("canary", "must be"),
        ("postgresql:canary@h/d", "must be"),
        ("postgresql://u:canary@canary@h/d", "percent-encoded"),
        ("postgresql://u:canary@h:canary/d", "port must be a number"),
        ("postgresql://u:canary@h:0/d", "port must be a number"),
        ("postgresql://u:canary@h/d?port=canary", "port must be a number"),
        ("postgresql://u:canary@h/d?foo=canary", "option foo is not understood: there are host, port, passfile, ssl"),
        ("postgresql://u:canary@h/d?sslmode=canary", "ssl must be one of disable, allow"),
        ("postgresql://u:p@ss?canary-1@h/d", "its option is not understood"),
        ("sqlite+aiosqlite:////canary?mode=ro", "takes no options"),
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite://canary/j.db", "three slashes"),
    ],
)
def test_what_would_not_do_is_refused_with_a_form_that_does_and_is_not_shown(url: str, told: str) -> None:
    said = refusal(url)
    assert told in said
    assert "canary" not in said
    if "option" not in told and "ssl" not in told and "port=" not in url:
        assert SQLITE in said or POSTGRESQL in said


def test_the_forms_that_are_named_are_forms_that_are_taken() -> None:
    assert read_database_url(SQLITE).file == Path("/FOLDER/journal.sqlite3")
    assert read_database_url(POSTGRESQL.replace("PASSWORD", "p")).file is None


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/jo/.local/pipx/venvs/fraction-mcp", "pipx inject fraction-mcp asyncpg"),
        ("/home/jo/.local/share/uv/tools/fraction-mcp", "uv tool install 'fraction-mcp[postgres]'"),
        ("/home/jo/.cache/uv/archive-v0/Xy", "uvx --from 'fraction-mcp[postgres]' fraction-mcp"),
        ("/home/jo/uv/project/.venv", f"{shlex.quote(sys.executable)} -m pip install 'fraction-mcp[postgres]'"),
    ],
)
def test_a_driver_that_is_not_there_is_told_with_the_command_that_adds_it_here(
    monkeypatch: pytest.MonkeyPatch, prefix: str, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    monkeypatch.setattr(sys, "prefix", prefix)
    assert refusal("postgresql://u:canary@h/d").endswith(f"install it with: {command}")


def test_without_pip_the_command_is_uv_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("asyncpg", "pip"):
        monkeypatch.setitem(sys.modules, module, None)
    python = shlex.quote(sys.executable)
    assert f"uv pip install --python {python} 'fraction-mcp[postgres]'" in refusal("postgresql://u@h/d")


@pytest.mark.parametrize("words", [("serve", "--sandbox"), ("writes",), ("approvals", "--sandbox"), ("migrate",)])
def test_every_command_tells_it_at_start_in_one_line(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FRACTION_MCP_DATABASE_URL", "postgresql://u:canary@h/d?foo=bar")
    assert main(words) == 2
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert told.err.startswith("fraction-mcp: FRACTION_MCP_DATABASE_URL: its option foo is not understood")
    assert "canary" not in told.err


@pytest.mark.process
def test_checking_it_loads_no_database(tmp_path: Path) -> None:
    import subprocess

    # What is loaded before ours is not ours: a measurement of coverage brings its own database into every process.
    code = """if True:
        import sys
        before = set(sys.modules)
        from fraction_mcp.config import Settings
        Settings.load()
        print({"sqlalchemy", "asyncpg", "sqlite3"} & (set(sys.modules) - before))"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=child_environment(FRACTION_MCP_DATABASE_URL="postgres://u@h/d"),
    )
    assert ran.stdout == "set()\n"
