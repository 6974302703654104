"""A price as every result states it, of one part or of an order's line: what it is by, the next break, what is cheaper.

The figures and the words about them; the arithmetic is `price_list`'s.
"""

from decimal import Decimal
from typing import Literal

from fraction_mcp.erp.records import PriceList
from fraction_mcp.operations.pricing.price_list import Priced
from fraction_mcp.operations.pricing.units import per_unit
from fraction_mcp.operations.results import ResultPart, where_it_says_something
from fraction_mcp.values.decimals import exact_product, plain
from fraction_mcp.values.money import Amount, ExactAmount, Money, Quantity, UnitPrice

__all__ = ["Basis", "CheaperAtMore", "Figures", "NextBreak", "break_words", "further_words"]

Basis = Literal["price_break", "selling_price"]


class NextBreak(ResultPart):
    """The next break above: what its whole quantity costs, and how much more that is."""

    quantity: Quantity
    unit_price: UnitPrice
    line_total: Amount
    extra_cost: Amount


class CheaperAtMore(ResultPart):
    """The quantity above that costs least in all, where that is less than what was asked for; and by how much."""

    quantity: Quantity
    unit_price: UnitPrice
    line_total: Amount
    saving: Amount


class Figures(ResultPart):
    """What a quantity costs by one price list. `line_total_exact` is what `line_total` was rounded from."""

    unit_price: UnitPrice
    line_total: Amount
    line_total_exact: ExactAmount | None = where_it_says_something
    basis: Basis
    break_quantity: Quantity | None
    next_break: NextBreak | None
    cheaper_at_more: CheaperAtMore | None

    @classmethod
    def of(cls, priced: Priced, quantity: Decimal, currency: str) -> "Figures":
        total = Money(priced.line_total, currency)
        exact = exact_product(priced.unit_price, quantity)
        return cls(
            unit_price=priced.unit_price,
            line_total=total.amount,
            line_total_exact=exact if exact != total.amount else None,
            basis="selling_price" if priced.break_quantity is None else "price_break",
            break_quantity=priced.break_quantity,
            next_break=_next_break(priced, total),
            cheaper_at_more=_cheaper(priced, total),
        )


def _next_break(priced: Priced, total: Money) -> NextBreak | None:
    """None where there is none, and where it costs no more in all: then nothing is extra."""
    if priced.next_break is None:
        return None
    quantity, unit_price = priced.next_break
    then = Money.of(unit_price, quantity, total.currency)
    if not total < then:
        return None
    extra = then - total
    return NextBreak(quantity=quantity, unit_price=unit_price, line_total=then.amount, extra_cost=extra.amount)


def _cheaper(priced: Priced, total: Money) -> CheaperAtMore | None:
    if priced.cheaper is None:
        return None
    quantity, unit_price = priced.cheaper
    then = Money.of(unit_price, quantity, total.currency)
    saving = total - then
    return CheaperAtMore(quantity=quantity, unit_price=unit_price, line_total=then.amount, saving=saving.amount)


# --------------------------------------------------------------------------------------------------------------- words


def further_words(priced: Priced, quantity: Decimal, uom: str) -> str:
    """What a sentence about a price goes on with: the next break, and where more costs less in all, which."""
    words = [_next_words(priced, uom)] if priced.cheaper is None or priced.cheaper != priced.next_break else []
    if priced.cheaper is not None:
        more, unit_price = priced.cheaper
        then = Money.of(unit_price, more, "")
        saving = Money(priced.line_total) - then
        words.append(f"{plain(more)} cost {then.figure}, {saving.figure} less than {plain(quantity)}")
    return "; ".join(words)


def _next_words(priced: Priced, uom: str) -> str:
    if priced.unclear_next is not None:
        return f"the list holds the next break, {plain(priced.unclear_next)}, at several prices: none is known to hold"
    if priced.next_break is None:
        return "no further break"
    quantity, unit_price = priced.next_break
    price = f"{plain(unit_price, 2)} {per_unit(uom)}"
    if unit_price > priced.unit_price:
        return f"from {plain(quantity)} it is dearer, {price}"
    same = Money.of(unit_price, quantity, "").amount == priced.line_total
    return f"from {plain(quantity)} it is {price}" + (f", and {plain(quantity)} cost the same in all" if same else "")


_MOST_BREAKS = 10  # that a sentence names


def break_words(held: PriceList, uom: str) -> str:
    """A price list in words: `pays 12.50 each from 1, 10.00 from 100; below 1 the base selling price of 10 holds`."""
    prices: dict[Decimal, list[str]] = {}
    for step in sorted(held.price_breaks, key=lambda step: step.quantity):
        prices.setdefault(step.quantity, []).append(plain(step.unit_price, 2))
    base = "" if held.selling_price is None else plain(held.selling_price, 2)
    if not prices:
        held_by = f"pays {base} {per_unit(uom)} at any quantity (the base selling price)"
        return held_by if base else "has a list with neither breaks nor a base selling price"
    first = min(prices)
    steps = [_break_word(quantity, each, per_unit(uom) * (quantity == first)) for quantity, each in prices.items()]
    more = f" and at {len(steps) - _MOST_BREAKS} further breaks" if len(steps) > _MOST_BREAKS else ""
    below = f"the base selling price of {base} holds" if base else "there is no price"
    return f"pays {', '.join(steps[:_MOST_BREAKS])}{more}; below {plain(first)} {below}"


def _break_word(quantity: Decimal, prices: list[str], unit: str) -> str:
    each = f"{' or '.join(dict.fromkeys(prices))} {unit}".rstrip()
    return f"{each} from {plain(quantity)}" + (" (which of them holds is not known)" if len(set(prices)) > 1 else "")
