"""Filters: every operator on what records really hold, in both tools that take them, counted by hand as well."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from fraction_mcp.errors import InputError
from fraction_mcp.operations.records.filters import Filters, as_date, as_number

from .conftest import Everything, Summarise, data, error

pytestmark = pytest.mark.anyio

Holds = Callable[[dict[str, Any]], bool]


def day(record: dict[str, Any], name: str) -> date:
    return date.fromisoformat((record[name] or "0001-01-01")[:10])


def name_of(record: dict[str, Any], *path: str) -> str:
    for step in path:
        record = (record or {}).get(step)  # type: ignore[assignment]
    return str(record or "")


def some(name: str, holds: Holds) -> Holds:
    """Whether it holds for any element of a list."""
    return lambda record: any(holds(one) for one in record[name])


ASKED: list[tuple[str, str, str, Any, Holds]] = [
    ("contracts", "status", "=", "oRdEr", lambda r: r["status"] == "Order"),
    ("contracts", "status", "!=", "Order", lambda r: r["status"] != "Order"),
    ("contracts", "total_amount", "<", "999.50", lambda r: Decimal(r["total_amount"]) < Decimal("999.5")),
    ("contracts", "total_amount", "<=", 0, lambda r: Decimal(r["total_amount"]) == 0),
    ("contracts", "total_amount", ">", "10000", lambda r: Decimal(r["total_amount"]) > 10000),
    ("contracts", "total_amount", "=", "0.0", lambda r: Decimal(r["total_amount"]) == 0),
    ("contracts", "due_date", ">=", "2026-11-21", lambda r: day(r, "due_date") >= date(2026, 11, 21)),
    ("contracts", "created_at", "<", "2026-03-01", lambda r: day(r, "created_at") < date(2026, 3, 1)),
    ("contracts", "notes", "contains", "CERTIFICATE", lambda r: "ertificate" in name_of(r, "notes")),
    ("contracts", "customer", "contains", "ltd", lambda r: "Ltd" in name_of(r, "customer", "name")),
    ("contracts", "status", "in", ["lost", "QUOTED"], lambda r: r["status"] in {"Lost", "Quoted"}),
    ("contracts", "customer_ref", "is_empty", "", lambda r: not r["customer_ref"]),
    ("contracts", "lines", "is_empty", "true", lambda r: not r["lines"]),
    ("contracts", "lost_reason", "is_empty", "false", lambda r: bool(r.get("lost_reason"))),
    ("contracts", "lines[].qty", ">", 100, some("lines", lambda one: one["qty"] > 100)),
    ("contracts", "lines[].uom", "=", "kg", some("lines", lambda one: one["uom"] == "KG")),
    ("contracts", "lines[].qty", "!=", "1", lambda r: all(one["qty"] != 1 for one in r["lines"])),
    ("contracts", "lines[].qty", "in", [250, "5"], some("lines", lambda one: one["qty"] in {250, 5})),
    ("boms", "components[].qty", "<", "1", some("components", lambda one: one["qty"] < 1)),
    ("boms", "components[].qty", "=", "1.250", some("components", lambda one: one["qty"] == Decimal("1.25"))),
    ("boms", "components[].scrap_percent", "is_empty", "false", some("components", lambda one: one["scrap_percent"])),
    ("work_orders", "operations[].name", "contains", "rind", some("operations", lambda one: one["name"] == "Grind")),
    ("work_orders", "hold.reason", "is_empty", "false", lambda r: bool(name_of(r, "hold", "reason"))),
    ("shipments", "tracking_number", "is_empty", "", lambda r: not r["tracking_number"]),
    ("shipments", "packages[].pallet", "=", "TRUE", some("packages", lambda one: one["pallet"])),
    ("shipments", "delivered_at", ">", "2026-06-30T23:59", lambda r: day(r, "delivered_at") > date(2026, 6, 30)),
    ("customers", "is_active", "=", "false", lambda r: r["is_active"] is False),
    ("purchase_orders", "notes", "is_empty", "", lambda r: not r["notes"]),
]


@pytest.mark.matrix
@pytest.mark.parametrize("asked", ASKED, ids=[f"{kind} {path} {op}" for kind, path, op, *_ in ASKED])
async def test_what_meets_a_condition_is_what_meets_it_by_hand(
    client: Client, summarise: Summarise, everything: Everything, asked: tuple[str, str, str, Any, Holds]
) -> None:
    kind, path, op, value, holds = asked
    condition = {"field": path, "op": op, "values" if isinstance(value, list) else "value": value}
    expected = [record["id"] for record in everything[kind] if holds(record)]
    assert 0 < len(expected) < len(everything[kind]), "a condition that tells nothing apart proves nothing"
    counted = await summarise(kind, filters=[condition])
    assert counted["totals"] == {"count": len(expected)}
    assert f"{len(expected)} meet the filters" in counted["summary"]
    listed = data(
        await client.call_tool("list_records", {"kind": kind, "filters": [condition], "limit": 100, "fields": ["id"]})
    )
    assert [row[0] for row in listed["rows"]] == expected[:100]
    assert (listed["coverage"]["total"], listed["coverage"]["scanned"]) == (len(expected), len(everything[kind]))


async def test_all_conditions_must_hold(summarise: Summarise, everything: Everything) -> None:
    conditions = [
        {"field": "status", "op": "in", "values": ["Order", "In Production"]},
        {"field": "currency", "op": "=", "value": "gbp"},
        {"field": "total_amount", "op": ">=", "value": "5000"},
    ]
    found = await summarise("contracts", filters=conditions, sum=["total_amount"])
    expected = [Decimal(record["total_amount"]) for record in everything["contracts"]
                if record["status"] in {"Order", "In Production"} and record["currency"] == "GBP"
                and Decimal(record["total_amount"]) >= 5000]  # fmt: skip
    assert found["totals"]["count"] == len(expected) > 0
    assert Decimal(found["totals"]["sum_total_amount"]) == sum(expected)


async def test_nothing_that_meets_them_is_a_count_of_nought(client: Client, summarise: Summarise) -> None:
    nobody = [{"field": "status", "op": "=", "value": "Mislaid"}]
    found = await summarise("contracts", filters=nobody, group_by=["status"], sum=["total_amount"])
    assert (found["totals"]["count"], found["rows"]) == (0, [])
    listed = data(await client.call_tool("list_records", {"kind": "contracts", "filters": nobody}))
    assert listed["summary"] == "0 of 300 contracts meet the filters."
    assert listed["coverage"] == {"total": 0, "scanned": 300, "returned": 0, "from": None, "to": None, "page": 1,
                                  "last_page": 1, "complete": True, "next_page": None}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"field": "status", "op": "in"}, "filters[0].values"),
        ({"field": "status", "op": "=", "values": ["Order"]}, "filters[0].values"),
        ({"field": "status", "op": "is_empty", "value": "perhaps"}, "filters[0].value"),
        ({"field": "status", "op": "like", "value": "Ord%"}, "filters[0].op"),
        ({"field": "", "op": "=", "value": "x"}, "filters[0].field"),
    ],
)
@pytest.mark.parametrize("tool", ["summarise_records", "list_records"])
async def test_a_condition_that_means_nothing_is_refused_without_a_request(
    app: Any, client: Client, tool: str, condition: dict[str, Any], place: str
) -> None:
    app.state.requests.clear()
    told = error(await client.call_tool(tool, {"kind": "contracts", "filters": [condition]}))
    assert told["code"] == "INVALID_INPUT"
    assert told["message"].startswith(place)
    assert not len(app.state.requests)


# ---------------------------------------------------------------------------------------- values that look like others


def holds(found: Any, op: str, value: str = "", values: tuple[str, ...] = ()) -> bool:
    return Filters([("x", op, value, values)]).match({"x": found})


@pytest.mark.parametrize(
    ("found", "op", "value", "met"),
    [
        ("9", "<", "10", True),
        (Decimal("9.00000"), "=", "9", True),
        (" 9 ", "=", "9", True),
        ("-0.5", "<", "0", True),
        (10**25, ">", "1" + "0" * 24, True),
        ("ten", ">", "9", False),
        ("ten", "!=", "9", True),
        (None, "<", "9", False),
        (None, "!=", "9", True),
        ("", "!=", "9", True),
        (True, "=", "1", False),
        # A part number that only Python would take for a number is a text.
        ("00042", "=", "42", False),
        ("00042", "=", "00042", True),
        ("1E5", "=", "100000", False),
        ("1_000", "=", "1000", False),
        ("NaN", "=", "nan", True),
        ("Infinity", ">", "1", False),
        ("2026-11-21T23:30:00+00:00", "=", "2026-11-21", True),
        ("2026-11-21", "<=", "2026-11-21", True),
        ("soon", "<", "2026-11-21", False),
        ("2026-04-20T00:00:02Z", ">", "2026-04-20T00:00:01", True),
        ("2026-04-20T00:00:01Z", ">", "2026-04-20T00:00:01", False),
        ("2026-04-20 08:00:00", "<", "2026-04-20T08:00:01Z", True),
        ("2026-04-20T08:00:00", "=", "2026-04-20T10:00:00+02:00", True),
        ("2026-04-20T23:30:00-02:00", ">", "2026-04-21T01:00:00Z", True),
        ("2026-04-20T08:00:00Z", "=", "2026-04-20T09:00:00Z", False),
        ("2026-04-20T08:00:00Z", "!=", "2026-04-20T09:00:00Z", True),
        ("2026-04-20", ">=", "2026-04-20T00:00:01", False),
        ("2026-04-20", "=", "2026-04-20T00:00:00Z", True),
        ("2026-04-20T23:59:59Z", ">", "2026-04-20", False),
        ("0001-01-01T00:00:00+14:00", "<", "9999-12-31T23:59:59-12:00", True),
        ("Straße", "=", "STRASSE", True),
        ("two  words", "=", "Two Words", True),
        ("apple", "<", "Banana", True),
        ({"name": "Acme Corp", "id": 52}, "=", "acme corp", True),
        ({"street": "Mill Lane", "town": "Leeds"}, "contains", "leeds", True),
        ({}, "is_empty", "", True),
        ("  ", "is_empty", "", True),
        ([], "is_empty", "true", True),
        ([None, ""], "is_empty", "", True),
        (0, "is_empty", "", False),
        (False, "is_empty", "", False),
        ("x" * 3_000 + "needle", "contains", "NEEDLE", True),
        ("x" * 70 + "a", "=", "x" * 70 + "a", True),
        ("x" * 70 + "a", "=", "x" * 70 + "b", False),
        (["red", "Blue"], "=", "blue", True),
        (["red", "blue"], "!=", "blue", False),
    ],
)
def test_a_value_is_compared_by_what_it_is(found: Any, op: str, value: str, met: bool) -> None:
    assert holds(found, op, value) is met


def test_in_knows_each_option_by_what_it_is() -> None:
    assert holds(Decimal("10.50"), "in", values=("x", "10.5"))
    assert holds("2026-01-31T08:00:00Z", "in", values=("2026-01-31",))
    assert not holds(None, "in", values=("", "x"))


def test_elements_of_lists_within_lists_are_each_looked_at() -> None:
    record = {"lines": [{"steps": [{"n": 1}, {"n": 2}]}, {"steps": []}, {}, {"steps": [{"n": 9}]}]}
    assert all(Filters([("lines[].steps[].n", "=", n, ())]).match(record) for n in ("1", "2", "9"))
    assert not Filters([("lines[].steps[].n", ">", "9", ())]).match(record)


def test_an_unknown_field_is_noticed_also_where_an_earlier_condition_fails() -> None:
    filters = Filters([("x", "=", "1", ()), ("y", "=", "1", ())])
    assert not filters.match({"x": 2, "y": 1})
    assert filters.unknown() == []
    with pytest.raises(InputError, match=r"filters\[1\]"):
        Filters([("x", "=", "1", ()), ("y", "in", "", ())])


@pytest.mark.parametrize(
    "value", [True, None, 1.5, "", "1,5", "1.000,00", "٣", "1e400", [1], {"amount": 1}, Decimal("1e31")]
)
def test_what_is_no_number_is_none(value: Any) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize("value", ["2026-13-01", "2026-11-21 and later", "21.11.2026", "20261121", 20261121, None])
def test_what_is_no_date_is_none(value: Any) -> None:
    assert as_date(value) is None
