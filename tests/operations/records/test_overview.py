"""What an overview says of itself: shares that add up, limits that fall into ties, currencies, values there are."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.errors import InputError
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.listing import Shown, list_kind
from fraction_mcp.operations.records.summary import summarise
from fraction_mcp.values.decimals import per_cent
from tests.support import ListedErp, Record, context_of

from .conftest import Summarise, table

pytestmark = pytest.mark.anyio

AMOUNTS = st.lists(st.decimals(min_value=-1000, max_value=100_000, places=2), min_size=1, max_size=60)


def sale(number: int, status: str = "Open", total: str = "10.00", currency: str = "GBP", **fields: Any) -> Record:
    return {"id": number, "status": status, "total_amount": total, "currency": currency, **fields}


SALES = [
    sale(1, "Open", "30.00"),
    sale(2, "Open", "20.00", "EUR"),
    sale(3, "Paid", "20.00"),
    sale(4, "Lost", "5.00"),
    sale(5, "Void", "5.00"),
]


async def summed(records: Sequence[Record] = SALES, **more: Any) -> dict[str, Any]:
    limits = {name: more.pop(name) for name in ("top", "max_pages", "max_records", "conditions") if name in more}
    answer = await summarise(context_of(ListedErp(invoices=records)), "invoices", Asked(**more), **limits)
    return answer.to_wire()


async def listed(
    records: Sequence[Record] = SALES, *conditions: tuple[str, str, str, Sequence[str]], **shown: Any
) -> dict[str, Any]:
    context = context_of(ListedErp(invoices=records))
    return (await list_kind(context, "invoices", Shown(**shown), conditions=conditions)).to_wire()


# --------------------------------------------------------------------------------------------------------------- shares


@given(AMOUNTS)
def test_shares_add_to_exactly_100_and_none_is_a_tenth_away_from_the_truth(amounts: list[Decimal]) -> None:
    shares, whole = per_cent(amounts), sum(map(Fraction, amounts))
    if not whole:
        assert shares is None
        return
    assert shares is not None
    assert sum(shares) == Decimal("100.0")
    for amount, share in zip(amounts, shares, strict=True):
        assert abs(Fraction(share) - Fraction(amount) * 100 / whole) < Fraction(1, 10)


def test_thirds_give_the_tenth_that_is_left_to_the_first() -> None:
    assert per_cent([Decimal(1)] * 3) == [Decimal("33.4"), Decimal("33.3"), Decimal("33.3")]


async def test_each_group_has_its_share_of_the_count_and_of_its_currencys_sum() -> None:
    found = await summed(group_by=["status"], sums=["total_amount"], shares=["count", "total_amount"])
    assert found["columns"] == [
        "status",
        "currency",
        "count",
        "sum_total_amount",
        "share_count",
        "share_total_amount",
    ]
    assert [
        (row["status"], row["currency"], row["share_count"], row["share_total_amount"]) for row in table(found)
    ] == [
        ("Open", "GBP", "20.0", "50.0"),
        ("Open", "EUR", "20.0", "100.0"),
        ("Paid", "GBP", "20.0", "33.4"),
        ("Lost", "GBP", "20.0", "8.3"),
        ("Void", "GBP", "20.0", "8.3"),
    ]


async def test_the_groups_that_share_a_row_have_a_share_together(summarise: Summarise) -> None:
    found = await summarise("contracts", group_by=["customer.name"], sum=["total_amount"], share=["count"], top=3)
    shares = [Decimal(row["share_count"]) for row in table(found)]
    assert (len(shares) > 3, sum(shares)) == (True, Decimal("100.0"))


async def test_a_share_of_what_is_not_summed_is_refused() -> None:
    with pytest.raises(InputError, match="share: goes with count or a field of sum, which total_amount is not"):
        await summed(group_by=["status"], shares=["total_amount"])


# --------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(("most", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3)])
async def test_no_more_records_are_counted_than_were_allowed(most: int, pages: int) -> None:
    erp = ListedErp(invoices=[sale(number) for number in range(1, 351)])
    answer = await summarise(context_of(erp), "invoices", Asked(group_by=["status"]), max_records=most)
    assert (answer.totals["count"], answer.coverage.scanned, answer.coverage.complete) == (most, most, False)
    assert answer.warnings[0] == f"Partial: {most} of 350 records were read, as max_records allows."
    assert "raise max_records" in answer.next
    assert erp.requests == pages


async def test_as_many_records_as_there_are_is_all_of_them() -> None:
    found = await summed(group_by=["status"], max_records=5)
    assert (found["coverage"]["complete"], found["warnings"]) == (True, [])


async def test_a_top_that_falls_into_a_tie_says_so() -> None:
    found = await summed(group_by=["status"], top=2)
    assert found["warnings"] == [
        "The limit of 2 falls into a tie: 2 further groups are as large as the last one shown."
    ]
    assert (await summed(group_by=["status"], top=1))["warnings"] == []


@pytest.mark.parametrize("filtered", [False, True])
async def test_a_row_limit_that_falls_into_a_tie_says_so(filtered: bool) -> None:
    conditions = [("id", ">", "0", ())] if filtered else []
    tie = "The limit falls into a tie: row 3 and the one after it have the same status, 'Open'."
    records = [sale(number, status) for number, status in enumerate(["Lost", "Open", "Open", "Open", "Paid"], start=1)]
    assert (await listed(records, *conditions, sort="status", limit=3))["warnings"] == [tie]
    for limit in (1, 4, 5):
        assert (await listed(records, *conditions, sort="status", limit=limit))["warnings"] == []


# ----------------------------------------------------------------------------------------------------------- currencies


async def test_the_currency_stands_beside_each_amount_where_there_are_several() -> None:
    assert (await listed())["columns"][-1] == "currency"
    assert (await listed(fields=["total_amount"]))["warnings"] == [
        "The amounts are in several currencies: add currency to fields."
    ]


async def test_one_currency_is_said_once() -> None:
    found = await listed([sale(1), sale(2)], fields=["total_amount"])
    assert found["summary"] == "All 2 invoices; amounts in GBP."
    assert (await summed([sale(1), sale(2)], sums=["total_amount"]))["totals"] == {
        "count": 2,
        "currency": "GBP",
        "sum_total_amount": "20",
    }


async def test_amounts_of_several_currencies_that_are_compared_as_numbers_are_warned_of() -> None:
    warning = "Amounts of several currencies (EUR, GBP) were compared by total_amount as numbers: filter by currency."
    above = ("total_amount", ">=", "20", ())
    assert warning in (await listed(SALES, above))["warnings"]
    assert warning in (await listed(sort="total_amount"))["warnings"]
    assert warning in (await summed(conditions=[above]))["warnings"]
    assert (await listed(SALES, above, ("currency", "=", "GBP", ()), sort="id"))["summary"].startswith("2 of 5")
    assert (await listed(SALES, ("id", ">", "1", ())))["warnings"] == []


# --------------------------------------------------------------------------------------------------------------- values


async def test_a_value_that_no_record_has_is_answered_with_the_values_there_are() -> None:
    said = "No record has status Closed: there are Open (2), Paid (1), Lost (1), Void (1)."
    assert (await listed(SALES, ("status", "=", "Closed", ())))["next"] == said
    assert (await summed(conditions=[("status", "=", "Closed", ())]))["next"] == said
    neither = await listed(SALES, ("status", "in", "", ("Closed", "Gone")))
    assert neither["next"].startswith("No record has status 'Closed, Gone': there are Open (2)")
    assert "next" not in await listed(SALES, ("status", "=", "open", ()))


async def test_of_a_field_with_many_values_none_are_listed() -> None:
    records = [sale(number, f"S{number}") for number in range(1, 30)]
    assert "next" not in await listed(records, ("status", "=", "Closed", ()))


async def test_the_sentence_puts_the_filter_before_the_sort() -> None:
    found = await listed(SALES, ("status", "=", "Open", ()), sort="id", order="desc")
    assert found["summary"] == "2 of 5 invoices meet the filters, sorted by id descending."
