"""What a person is shown before a Fracttal order, and what goes out: exact totals, documented names, advisory reads."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fraction_mcp.operations.writes.approvers import Decider
from tests.writes.firm import Firm, data

pytestmark = pytest.mark.anyio

ORDER: dict[str, Any] = {
    "warehouse_code": "1254",
    "document": "OC_PLAN",
    "items": [{"code": "DEST01", "quantity": 9, "unit_cost": "5000"}],
}


def rows(told: dict[str, Any]) -> dict[str, str | None]:
    return {row["field"]: row["after"] for row in told["preview"]}


async def shown(firm: Firm, **changes: Any) -> dict[str, Any]:
    async with firm.seat() as seat:
        return await seat.call("create_fracttal_purchase_order", **{**ORDER, **changes})


async def sent(firm: Firm, **changes: Any) -> tuple[dict[str, Any], str]:
    async with firm.seat("yes") as seat:
        told = await seat.call("create_fracttal_purchase_order", **{**ORDER, **changes})
        assert told["outcome"] == "done", told
        return told, (await (await seat.runtime.write_service()).write(told["write_id"])).plan.content


async def test_each_line_and_the_whole_are_totalled_exactly(firm: Firm) -> None:
    items = [
        {"code": "DEST01", "quantity": "0.1", "unit_cost": "0.2"},
        {"code": "OIL 68", "quantity": "3", "unit_cost": "6.125", "tax_name": "IVA"},
        {"code": "GREASE", "quantity": "123456.5", "unit_cost": "999999.999999"},
    ]
    told, content = await sent(firm, items=items)
    assert rows(told)["item 1"] == "'DEST01': 0.1 × 0.20 = 0.02"
    assert rows(told)["item 2"] == "'OIL 68': 3 × 6.125 = 18.375, tax 'IVA'"
    assert rows(told)["item 3"] == "'GREASE': 123456.5 × 999999.999999 = 123456499999.8765435"
    assert rows(told)["total"] == "123456500018.2715435"
    assert '"total_cost":123456499999.8765435' in content
    assert '"total_cost":0.02' in content


async def test_the_documented_field_names_and_kinds_go_out(firm: Firm) -> None:
    _, content = await sent(
        firm,
        supplier_code="SUP/003",
        cost_center_code="CC-100",
        cost_center_description="Maintenance",
        delivery_date="2026-12-31",
        priority="very_high",
        description="For the press",
        items=[{"code": "DEST01", "quantity": 9, "unit_cost": "12.50", "tax_name": "IVA"}],
    )
    assert json.loads(content) == {
        "document": "OC_PLAN",
        "code_third_party": "SUP/003",
        "value_cost_center": "CC-100",
        "description_cost_center": "Maintenance",
        "date": "2026-12-31",
        "id_priority": 1,
        "description": "For the press",
        "items": [{"code": "DEST01", "qty": "9", "unit_cost": 12.5, "total_cost": 112.5, "tax_name": "IVA"}],
    }


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("priority", "number"), [("very_high", 1), ("high", 2), ("medium", 3), ("low", 4), ("very_low", 5)]
)
async def test_a_priority_goes_out_as_its_number(firm: Firm, priority: str, number: int) -> None:
    _, content = await sent(firm, priority=priority, document=f"OC_{priority}")
    assert json.loads(content)["id_priority"] == number


async def test_what_was_not_given_is_not_sent(firm: Firm) -> None:
    _, content = await sent(firm)
    assert set(json.loads(content)) == {"document", "items"}


@pytest.mark.parametrize("date", ["31.12.2026", "20261231", "2026-02-30", "2026-1-5", "tomorrow", "2026-12-31T00:00"])
async def test_a_delivery_date_that_is_none_is_refused(firm: Firm, date: str) -> None:
    told = await shown(firm, delivery_date=date)
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert "delivery_date" in told["error"]["message"]
    assert firm.sent() == []


@pytest.mark.parametrize("priority", ["urgent", 1, "HIGH"])
async def test_a_priority_that_is_none_is_refused(firm: Firm, priority: Any) -> None:
    told = await shown(firm, priority=priority)
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("warehouse", "item"),
    [("MAIN STORE", "OIL 68"), ("A/1", "BELT A/42"), ("50% RACK", "HOSE-1/2"), ("Ü-LAGER", "FLT-20µ")],
)
async def test_codes_with_spaces_and_slashes_arrive_as_they_are(firm: Firm, warehouse: str, item: str) -> None:
    items = [{"code": item, "quantity": 1, "unit_cost": "1"}]
    told, _ = await sent(firm, warehouse_code=warehouse, items=items, supplier_code="SUP 004")
    (order,) = firm.orders("OC_PLAN")
    (place,) = firm.rows("SELECT code FROM warehouses WHERE id = ?", order["warehouse_id"])
    assert place["code"] == warehouse
    assert json.loads(order["details"])[0]["code"] == item
    assert rows(told)["supplier's name"] == "Northern Hydraulics Ltd"


async def test_the_plan_says_which_currency_and_tax_the_figures_rest_on(firm: Firm) -> None:
    told = await shown(firm)
    assert rows(told)["currency"] == "the company's default in Fracttal (not stated)"
    assert rows(told)["tax"] == "already in each unit cost"
    assert "Fracttal's default" in (rows(told)["delivery date"] or "")


async def test_a_document_that_was_used_in_the_last_ninety_days_is_a_warning(firm: Firm) -> None:
    told = await shown(firm, document="oc_337", warehouse_code="A/1", items=[{**ORDER["items"][0], "code": "GREASE"}])
    assert told["warnings"][0].startswith("The document 'oc_337' was used before, by the order")


async def test_the_reads_for_the_warning_name_their_dates(firm: Firm) -> None:
    await shown(firm, delivery_date="2027-06-30")
    (query,) = [e.query for e in firm.app.state.requests if e.endpoint == "/warehouse_purchase_orders/"]
    since = (datetime.now(UTC).date() - timedelta(days=90)).isoformat()
    assert f"since={since}" in query
    assert "until=2027-07-01" in query


def stocked(firm: Firm, *codes: str, warehouse: str = "1254") -> None:
    """Items of these codes, in the warehouse."""
    for code in codes:
        firm.run("INSERT INTO items (code, description, unit, unit_cost) VALUES (?, 'An item', 'Unit', '1')", code)
        firm.run(
            """INSERT INTO warehouse_items (warehouse_id, item_id, stock)
               SELECT warehouses.id, items.id, '1' FROM warehouses, items
               WHERE warehouses.code = ? AND items.code = ?""",
            warehouse,
            code,
        )


async def test_a_supplier_that_is_not_there_is_a_warning_and_the_erp_s_to_refuse(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        result = await seat.client.call_tool("create_fracttal_purchase_order", {**ORDER, "supplier_code": "SUP-999"})
        told = data(result)
    assert result.content[0].text.count(told["next"]) == 1
    assert any("No supplier with the code 'SUP-999'" in warning for warning in told["warnings"])
    assert (told["outcome"], told["error"]["written"]) == ("failed", "no")
    assert told["next"] == told["error"]["hint"] != ""
    assert firm.orders("OC_PLAN") == []


# ------------------------------------------------------------------------ what a list proves, and what it does not


async def test_an_order_for_a_warehouse_that_is_not_there_is_refused_with_those_that_are(firm: Firm) -> None:
    told = await shown(firm, warehouse_code="MAIN STOR")
    assert (told["outcome"], told["write_id"], told["is_error"]) == ("not_found", None, False)
    assert told["summary"] == "Fracttal has no warehouse with the code 'MAIN STOR'. Nothing was written."
    assert told["next"] == "Ask the user which warehouse is meant, then call again with its code."
    assert told["candidates"][0]["argument"] == "warehouse_code"
    assert told["candidates"][0]["id"] == "MAIN STORE"
    assert firm.sent() == []


async def test_an_order_of_items_that_the_warehouse_does_not_have_is_refused_once_for_all_of_them(firm: Firm) -> None:
    items = [{**ORDER["items"][0], "code": code} for code in ("DEST1", "DEST01", "NO-SUCH", "DEST1")]
    told = await shown(firm, items=items)
    assert told["outcome"] == "not_found"
    assert (
        told["summary"] == "The warehouse '1254' has no items with the codes 'DEST1', 'NO-SUCH'. Nothing was written."
    )
    assert (told["candidates"][0]["argument"], told["candidates"][0]["id"]) == ("items[0].code", "DEST01")
    assert [one["argument"] for one in told["candidates"]] == ["items[0].code"] * 4 + ["items[2].code"] * 4


async def test_an_item_on_a_later_page_is_there(firm: Firm) -> None:
    stocked(firm, *(f"BULK-{number}" for number in range(230)))
    told = await shown(firm, items=[{**ORDER["items"][0], "code": "BULK-229"}])
    assert told["outcome"] == "awaiting_approval"
    assert "not checked" not in rows(told)


async def test_of_a_warehouse_with_more_items_than_are_read_nothing_is_proved(firm: Firm) -> None:
    stocked(firm, *(f"BULK-{number}" for number in range(1_000)))
    told = await shown(firm, items=[{**ORDER["items"][0], "code": "NO-SUCH"}])
    assert told["outcome"] == "awaiting_approval"
    words = "whether the warehouse has 'NO-SUCH': Fracttal's list of them could not be read to its end"
    assert rows(told)["not checked"] == words


async def test_an_empty_list_proves_nothing_an_account_may_be_shown_none(firm: Firm) -> None:
    firm.run("DELETE FROM warehouse_items")
    told = await shown(firm)
    assert told["outcome"] == "awaiting_approval"
    assert rows(told)["not checked"] == "whether the warehouse has 'DEST01': Fracttal's list of them is empty"


async def test_lists_that_cannot_be_read_leave_the_order_to_the_erp_and_the_preview_says_so(firm: Firm) -> None:
    for path in ("/warehouses", "/warehouses_items/"):
        firm.arm("status", path=path, method="GET", status=403, times=20)
    told = await shown(firm, warehouse_code="NOWHERE")
    assert told["outcome"] == "awaiting_approval"
    words = "whether the warehouse exists, and has these items: Fracttal's list of them could not be read to its end"
    assert rows(told)["not checked"] == words


async def test_an_order_of_what_is_there_costs_no_more_reads_than_it_takes_to_see_it(firm: Firm) -> None:
    stocked(firm, *(f"BULK-{number}" for number in range(500)))
    await shown(firm)
    asked = [entry.endpoint for entry in firm.app.state.requests]
    assert (asked.count("/warehouses_items/"), asked.count("/warehouses")) == (1, 0)


async def test_an_item_that_has_gone_since_the_preview_is_not_ordered(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("create_fracttal_purchase_order", **ORDER)
        firm.run("DELETE FROM warehouse_items WHERE item_id = (SELECT id FROM items WHERE code = 'DEST01')")
        service = await seat.runtime.write_service()
        write = await service.write(told["write_id"])
        after = await service.approve(write, digest=write.digest, by=Decider("a test"))
    assert str(after.state) == "failed"
    assert after.outcome.error.message.endswith("has no item with the code 'DEST01'; nothing was written")
    assert firm.sent("/warehouse_purchase_orders/1254") == []


@pytest.mark.matrix
@pytest.mark.parametrize("fault", ["status", "html", "garbage"])
async def test_supporting_reads_that_fail_do_not_fail_the_plan(firm: Firm, fault: str) -> None:
    for path in ("/warehouse_purchase_orders/", "/warehouses", "/warehouses_items/", "/third_parties/"):
        firm.arm(fault, path=path, method="GET", times=20, **({} if fault == "garbage" else {"status": 403}))
    told, _ = await sent(firm, supplier_code="SUP-002")
    assert told["warnings"] == ["Whether this document was used in the last 90 days could not be checked."]
    assert len(firm.orders("OC_PLAN")) == 1


async def test_the_warning_about_a_used_document_stands_before_what_could_not_be_checked(firm: Firm) -> None:
    firm.arm("status", status=403, path="/warehouse_purchase_orders/", method="GET", times=9)
    told = await shown(firm, supplier_code="SUP-999")
    assert [("could not be checked" in warning) for warning in told["warnings"]] == [False, True]


async def test_the_total_of_an_order_is_exact_beyond_twenty_eight_digits(firm: Firm) -> None:
    item = {"code": "DEST01", "quantity": "999999999999.999999", "unit_cost": "999999999999.999999"}
    told = await shown(firm, items=[item, {**item, "quantity": "1", "unit_cost": "0.000001"}])
    assert rows(told)["total"] == "999999999999999998000000.000001000001"


def bulk(firm: Firm, count: int) -> None:
    """So many orders of the warehouse 1254, the last of which has the document OC_PLAN."""
    firm.run(
        """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?),
           many(number, document) AS (SELECT 90000 + i, CASE WHEN i = ? THEN 'OC_PLAN' ELSE 'B_' || i END FROM n)
           INSERT INTO movements (warehouse_id, date, document, header, details)
           SELECT (SELECT id FROM warehouses WHERE code = '1254'), ?, document,
                  json_object('id', number, 'document', document), '[]' FROM many""",
        count,
        count,
        datetime.now(UTC).date().isoformat(),
    )


async def test_a_document_on_a_later_page_is_seen(firm: Firm) -> None:
    bulk(firm, 250)
    told = await shown(firm)
    assert told["warnings"] == ["The document 'OC_PLAN' was used before, by the order '90250'."]


async def test_where_not_all_orders_were_looked_at_the_plan_says_so_and_nothing_seen_later_is_proof(firm: Firm) -> None:
    bulk(firm, 1_100)
    async with firm.seat() as seat:
        told = await seat.call("create_fracttal_purchase_order", **ORDER)
        write = await (await seat.runtime.write_service()).write(told["write_id"])
    assert told["warnings"] == ["Whether other orders used this document is not known: only 1,000 were looked at."]
    assert write.plan.look.known is None


@pytest.mark.parametrize(
    "argument", ["document", "warehouse_code", "supplier_code", "cost_center_code", "cost_center_description"]
)
async def test_an_invisible_character_is_refused_in_every_text_that_goes_out(firm: Firm, argument: str) -> None:
    told = await shown(firm, **{argument: "OC\u200b1"})
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert f"{argument} must not hold invisible characters" in told["error"]["message"].replace(":", "")


@pytest.mark.parametrize("argument", ["code", "tax_name"])
async def test_an_invisible_character_is_refused_in_an_item(firm: Firm, argument: str) -> None:
    told = await shown(firm, items=[{**ORDER["items"][0], argument: "I\u2066VA"}])
    assert told["error"]["code"] == "INVALID_INPUT"
    assert f"items[0].{argument}" in told["error"]["message"]


async def test_a_description_may_have_lines_and_a_long_one_stands_there_whole(firm: Firm) -> None:
    told, content = await sent(firm, description="For the press.\n\tUrgent.\r\nThanks")
    assert rows(told)["description"] == "For the press.¶[U+0009 TAB]Urgent.¶Thanks"
    assert json.loads(content)["description"] == "For the press.\n\tUrgent.\r\nThanks"
    long = await shown(firm, description="d" * 3_999 + "1", document="OC_LONG")
    assert rows(long)["description"] == "d" * 3_999 + "1"


async def test_two_item_codes_that_differ_at_their_very_end_are_shown_to_differ(firm: Firm) -> None:
    codes = ["C" * 119 + end for end in "12"]
    stocked(firm, *codes)
    told = await shown(firm, items=[{**ORDER["items"][0], "code": code, "tax_name": code} for code in codes])
    for number, code in enumerate(codes, start=1):
        assert (rows(told)[f"item {number}"] or "").startswith(f"'{code}': ")
        assert (rows(told)[f"item {number}"] or "").endswith(f", tax '{code}'")


async def test_a_code_with_a_quotation_mark_is_shown_as_it_is_sent(firm: Firm) -> None:
    codes = ["A'B", "A’B"]
    stocked(firm, *codes)
    told = await shown(firm, items=[{**ORDER["items"][0], "code": code} for code in codes])
    assert (rows(told)["item 1"] or "").startswith('"A\'B": ')
    assert (rows(told)["item 2"] or "").startswith("'A’B': ")


async def test_an_item_that_is_ordered_twice_is_told(firm: Firm) -> None:
    told = await shown(firm, items=[ORDER["items"][0], ORDER["items"][0]])
    assert f"'{ORDER['items'][0]['code']}' is ordered in 2 lines." in told["warnings"]


async def test_a_cost_center_s_code_and_its_description_stand_apart(firm: Firm) -> None:
    told = await shown(firm, cost_center_code="CC", cost_center_description="1 Tooling")
    assert rows(told)["cost center"] == "CC"
    assert rows(told)["cost center's description"] == "1 Tooling"


async def test_a_code_that_the_erp_has_with_odd_spaces_can_be_sent_and_they_are_shown_by_name(firm: Firm) -> None:
    items = [{**ORDER["items"][0], "code": "BOLT  M8\u00a0X"}]
    stocked(firm, "BOLT  M8\u00a0X")
    async with firm.seat() as seat:
        told = await seat.call("create_fracttal_purchase_order", **{**ORDER, "items": items, "supplier_code": "S  1"})
        content = (await (await seat.runtime.write_service()).write(told["write_id"])).plan.content
    assert (rows(told)["item 1"] or "").startswith("'BOLT[2 spaces]M8[U+00A0 NO-BREAK SPACE]X': ")
    assert rows(told)["supplier"] == "S[2 spaces]1"
    assert json.loads(content)["items"][0]["code"] == "BOLT  M8\u00a0X"
    told = await shown(firm, document="OC  1")
    assert "document: holds several spaces in a row" in told["error"]["message"]
