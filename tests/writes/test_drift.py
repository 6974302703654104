"""What a write was based on changes between its preview and its approval: refused, and the new state is shown."""

from typing import Any

import pytest
from mcp.types import ElicitResult

from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

YES = ElicitResult(action="accept", content={"decision": "approve"})
PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 1, "unit_price": "9"}]}

CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a break changed": ("set_price_list", PRICES, "UPDATE price_breaks SET price = '11' WHERE id = 1"),
    "a break was added": (
        "set_price_list", PRICES, "INSERT INTO price_breaks (part_customer_id, qty, price) VALUES (1, '7', '9')"
    ),
    "the selling price changed": (
        "set_price_list", PRICES, "UPDATE price_lists SET selling_price = '99' WHERE part_customer_id = 1"
    ),
    "the customer was renamed": (
        "add_contact", {"customer": "52", "name": "Jo Drift"}, "UPDATE customers SET name = 'Other' WHERE id = 52"
    ),
    "the contact came into being": (
        "add_contact", {"customer": "52", "name": "Jo Drift"},
        """INSERT INTO contacts (customer_id, name, created_at, updated_at, haystack)
           VALUES (52, 'Jo Drift', '', '', '')""",
    ),
    "the reference was used": (
        "create_enquiry", {"customer": "52", "customer_ref": "PO-DRIFT"},
        """INSERT INTO contracts (doc, haystack) SELECT json_set(doc, '$.customer.id', 52,
           '$.customer_ref', 'PO-DRIFT'), 'po-drift' FROM contracts LIMIT 1""",
    ),
    "a part nearly the same came into being": (
        "create_part", {"part_number": "SPACER-9 MM"},
        "UPDATE parts SET part_number = 'SPACER-9MM', haystack = 'spacer-9mm' WHERE id = 20",
    ),
    "the customer is gone": (
        "create_enquiry", {"customer": "Acme Corp", "customer_ref": "PO-DRIFT"},
        "UPDATE customers SET name = 'Gone', haystack = 'gone' WHERE id = 52",
    ),
}  # fmt: skip


@pytest.mark.matrix
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_change_between_preview_and_approval_is_refused(firm: Firm, change: str, mode: str) -> None:
    tool, arguments, sql = CHANGES[change]

    async def yes_too_late(_context: Any, _question: Any) -> ElicitResult:
        firm.run(sql)
        return YES

    async with firm.seat(yes_too_late, mode=mode) as seat:
        told = await seat.call(tool, **arguments)
        assert (told["outcome"], told["is_error"]) == ("failed", True), told
        assert (told["error"]["code"], told["error"]["written"]) == ("CONFIRMATION_INVALID", "no")
        assert "nothing was written" in told["error"]["message"]
        (write,) = await (await seat.runtime.write_service()).journal.latest()
        assert write.state == "failed"
    assert firm.sent() == []


async def test_the_refusal_shows_the_new_state_and_the_next_question_is_about_it(firm: Firm) -> None:
    async def yes_too_late(_context: Any, _question: Any) -> ElicitResult:
        firm.run("UPDATE price_breaks SET price = '11' WHERE id = 1")
        return YES

    async with firm.seat(yes_too_late) as seat:
        refused = await seat.call("set_price_list", **PRICES)
        shown = {row["field"]: row["before"] for row in refused["preview"]}
        assert shown["pays at 1"] == "11.00 each"
        again = await seat.call("set_price_list", **PRICES)
        assert again["write_id"] != refused["write_id"]
        assert again["outcome"] == "done"
    assert firm.breaks("WIDGET-001", 52) == {"1": "9"}


async def test_what_nobody_judged_by_may_change(firm: Firm) -> None:
    async def yes(_context: Any, _question: Any) -> ElicitResult:
        firm.run("UPDATE customers SET updated_at = '2030-01-01', phone = '1' WHERE id = 52")
        firm.run("UPDATE parts SET description = 'New', updated_at = '2030-01-01' WHERE id = 1")
        firm.run("UPDATE price_breaks SET price = '8.500' WHERE id = 3")
        return YES

    async with firm.seat(yes) as seat:
        assert (await seat.call("set_price_list", **PRICES))["outcome"] == "done"


async def test_an_answer_from_memory_does_not_hide_a_change(firm: Firm) -> None:
    async with firm.seat("yes", cache_s=3600) as seat:
        await seat.call("get_part", part="WIDGET-001")
        question = await seat.round("set_price_list", PRICES)
        firm.run("UPDATE price_breaks SET price = '11' WHERE id = 1")
        told = await seat.round("set_price_list", PRICES, question.request_state, YES)
        assert told.structured_content["outcome"] == "failed"
    assert firm.sent() == []


async def test_what_cannot_be_read_anew_waits_and_a_person_is_asked_again(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        question = await seat.round("set_price_list", PRICES)
        firm.arm("html", method="GET", path="/parts/1/price-lists", status=200, times=9)
        back = await seat.round("set_price_list", PRICES, question.request_state, YES)
        assert back.structured_content["outcome"] == "awaiting_approval"
        firm.app.state.faults.clear()
        again = await seat.round("set_price_list", PRICES, question.request_state, YES)
        assert again.result_type == "input_required", "the earlier yes does not count a second time"
        told = await seat.round("set_price_list", PRICES, again.request_state, YES)
        assert told.structured_content["outcome"] == "done"
    assert len(firm.sent()) == 1
