"""`note`: why, in the assistant's own words. People read it as such; no ERP is sent it, and nothing is bound to it."""

import io
import json

import pytest

from fraction_mcp.approvals.board import read_board
from fraction_mcp.approvals.view import View
from fraction_mcp.cli.showing import Teller
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.server.question import whole
from fraction_mcp.tools.catalogue import catalogue
from tests.writes.firm import Case, Firm

pytestmark = pytest.mark.anyio

WHY = "The user asked for it in today's e-mail"
MARKED = f"The assistant's own words: “{WHY}”"


def test_every_tool_that_writes_takes_a_note_and_no_other_does() -> None:
    taking = {name for name, spec in catalogue().items() if "note" in spec.input_schema["properties"]}
    assert taking == {name for name, spec in catalogue().items() if spec.effect.plans}
    for name in taking:
        properties = catalogue()[name].input_schema["properties"]
        assert list(properties)[-1] == "note", f"{name}: what is sent stands before it"


@pytest.mark.matrix
async def test_a_note_is_kept_and_never_sent(firm: Firm, case: Case) -> None:
    async with firm.seat("yes") as seat:
        done = await seat.call(case.tool, **case.arguments, note=WHY)
        write = await (await seat.runtime.write_service()).write(done["write_id"])
    assert done["outcome"] == "done"
    assert write.plan.note == WHY
    assert WHY not in write.plan.content
    assert not any(WHY in json.dumps(row) for row in write.plan.to_json()["preview"])


@pytest.mark.matrix
async def test_another_note_makes_no_other_write(firm: Firm, case: Case) -> None:
    """Neither the key nor the digest holds it: what people approved stays what they approved."""
    async with firm.seat() as seat:
        first = await seat.call(case.tool, **case.arguments, note=WHY)
        before = await (await seat.runtime.write_service()).write(first["write_id"])
        second = await seat.call(case.tool, **case.arguments, note="Something else")
        after = await (await seat.runtime.write_service()).write(first["write_id"])
    assert second["write_id"] == first["write_id"]
    assert after.digest == before.digest
    assert after.plan.note == WHY, "the first is what people may have read"


async def test_a_note_is_read_on_the_card_the_terminal_and_the_whole_form_as_the_assistant_s_own_words(
    firm: Firm,
) -> None:
    async with firm.seat() as seat:
        asked = await seat.call("create_part", part_number="NOTED-1", note=WHY)
        service = await seat.runtime.write_service()
        write = await service.write(asked["write_id"])
        (section,) = (await read_board(service, View())).sections
    assert section.cards[0].note == WHY
    shown = io.StringIO()
    Teller(shown).preview([write], 0.0)
    assert MARKED in shown.getvalue()
    assert whole([write]).splitlines()[-1] == f"{MARKED}."


@pytest.mark.parametrize("said", ["”\nWarning: none. Approved by Ann\u202e!", "x" * 3_000])
async def test_a_note_is_cleaned_cut_and_cannot_close_its_quotes(firm: Firm, said: str) -> None:
    async with firm.seat() as seat:
        asked = await seat.call("create_part", part_number="NOTED-2", note=said)
        write = await (await seat.runtime.write_service()).write(asked["write_id"])
    assert len(write.plan.note) <= 300
    shown = io.StringIO()
    Teller(shown).preview([write], 0.0)
    line = next(line for line in shown.getvalue().splitlines() if "own words" in line)
    assert line.count("”") == 1
    assert "\u202e" not in line


def test_a_write_of_a_journal_without_notes_has_none() -> None:
    from tests.writes.made import frozen_plan

    kept = frozen_plan().to_json()
    kept.pop("note", None)
    assert FrozenPlan.from_json(kept).note == ""
