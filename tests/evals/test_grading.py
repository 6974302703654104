"""What passes and what does not: facts however they are written, and end states to the last record."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evals
from evals.company import Change
from evals.facts import holds
from evals.grading import flaws
from evals.run import Run
from evals.task import Task
from evals.tasks import all_tasks

TASKS = all_tasks()
HERE = Path(evals.__file__).parent


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ("1,312.50", "1312.5"),
        ("It comes to **£1,312.50**.", "1312.50"),
        ("1312.5 in all", "1,312.50"),
        ("12.0 %", "12"),
        ("2.75kg at 1.10", "2.75"),
        ("from 500, 8.50 each.", "500"),
        ("5.", "5"),
        ("(5)", "5"),
        ("for acme  corp", "Acme Corp"),
        ("for *Acme* Corp", "Acme Corp"),
        ("part O’RING-22", "O'RING-22"),
        ("quote Q1235.", "Q1235"),
        ("| 2026-03-16 |", "2026-03-16"),
        ("Björk Fasteners AB", "Björk Fasteners AB"),
    ],
)
def test_an_answer_holds_a_fact_however_it_is_written(answer: str, fact: str) -> None:
    assert holds(answer, fact)


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ("11,312.50", "1312.5"),
        ("1312.51", "1312.5"),
        ("1,312.50", "312.50"),
        ("1312.50", "1312"),
        ("on 2026-10-05", "10"),
        ("WIDGET-001", "1"),
        ("Q1235", "1235"),
        ("BUSH-10", "10"),
        ("Acme Corporation", "Acme Corp"),
        ("Q12351", "Q1235"),
        ("", "5"),
    ],
)
def test_an_answer_does_not_hold_what_only_looks_like_a_fact(answer: str, fact: str) -> None:
    assert not holds(answer, fact)


def test_what_is_expected_owes_nothing_to_the_tools() -> None:
    """Tasks, their facts and the grading read the embedded ERPs alone."""
    judging = ["arranging", "company", "facts", "grading", "reckoning", "task"]
    for path in [*(HERE / "tasks").glob("*.py"), *(HERE / f"{name}.py" for name in judging)]:
        named = re.findall(r"^(?:from|import) (fraction_mcp\S*)(?: import (\w+))?", path.read_text("utf-8"), re.M)
        assert set(named) <= {("fraction_mcp", "sandbox")}, path.name


def ran(task: Task, answer: str, **changes: Any) -> Run:
    facts: dict[str, Any] = {"said": [], "calls": 1, "sent": 0, "received": 0, "changes": [], "writes": task.writes}
    return Run(**{"task": task.id, "model": "a test", "answer": answer, **facts, **changes})


def test_a_wrong_figure_fails_and_is_named() -> None:
    task = TASKS["price-at-a-break"]
    assert flaws(task, ran(task, "10.00 each, 2500.00 in all")) == []
    assert flaws(task, ran(task, "10.00 each, 2400.00 in all")) == ["the answer does not say 2500.00"]


def test_what_must_not_be_said_fails() -> None:
    task = TASKS["price-part-number-that-looks-like-an-id"]
    assert flaws(task, ran(task, "11.00 each, 55.00; or 725.00")) == ["the answer says 725.00"]


def test_a_fact_is_worked_out_from_the_company_of_the_task() -> None:
    task = TASKS["list-work-on-hold"]
    assert flaws(task, ran(task, "19 of them")) == []
    assert flaws(task, ran(task, "18 of them")) == ["the answer does not say 19"]


ENQUIRY = Change("contracts", None, {"customer": {"id": 52}, "customer_ref": "RFQ-500", "status": "Enquiry",
                                     "notes": "500 of WIDGET-001, in two lots"})  # fmt: skip


def test_the_record_that_was_wanted_passes_and_a_second_one_fails() -> None:
    task = TASKS["write-enquiry"]
    assert flaws(task, ran(task, "Q1235", changes=[ENQUIRY])) == []
    (told,) = flaws(task, ran(task, "Q1235", changes=[ENQUIRY, ENQUIRY]))
    assert told.startswith("the ERP holds what nobody wanted")


def test_a_record_that_is_not_there_or_says_something_else_fails() -> None:
    task = TASKS["write-enquiry"]
    (told,) = flaws(task, ran(task, "Q1235"))
    assert told.startswith("the ERP does not hold Made(table='contracts'")
    assert ENQUIRY.after is not None
    other = replace(ENQUIRY, after={**ENQUIRY.after, "customer_ref": "RFQ-501"})
    assert len(flaws(task, ran(task, "Q1235", changes=[other]))) == 2


def test_a_record_that_was_changed_is_not_one_that_was_made() -> None:
    task = TASKS["write-enquiry"]
    changed = replace(ENQUIRY, before={"customer_ref": "before"})
    assert len(flaws(task, ran(task, "Q1235", changes=[changed]))) == 2


def test_a_price_list_is_judged_whole_and_as_numbers() -> None:
    task = TASKS["write-price-list"]
    held = {"part": "WIDGET-001", "customer_id": 52, "selling_price": "10.50000", "customer_part_number": "ACM-100"}
    breaks = [["1", "12.75"], ["500", "8.65"], ["100", "10.2"]]
    passed = Change("price_lists", {"before": 1}, {**held, "breaks": breaks})
    assert flaws(task, ran(task, "WIDGET-001", changes=[passed])) == []
    for wrong in ([*breaks[1:], ["1", "12.76"]], [*breaks, ["1000", "8"]], [*breaks, ["1", "12.75"]], breaks[1:]):
        change = Change("price_lists", {"before": 1}, {**held, "breaks": wrong})
        assert len(flaws(task, ran(task, "WIDGET-001", changes=[change]))) == 2


def test_a_write_that_ended_in_another_way_fails() -> None:
    task = TASKS["write-declined"]
    (told,) = flaws(task, ran(task, "Acme Corp", writes=["awaiting_approval"]))
    assert told == "its writes ended as ['awaiting_approval'], and not as ['declined']"


def test_a_run_that_was_broken_off_fails() -> None:
    task = TASKS["price-at-a-break"]
    assert flaws(task, ran(task, "10.00, 2500.00", stopped="call 1 broke")) == ["call 1 broke"]
