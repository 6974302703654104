"""Commands that were started without a stdin, stdout or stderr: a line with the right words, and nothing on the wrong
file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import real
from tests.support import child_environment

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="a shell closes them")]
slow = pytest.mark.slow


def ran(state: Path, closed: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`closed` is what a shell closes: `<&-`, `>&-`."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *real(*words)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state)),
    )


@pytest.mark.parametrize("closed", ["<&-", pytest.param(">&-", marks=slow)])
def test_a_server_that_nobody_can_speak_to_says_so_and_does_not_start(tmp_path: Path, closed: str) -> None:
    run = ran(tmp_path, closed, "serve", "--sandbox")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        "fraction-mcp: stdin or stdout is closed: a client starts this server, and speaks to it there\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("approve", "w000000000000", "--sandbox"), "approve needs a terminal"),
        pytest.param(("decline", "w000000000000", "--sandbox"), "decline needs a terminal", marks=slow),
        pytest.param(("resolve", "w000000000000", "landed", "--sandbox"), "resolve needs a terminal", marks=slow),
    ],
)
def test_nobody_can_type_a_yes_where_stdin_is_closed(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    run = ran(tmp_path, "<&-", *words)
    assert (run.returncode, run.stdout) == (2, "")
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1


@slow
def test_a_call_needs_no_stdin(tmp_path: Path) -> None:
    run = ran(tmp_path, "<&-", "call", "create_part", "part_number=CLOSED-1", "--sandbox")
    assert (run.returncode, run.stderr) == (5, "SANDBOX  The embedded company; nothing here is real.\n")
    assert "waits for a person's approval" in run.stdout
    listed = ran(tmp_path, "<&-", "writes", "--sandbox")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "Create the part 'CLOSED-1'" in listed.stdout


@slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_a_command_prints_to_a_closed_stream_goes_into_no_file(tmp_path: Path, closed: str) -> None:
    ran(tmp_path, "<&-", "call", "create_part", "part_number=CLOSED-2", "--sandbox")
    run = ran(tmp_path, closed, "writes")
    assert run.returncode == 0
    refused = ran(tmp_path, closed, "writes", "w000")
    assert refused.returncode not in {0, 2}
    assert ran(tmp_path, "<&-", "audit", "--verify").returncode == 0
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or b"there is no write" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
