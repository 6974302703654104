"""What holds at the edges of every command: the sandbox's badge, a folder that cannot be written, Ctrl-C."""

import re
import sys
from pathlib import Path

import pytest

from fraction_mcp.cli import main
from tests.support import child_environment
from tests.terminal import small_company, state, terminal, waiting

__all__ = ["small_company", "state"]  # fixtures

# ----------------------------------------------------------------------------------------------------------- the badge


@pytest.mark.process
@pytest.mark.parametrize(
    "words",
    [("create_part", "part_number=EDGE-1"), ("get_customer", "customer=Acme"), ("search_parts", "query=widget")],
    ids=["a write", "candidates", "a table"],
)
def test_into_a_pipe_the_badge_stands_beside_the_result(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    main(["call", "--sandbox", *words])
    said = capsys.readouterr()
    assert said.err.startswith("SANDBOX  ")
    assert "SANDBOX" not in said.out


@pytest.mark.process
def test_the_question_of_a_write_carries_the_badge(state: Path) -> None:
    with terminal(state, "call", "create_part", "part_number=EDGE-2", "--sandbox") as screen:
        assert "In SANDBOX, FractionERP of Harrow & Pike Precision Ltd" in screen.until("Type yes: ")


def test_every_event_of_the_embedded_company_carries_the_badge(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(state)
    assert main(["audit"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert "ERP" in head.split()
    assert all("SANDBOX" in row for row in rows)


# ----------------------------------------------------------------------------------------------- what cannot be written


NOWHERE = "/dev/null/state"
WORK = {
    "serve": ["serve", "--sandbox"],
    "call": ["call", "get_connection_status", "--sandbox"],
    "price": ["price", "WIDGET-001=5", "--sandbox"],
    "approvals": ["approvals", "--no-open", "--sandbox"],
    "sandbox": ["sandbox", "--port", "0"],
    "reset": ["sandbox", "reset"],
    "fault": ["sandbox", "fault"],
    "whoami": ["whoami", "--sandbox"],
}


@pytest.mark.skipif(sys.platform == "win32", reason="there the null device is no path like others")
@pytest.mark.parametrize("name", WORK)
def test_a_state_folder_that_cannot_be_made_is_one_line_and_exit_2(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", NOWHERE)
    assert main(WORK[name]) == 2
    said = capfd.readouterr()
    assert re.fullmatch(r"fraction-mcp: .*/dev/null.*\n", said.err)
    assert not said.out


@pytest.mark.skipif(sys.platform == "win32", reason="there the null device is no path like others")
def test_schemas_that_cannot_be_written_are_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "--write", NOWHERE]) == 2
    assert re.fullmatch(r"fraction-mcp: /dev/null/state cannot be written: .*\n", capsys.readouterr().err)


# --------------------------------------------------------------------------------------------------------------- Ctrl-C


RUNNING = {
    "serve --http": (["serve", "--http", "--port", "0", "--sandbox"], r"http://\S+/mcp"),
    "sandbox": (["sandbox", "--port", "0"], "fraction-mcp serve"),
    "demo": (["demo"], "SANDBOX|embedded FractionERP"),
    "login": (["login"], r"FractionERP"),
    "setup": (["setup"], r"FractionERP"),
}


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("name", RUNNING)
def test_the_first_ctrl_c_ends_a_command_that_runs_long(state: Path, name: str) -> None:
    words, running = RUNNING[name]
    with terminal(state, *words, environment=child_environment(HOME=str(state))) as screen:
        screen.until(running)
        screen.types("\x03")
        assert screen.exit_code() == 130
    assert "Traceback" not in screen.seen
