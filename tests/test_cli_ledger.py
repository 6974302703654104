"""What the journal holds, to read: `writes`, `audit`; and the writes that the demo shows."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fraction_mcp.cli import main
from tests.terminal import journal_of, piped, small_company, state, terminal, waiting

__all__ = ["small_company", "state"]  # fixtures


# ------------------------------------------------------------------------------------------------------- writes, audit


@pytest.mark.matrix
@pytest.mark.parametrize("words", [("writes",), ("audit",), ("audit", "--verify"), ("audit", "--anchor")])
def test_looking_makes_no_journal(state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert main(words) == 0
    assert "No writes yet" in capsys.readouterr().out
    assert not list(state.rglob("journal.sqlite3"))


def test_an_anchor_of_a_journal_that_is_gone_is_not_fine(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--verify", "--anchor", "a" * 64]) == 1
    assert "there is no journal" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--anchor", "a" * 64), ("--verify", "--anchor", "short")])
def test_an_anchor_that_cannot_be_one_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main(["audit", *words]) == 2
    assert "anchor" in capsys.readouterr().err


@pytest.mark.process
def test_writes_lists_them_and_one_write_s_whole_life_can_be_read(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
    assert main(["writes"]) == 0
    said = capsys.readouterr()
    head, line = said.out.splitlines()
    assert head == "ID,STATE,WHAT,REFERENCE,ERP,ASKED BY,AGE,ASKED,DECIDED BY,DECIDED,REASON"
    assert re.match(
        rf"{write_id},done,Create an enquiry for 'Acme Corp',Q\d+,\"SANDBOX, FractionERP, Harrow & Pike", line
    )
    assert main(["writes", "--sandbox", "--state", "unknown", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []

    assert main(["writes", write_id[:5]]) == 0, "the beginning of an id serves"
    life = capsys.readouterr().out
    order = [
        "asked for by",
        "shown: Create an enquiry for 'Acme Corp'",
        "customer ref  TERM-1",
        "approved by",
        "in a terminal",
        "sent by process",
        'POST /contracts {"customer_id":52,"customer_ref":"TERM-1"}',
        "done",
        "came back: {",
        '"quote_number": "Q',
    ]
    places = [life.index(words, max(0, life.find("asked for by"))) for words in order]
    assert places == sorted(places), life

    assert main(["writes", "w000"]) == 4
    assert "there is no write 'w000'" in capsys.readouterr().err


def test_audit_finds_a_changed_event_and_a_cut_tail(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(state, "TERM-5")
    assert main(["audit", "--anchor"]) == 0
    anchor = capsys.readouterr().out.strip()
    waiting(state, "TERM-6")
    assert main(["audit"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["SEQ", "1", "2"]
    assert main(["audit", "--verify", "--anchor", anchor]) == 0
    assert "The chain of 2 events is whole, and holds the anchor." in capsys.readouterr().out
    assert main(["audit", "--verify", "--anchor", "a" * 64]) == 1
    assert "the anchor is not in the chain" in capsys.readouterr().err
    with closing(sqlite3.connect(journal_of(state))) as db, db:
        db.execute("UPDATE events SET at = at + 1 WHERE seq = 1")
    assert main(["audit", "--verify"]) == 1
    assert "event 1 (proposed of" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------- demo


@pytest.mark.process
def test_the_demo_shows_a_confirmed_write_and_a_declined_one(state: Path) -> None:
    told = piped(state, "demo").stdout
    asked = told.index("Create an enquiry for 'Acme Corp'?")
    assert asked < told.index("A person answers: yes") < told.index("it is done, as 'Q1235'")
    declined = told.index("10.00 each → 12.50 each (+25.0 %)")
    assert declined < told.index("A person answers: no") < told.index("it was declined: nothing was written")
