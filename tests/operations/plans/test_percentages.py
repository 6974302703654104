"""A price changed by a percentage, beside the same in whole numbers."""

from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.operations.plans.price_list import _times
from fraction_mcp.values.decimals import exact_sum

PRICES = st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(0, 10**12), st.integers(0, 6))
PERCENT = st.builds(lambda digits: Decimal(digits).scaleb(-2), st.integers(-9_999, 100_000))


@given(PRICES, PERCENT)
def test_each_price_is_the_nearest_one_of_its_own_decimals_and_a_half_goes_up(price: Decimal, percent: Decimal) -> None:
    changed = _times(price, exact_sum((Decimal(1), percent.scaleb(-2))))
    places = max(2, -min(0, int(price.normalize().as_tuple().exponent)))
    units = Fraction(price) * (1 + Fraction(percent) / 100) * 10**places
    assert Fraction(changed) == Fraction(floor(units + Fraction(1, 2)), 10**places)
