"""A price list and a quantity -> a price, exactly, or the reason why there is none.

The rule (contract, Pricing): the break with the largest quantity not above the one asked; below every break, the base
selling price; otherwise no price. `fractionerp-rest-api.txt` promises neither that breaks come sorted nor that a
quantity stands there once: they are sorted here, and of two prices for the same quantity none is picked.
"""

from dataclasses import dataclass
from decimal import Decimal

from fraction_mcp.erp.records import PriceList
from fraction_mcp.values.decimals import exact_total, plain

__all__ = ["Priced", "Unpriced", "price_at"]


@dataclass(frozen=True, slots=True)
class Priced:
    """`break_quantity` is None where the base selling price applies. `next_break` is (quantity, unit price)."""

    unit_price: Decimal
    line_total: Decimal
    break_quantity: Decimal | None
    next_break: tuple[Decimal, Decimal] | None


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Where the list holds a break at several prices, `at_break` and `prices` say which."""

    reason: str
    at_break: Decimal | None = None
    prices: tuple[Decimal, ...] = ()


def price_at(price_list: PriceList, quantity: Decimal) -> Priced | Unpriced:
    """The price of `quantity` (in the part's unit of measure) by one customer's list."""
    by_quantity: dict[Decimal, set[Decimal]] = {}
    for step in price_list.price_breaks:
        by_quantity.setdefault(step.quantity, set()).add(step.unit_price)
    reached = max((q for q in by_quantity if q <= quantity), default=None)
    if reached is not None and len(by_quantity[reached]) > 1:
        several = tuple(sorted(by_quantity[reached]))
        prices = " and ".join(plain(price, 2) for price in several)
        return Unpriced(
            f"the list holds the break of {plain(reached)} twice, at {prices}: which one holds is not known",
            reached,
            several,
        )
    if reached is not None:
        (unit_price,) = by_quantity[reached]
    elif price_list.selling_price is not None:
        unit_price = price_list.selling_price
    elif by_quantity:
        least = plain(min(by_quantity))
        return Unpriced(f"{plain(quantity)} is below the lowest break of {least}, and there is no base selling price")
    else:
        return Unpriced("the price list holds neither breaks nor a base selling price")
    following = min((q for q in by_quantity if q > quantity), default=None)
    known = following is not None and len(by_quantity[following]) == 1
    next_break = (following, min(by_quantity[following])) if following is not None and known else None
    return Priced(unit_price, exact_total(unit_price, quantity), reached, next_break)
