"""What a quantity of one part costs: for one customer, or for each that has a price list of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import Part, PriceList, id_key
from fraction_mcp.erp.response import read_record
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import ROOM, pieces_fitting
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, Found, NotOne
from fraction_mcp.operations.pricing.price_list import Priced, price_at
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.values.decimals import exact_sum, exact_total, plain
from fraction_mcp.values.money import Amount, Quantity, UnitPrice
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["CustomerPrice", "NextBreak", "NoPrice", "PriceResult", "PricedPart", "part_of", "price_for_quantity"]


_LONGEST_UOM = 10
_SURE = 5  # prices that fit, however long the names in them


class PricedPart(ResultPart):
    id: int
    part_number: str
    description: str
    uom: str


class NextBreak(ResultPart):
    """The next break above: what its whole quantity costs, and how much more that is."""

    quantity: Quantity
    unit_price: UnitPrice
    line_total: Amount
    extra_cost: Amount


class CustomerPrice(ResultPart):
    customer_id: int
    customer_name: str
    customer_part_number: str
    unit_price: UnitPrice
    line_total: Amount
    basis: Literal["price_break", "selling_price"]
    break_quantity: Quantity | None
    next_break: NextBreak | None


class NoPrice(ResultPart):
    customer_id: int | str
    customer_name: str
    reason: str


class PriceResult(ToolResult):
    status: Literal["priced", "no_price", "ambiguous", "not_found"]
    part: PricedPart | None = None
    quantity: Quantity
    currency: str | None
    prices: tuple[CustomerPrice, ...] = ()
    unpriced: tuple[NoPrice, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def price_for_quantity(context: ErpContext, part: str, quantity: Decimal, customer: str = "") -> PriceResult:
    """What `quantity` of a part costs: for one customer, or for each customer that has a price list of it.

    Two requests: the part, its price lists (one where the part has just been seen). A customer is looked for among the
    price lists first, since a customer without one has no price whatever else is true of it.
    """
    currency = context.currency or None
    found = await context.lookup.find(PART, part)
    if isinstance(found, NotOne):
        return _nobody_named(found, quantity, currency)
    sold = part_of(found)
    lists = await price_lists(context, sold.id)
    remark = found.remark(PART)
    nobody: NoPrice | None = None
    if customer:
        chosen = _lists_of(lists, customer)
        if chosen is None:
            known = await context.lookup.find(CUSTOMER, customer)
            if isinstance(known, NotOne):
                return _nobody_named(known, quantity, currency, sold)
            remark += known.remark(CUSTOMER)
            chosen = [one for one in lists if one.customer_id == id_key(known.record["id"])]
            nobody = _without_list(known)
        lists = chosen
    prices, unpriced = _sorted_out(lists, quantity)
    if nobody is not None and not lists:
        unpriced = [nobody]
    fit, rest = _fitting(prices, ROOM * 3 // 4), _fitting(unpriced, ROOM // 4)
    counts = ((fit, len(prices), "prices"), (rest, len(unpriced), "lists without one"))
    short = [f"{shown} of {there} {what}" for shown, there, what in counts if shown < there]
    told = f" Only {' and '.join(short)} fit into a result." if short else ""
    return PriceResult(
        summary=remark + _price_sentence(sold, quantity, context, prices, unpriced) + told,
        next="Name a customer for a price that is not shown." if short else _price_next(prices),
        status="priced" if prices else "no_price",
        part=sold,
        quantity=quantity,
        currency=currency,
        prices=tuple(prices[:fit]),
        unpriced=tuple(unpriced[:rest]),
    )


def _fitting(pieces: Sequence[ResultPart], room: int) -> int:
    return len(pieces) if len(pieces) <= _SURE else pieces_fitting(pieces, room)


def _nobody_named(
    found: NotOne, quantity: Decimal, currency: str | None, part: PricedPart | None = None
) -> PriceResult:
    return PriceResult(
        summary=found.summary,
        next=found.next,
        status=found.status,
        part=part,
        quantity=quantity,
        currency=currency,
        candidates=tuple(found.candidates),
    )


def part_of(found: Found) -> PricedPart:
    part = read_record(endpoints.PARTS, Part, found.record)
    return PricedPart(
        id=part.id,
        part_number=clean(part.part_number),
        description=clean(part.description),
        uom=clean(part.uom, 20),
    )


def _lists_of(lists: Sequence[PriceList], customer: str) -> list[PriceList] | None:
    """The list of the customer called or numbered so, where exactly one is; None where that is not settled here."""
    for matches in (
        [one for one in lists if normalised(one.customer_name) == normalised(customer)],
        [one for one in lists if str(one.customer_id) == customer.strip()],
    ):
        if len({one.customer_id for one in matches}) == 1:
            return matches
        if matches:
            return None
    return None


def _without_list(known: Found) -> NoPrice:
    name = clean(str(known.record.get("name") or ""))
    return NoPrice(
        customer_id=known.record["id"],
        customer_name=name,
        reason="this customer has no price list for this part",
    )


def _sorted_out(lists: Sequence[PriceList], quantity: Decimal) -> tuple[list[CustomerPrice], list[NoPrice]]:
    prices, unpriced = [], []
    for one in lists:
        found = price_at(one, quantity)
        if isinstance(found, Priced):
            prices.append(_customer_price(one, found))
        else:
            name = clean(one.customer_name)
            unpriced.append(NoPrice(customer_id=one.customer_id, customer_name=name, reason=found.reason))
    return prices, unpriced


def _customer_price(one: PriceList, priced: Priced) -> CustomerPrice:
    next_break = None
    if priced.next_break is not None:
        quantity, unit_price = priced.next_break
        total = exact_total(unit_price, quantity)
        next_break = NextBreak(
            quantity=quantity,
            unit_price=unit_price,
            line_total=total,
            extra_cost=exact_sum((total, priced.line_total.copy_negate())),
        )
    return CustomerPrice(
        customer_id=one.customer_id,
        customer_name=clean(one.customer_name),
        customer_part_number=clean(one.customer_part_number),
        unit_price=priced.unit_price,
        line_total=priced.line_total,
        basis="selling_price" if priced.break_quantity is None else "price_break",
        break_quantity=priced.break_quantity,
        next_break=next_break,
    )


def _price_sentence(
    part: PricedPart, quantity: Decimal, context: ErpContext, prices: list[CustomerPrice], unpriced: list[NoPrice]
) -> str:
    # A unit of measure is anyone's text as well, and a sentence of ours holds none of it bare that could be more.
    uom = part.uom if part.uom.isalnum() and len(part.uom) <= _LONGEST_UOM else ""
    what = f"{plain(quantity)} {uom}".strip() + f" of {quoted(part.part_number)}"
    if not prices:
        if len(unpriced) == 1:
            return f"There is no price for {what} for {quoted(unpriced[0].customer_name)}: {unpriced[0].reason}."
        return f"There is no price for {what}: " + (
            f"none of its {len(unpriced)} price lists covers that quantity."
            if unpriced
            else "the part has no price list."
        )
    if len(prices) == 1:
        return f"{what} cost {context.money(prices[0].line_total)} for {_one_price(prices[0])}{_left_out(unpriced)}."
    totals = sorted(price.line_total for price in prices)
    span = context.money(totals[0])
    if totals[0] != totals[-1]:
        span = f"between {plain(totals[0], 2)} and {context.money(totals[-1])}"
    return f"{what} cost {span}, depending on which of {len(prices)} customers buys{_left_out(unpriced)}."


def _one_price(price: CustomerPrice) -> str:
    basis = "the base selling price"
    if price.break_quantity is not None:
        basis = f"the break of {plain(price.break_quantity)}"
    # The id, since another customer of the same name may have no price list, and so was not seen here.
    words = f"{quoted(price.customer_name)} (id {price.customer_id}), at {plain(price.unit_price, 2)} each ({basis})"
    if price.next_break is not None:
        words += f"; from {plain(price.next_break.quantity)} it is {plain(price.next_break.unit_price, 2)} each"
    return words


def _left_out(unpriced: list[NoPrice]) -> str:
    return f"; {len(unpriced)} more with a price list have no price at that quantity" if unpriced else ""


def _price_next(prices: list[CustomerPrice]) -> str:
    """Only where a person would want to be told: the next break costs no more in all."""
    for price in prices[:1] if len(prices) == 1 else []:
        step = price.next_break
        if step is not None and step.extra_cost <= 0:
            return f"Mention that {plain(step.quantity)} cost {plain(step.line_total, 2)} in all: not more than this."
    return ""
