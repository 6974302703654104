"""The lines of an order, each priced at its own quantity, and their sum: a total only where every line has a price."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import anyio

from fraction_mcp.erp.records import PriceList
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, NotOne
from fraction_mcp.operations.pricing.one_part import PricedPart, part_of
from fraction_mcp.operations.pricing.price_list import Priced, Unpriced, price_at
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.values.decimals import exact_sum
from fraction_mcp.values.money import Amount, Quantity, UnitPrice
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["AskedLine", "OrderPrices", "price_lines"]

_AT_ONCE = 4


class AskedLine(ResultPart):
    """One line of an order: a part's number or id, and a quantity."""

    part: str
    quantity: Decimal


class PricedLine(ResultPart):
    part_number: str
    quantity: Quantity
    status: Literal["priced", "no_price", "ambiguous", "not_found"]
    unit_price: UnitPrice | None = None
    line_total: Amount | None = None
    break_quantity: Quantity | None = None
    reason: str = ""


class QuotedCustomer(ResultPart):
    id: int | str
    name: str


class OrderPrices(ToolResult):
    status: Literal["priced", "partly_priced", "no_price", "ambiguous", "not_found"]
    customer: QuotedCustomer | None = None
    currency: str | None
    priced_lines: int = 0
    priced_total: Amount = Decimal(0)
    total: Amount | None = None
    lines: tuple[PricedLine, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def price_lines(context: ErpContext, customer: str, lines: Sequence[AskedLine]) -> OrderPrices:
    """Each line at its own quantity for one customer, and the sum: `total` only where every line has a price.

    Requests: one for the customer, and two for each distinct part (one where it has just been seen).
    """
    currency = context.currency or None
    known = await context.lookup.find(CUSTOMER, customer)
    if isinstance(known, NotOne):
        return OrderPrices(
            summary=known.summary,
            next=known.next,
            status=known.status,
            currency=currency,
            candidates=tuple(known.candidates),
        )
    buyer = QuotedCustomer(id=known.record["id"], name=clean(str(known.record.get("name") or "")))
    shelf = await _gathered(context, buyer.id, lines)
    priced = [_priced_line(line, shelf[normalised(line.part)]) for line in lines]
    total = exact_sum(line.line_total for line in priced if line.line_total is not None)
    count = sum(line.status == "priced" for line in priced)
    return OrderPrices(
        summary=known.remark(CUSTOMER) + _order_sentence(context, buyer, priced, total),
        next=_order_next(priced),
        status="priced" if count == len(priced) else "partly_priced" if count else "no_price",
        customer=buyer,
        currency=currency,
        lines=tuple(priced),
        priced_lines=count,
        priced_total=total,
        total=total if count == len(priced) else None,
        candidates=tuple(
            candidate.model_copy(update={"argument": f"lines[{index}].part"})
            for index, line in enumerate(lines)
            if isinstance(entry := shelf[normalised(line.part)], NotOne)
            for candidate in entry.candidates[:3]
        ),
    )


_Shelf = dict[str, "NotOne | tuple[PricedPart, str, list[PriceList]]"]


async def _gathered(context: ErpContext, customer_id: object, lines: Sequence[AskedLine]) -> _Shelf:
    """Every distinct part once, with this customer's price list of it, a few at a time."""
    wanted = {normalised(line.part): line.part for line in lines}
    shelf: _Shelf = {}
    gate = anyio.CapacityLimiter(_AT_ONCE)

    async def fetch(key: str, said: str) -> None:
        async with gate:
            found = await context.lookup.find(PART, said)
            if isinstance(found, NotOne):
                shelf[key] = found
                return
            part = part_of(found)
            shelf[key] = (part, found.remark(PART), await price_lists(context, part.id, customer_id))

    try:
        async with anyio.create_task_group() as group:
            for key, said in wanted.items():
                group.start_soon(fetch, key, said)
    except BaseExceptionGroup as failures:
        raise _first_of(failures) from None
    return shelf


def _first_of(failures: BaseExceptionGroup) -> BaseException:
    """The first thing that went wrong: the others were cancelled, or failed for the same reason."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _priced_line(line: AskedLine, entry: "NotOne | tuple[PricedPart, str, list[PriceList]]") -> PricedLine:
    if isinstance(entry, NotOne):
        said = clean(line.part)
        return PricedLine(part_number=said, quantity=line.quantity, status=entry.status, reason=entry.summary)
    part, remark, lists = entry
    found = _the_price(lists, line.quantity)
    if isinstance(found, Unpriced):
        reason = remark + found.reason
        return PricedLine(part_number=part.part_number, quantity=line.quantity, status="no_price", reason=reason)
    return PricedLine(
        part_number=part.part_number,
        quantity=line.quantity,
        status="priced",
        unit_price=found.unit_price,
        line_total=found.line_total,
        break_quantity=found.break_quantity,
        reason=remark.strip(),
    )


def _the_price(lists: list[PriceList], quantity: Decimal) -> Priced | Unpriced:
    """One customer's price of one part. Of two lists for the same pair none is picked: nothing says which one holds."""
    if not lists:
        return Unpriced("this customer has no price list for this part")
    if len(lists) > 1:
        return Unpriced("the ERP holds two price lists for this customer")
    return price_at(lists[0], quantity)


def _order_sentence(context: ErpContext, buyer: QuotedCustomer, lines: list[PricedLine], total: Decimal) -> str:
    priced = sum(line.status == "priced" for line in lines)
    who = quoted(buyer.name)
    if priced == len(lines):
        words = f"All {priced} lines are priced" if priced > 1 else "The line is priced"
        sentence = f"{words} for {who}: {context.money(total)} in total"
    elif priced:
        sentence = (
            f"{priced} of {len(lines)} lines are priced for {who}: {context.money(total)} for those, "
            f"and no total for the order, since {_lacking(len(lines) - priced)} a price"
        )
    else:
        sentence = f"None of the {len(lines)} lines has a price for {who}"
    numbers = [line.part_number for line in lines]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        sentence += f"; {', '.join(map(quoted, twice[:3]))} stands on several lines, each priced at its own quantity"
    return sentence + "."


def _lacking(count: int) -> str:
    return "1 lacks" if count == 1 else f"{count} lack"


def _order_next(lines: list[PricedLine]) -> str:
    if any(line.status in {"ambiguous", "not_found"} for line in lines):
        return "Ask which parts are meant where a line is ambiguous or not found, and do not call the sum a total."
    if any(line.status == "no_price" for line in lines):
        return "Say which lines have no price, and do not call the sum a total."
    return ""
