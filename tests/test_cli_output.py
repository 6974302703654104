"""Commands print into whatever character set their pipe has: they end as ever, and lose nothing."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fraction_mcp.cli import main
from fraction_mcp.cli.output import as_json_text, speak_any_character_set
from fraction_mcp.cli.parser import parser
from tests.process import command
from tests.support import child_environment
from tests.terminal import enquiries, piped, small_company, state, terminal, waiting

__all__ = ["small_company", "state"]  # fixtures

PRICES = '[{"quantity": 10, "unit_price": "0.01"}]'
COMMANDS = {
    "tools": ["tools"],
    "tools --json": ["tools", "--json"],
    "schemas": ["schemas"],
    "schemas of gemini": ["schemas", "--format", "gemini"],
    "call": ["call", "get_customer", "customer=株式会社 精密", "--sandbox"],
    "call --json": ["call", "get_customer", "customer=株式会社 精密", "--sandbox", "--json"],
    "call of a write": ["call", "set_price_list", "part=1", "customer=52", f"price_breaks={PRICES}", "--sandbox"],
    "call in vain": ["call", "get_customer", "customer=株 → 式", "--sandbox"],
    "call of nothing": ["call", "→", "--sandbox"],
    "one tool": ["tools", "get_price_for_quantity"],
    "price": ["price", "WIDGET-001=250", "--customer", "Acme Corp", "--sandbox"],
    "whoami": ["whoami", "--sandbox"],
    "sandbox fault": ["sandbox", "fault"],
    "completion": ["completion", "zsh"],
    "demo": ["demo"],
    "writes": ["writes"],
    "one write": ["writes", "ID"],
    "audit": ["audit"],
    "audit --verify": ["audit", "--verify"],
    "audit --anchor": ["audit", "--anchor"],
    "approve without a terminal": ["approve", "→"],
    "decline without a terminal": ["decline", "→"],
    "resolve without a terminal": ["resolve", "→", "landed"],
    "approvals where nothing may be kept": ["approvals", "--no-open", "--profile", "→"],
    "login without a terminal": ["login"],
    "logout of nothing": ["logout", "--profile", "nobody"],
    "setup without a terminal": ["setup"],
    "doctor": ["doctor", "--sandbox"],
    "install": ["install", "cursor", "--sandbox", "--dry-run"],
    "uninstall": ["uninstall", "cursor", "--dry-run"],
    "migrate": ["migrate"],
    "sandbox reset": ["sandbox", "reset"],
    "serve without an account": ["serve"],
}


@pytest.fixture
def write_id(state: Path) -> str:
    return waiting(state, "→ 精密 − ×")


Printed = Callable[[str, list[str]], tuple[int, bytes, bytes]]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Printed:
    """A command's exit code, stdout and stderr, where both have this character set and are strict about it."""
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA"):  # nobody's assistants are looked at
        monkeypatch.setenv(name, str(tmp_path))

    def run(encoding: str, words: list[str]) -> tuple[int, bytes, bytes]:
        out, err = io.BytesIO(), io.BytesIO()
        streams = [io.TextIOWrapper(bytes_, encoding=encoding, errors="strict") for bytes_ in (out, err)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = main(words)
        for stream in streams:
            stream.flush()
        return code, out.getvalue(), err.getvalue()

    return run


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_as_ever_whatever_its_character_set(printed: Printed, write_id: str, name: str) -> None:
    words = [write_id if word == "ID" else word for word in COMMANDS[name]]
    code, out, err = printed("utf-8", words)
    for encoding in ("cp1252", "ascii"):
        again, told, complained = printed(encoding, words)
        said = (told + complained).decode(encoding)  # whole, where it is told: a pair of bytes would be cut
        assert (again, bool(told), bool(complained)) == (code, bool(out), bool(err)), said
        assert b"Traceback" not in complained
        if "json" in name or "schemas" in name:
            exact, same = json.loads(out), json.loads(told)
            if "as_of" in exact:
                same["as_of"] = exact["as_of"]
            assert same == exact


def test_no_command_was_left_out() -> None:
    assert set(parser().commands()) == {words[0] for words in COMMANDS.values()}


def test_what_a_character_set_lacks_has_a_spelling_or_stands_there_as_its_escape(
    printed: Printed, write_id: str
) -> None:
    _, told, _ = printed("ascii", ["writes", write_id])
    assert rb"-> \u7cbe\u5bc6 - x" in told


def test_json_is_exact_in_any_character_set(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": "→ 精密 😀 \ud800"}
    for encoding in ("utf-8", "cp1252", "ascii", "latin-1", "utf-16"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        speak_any_character_set()
        print(as_json_text(value))
        stream.flush()
        assert json.loads(stream.buffer.getvalue().decode(encoding)) == value


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_a_decision_that_was_carried_out_is_told_into_a_pipe_of_another_character_set(
    state: Path, encoding: str
) -> None:
    words = ("call", "create_enquiry", "customer=株式会社 精密", "customer_ref=PIPE-1", "--sandbox")
    reading, writing = os.pipe()
    environment = {**child_environment(), "PYTHONIOENCODING": encoding}
    with terminal(state, *words, stdout=writing, environment=environment) as screen, os.fdopen(reading, "rb") as pipe:
        os.close(writing)
        screen.until("Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
        told = pipe.read()
    assert rb"\u682a\u5f0f\u4f1a\u793e \u7cbe\u5bc6" in told
    assert b"it is done, as 'Q" in told
    assert enquiries(state, "PIPE-1") == 1


@pytest.mark.process
@pytest.mark.parametrize("what", ["approve", "decline"])
def test_a_decision_is_asked_for_in_a_terminal_of_another_character_set(state: Path, what: str) -> None:
    write_id = waiting(state, "→ 精密")
    environment = {**child_environment(), "PYTHONIOENCODING": "cp1252"}
    with terminal(state, what, write_id, "--sandbox", environment=environment) as screen:
        assert r"-> \u7cbe\u5bc6" in screen.until("Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0


@pytest.mark.process
def test_a_reader_that_leaves_early_is_no_traceback(state: Path) -> None:
    with subprocess.Popen(
        command("schemas"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state), PYTHONIOENCODING="ascii"),
    ) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.process
def test_help_is_told_in_any_character_set(state: Path) -> None:
    assert piped(state, "--help").returncode == 0
    run = subprocess.run(
        command("call", "--help"),
        env=child_environment(PYTHONIOENCODING="ascii:strict"),
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, b"")
