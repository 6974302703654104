"""What a customer pays by one list and would pay by another: at every quantity, none overlooked."""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fraction_mcp.erp.records import PriceList
from fraction_mcp.operations.plans.repricing import break_list, changes, compared, warnings
from fraction_mcp.operations.pricing.price_list import Priced, price_at
from tests.support import price_list

QUANTITIES = st.decimals(min_value="0.25", max_value=60, places=2) | st.integers(1, 60).map(Decimal)
PRICES = st.decimals(min_value=0, max_value=20, places=3)
LISTS = st.builds(
    lambda breaks, base: price_list(
        [(str(quantity), str(price)) for quantity, price in breaks.items()],
        **({} if base is None else {"selling_price": str(base)}),
    ),
    st.dictionaries(QUANTITIES, PRICES, max_size=8),
    st.none() | PRICES,
)


def told(old: PriceList | None, new: PriceList) -> list[str]:
    return warnings(compared(old, new))


def covers(warning: str, quantity: Decimal) -> bool:
    """Whether a warning's own words speak of this quantity."""
    if "at every quantity" in warning:
        return True
    if found := re.search(r" below (\d+(?:\.\d+)?)", warning.replace(" to below ", " until ")):
        return quantity < Decimal(found[1])
    found = re.search(r"from (\d+(?:\.\d+)?) (?:on|to below (\d+(?:\.\d+)?))", warning)
    assert found, warning
    return Decimal(found[1]) <= quantity and (found[2] is None or quantity < Decimal(found[2]))


def everywhere(*lists: PriceList) -> list[Decimal]:
    """Quantities from a little to beyond the last break: each whole one, each break, and right beside each break."""
    breaks = {step.quantity for one in lists for step in one.price_breaks}
    last = int(max(breaks, default=Decimal(1))) + 3
    beside = {quantity + tiny for quantity in breaks for tiny in (Decimal("-0.001"), Decimal(0), Decimal("0.001"))}
    return sorted({*map(Decimal, range(1, last)), *beside, Decimal("0.5"), Decimal("1.5"), Decimal(last) * 1000})


@given(LISTS, LISTS)
def test_a_change_of_more_than_twenty_per_cent_stands_in_the_warnings_at_whatever_quantity(
    old: PriceList, new: PriceList
) -> None:
    jumps = [warning for warning in told(old, new) if "more than 20 %" in warning]
    for quantity in everywhere(old, new):
        before, after = price_at(old, quantity), price_at(new, quantity)
        words = []
        if isinstance(before, Priced) and isinstance(after, Priced):
            paid, would = Fraction(before.unit_price), Fraction(after.unit_price)
            if abs(would - paid) > paid / 5:
                words = ["more" if would > paid else "less"]
        found = [re.search(r"more than 20 % (\w+)", warning) for warning in jumps if covers(warning, quantity)]
        assert [match[1] for match in found if match] == words, (quantity, jumps)


@pytest.mark.slow
@given(LISTS, LISTS)
def test_a_price_that_goes_or_comes_is_said_at_whatever_quantity(old: PriceList, new: PriceList) -> None:
    for quantity in everywhere(old, new):
        has, will = (isinstance(price_at(one, quantity), Priced) for one in (old, new))
        said = [warning for warning in told(old, new) if covers(warning, quantity)]
        assert any(warning.startswith("No price any more") for warning in said) is (has and not will)
        assert any(warning.startswith("A price where there was none") for warning in said) is (will and not has)


@given(LISTS, LISTS)
def test_the_worst_change_is_the_first_warning(old: PriceList, new: PriceList) -> None:
    worst = Fraction(1)
    for quantity in everywhere(old, new):
        before, after = price_at(old, quantity), price_at(new, quantity)
        if isinstance(before, Priced) and isinstance(after, Priced):
            low, high = sorted((Fraction(before.unit_price), Fraction(after.unit_price)))
            assume(low)
            worst = max(worst, high / low)
    jumps = [re.search(r"would pay ([\d.]+) instead of ([\d.]+)", line) for line in told(old, new) if "20 %" in line]
    factors = [
        max(Fraction(found[1]) / Fraction(found[2]), Fraction(found[2]) / Fraction(found[1]))
        for found in jumps
        if found
    ]
    assert factors == sorted(factors, reverse=True)
    if factors:
        assert factors[0] == worst


@given(LISTS, LISTS)
def test_the_table_says_for_each_break_of_either_list_what_is_paid(old: PriceList, new: PriceList) -> None:
    rows = {row.field: (row.before, row.after) for row in changes(compared(old, new))}
    for step in (*old.price_breaks, *new.price_breaks):
        before, after = rows[f"pays at {step.quantity.normalize():f}"]
        for one, words in ((old, before), (new, after)):
            price = price_at(one, step.quantity)
            shown = f"{price.unit_price:f}" if isinstance(price, Priced) else "no price"
            assert words is not None
            assert words.split()[0] == "no" if shown == "no price" else Decimal(words.split()[0]) == Decimal(shown)


def test_a_price_that_falls_where_the_old_list_has_no_break_is_told_in_so_many_words() -> None:
    old = price_list({"1": "8.00"})
    assert told(old, price_list({"1": "8.00", "10": "0.01", "50": "8.00"})) == [
        "At 10 the customer would pay 0.01 instead of 8.00 (−99.9 %): more than 20 % less from 10 to below 50."
    ]


def test_the_base_selling_price_counts_below_the_first_break() -> None:
    old, new = price_list({"100": "5"}, selling_price="10.00"), price_list({"100": "5"}, selling_price="1.00")
    assert told(old, new) == [
        "At 1 the customer would pay 1.00 instead of 10.00 (−90.0 %): more than 20 % less below 100."
    ]
    assert [(row.field, row.before, row.after) for row in changes(compared(old, new))] == [
        ("pays at 1", "10.00 each", "1.00 each (−90.0 %)"),
        ("pays at 100", "5.00 each", "5.00 each"),
    ]


def test_neighbouring_changes_are_one_warning_that_names_the_worst() -> None:
    old = price_list({"1": "10", "10": "8", "100": "6"})
    assert told(old, price_list({"1": "5", "10": "1", "100": "2"})) == [
        "At 10 the customer would pay 1.00 instead of 8.00 (−87.5 %): more than 20 % less from 1 on."
    ]


def test_a_price_from_nothing_has_no_per_cent_and_is_told() -> None:
    assert told(price_list({"1": "0"}), price_list({"1": "5"})) == [
        "At 1 the customer would pay 5.00 instead of 0.00: more than 20 % more from 1 on."
    ]
    assert told(price_list({"1": "-5"}), price_list({"1": "5"})) == [
        "At 1 the customer would pay 5.00 instead of -5.00: more than 20 % more from 1 on."
    ]


def test_a_quantity_that_the_list_holds_at_two_prices_is_said_to_be_unclear() -> None:
    old = price_list([("1", "9"), ("10", "8"), ("10", "7"), ("50", "6")])
    new = price_list({"1": "9", "10": "8", "50": "6"})
    (warning,) = told(old, new)
    assert warning == (
        "What the customer pays now from 10 to below 50 is not known: the list holds 10 at 2 prices, 7.00 or 8.00. "
        "At 10 they would pay 8.00."
    )
    rows = {row.field: (row.before, row.after) for row in changes(compared(old, new))}
    assert rows["pays at 10"] == ("not known: 7.00 or 8.00", "8.00 each")
    assert break_list(old) == "1 at 9.00, 10 at 8.00, 10 at 7.00, 50 at 6.00"


def test_a_quantity_at_very_many_prices_is_warned_of_in_a_line_that_is_kept_whole() -> None:
    old = price_list([("10", f"{number}.125") for number in range(1, 60)])
    (warning,) = told(old, price_list({"10": "0.01"}))
    assert warning == (
        "What the customer pays now from 10 on is not known: the list holds 10 at 59 prices, from 1.125 to 59.125. "
        "At 10 they would pay 0.01."
    )
    assert len(warning) < 300  # what a plan keeps of one


def test_a_first_list_warns_of_no_change() -> None:
    new = price_list({"10": "5"})
    assert told(None, new) == []
    assert [(row.field, row.before, row.after) for row in changes(compared(None, new))] == [
        ("pays at 1", None, "no price"),
        ("pays at 10", None, "5.00 each"),
    ]


def hundred(prices: Sequence[str]) -> PriceList:
    return price_list([(str(10 * number), price) for number, price in enumerate(prices, start=1)])


def test_a_list_of_a_hundred_breaks_stays_readable_where_few_of_them_change() -> None:
    old = hundred([f"{200 - number}" for number in range(100)])
    new = hundred([f"{200 - number}" if number != 40 else "1" for number in range(100)])
    rows = changes(compared(old, new))
    assert [(row.field, row.before, row.after) for row in rows] == [
        ("pays at 1 to 400", "the same at each of 41 steps", "the same at each of 41 steps"),
        ("pays at 410", "160.00 each", "1.00 each (−99.4 %)"),
        ("pays at 420 to 1000", "the same at each of 59 steps", "the same at each of 59 steps"),
    ]
    assert told(old, new) == [
        "At 410 the customer would pay 1.00 instead of 160.00 (−99.4 %): more than 20 % less from 410 to below 420."
    ]


@pytest.mark.parametrize("count", [1, 100])
def test_no_warning_is_longer_than_a_plan_may_keep(count: int) -> None:
    widest = "999999999999.999999"
    old = price_list([(f"{number}.000001", widest) for number in range(1, count + 1)], selling_price=widest)
    new = price_list([(f"{number}.000002", "0.000001") for number in range(1, count + 1)])
    assert max(map(len, told(old, new))) <= 300
