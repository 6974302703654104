"""Writes that are decided together, at a terminal: `approve`, `decline` and `call submit_writes`."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue
from tests.terminal import small_company, standing, state, terminal, waiting

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.process

PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]}
WRITES: list[dict[str, Any]] = [
    {"tool": "create_part", "arguments": {"part_number": "CLI-1"}},
    {"tool": "set_price_list", "arguments": PRICES},
    {"tool": "create_part", "arguments": {"part_number": "CLI-3"}},
]


def waiting_batch() -> list[str]:
    """The ids of writes that an assistant asked for together where nobody could be asked."""

    async def asked() -> list[str]:
        async with runtime_for(sandbox=True) as runtime:
            service, spec = await runtime.write_service(), catalogue()["submit_writes"]
            planned = await spec.run(service.context, read_arguments(spec, {"writes": WRITES}))
            batch = await service.propose_batch(planned.writes(), asked_by="Claude Desktop 1.4")
            return [write.id for write in batch.writes]

    return anyio.run(asked)


def parts(state: Path) -> int:
    with closing(sqlite3.connect(state / "sandbox.sqlite3")) as db:
        count: int = db.execute("SELECT count(*) FROM parts WHERE part_number LIKE 'CLI-%'").fetchone()[0]
        return count


def test_to_approve_one_of_them_shows_all_and_a_typed_yes_writes_all(state: Path) -> None:
    ids = waiting_batch()
    with terminal(state, "approve", ids[1], "--sandbox") as screen:
        shown = screen.until(r"Approve all 3\? Type yes: ")
        places = [
            shown.index(words)
            for words in (
                "3 writes, approved or declined together",
                "1. Create the part 'CLI-1'",
                "2. Set the price list of 'WIDGET-001'",
                "3. Create the part 'CLI-3'",
                "Warning (write 2): 3 breaks disappear",
                "Warning (write 2): At 5 the customer would pay 9.125",
                "Approve all 3?",
            )
        ]
        assert places == sorted(places), "the gravest stands beside the question"
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert "All 3 writes are done." in screen.seen
    assert standing(state) == ["done"] * 3
    assert parts(state) == 2
    with terminal(state, "writes", ids[1], "--sandbox") as screen:
        assert screen.exit_code() == 0
        assert f"2 of 3 asked for together: {', '.join(ids)}" in re.sub(r"\s+", " ", screen.seen)


def test_a_typed_yes_declines_all_of_them(state: Path) -> None:
    ids = waiting_batch()
    with terminal(state, "decline", ids[2]) as screen:
        screen.until(r"Decline all 3\? Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert "3 writes: each was declined: nothing was written." in screen.seen
    assert standing(state) == ["declined"] * 3


def test_without_an_id_they_are_offered_as_one(state: Path) -> None:
    waiting_batch()
    waiting(state)
    with terminal(state, "approve", "--sandbox") as screen:
        shown = screen.until(r"A number from 1 to 2: ")
        assert "Create the part 'CLI-1' and 2 more" in shown
        screen.types("2\n")
        screen.until(r"Approve all 3\? Type yes: ")
        screen.types("\n")
        assert screen.exit_code() == 5
    assert set(standing(state)) == {"awaiting_approval"}


def test_call_asks_one_question_and_a_typed_yes_writes_all(state: Path) -> None:
    with terminal(state, "call", "submit_writes", "--args", json.dumps({"writes": WRITES}), "--sandbox") as screen:
        shown = screen.until(r"Approve\? Type yes: ")
        assert "3 of 3: Create the part 'CLI-3'?" in shown
        screen.types("yes\n")
        assert screen.exit_code() == 0
        assert "All 3 writes are done." in screen.seen
    assert parts(state) == 2
