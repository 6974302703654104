"""The five tools that write, end to end in both protocol eras: asked, answered, and what the ERP then holds."""

import json
from typing import Any

import pytest

from tests.writes.firm import Case, Firm

pytestmark = pytest.mark.anyio

KEYS = {"summary", "outcome", "write_id", "system", "operation", "preview", "warnings", "result", "candidates",
        "expires_at", "is_error"}  # fmt: skip


eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


@eras
async def test_a_yes_writes_it_once_and_tells_what_the_erp_made_of_it(firm: Firm, case: Case, mode: str) -> None:
    asked: list[str] = []

    async def yes(_context: Any, question: Any) -> Any:
        from mcp.types import ElicitResult

        asked.append(question.message)
        assert list(question.requested_schema["properties"]) == question.requested_schema["required"] == ["decision"]
        assert case.held(firm) == 0, "nothing is written before the answer"
        return ElicitResult(action="accept", content={"decision": "approve"})

    async with firm.seat(yes, mode=mode) as seat:
        assert seat.client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        told = await seat.call(case.tool, **case.arguments)
        assert set(told) == KEYS
        assert (told["outcome"], told["system"], told["operation"]) == ("done", case.system, case.tool)
        assert not told["is_error"]
        assert told["result"][case.number]
        assert told["expires_at"] is None
        assert len(asked) == 1
        for row in told["preview"]:
            assert set(row) == {"field", "before", "after"}
            assert row["field"] in asked[0]
            assert row["after"] is None or row["after"] in asked[0]
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert (status["outcome"], status["result"]) == ("done", told["result"])
    assert case.held(firm) == 1
    assert len(firm.sent()) == 1


@pytest.mark.matrix
@eras
async def test_a_no_writes_nothing(firm: Firm, case: Case, mode: str) -> None:
    async with firm.seat("no", mode=mode) as seat:
        told = await seat.call(case.tool, **case.arguments)
        assert (set(told), told["outcome"], told["result"]) == (KEYS, "declined", None)
        assert not told["is_error"]
        assert told["preview"], "what was declined is still shown"
    assert case.held(firm) == 0
    assert firm.sent() == []


@pytest.mark.matrix
@eras
@pytest.mark.parametrize(("answer", "outcome"), [("decline", "declined"), ("cancel", "awaiting_approval")])
async def test_a_form_that_is_declined_or_closed_writes_nothing(
    firm: Firm, mode: str, answer: str, outcome: str
) -> None:
    async with firm.seat(answer, mode=mode) as seat:
        told = await seat.call("create_part", part_number="CLOSED-1")
        assert (set(told) - {"next"}, told["outcome"], told["is_error"]) == (KEYS, outcome, False)
        assert (await seat.call("get_write_status", write_id=told["write_id"]))["outcome"] == outcome
    assert firm.sent() == []


@pytest.mark.matrix
@eras
async def test_where_nobody_can_be_asked_the_write_waits(firm: Firm, case: Case, mode: str) -> None:
    async with firm.seat(mode=mode) as seat:
        told = await seat.call(case.tool, **case.arguments)
        assert set(told) == KEYS | {"next"}
        assert told["outcome"] == "awaiting_approval"
        assert told["expires_at"]
        assert "inbox" in told["next"]
        for word in ("fraction-mcp", "http", "approve "):
            assert word not in json.dumps([told["summary"], told["next"]]), "nothing that an agent could follow"
        again = await seat.call(case.tool, **case.arguments)
        assert again == told, "asking again returns the same write"
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert (status["outcome"], status["write_id"]) == ("awaiting_approval", told["write_id"])
    assert case.held(firm) == 0
    assert firm.sent() == []


async def test_the_quote_number_stands_in_the_result_and_in_the_sentence(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-Q")
    number = json.loads(firm.enquiries("PO-Q")[0]["doc"])["quote_number"]
    assert told["result"]["quote_number"] == number
    assert number in told["summary"]


async def test_exactly_what_was_asked_for_is_sent_and_nothing_else(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        await seat.call("create_part", part_number="BARE-1")
        await seat.call("create_enquiry", customer="52", customer_ref="PO-BARE")
        service = await seat.runtime.write_service()
        sent = {write.plan.tool: json.loads(write.plan.content) for write in await service.journal.latest()}
    assert sent == {
        "create_part": {"part_number": "BARE-1"},
        "create_enquiry": {"customer_id": 52, "customer_ref": "PO-BARE"},
    }


async def test_the_text_of_a_result_says_what_its_structure_says(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        result = await seat.client.call_tool("create_part", {"part_number": "TEXT-1"})
        text = result.content[0].text
    assert text.startswith(result.structured_content["summary"])
    for word in ("outcome=done", result.structured_content["write_id"], "TEXT-1"):
        assert word in text


async def test_without_structured_results_the_text_alone_is_enough(firm: Firm) -> None:
    async with firm.seat(structured="off") as seat:
        result = await seat.client.call_tool("create_part", {"part_number": "TEXT-2"})
    assert result.structured_content is None
    assert "outcome=awaiting_approval" in result.content[0].text
    assert "write_id=w" in result.content[0].text
