"""The price rule: the largest break not above the quantity, else the selling price, else none; exact to the digit."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.operations.pricing.answer import Figures
from fraction_mcp.operations.pricing.price_list import Priced, Unpriced, price_at
from fraction_mcp.values.decimals import exact_product, exact_sum, exact_total
from tests.support import price_list

WIDGET = {"1": "12.50", "100": "10.00", "500": "8.50"}


def priced(breaks: object, quantity: str, **fields: object) -> Priced:
    found = price_at(price_list(breaks, **fields), Decimal(quantity))  # type: ignore[arg-type]
    assert isinstance(found, Priced)
    return found


def refused(breaks: object, quantity: str, **fields: object) -> str:
    found = price_at(price_list(breaks, **fields), Decimal(quantity))  # type: ignore[arg-type]
    assert isinstance(found, Unpriced)
    return found.reason


@pytest.mark.parametrize(
    ("quantity", "unit_price", "total", "reached"),
    [
        ("1", "12.50", "12.50", "1"),
        ("99", "12.50", "1237.50", "1"),
        ("99.999999", "12.50", "1250.00", "1"),  # 1249.9999875
        ("100", "10.00", "1000.00", "100"),
        ("100.000001", "10.00", "1000.00", "100"),
        ("250", "10.00", "2500.00", "100"),
        ("499.5", "10.00", "4995.00", "100"),
        ("500", "8.50", "4250.00", "500"),
        ("999999999999", "8.50", "8499999999991.50", "500"),
    ],
)
def test_the_largest_break_not_above_the_quantity_holds(
    quantity: str, unit_price: str, total: str, reached: str
) -> None:
    found = priced(WIDGET, quantity)
    assert (found.unit_price, found.line_total, found.break_quantity) == tuple(
        map(Decimal, (unit_price, total, reached))
    )


def test_below_every_break_the_selling_price_holds_and_the_lowest_break_is_the_next() -> None:
    found = priced({"10": "9", "50": "8"}, "9.5", selling_price="10.50000")
    assert (found.unit_price, found.line_total, found.break_quantity) == (Decimal("10.5"), Decimal("99.75"), None)
    assert found.next_break == (Decimal(10), Decimal(9))


def test_a_list_without_breaks_has_its_selling_price_at_any_quantity() -> None:
    found = priced({}, "3", selling_price="4.75")
    assert (found.line_total, found.break_quantity, found.next_break) == (Decimal("14.25"), None, None)


def test_a_selling_price_of_nought_is_a_price() -> None:
    assert priced({}, "3", selling_price="0.00000").line_total == 0


def test_below_every_break_and_without_a_selling_price_there_is_none_and_the_reason_says_where_it_begins() -> None:
    reason = refused({"100": "9", "10": "10"}, "9.5")
    assert reason == "9.5 is below the lowest break of 10, and there is no base selling price"


def test_a_list_that_holds_nothing_has_no_price() -> None:
    assert refused({}, "1") == "the price list holds neither breaks nor a base selling price"


def test_breaks_are_sorted_before_use() -> None:
    shuffled = {"50": "118.25", "1": "145", "100": "109.9", "10": "131.5"}
    assert [priced(shuffled, quantity).unit_price for quantity in ("1", "10", "49", "50", "100")] == [
        Decimal(price) for price in ("145", "131.5", "131.5", "118.25", "109.9")
    ]
    assert priced(shuffled, "12").next_break == (Decimal(50), Decimal("118.25"))


def test_of_two_prices_for_the_same_quantity_none_is_picked() -> None:
    flange = [("1", "32"), ("10", "28.5"), ("10.0", "27.25"), ("50", "24.1")]
    reason = refused(flange, "12", selling_price="32")
    assert reason == "the list holds the break of 10 twice, at 27.25 and 28.50: which one holds is not known"


def test_a_quantity_that_stands_twice_hurts_only_those_whom_it_concerns() -> None:
    flange = [("1", "32"), ("10", "28.5"), ("10", "27.25"), ("50", "24.1")]
    assert priced(flange, "50").unit_price == Decimal("24.1")
    below = priced(flange, "9")
    assert (below.unit_price, below.next_break) == (Decimal(32), None)  # what the next break costs is not known


def test_the_same_break_twice_at_the_same_price_is_one() -> None:
    twice = [("1", "32"), ("10", "28.50000"), ("10.00", "28.5")]
    assert priced(twice, "12").unit_price == Decimal("28.5")
    assert priced(twice, "2").next_break == (Decimal(10), Decimal("28.5"))


def test_decimal_quantities_reach_decimal_breaks() -> None:
    bar = {"0.5": "21.75", "3": "18.4", "12.25": "16.12345"}
    assert priced(bar, "0.5").line_total == Decimal("10.88")  # 10.875, half up
    assert priced(bar, "12.249999").unit_price == Decimal("18.4")
    assert priced(bar, "12.25").line_total == Decimal("197.51")  # 197.5122625
    assert refused(bar, "0.499999").startswith("0.499999 is below the lowest break of 0.5")


def test_a_price_keeps_its_five_decimals_and_only_the_total_is_rounded() -> None:
    pin = priced({"1000": "0.03125"}, "1000")
    assert (pin.unit_price, pin.line_total) == (Decimal("0.03125"), Decimal("31.25"))
    assert priced({"1": "0.03125"}, "12").line_total == Decimal("0.38")  # 0.375


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        ("0.005", "1", "0.01"),
        ("0.0049", "1", "0.00"),
        ("0.015", "1", "0.02"),
        ("0.025", "1", "0.03"),
        ("1.005", "1", "1.01"),
    ],
)
def test_a_total_is_rounded_half_up(price: str, quantity: str, total: str) -> None:
    """Half to even, Python's own way, would make 0.02 of 0.025; a float would make 1.00 of 1.005."""
    assert priced({"1": price}, quantity).line_total == Decimal(total)


def test_figures_of_the_greatest_size_stay_exact() -> None:
    found = priced({"1": "999999999999.999999"}, "999999999999.999999")
    assert found.line_total == Decimal("999999999999999998000000.00")
    assert str(priced({"1": "12345678901234567890.12345"}, "123456789012.654321").line_total) == (
        "1524157875327694071296295468979.96"
    )


def test_a_sum_is_not_rounded_to_pythons_28_digits() -> None:
    assert exact_sum([Decimal("1e30"), Decimal("0.01")] * 2) == Decimal("2000000000000000000000000000000.02")


# ------------------------------------------------------------------------------------------------ against a reference

figures = st.decimals(min_value=0, max_value=10**9, places=5, allow_nan=False, allow_infinity=False)
quantities = st.decimals(min_value="0.000001", max_value=10**9, places=6, allow_nan=False, allow_infinity=False)
breaks = st.lists(st.tuples(st.decimals(min_value=0, max_value=10**4, places=2), figures), max_size=8)


def naive(steps: list[tuple[Decimal, Decimal]], selling: Decimal | None, quantity: Decimal) -> Fraction | None:
    """The unit price by the contract's sentence, read as plainly as can be."""
    best = None
    for asked, _ in steps:
        if asked <= quantity and (best is None or asked > best):
            best = asked
    if best is None:
        return None if selling is None else Fraction(selling)
    prices = {Fraction(price) for asked, price in steps if asked == best}
    return prices.pop() if len(prices) == 1 else None


@given(breaks, st.none() | figures, quantities)
def test_every_price_is_the_naive_references(
    steps: list[tuple[Decimal, Decimal]], selling: Decimal | None, quantity: Decimal
) -> None:
    sent = [(str(asked), str(price)) for asked, price in steps]
    found = price_at(price_list(sent, selling_price=selling), quantity)
    expected = naive(steps, selling, quantity)
    assert isinstance(found, Unpriced) == (expected is None)
    if isinstance(found, Priced) and expected is not None:
        assert Fraction(found.unit_price) == expected
        cents = expected * Fraction(quantity) * 100
        assert Fraction(found.line_total) * 100 == int(cents + Fraction(1, 2))  # half up, of what is not negative


@given(breaks, st.none() | figures, quantities, st.randoms(use_true_random=False))
def test_the_order_of_the_breaks_never_matters(
    steps: list[tuple[Decimal, Decimal]], selling: Decimal | None, quantity: Decimal, random: object
) -> None:
    sent = [(str(asked), str(price)) for asked, price in steps]
    first = price_at(price_list(sent, selling_price=selling), quantity)
    random.shuffle(sent)  # type: ignore[attr-defined]
    assert price_at(price_list(sent, selling_price=selling), quantity) == first


@given(breaks, quantities)
def test_the_next_break_is_the_lowest_one_above_the_quantity(
    steps: list[tuple[Decimal, Decimal]], quantity: Decimal
) -> None:
    found = price_at(price_list([(str(q), str(p)) for q, p in steps], selling_price="1"), quantity)
    above = sorted({asked for asked, _ in steps if asked > quantity})
    if isinstance(found, Priced) and found.next_break is not None:
        assert found.next_break[0] == above[0]
        assert found.next_break[1] in {price for asked, price in steps if asked == above[0]}
    elif isinstance(found, Priced) and above:
        assert len({price for asked, price in steps if asked == above[0]}) > 1


@given(figures, quantities)
def test_a_total_is_the_product_to_the_nearest_cent(price: Decimal, quantity: Decimal) -> None:
    total = priced({"0": str(price)}, str(quantity)).line_total
    assert abs(Fraction(total) - Fraction(price) * Fraction(quantity)) <= Fraction(1, 200)
    assert total == total.quantize(Decimal("0.01"), ROUND_HALF_UP)


# ------------------------------------------------------------------------------------------------- more that costs less

STEPS = st.lists(
    st.tuples(st.decimals(min_value="0.25", max_value=60, places=2), st.decimals(min_value=0, max_value=50, places=3)),
    max_size=6,
)
QUANTITIES = st.decimals(min_value="0.25", max_value=70, places=2)
BASES = st.none() | st.decimals(min_value=0, max_value=50, places=2)


@given(STEPS, BASES, QUANTITIES, st.lists(QUANTITIES, max_size=30))
def test_what_is_cheaper_at_more_is_the_cheapest_of_all_quantities_from_the_asked_one_on(
    steps: list[tuple[Decimal, Decimal]], base: Decimal | None, quantity: Decimal, others: list[Decimal]
) -> None:
    held = price_list([(str(at), str(price)) for at, price in steps], selling_price=base)
    priced = price_at(held, quantity)
    if not isinstance(priced, Priced):
        return
    cheapest = priced.line_total if priced.cheaper is None else exact_total(priced.cheaper[1], priced.cheaper[0])
    above = {each for each in (*others, *(at for at, _ in steps), quantity) if each >= quantity}
    known = [one.line_total for one in (price_at(held, each) for each in above) if isinstance(one, Priced)]
    assert cheapest == min(known)
    assert (priced.cheaper is None) == (cheapest == priced.line_total)


@given(STEPS, QUANTITIES)
def test_nothing_that_is_extra_is_below_zero_and_nothing_that_is_saved_is_nothing(
    steps: list[tuple[Decimal, Decimal]], quantity: Decimal
) -> None:
    held = price_list([(str(at), str(price)) for at, price in steps], selling_price="7")
    priced = price_at(held, quantity)
    if not isinstance(priced, Priced):
        return
    figures = Figures.of(priced, quantity, "GBP")
    assert figures.next_break is None or figures.next_break.extra_cost > 0
    assert figures.cheaper_at_more is None or figures.cheaper_at_more.saving > 0
    rounded_from = figures.line_total if figures.line_total_exact is None else figures.line_total_exact
    assert rounded_from == exact_product(priced.unit_price, quantity)
