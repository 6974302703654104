"""Counts and figures of every kind, to the digit, against a computation of its own over the same company."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from mcp import Client

from .conftest import KINDS, Everything, Summarise, error, table

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------------------- the same, worked out differently


def values(record: Any, path: str) -> Iterator[Any]:
    """What stands at a path, the elements of lists one by one; nothing where there is nothing."""
    if not path:
        yield record
        return
    step, _, rest = path.partition(".")
    if isinstance(record, Mapping) and step.removesuffix("[]") in record:
        inner = record[step.removesuffix("[]")]
        for item in (inner or []) if step.endswith("[]") else [inner]:
            yield from values(item, rest)


def label(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("part_number") or value.get("quote_number")
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass
class Tally:
    count: int = 0
    numbers: dict[str, list[Fraction]] = field(default_factory=dict)


def worked_out(records: Sequence[Any], group_by: Sequence[str], figures: Sequence[str]) -> dict[Any, Tally]:
    """By group and currency: how many, and every number of each figure."""
    tallies: dict[Any, Tally] = {}
    for record in records:
        lists = {path.split("[]")[0] for path in group_by if "[]" in path}
        elements = [{**record, name: [one]} for name in lists for one in record.get(name) or []] if lists else [record]
        for element in elements:
            key = tuple(
                label(next(values(element, path), None)) for path in group_by if path != "currency" or not figures
            )
            if figures and "currency" in record:
                key = (*key, record["currency"])
            tally = tallies.setdefault(key, Tally())
            tally.count += 1
            for figure in figures:
                found = [Fraction(str(one)) for one in values(element, figure) if one not in {None, ""}]
                tally.numbers.setdefault(figure, []).extend(found)
    return tallies


def close(text: str | None, exact: Fraction) -> bool:
    """Whether a figure of at most six places is the exact one, rounded."""
    return text is not None and abs(Fraction(text) - exact) * 2 <= Fraction(1, 10**6)


# ---------------------------------------------------------------------------------------------------------- every kind


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plain_count_costs_one_request_and_is_the_number_of_records(
    app: Any, client: Client, summarise: Summarise, everything: Everything, kind: str
) -> None:
    await client.call_tool("get_record", {"kind": "boms", "id": 1})  # signs in
    app.state.requests.clear()
    found = await summarise(kind)
    assert [entry.query for entry in app.state.requests] == ["page=1&per_page=1"]
    number = len(everything[kind])
    assert found["totals"] == {"count": number}
    assert table(found) == [{"count": number}]
    assert found["coverage"]["total"] == number
    assert str(number) in found["summary"]


async def test_a_searched_count_counts_what_the_erp_finds(summarise: Summarise) -> None:
    found = await summarise("parts", search="widget")
    listed = await summarise("parts", search="widget", group_by=["part_number"], top=200)
    assert found["totals"]["count"] == len(listed["rows"]) == 3
    assert found["summary"] == f"There are {len(listed['rows'])} parts matching 'widget', as FractionERP counts them."


ASKED: list[tuple[str, list[str], list[str]]] = [
    ("customers", ["currency"], []),
    ("customers", ["is_active", "payment_terms"], []),
    ("customers", ["address.country"], []),
    ("parts", ["category"], ["lead_time_days"]),
    ("parts", ["type", "uom", "is_active"], ["lead_time_days"]),
    ("parts", [], ["lead_time_days"]),
    ("contracts", ["status"], ["total_amount"]),
    ("contracts", ["customer.name"], ["total_amount"]),
    ("contracts", ["customer"], ["total_amount"]),
    ("contracts", ["status", "currency"], ["total_amount"]),
    ("contracts", ["lost_reason"], []),
    ("contracts", [], ["total_amount", "lines[].qty", "lines[].line_total"]),
    ("contracts", ["lines[].part.part_number"], ["lines[].line_total", "lines[].qty"]),
    ("contracts", ["lines[].uom", "status"], ["lines[].unit_price"]),
    ("boms", ["part.part_number"], []),
    ("boms", ["status", "revision"], ["components[].qty"]),
    ("boms", ["components[].uom"], ["components[].qty", "components[].scrap_percent"]),
    ("work_orders", ["status", "priority", "hold.reason"], ["qty_ordered", "qty_completed", "qty_scrapped"]),
    ("work_orders", ["operations[].work_centre"], ["operations[].minutes"]),
    ("purchase_orders", ["supplier.name", "status"], ["total_amount"]),
    ("purchase_orders", ["lines[].part.part_number"], ["lines[].received", "lines[].unit_cost"]),
    ("shipments", ["carrier", "status"], []),
    ("shipments", ["packages[].pallet"], ["packages[].weight_kg"]),
    ("invoices", ["status"], ["net_amount", "tax_amount", "total_amount"]),
    ("invoices", ["contract.quote_number"], ["total_amount"]),
]


@pytest.mark.matrix
@pytest.mark.parametrize(("kind", "group_by", "figures"), ASKED, ids=[f"{k}-{g}-{f}" for k, g, f in ASKED])
async def test_every_figure_of_every_group_is_the_exact_one(
    summarise: Summarise, everything: Everything, kind: str, group_by: list[str], figures: list[str]
) -> None:
    found = await summarise(kind, group_by=group_by, sum=figures, min=figures, max=figures, average=figures, top=200)
    expected = worked_out(everything[kind], group_by, figures)
    names = [name for name in group_by if name != "currency" or not figures]
    if any("currency" in record for record in everything[kind]) and figures:
        names.append("currency")
    assert found["columns"] == [*names, "count", *(f"{how}_{path}" for how in ("sum", "min", "max", "average")
                                                   for path in figures)]  # fmt: skip
    rows = {tuple(row[name] for name in names): row for row in table(found)}
    shown = {key: row for key, row in rows.items() if not (key and key[0].startswith("(the other"))}
    assert shown.keys() <= expected.keys()
    assert len(shown) == min(len(expected), 200)
    for key, row in shown.items():
        check(row, expected[key], figures)
    assert sum(row["count"] for row in rows.values()) == sum(tally.count for tally in expected.values())
    assert found["totals"]["count"] == sum(tally.count for tally in expected.values())
    for figure in figures:
        for currency in {key[-1] for key in expected} if "currency" in names else {""}:
            mine = [tally for key, tally in expected.items() if "currency" not in names or key[-1] == currency]
            numbers = [number for tally in mine for number in tally.numbers[figure]]
            total = found["totals"][f"sum_{figure}"]
            total = total[currency] if isinstance(total, dict) else total
            assert Fraction(total) == sum(numbers)
            in_rows = [row[f"sum_{figure}"] for row in rows.values() if row.get("currency", currency) == currency]
            assert sum(Fraction(one) for one in in_rows if one) == sum(numbers)


def check(row: Mapping[str, Any], tally: Tally, figures: Sequence[str]) -> None:
    assert row["count"] == tally.count
    for figure in figures:
        numbers = tally.numbers[figure]
        if not numbers:
            assert [row[f"{how}_{figure}"] for how in ("sum", "min", "max", "average")] == [None] * 4
            continue
        assert Fraction(row[f"sum_{figure}"]) == sum(numbers)
        assert Fraction(row[f"min_{figure}"]) == min(numbers)
        assert Fraction(row[f"max_{figure}"]) == max(numbers)
        assert close(row[f"average_{figure}"], Fraction(sum(numbers)) / len(numbers))


async def test_the_earliest_and_latest_of_dates_are_days(summarise: Summarise, everything: Everything) -> None:
    found = await summarise("invoices", min=["invoice_date", "created_at"], max=["invoice_date", "created_at"])
    for name in ("invoice_date", "created_at"):
        for row in table(found):
            mine = [one[name][:10] for one in everything["invoices"] if one["currency"] == row["currency"]]
            assert (row[f"min_{name}"], row[f"max_{name}"]) == (min(mine), max(mine))
            assert found["totals"][f"min_{name}"][row["currency"]] == min(mine)


# -------------------------------------------------------------------------------------------------------- currencies


async def test_amounts_of_several_currencies_are_kept_apart_and_the_result_says_so(
    summarise: Summarise, everything: Everything
) -> None:
    found = await summarise("invoices", sum=["total_amount"])
    currencies = sorted({record["currency"] for record in everything["invoices"]})
    assert len(currencies) > 1
    assert sorted(row["currency"] for row in table(found)) == currencies == sorted(found["totals"]["sum_total_amount"])
    assert found["warnings"] == [
        f"Amounts are kept apart by currency ({', '.join(map(repr, currencies))}) and never added across."
    ]


async def test_the_row_for_the_rest_is_one_for_each_currency(summarise: Summarise, everything: Everything) -> None:
    found = await summarise("contracts", group_by=["customer.name"], sum=["total_amount"], top=5)
    expected = worked_out(everything["contracts"], ["customer.name"], ["total_amount"])
    rows = table(found)
    top = sorted(expected, key=lambda key: (-sum(expected[key].numbers["total_amount"]), -expected[key].count, key))[:5]
    assert [(row["customer.name"], row["currency"]) for row in rows[:5]] == top
    rest: dict[str, list[Tally]] = {}
    for key in expected.keys() - set(top):
        rest.setdefault(key[-1], []).append(expected[key])
    shown = {row["currency"]: row for row in rows[5:]}
    assert shown.keys() == rest.keys()
    for currency, tallies in rest.items():
        others = f"{len(tallies)} groups" if len(tallies) > 1 else "group"
        assert shown[currency]["customer.name"] == f"(the other {others})"
        assert shown[currency]["count"] == sum(tally.count for tally in tallies)
        total = sum(number for tally in tallies for number in tally.numbers["total_amount"])
        assert Fraction(shown[currency]["sum_total_amount"]) == total


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("argument", ["group_by", "sum", "min", "max", "average", "filters", "date_field"])
async def test_a_field_that_no_record_has_is_refused_with_the_fields_there_are(client: Client, argument: str) -> None:
    asked: dict[str, Any] = {argument: ["colour"]}
    if argument == "filters":
        asked = {"filters": [{"field": "colour", "op": "=", "value": "red"}]}
    if argument == "date_field":
        asked = {"date_field": "colour"}
    told = error(await client.call_tool("summarise_records", {"kind": "contracts", **asked}))
    assert (told["code"], told["retryable"], told["written"]) == ("INVALID_INPUT", False, None)
    assert told["message"] == f"{argument}: no record has 'colour'"
    assert told["hint"].startswith("The fields here are: ")
    assert {"status", "customer.name", "lines[].part.part_number", "total_amount", "lost_reason"} <= set(
        told["hint"].removeprefix("The fields here are: ").removesuffix(".").split(", ")
    )


async def test_a_field_that_only_records_outside_the_filters_have_is_no_unknown_one(summarise: Summarise) -> None:
    enquiries = [{"field": "status", "op": "=", "value": "Enquiry"}]
    found = await summarise("contracts", filters=enquiries, group_by=["lost_reason"])
    (row,) = table(found)
    assert row["lost_reason"] == ""


async def test_of_the_part_that_was_read_no_more_is_claimed_than_that(client: Client) -> None:
    asked = {"kind": "contracts", "group_by": ["colour"], "max_pages": 1}
    told = error(await client.call_tool("summarise_records", asked))
    assert told["message"] == "group_by: no record of the 100 that were read has 'colour'"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"group_by": ["lines[].uom"], "sum": ["total_amount"]}, "would be counted once for each element of lines"),
        (
            {"group_by": ["lines[].uom"], "average": ["lines[].qty", "total_amount"]},
            "total_amount belongs to the record",
        ),
        ({"group_by": ["lines[].uom", "packages[].pallet"]}, "runs through several lists (lines, packages)"),
        ({"group_by": ["lines[].steps[].name"]}, "a list within a list"),
        ({"date_field": "lines[].due", "sum": ["total_amount"]}, "total_amount belongs to the record"),
    ],
)
async def test_figures_of_the_record_are_not_added_once_for_each_element(
    app: Any, client: Client, asked: dict[str, Any], reason: str
) -> None:
    app.state.requests.clear()
    told = error(await client.call_tool("summarise_records", {"kind": "contracts", **asked}))
    assert told["code"] == "INVALID_INPUT"
    assert reason in told["message"]
    assert not len(app.state.requests)
