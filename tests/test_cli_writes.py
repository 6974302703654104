"""Deciding about writes at a terminal: `approve`, `decline`, `resolve`, `call`, `approvals`."""

import os
import pwd
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest

from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.operations.writes.approvers import Decider
from tests.support import child_environment
from tests.terminal import (
    enquiries,
    journal_of,
    piped,
    small_company,
    standing,
    state,
    terminal,
    unsure,
    waiting,
)

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.process


# ---------------------------------------------------------------------------------------------------- approve, decline


def test_a_typed_yes_approves_and_the_write_lands(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        shown = screen.until(r"Approve\? Type yes: ")
        for words in (
            "Create an enquiry for 'Acme Corp'",
            "In FractionERP of Harrow & Pike Precision Ltd",
            "as demo@harrow-pike.example",
            "customer      'Acme Corp' (id 52)",
            "customer ref  TERM-1",
            'POST /contracts {"customer_id":52,"customer_ref":"TERM-1"}',
            "expires in 23 hours",
        ):
            assert words in shown
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert re.search(r"it is done, as 'Q\d+'", screen.seen)
    assert enquiries(state, "TERM-1") == 1


def test_who_asked_is_not_even_asked_where_a_rule_wants_somebody_else(state: Path) -> None:
    write_id = waiting(state)
    rules = {**child_environment(), "FRACTION_MCP_APPROVERS": "create_enquiry: boss@x.example"}
    with terminal(state, "approve", write_id, "--sandbox", environment=rules) as screen:
        assert screen.exit_code() != 0
        assert "this write needs a yes from boss@x.example; you asked for it; nothing was approved" in screen.seen
        assert "Type yes" not in screen.seen
    assert standing(state) == ["awaiting_approval"]


@pytest.mark.parametrize("typed", ["y\n", "\n", "\x04"], ids=["y", "an empty line", "the end of input"])
def test_nothing_but_a_typed_yes_approves(state: Path, typed: str) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.types(typed)
        assert screen.exit_code() == 5
        assert "Nothing was decided: it stands as before." in screen.seen
    assert standing(state) == ["awaiting_approval"]


def test_ctrl_c_at_the_question_decides_nothing(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.process.send_signal(signal.SIGINT)
        assert screen.exit_code() == 5
        assert "Traceback" not in screen.seen
    assert standing(state) == ["awaiting_approval"]


def test_a_typed_yes_declines_and_tells_why(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "decline", write_id, "--reason", "too dear") as screen:  # no account is needed to decline
        screen.until(r"Decline\? Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert "it was declined: nothing was written. The reason given: 'too dear'" in screen.seen
    with terminal(state, "approve", write_id) as screen:
        assert screen.exit_code() == 3
        assert "was declined" in screen.seen
        assert "Type yes" not in screen.seen


def test_an_approval_without_an_account_leaves_the_sending_to_the_server(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id) as screen:
        screen.until(r"Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert "approved; a server that works in its ERP and account will send it" in screen.seen
    assert enquiries(state, "TERM-1") == 0
    # Whoever of that account looks next sends it.
    assert "it is done" in piped(state, "call", "get_write_status", f"write_id={write_id}", "--sandbox").stdout
    assert enquiries(state, "TERM-1") == 1


def test_what_is_approved_is_seen_even_where_stdout_goes_elsewhere(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox", stdout=subprocess.DEVNULL) as screen:
        assert "TERM-1" in screen.until(r"Type yes: ")


@pytest.mark.parametrize("words", [("approve", "w1"), ("decline", "w1"), ("resolve", "w1", "landed")])
def test_without_a_terminal_nothing_is_decided(state: Path, words: tuple[str, ...]) -> None:
    run = piped(state, *words, stdin="yes\n")
    assert run.returncode == 2
    assert f"{words[0]} needs a terminal" in run.stderr
    assert run.stdout == ""
    assert not list(state.rglob("journal.sqlite3"))


def test_a_write_that_is_not_there_is_told_so(state: Path) -> None:
    with terminal(state, "approve", "w000") as screen:
        assert screen.exit_code() == 4
        assert screen.seen == "fraction-mcp: there is no write 'w000': no write was ever asked for here\n"
    assert not list(state.rglob("journal.sqlite3"))


# ------------------------------------------------------------------------------------------- typed before the question


AHEAD = {
    "a line": "yes\n",
    "many lines, as a paste": "yes\n" * 5_000,
    "the end of input": "\x04",
    "both": "yes\nyes\x04\x04",
}


@pytest.mark.matrix
@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize(
    "words", [("approve",), ("decline",), ("resolve", "landed"), ("resolve", "absent")], ids=" ".join
)
def test_what_was_typed_before_the_question_decides_nothing(state: Path, words: tuple[str, ...], ahead: str) -> None:
    write_id = waiting(state)
    if words[0] == "resolve":
        unsure(write_id)
    before = standing(state)
    with terminal(state, words[0], write_id, *words[1:], "--sandbox", typed_ahead=AHEAD[ahead]) as screen:
        screen.until(r"Type yes: ")
        screen.types("no\n")
        assert screen.exit_code() == (6 if words[0] == "resolve" else 5)
        assert "Nothing was decided" in screen.seen
    assert standing(state) == before
    assert enquiries(state, "TERM-1") == 0


@pytest.mark.parametrize("ahead", AHEAD)
def test_what_was_typed_before_the_question_of_a_call_writes_nothing(state: Path, ahead: str) -> None:
    words = ("call", "create_enquiry", "customer=Acme Corp", "customer_ref=TERM-2", "--sandbox")
    with terminal(state, *words, typed_ahead=AHEAD[ahead]) as screen:
        screen.until(r"Type yes: ")
        screen.types("no\n")
        screen.exit_code()
        assert "it was declined: nothing was written" in screen.seen
    assert enquiries(state, "TERM-2") == 0


def test_half_a_word_typed_before_the_question_does_not_begin_the_answer(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox", typed_ahead="ye") as screen:
        screen.until(r"Type yes: ")
        screen.types("s\n")
        assert screen.exit_code() == 5
    assert standing(state) == ["awaiting_approval"]


@pytest.mark.parametrize("typed", ["yes please\n", "oh yes\n", "yesyes\n", "ye s\n", "да\n"])
def test_only_the_whole_word_counts(state: Path, typed: str) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.types(typed)
        assert screen.exit_code() == 5
    assert standing(state) == ["awaiting_approval"]


def test_a_word_that_arrives_letter_by_letter_from_a_raw_terminal_is_read_to_its_end(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.becomes_raw()
        for letter in "yes\r":
            screen.types(letter)
        assert screen.exit_code() == 0
    assert enquiries(state, "TERM-1") == 1


def test_who_approved_is_the_account_of_the_process_whatever_its_environment_says(state: Path) -> None:
    write_id = waiting(state)
    names = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "mallory")
    with terminal(state, "approve", write_id, "--sandbox", environment={**child_environment(), **names}) as screen:
        screen.until(r"Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
    told = piped(state, "writes", write_id).stdout
    assert f"approved by {pwd.getpwuid(os.geteuid()).pw_name} in a terminal" in told
    assert "mallory" not in told


def test_an_account_without_a_name_is_called_by_its_number() -> None:
    script = "import os; from fraction_mcp.os_account import who_is_here; os.seteuid({}); print(who_is_here())"
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    for uid, name in ((65534, pwd.getpwuid(65534).pw_name), (54321, "uid 54321")):
        run = subprocess.run([sys.executable, "-c", script.format(uid)], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == name


def test_a_question_that_nobody_would_see_is_not_asked(state: Path, tmp_path: Path) -> None:
    write_id = waiting(state)
    with (tmp_path / "log").open("w") as log, terminal(state, "approve", write_id, stderr=log.fileno()) as screen:
        assert screen.exit_code() == 2
    assert "approve needs a terminal" in (tmp_path / "log").read_text()


# ------------------------------------------------------------------------------------------ who sends what was approved


def approved_elsewhere(write_id: str) -> None:
    async def yes() -> None:
        async with runtime_for(sandbox=True) as runtime:
            journal = (await runtime.write_service()).journal
            write = await journal.get(write_id)
            assert write is not None
            await journal.approve(write_id, digest=write.digest, by=Decider("Ada in the approval inbox"))

    anyio.run(yes)


def test_what_was_approved_already_is_said_to_be_and_sent_and_nothing_is_asked(state: Path) -> None:
    write_id = waiting(state)
    approved_elsewhere(write_id)
    with terminal(state, "approve", write_id, "--sandbox") as screen:
        assert screen.exit_code() == 0
        assert "It was approved already by Ada in the approval inbox: nothing is asked." in screen.seen
        assert "Type yes" not in screen.seen
        assert re.search(r"it is done, as 'Q\d+'", screen.seen)
    assert enquiries(state, "TERM-1") == 1


def test_what_was_approved_already_and_cannot_be_sent_here_says_who_will(state: Path) -> None:
    write_id = waiting(state)
    approved_elsewhere(write_id)
    with terminal(state, "approve", write_id) as screen:
        assert screen.exit_code() == 0
        assert "Type yes" not in screen.seen
        assert "no account of FractionERP is configured here" in screen.seen
    assert standing(state) == ["approved"]


@pytest.mark.parametrize(
    ("settings", "words", "why"),
    [
        ({}, (), "no account of FractionERP is configured here"),
        (
            {"FRACTION_EMAIL": "other@example.com", "FRACTION_PASSWORD": "x"},
            (),
            "another FractionERP or another account is configured here",
        ),
        ({"FRACTION_MCP_READ_ONLY": "true"}, ("--sandbox",), "writes are switched off here (FRACTION_MCP_READ_ONLY)"),
    ],
    ids=["no account", "another account", "read only"],
)
def test_who_cannot_send_is_told_before_the_question_who_will(
    state: Path, settings: dict[str, str], words: tuple[str, ...], why: str
) -> None:
    write_id = waiting(state)
    with terminal(state, "approve", write_id, *words, environment={**child_environment(), **settings}) as screen:
        shown = " ".join(screen.until(r"Type yes: ").split())
        assert f"This terminal cannot send it, since {why}: a server that works there as demo@harrow-pike" in shown
        screen.types("no\n")
        assert screen.exit_code() == 5


# ------------------------------------------------------------------------------------------------------- what is shown


def test_a_preview_in_a_terminal_is_whole_and_its_payload_hides_nothing(state: Path) -> None:
    notes = "n" * 3_900 + "\n10\u00a0mm  END"
    with terminal(state, "call", "create_enquiry", "customer=52", f"notes={notes}", "--sandbox") as screen:
        shown = re.sub(r"\s", "", screen.until(r"Type yes: "))
        assert "n" * 3_900 + "¶10[U+00A0NO-BREAKSPACE]mm[2spaces]END" in shown
        screen.process.send_signal(signal.SIGTERM)
        screen.exit_code()
    assert standing(state) == ["awaiting_approval"]
    with closing(sqlite3.connect(journal_of(state))) as db:
        write_id = db.execute("SELECT id FROM writes").fetchone()[0]
    with terminal(state, "approve", write_id) as screen:
        shown = re.sub(r"\s", "", screen.until(r"Type yes: "))
        assert "n" * 3_900 + "¶10[U+00A0NO-BREAKSPACE]mm[2spaces]END" in shown
        assert r'POST/contracts{"customer_id":52,"notes":"' + "n" * 3_900 in shown
        assert r"\n10\u00a0mm\u0020\u0020END" in shown


# -------------------------------------------------------------------------------------------------------------- resolve


@pytest.mark.parametrize(
    ("found", "told", "state_after"),
    [("landed", "it is done", "done"), ("absent", "a person found that it was not written", "failed")],
)
def test_a_typed_yes_settles_what_nobody_knows(state: Path, found: str, told: str, state_after: str) -> None:
    write_id = waiting(state)
    with terminal(state, "resolve", write_id, found) as screen:
        assert screen.exit_code() == 5
        assert "So there is nothing to decide." in screen.seen
    unsure(write_id)
    with terminal(state, "resolve", write_id, found) as screen:
        assert "TERM-1" in screen.until(r"Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert told in screen.seen
    assert standing(state) == [state_after]


# ---------------------------------------------------------------------------------------------------------------- call


@pytest.mark.smoke
def test_call_asks_at_a_terminal_and_a_typed_yes_writes(state: Path) -> None:
    with terminal(state, "call", "create_enquiry", "customer=Acme Corp", "customer_ref=TERM-2", "--sandbox") as screen:
        shown = screen.until(r"Approve\? Type yes: ")
        assert "Create an enquiry for 'Acme Corp'?" in shown
        assert "customer_ref: TERM-2" in shown
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert re.search(r"it is done, as 'Q\d+'", screen.seen)
    assert enquiries(state, "TERM-2") == 1


def test_call_takes_any_other_answer_for_a_no(state: Path) -> None:
    with terminal(state, "call", "create_part", "part_number=TERM-3", "--sandbox") as screen:
        screen.until(r"Type yes: ")
        screen.types("sure\n")
        assert screen.exit_code() == 3
        assert "it was declined: nothing was written" in screen.seen


@pytest.mark.parametrize("ends_with", ["Ctrl-C", "the end of input"])
def test_after_ctrl_c_or_the_end_of_input_the_write_of_a_call_waits(state: Path, ends_with: str) -> None:
    with terminal(state, "call", "create_part", "part_number=TERM-3", "--sandbox") as screen:
        screen.until(r"Type yes: ")
        if ends_with == "Ctrl-C":
            screen.process.send_signal(signal.SIGINT)
        else:
            screen.types("\x04")
        assert screen.exit_code() == 5
        assert "it waits for a person's approval" in screen.seen
        assert "Traceback" not in screen.seen


def test_call_without_a_terminal_leaves_the_write_waiting(state: Path) -> None:
    run = piped(state, "call", "create_part", "part_number=TERM-4", "--sandbox", stdin="yes\n")
    assert run.returncode == 5
    assert "waits for a person's approval" in run.stdout
    assert "Type yes" not in run.stderr


# ----------------------------------------------------------------------------------------------------------- approvals


def test_approvals_says_so_where_its_port_is_taken(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = piped(state, "approvals", "--no-open", "--port", str(taken.getsockname()[1]))
    assert run.returncode == 2
    assert "the inbox cannot listen on port" in run.stderr
    assert "Traceback" not in run.stderr


def test_approvals_prints_a_link_that_signs_in_once_and_ends_on_ctrl_c(state: Path) -> None:
    write_id = waiting(state)
    with terminal(state, "approvals", "--no-open", "--sandbox") as screen:
        link = re.search(r"http://127\.0\.0\.1:\d+/enter\?token=\S+", screen.until(r"token=\S+\n"))
        assert link
        base = link[0].partition("/enter")[0]
        with httpx.Client(base_url=base) as browser:
            assert browser.get("/").status_code == 403
            entered = browser.get(link[0])
            place = re.search(r"/s/[\w-]+/", entered.text)
            assert place
            browser.base_url = httpx.URL(base).join(place[0])
            page = browser.get("/").text
            form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf", "digest")}
            assert (
                "it is done"
                in browser.post(f"/writes/{write_id}/approve", data=form, follow_redirects=True).text.lower()
            )
        assert httpx.get(link[0]).status_code == 403
        screen.process.send_signal(signal.SIGINT)
        assert screen.exit_code() == 130
        assert "Traceback" not in screen.seen
    assert enquiries(state, "TERM-1") == 1
