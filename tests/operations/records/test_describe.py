"""What there is to list, and what a guessed field name is answered with: before a page is read for it."""

from typing import Any

import pytest
from mcp import Client

from fraction_mcp.errors import ErpBroken, Forbidden, InputError
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.known_fields import KnownFields, Recalled
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.describe import describe_kind, describe_kinds
from fraction_mcp.operations.records.listing import Shown, list_kind
from fraction_mcp.operations.records.summary import summarise
from tests.support import ListedErp, Record, context_of

from .conftest import Everything, data, table

pytestmark = pytest.mark.anyio


def bill(number: int, **fields: Any) -> Record:
    """An ERP whose records have other names."""
    return {
        "id": number,
        "bill_no": f"B{number:04}",
        "issued_on": f"2026-{1 + number % 12:02}-{1 + number % 28:02}",
        "grand_total": f"{number}.50",
        "state": ("Open", "Paid")[number % 2],
        "payer": {"name": f"Payer {number}"},
        "items": [{"good": {"code": f"G{number}"}, "amount": number}] if number % 3 else [],
        **fields,
    }


def erp(count: int = 150, **more: Any) -> ListedErp:
    return ListedErp(invoices=[bill(number) for number in range(1, count + 1)], **more)


async def names(context: ErpContext) -> dict[str, Any]:
    found = (await describe_kind(context, "invoices")).to_wire()
    return {field["name"]: field for field in found["fields"]}


# ------------------------------------------------------------------------------------------------------------ all kinds


async def test_every_kind_of_the_company_is_counted_with_its_number_and_its_span(
    client: Client, everything: Everything
) -> None:
    found = data(await client.call_tool("describe_records", {}))
    assert found["columns"] == ["kind", "count", "number_field", "date_field", "first", "last"]
    rows = {row["kind"]: row for row in table(found)}
    assert {kind: row["count"] for kind, row in rows.items()} == {kind: len(all_) for kind, all_ in everything.items()}
    for kind, row in rows.items():
        dates = sorted(str(record[row["date_field"]])[:10] for record in everything[kind] if record[row["date_field"]])
        assert (row["first"], row["last"]) == (dates[0], dates[-1])
    numbers = {kind: row["number_field"] for kind, row in rows.items()}
    assert numbers["contracts"] == "quote_number"
    assert numbers["purchase_orders"] == "po_number"
    assert "FractionERP counts 60 customers, 600 parts, 300 contracts" in found["summary"]


async def test_a_kind_of_other_names_is_described_and_the_dates_are_left_out_where_the_erp_does_not_sort() -> None:
    dates = sorted(str(bill(number)["issued_on"]) for number in range(1, 151))
    for sorting, ends in (("sorts", [dates[0], dates[-1]]), ("refuses", [None, None]), ("ignores", [None, None])):
        found = (await describe_kinds(context_of(erp(sorting=sorting)))).to_wire()
        assert found["rows"][-1] == ["invoices", 150, "bill_no", "issued_on", *ends]


async def test_what_was_described_is_remembered_for_an_hour_and_no_longer_than_until_a_write() -> None:
    now = 0.0
    fraction = erp()
    context = context_of(fraction, keep_s=0)
    object.__setattr__(context, "described", Recalled(lambda: now))
    await describe_kind(context, "invoices")
    now = 3599
    await describe_kind(context, "invoices")
    assert fraction.requests == 1
    now = 3601
    await describe_kind(context, "invoices")
    assert fraction.requests == 2
    object.__setattr__(context.fraction, "_writes", 2)
    await describe_kind(context, "invoices")
    assert fraction.requests == 3


async def test_a_kind_that_may_not_be_read_is_said_to_and_the_others_are_counted() -> None:
    fraction = erp()

    async def call(endpoint: Any, **more: Any) -> Any:
        if endpoint.path == "/boms":
            raise Forbidden("FractionERP refused to list bills of materials", system="f", operation="o", status=403)
        return await ListedErp.call(fraction, endpoint, **more)

    fraction.call = call  # type: ignore[method-assign]
    answer = await describe_kinds(context_of(fraction))
    assert answer.coverage is not None
    assert (answer.coverage.complete, answer.coverage.scanned) == (False, 7)
    assert "150 invoices. Not read: boms (FractionERP refused to list bills of materials)." in answer.summary


async def test_where_nothing_can_be_read_that_is_the_answer() -> None:
    fraction = erp()
    fraction.fails = ErpBroken("down", system="fractionerp", operation="list", status=500)
    with pytest.raises(ErpBroken):
        await describe_kinds(context_of(fraction))


# ------------------------------------------------------------------------------------------------------------ one kind


async def test_a_kinds_fields_come_with_type_example_and_values() -> None:
    fields = await names(context_of(erp()))
    assert {name: (field["type"], field["documented"]) for name, field in fields.items()} == {
        "id": ("number", True),
        "bill_no": ("text", False),
        "issued_on": ("date", False),
        "grand_total": ("number", False),
        "state": ("text", False),
        "payer.name": ("text", False),
        "items[].good.code": ("text", False),
        "items[].amount": ("number", False),
    }
    assert fields["state"]["values"] == [{"value": "Paid", "count": 50}, {"value": "Open", "count": 50}]
    assert (fields["bill_no"]["example"], fields["bill_no"]["values"]) == ("B0001", [])


async def test_what_was_looked_at_is_said(client: Client) -> None:
    found = data(await client.call_tool("describe_records", {"kind": "contracts"}))
    assert found["looked_at"] == 100
    assert " fields in the newest 100 of 300 contracts; others may have more." in found["summary"]
    answer = await describe_kind(context_of(erp(sorting="refuses")), "invoices")
    assert answer.summary == "8 fields in the first 100 of 150 invoices; others may have more."


# ------------------------------------------------------------------------------------------------------ guessed names


@pytest.mark.parametrize(
    ("asked", "argument", "near"),
    [
        ({"conditions": [("total_amount", ">", "5", ())]}, "filters", "grand_total"),
        ({"shown": Shown(sort="invoice_total")}, "sort", "grand_total"),
        ({"shown": Shown(fields=["invoice_no"])}, "fields", "bill_no"),
        ({"conditions": [("issuedOn", "=", "x", ())]}, "filters", "issued_on"),
    ],
)
async def test_a_guessed_field_is_refused_before_a_page_is_read_once_the_kind_was_seen_whole(
    asked: dict[str, Any], argument: str, near: str
) -> None:
    fraction = erp(60)
    context = context_of(fraction)
    await describe_kind(context, "invoices")
    fraction.asked.clear()
    arguments = {"shown": Shown(), "conditions": (), **asked}
    with pytest.raises(InputError) as caught:
        await list_kind(context, "invoices", arguments["shown"], conditions=arguments["conditions"])
    assert near in caught.value.problems[argument].partition("did you mean ")[2]
    assert "items[].good.code" in caught.value.hint
    assert fraction.requests == 0


async def test_a_summary_refuses_each_guessed_field_at_once() -> None:
    fraction = erp(60)
    context = context_of(fraction)
    await list_kind(context, "invoices", Shown(limit=60))
    asked = Asked(group_by=["status"], sums=["total"], dates=("invoice_date", "month"))
    fraction.asked.clear()
    with pytest.raises(InputError) as caught:
        await summarise(context, "invoices", asked)
    assert list(caught.value.problems) == ["group_by", "sum", "date_field"]
    assert fraction.requests == 0


@pytest.mark.parametrize("path", ["payer", "payer.name", "items", "items[]", "items[].good", "items[].good.code.x"])
async def test_a_path_that_leads_to_or_into_a_known_field_is_none_to_be_refused(path: str) -> None:
    known = KnownFields()
    known.of("invoices").look([bill(1)])
    known.of("invoices").seen_whole(writes=0)
    known.check("invoices", {"filters": [path]}, writes=0)
    known.check("boms", {"filters": ["of a kind that was not seen"]}, writes=0)


async def test_after_a_write_a_kind_is_no_longer_seen_whole_for_it_may_have_brought_a_field() -> None:
    known = KnownFields()
    known.of("invoices").look([bill(1)])
    known.of("invoices").seen_whole(writes=3)
    with pytest.raises(InputError, match="no invoice has 'dispute'"):
        known.check("invoices", {"filters": ["dispute"]}, writes=3)
    known.check("invoices", {"filters": ["dispute"]}, writes=5)


async def test_a_rare_field_that_the_page_seen_lacks_is_read_for_and_found() -> None:
    fraction = ListedErp(invoices=[*(bill(n) for n in range(1, 151)), bill(151, dispute="yes")])
    context = context_of(fraction)
    await describe_kind(context, "invoices")
    filters = [("dispute", "=", "yes", ())]
    assert (await list_kind(context, "invoices", Shown(), conditions=filters)).coverage.total == 1
    summary = await summarise(context, "invoices", Asked(group_by=["dispute"]))
    assert summary.rows == (("", 150), ("yes", 1))


async def test_a_guess_about_a_kind_of_which_one_page_was_seen_is_refused_once_all_were_read_and_then_at_once() -> None:
    fraction = erp(150)
    context = context_of(fraction)
    await describe_kind(context, "invoices")
    for requests in (True, False):
        fraction.asked.clear()
        with pytest.raises(InputError, match=r"no (invoice|record) has 'total_amount'"):
            await list_kind(context, "invoices", Shown(), conditions=[("total_amount", ">", "5", ())])
        assert bool(fraction.requests) is requests


async def test_what_was_searched_for_is_not_all_and_a_refusal_says_of_what_it_speaks() -> None:
    fraction = erp(60)
    context = context_of(fraction)
    filters = [("dispute", "=", "yes", ())]
    with pytest.raises(InputError, match="no record that matches 'B0007' has 'dispute'"):
        await list_kind(context, "invoices", Shown(), search="B0007", conditions=filters)
    with pytest.raises(InputError, match="no record has 'dispute'"):  # read anew: a part proves nothing of the whole
        await list_kind(context, "invoices", Shown(), conditions=filters)


async def test_an_order_by_what_no_record_seen_has_is_said_to_be_none() -> None:
    fraction = erp(60, sorting="ignores")
    answer = await list_kind(context_of(fraction), "invoices", Shown(limit=5, sort="total"))
    assert "No record looked at has 'total', so the rows may be in no such order; did you mean grand_total?" in (
        answer.warnings
    )


async def test_in_very_many_records_of_one_shape_a_deeper_field_is_looked_for_all_the_same() -> None:
    """What lies within a record is remembered of the first hundred of its shape."""
    odd = {**bill(130), "payer": {"name": "P", "vat": "GB1"}}
    fraction = ListedErp(invoices=[*(bill(n) for n in range(1, 130)), odd])
    context = context_of(fraction)
    await summarise(context, "invoices", Asked(group_by=["state"]))
    filters = [("payer.vat", "=", "GB1", ())]
    assert (await list_kind(context, "invoices", Shown(), conditions=filters)).coverage.total == 1
    with pytest.raises(InputError):
        await list_kind(context, "invoices", Shown(), conditions=[("total_amount", ">", "5", ())])
