"""list_records: which rows a filter leaves, which page of them, which columns, and how much a result may hold."""

import re
from typing import Any

import pytest
from mcp import Client

from fraction_mcp.operations.records.listing import Shown, list_kind
from tests.support import ListedErp, Record, context_of

from .conftest import KINDS, Everything, data, error

pytestmark = pytest.mark.anyio

OPEN = [{"field": "status", "op": "in", "values": ["Order", "In Production"]}]


async def listed(client: Client, kind: str, **asked: Any) -> dict[str, Any]:
    return data(await client.call_tool("list_records", {"kind": kind, **asked}))


# ---------------------------------------------------------------------------------------------------------- filters


async def test_pages_of_matches_are_pages_of_nothing_but_matches(client: Client, everything: Everything) -> None:
    expected = [one["id"] for one in everything["contracts"] if one["status"] in {"Order", "In Production"}]
    count, last = len(expected), -(-len(expected) // 40)
    seen: list[int] = []
    for page in range(1, last + 1):
        found = await listed(client, "contracts", filters=OPEN, limit=40, page=page)
        ids = [row[0] for row in found["rows"]]
        first = len(seen) + 1
        seen += ids
        assert found["coverage"] == {
            "total": count, "scanned": 300, "returned": len(ids), "from": first, "to": first + len(ids) - 1,
            "page": page, "last_page": last, "complete": False, "next_page": page + 1 if page < last else None,
        }  # fmt: skip
        rows = f"rows {first} to {first + len(ids) - 1} of them"
        assert found["summary"] == f"{count} of 300 contracts meet the filters; {rows}."
    assert seen == expected
    beyond = await listed(client, "contracts", filters=OPEN, limit=40, page=last + 1)
    assert (beyond["rows"], beyond["coverage"]["next_page"]) == ([], None)
    assert beyond["summary"] == f"{count} of 300 contracts meet the filters; none are on page {last + 1}."


async def test_matches_that_fit_on_one_page_are_the_whole(client: Client, everything: Everything) -> None:
    nobody = [{"field": "tracking_number", "op": "is_empty"}, {"field": "status", "op": "=", "value": "Shipped"}]
    found = await listed(client, "shipments", filters=nobody, limit=100)
    expected = [
        one["id"] for one in everything["shipments"] if not one["tracking_number"] and one["status"] == "Shipped"
    ]
    assert [row[0] for row in found["rows"]] == expected
    assert found["coverage"]["complete"]
    assert found["summary"] == f"{len(expected)} of 300 shipments meet the filters."


async def test_search_and_order_are_the_erps_and_the_filter_comes_after_them(
    client: Client, everything: Everything
) -> None:
    dear = [{"field": "total_amount", "op": ">", "value": "1000"}]
    found = await listed(
        client, "contracts", search="acme", sort="contract_date", order="desc", filters=dear, limit=100
    )
    mine = [one for one in everything["contracts"] if "acme" in one["customer"]["name"].lower()]
    dearer = [one for one in mine if float(one["total_amount"]) > 1000]
    assert [row[0] for row in found["rows"]] == [
        one["id"] for one in sorted(dearer, key=lambda one: (one["contract_date"], -one["id"]), reverse=True)
    ]
    assert found["summary"].startswith(
        f"{len(dearer)} of {len(mine)} contracts matching 'acme' meet the filters, sorted by contract_date descending"
    )


async def test_a_field_that_no_record_has_is_no_filter(client: Client) -> None:
    told = error(
        await client.call_tool("list_records", {"kind": "boms", "filters": [{"field": "colour", "op": "is_empty"}]})
    )
    assert told["message"] == "filters: no record has 'colour'"
    assert "bom_number" in told["hint"]


# ---------------------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("kind", KINDS)
async def test_without_a_wish_eight_telling_columns_are_shown(client: Client, kind: str) -> None:
    found = await listed(client, kind, limit=100)
    columns = found["columns"]
    assert columns[0] == "id"
    assert len(columns) - (columns[8:] == ["currency"]) == 8  # which stands beside amounts
    assert re.search(r"number$|^code$|^name$", columns[1])
    assert not any(all(row[index] in {None, ""} for row in found["rows"]) for index in range(len(columns))), (
        "an empty column"
    )


async def test_an_asterisk_shows_every_field_there_is(client: Client, everything: Everything) -> None:
    found = await listed(client, "work_orders", fields=["*"], limit=50)
    fields = {name for one in everything["work_orders"][:50] for name in one}
    assert set(found["columns"]) == fields
    assert "hold" in fields


async def test_named_fields_reach_into_records_and_lists(client: Client, everything: Everything) -> None:
    wanted = ["customer.name", "lines[].part.part_number", "total_amount"]
    found = await listed(client, "contracts", fields=wanted, limit=5)
    assert found["columns"] == ["id", *wanted]
    for row, record in zip(found["rows"], everything["contracts"][:5], strict=True):
        numbers = "; ".join(line["part"]["part_number"] for line in record["lines"])
        assert row[:2] == [record["id"], record["customer"]["name"]]
        cell = row[2] or ""
        assert (
            cell == numbers if len(numbers) <= 60 else (cell.endswith("…") and numbers.startswith(cell[:-1].rstrip()))
        )
    told = error(await client.call_tool("list_records", {"kind": "contracts", "fields": ["customer.colour"]}))
    assert told["message"].startswith("fields: no record shown here has 'customer.colour'; did you mean customer.")
    assert "customer.name" in told["hint"]


# ---------------------------------------------------------------------------------------- how much a result may hold


def wide(count: int) -> list[Record]:
    return [
        {"id": n, **{f"f{column:02}": f"{n}-{column}-" + "x" * 70 for column in range(12)}} for n in range(1, count + 1)
    ]


async def test_a_result_keeps_to_its_budget_by_whole_rows_and_says_how_to_get_the_rest() -> None:
    context = context_of(ListedErp(contracts=wide(100)))
    seen: list[int] = []
    shown = Shown(limit=100, fields=["*"])
    while True:
        found = (await list_kind(context, "contracts", shown)).to_wire()
        assert sum(len(str(cell)) + 3 for row in found["rows"] for cell in row) <= 20_000
        assert all(len(row) == len(found["columns"]) for row in found["rows"])
        seen += [row[0] for row in found["rows"]]
        coverage = found["coverage"]
        assert coverage["returned"] == len(found["rows"]) == coverage["to"] - coverage["from"] + 1
        step = found.get("next", "")
        if coverage["to"] == 100:
            break
        assert not coverage["complete"]
        again = re.search(r"limit=(\d+) and page=(\d+)", step) or re.search(r"page=()(\d+)", step)
        assert again, step
        shown = Shown(limit=int(again[1] or shown.limit), page=int(again[2]), fields=["*"])
    assert sorted(set(seen)) == list(range(1, 101))  # whoever follows `next` sees every row


async def test_the_sentence_says_how_many_rows_fit_and_no_page_is_promised_that_would_leave_some_out() -> None:
    found = await list_kind(context_of(ListedErp(contracts=wide(100))), "contracts", Shown(limit=50, fields=["*"]))
    fit = len(found.rows)
    assert 10 < fit < 50
    assert found.summary == f"Rows 1 to 50 of 100 contracts, of which {fit} fit into a result."
    assert (found.coverage.returned, found.coverage.last, found.coverage.next_page) == (fit, fit, None)
    assert found.next == f"Call again with limit={fit} and page=2 for the rest, or with fewer fields."


async def test_of_matches_too_only_whole_rows_are_shown() -> None:
    conditions = [("f00", "contains", "-0-", ())]
    shown = Shown(limit=100, fields=["*"])
    found = await list_kind(context_of(ListedErp(contracts=wide(100))), "contracts", shown, conditions=conditions)
    fit = len(found.rows)
    assert found.summary == f"100 of 100 contracts meet the filters, of which {fit} fit into a result."
    assert (found.coverage.total, found.coverage.scanned, found.coverage.complete) == (100, 100, False)


async def test_a_row_that_is_too_wide_by_itself_is_told_of() -> None:
    record = {"id": 1, **{f"{'f' * 100}{column:03}": "x" * 80 for column in range(400)}}
    found = await list_kind(context_of(ListedErp(contracts=[record])), "contracts", Shown(fields=["*"]))
    assert found.rows == ()
    assert found.next == "Ask for fewer fields: not even one row fits into a result."
    assert (found.coverage.first, found.coverage.last, found.coverage.complete) == (None, None, False)
