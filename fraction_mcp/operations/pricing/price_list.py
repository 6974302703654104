"""A price list and a quantity -> a price, exactly, or the reason why there is none.

The rule (docs/contract.md): the break with the largest quantity not above the one asked; below every break, the base
selling price; otherwise no price. `fractionerp-rest-api.txt` promises neither that breaks come sorted nor that a
quantity stands there once: they are sorted here, and of two prices for the same quantity none is picked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from fraction_mcp.erp.records import PriceList
from fraction_mcp.values.decimals import exact_total, plain

__all__ = ["Break", "Priced", "Unpriced", "price_at"]


Break = tuple[Decimal, Decimal]
"""A price break: quantity and unit price."""


@dataclass(frozen=True, slots=True)
class Priced:
    """`break_quantity` is None where the base selling price applies; `next_break` where there is none, or where it
    stands there at several prices (`unclear_next`). `cheaper` is the break whose whole quantity costs less than this
    one: of all breaks above the one that costs least."""

    unit_price: Decimal
    line_total: Decimal
    break_quantity: Decimal | None
    next_break: Break | None
    cheaper: Break | None = None
    unclear_next: Decimal | None = None


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
    line_total = exact_total(unit_price, quantity)
    following = min((q for q in by_quantity if q > quantity), default=None)
    known = {q: min(prices) for q, prices in by_quantity.items() if q > quantity and len(prices) == 1}
    return Priced(
        unit_price,
        line_total,
        reached,
        next_break=(following, known[following]) if following in known else None,
        cheaper=_cheapest(known, line_total),
        unclear_next=following if following not in known else None,
    )


def _cheapest(above: Mapping[Decimal, Decimal], line_total: Decimal) -> Break | None:
    """The break that costs least of those that cost less than `line_total`: from a break on, more costs more, so that
    no other quantity can. A price below zero is no price to buy more at."""
    totals = [(exact_total(price, quantity), quantity) for quantity, price in above.items() if price >= 0]
    total, quantity = min(totals, default=(line_total, None))
    return (quantity, above[quantity]) if quantity is not None and total < line_total else None
