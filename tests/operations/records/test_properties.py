"""Whatever the records hold and however they come: groups add up to the whole, and nothing else makes a difference."""

import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraction_mcp.operations.records import all_pages
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.summary import summarise
from tests.support import Record, context_of

from .conftest import PagedErp, table

SETTINGS = settings(max_examples=settings().max_examples, suppress_health_check=[HealthCheck.too_slow])

NUMBERS = st.decimals(-(10**9), 10**9, places=5)
AMOUNTS = st.one_of(
    NUMBERS,
    NUMBERS.map(str).filter(lambda text: "E" not in text),
    st.integers(-(10**12), 10**12),
    st.none(),
    st.sampled_from(["", "n/a", "2026-11-21", True]),
)
WORDS = st.sampled_from(["Order", "order", "Lost", "", " Lost ", "Ünïcode", None, True, 7, Decimal("7.0")])
CURRENCIES = st.sampled_from(["GBP", "EUR", "USD", None, ""])
LINES = st.lists(st.fixed_dictionaries({}, optional={"n": AMOUNTS, "uom": WORDS, "currency": CURRENCIES}), max_size=4)
DATES = st.one_of(st.dates().map(lambda day: day.isoformat()), st.none(), st.just("soon"))
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "n": AMOUNTS,
        "m": AMOUNTS,
        "status": WORDS,
        "currency": CURRENCIES,
        "customer": st.fixed_dictionaries({}, optional={"name": WORDS, "n": AMOUNTS}) | st.none(),
        "lines": LINES | st.none(),
        "when": DATES,
    },
)
RECORDS = st.lists(RECORD, min_size=1, max_size=40)
# Every field is there once, so that none of them is refused as unknown.
WHOLE: Record = {
    "n": None, "m": None, "status": None, "currency": None, "when": None,
    "customer": {"name": None, "n": None}, "lines": [{"n": None, "uom": None}],
}  # fmt: skip
RECORD_PATHS = ["status", "customer.name", "customer", "currency"]
RECORD_FIGURES = ["n", "m", "customer.n", "lines[].n"]
ASKED = st.one_of(
    st.builds(
        Asked,
        group_by=st.lists(st.sampled_from(RECORD_PATHS), max_size=3, unique=True),
        sums=st.lists(st.sampled_from(RECORD_FIGURES), min_size=1, max_size=3, unique=True),
        lows=st.lists(st.sampled_from([*RECORD_FIGURES, "when"]), max_size=2, unique=True),
        highs=st.lists(st.sampled_from([*RECORD_FIGURES, "when"]), max_size=2, unique=True),
        averages=st.lists(st.sampled_from(RECORD_FIGURES), max_size=2, unique=True),
        dates=st.sampled_from([("", ""), ("when", "week"), ("when", "quarter"), ("when", "day")]),
    ),
    st.builds(
        Asked,
        group_by=st.permutations(["lines[].uom", "status"]).map(lambda paths: paths[:2]),
        sums=st.just(["lines[].n"]),
        averages=st.just(["lines[].n"]),
    ),
)


def fold_of(records: Sequence[Record], asked: Asked, *, top: int, page: int, order: random.Random) -> dict[str, Any]:
    """The summary over pages of this length, whose answers come in any order."""
    erp = PagedErp(contracts=list(records))

    async def holding(_: int) -> None:
        for _turn in range(order.randrange(5)):
            await checkpoint()

    erp.holding = holding

    async def run() -> dict[str, Any]:
        return (await summarise(context_of(erp), "contracts", asked, top=top, max_pages=1000)).to_wire()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_pages, "PAGE", page)
        found = anyio.run(run)
    assert len(erp.asked) == -(-len(records) // page)
    return found


def numbered(records: Sequence[Record]) -> list[Record]:
    return [{**record, "id": number} for number, record in enumerate([*records, WHOLE], start=1)]


@SETTINGS
@given(records=RECORDS, asked=ASKED, top=st.integers(1, 8), seed=st.randoms(use_true_random=False), data=st.data())
def test_neither_page_length_nor_arrival_nor_order_makes_a_difference(
    records: list[Record], asked: Asked, top: int, seed: random.Random, data: st.DataObject
) -> None:
    first = numbered(records)
    second = data.draw(st.permutations(first))
    found = fold_of(first, asked, top=top, page=data.draw(st.integers(1, 45)), order=seed)
    again = fold_of(second, asked, top=top, page=data.draw(st.integers(1, 45)), order=seed)
    assert sorted(found.pop("warnings")) == sorted(again.pop("warnings"))
    assert found == again


@SETTINGS
@given(
    records=RECORDS,
    asked=ASKED,
    top=st.integers(1, 60),
    page=st.integers(1, 45),
    seed=st.randoms(use_true_random=False),
)
def test_groups_add_up_to_the_whole_and_counts_to_the_coverage(
    records: list[Record], asked: Asked, top: int, page: int, seed: random.Random
) -> None:
    everything = numbered(records)
    found = fold_of(everything, asked, top=top, page=page, order=seed)
    rows, totals, coverage = table(found), found["totals"], found["coverage"]
    assert (coverage["total"], coverage["scanned"], coverage["complete"]) == (len(everything), len(everything), True)
    counted = len(everything)
    if asked.list_field:
        counted = sum(len(record.get("lines") or []) for record in everything)
    assert totals["count"] == sum(row["count"] for row in rows) == counted
    for name in asked.sums:
        expected = sums_of(everything, name)
        assert by_currency(rows, f"sum_{name}") == expected
        whole = totals[f"sum_{name}"]
        if isinstance(whole, dict):
            kept = {"" if key == "none" else key: Fraction(value) for key, value in whole.items() if value is not None}
            assert kept == expected
        elif whole is not None:
            assert {Fraction(whole)} == set(expected.values())


def by_currency(rows: Sequence[Record], column: str) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for row in rows:
        if row[column] is not None:
            sums[row.get("currency", "")] = sums.get(row.get("currency", ""), Fraction(0)) + Fraction(row[column])
    return sums


def sums_of(records: Sequence[Record], path: str) -> dict[str, Fraction]:
    """What numbers a field holds in each currency, by nothing of the package."""
    sums: dict[str, Fraction] = {}
    for record in records:
        own = record.get("currency") or ""
        if path.startswith("lines[]"):
            found = [(line.get("n"), line.get("currency") or own) for line in record.get("lines") or []]
        elif path == "customer.n":
            found = [((record.get("customer") or {}).get("n"), own)]
        else:
            found = [(record.get(path), own)]
        for value, currency in found:
            if (
                isinstance(value, int | str | Decimal)
                and not isinstance(value, bool)
                and value not in {"", "n/a", "2026-11-21"}
            ):
                sums[currency] = sums.get(currency, Fraction(0)) + Fraction(str(value))
    return sums
