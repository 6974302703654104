"""The lines of an order, each priced at its own quantity, and their sum: a total only where every line has a price."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import anyio
from pydantic import Field

from fraction_mcp.erp.records import PriceList, Record
from fraction_mcp.operations.candidates import CUSTOMER, PART, Candidate, NotOne
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.lookup import Found
from fraction_mcp.operations.naming import name_of
from fraction_mcp.operations.pricing.answer import Basis, CheaperAtMore, Figures, NextBreak
from fraction_mcp.operations.pricing.one_part import PricedPart, part_of
from fraction_mcp.operations.pricing.own_part import called_by_customer
from fraction_mcp.operations.pricing.price_list import Priced, Unpriced, price_at
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.pricing.units import is_pack, pack_question, pack_warning
from fraction_mcp.operations.results import ResultPart, ToolResult, where_it_says_something
from fraction_mcp.values.money import Amount, ExactAmount, Money, Quantity, UnitPrice
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["AskedLine", "OrderPrices", "price_lines"]

_AT_ONCE = 4
_CANDIDATES = 3  # of each line
_NAMED = 4


class AskedLine(ResultPart):
    """One line of an order: a part's number or id, and a quantity."""

    part: str
    quantity: Decimal


_where_there_is_one: Any = Field(default="", exclude_if=lambda value: not value)


class _Line(ResultPart):
    part_number: str
    uom: str = ""
    quantity: Quantity


class PricedLine(_Line):
    """`reason` is what a reader should know of how the part was found."""

    status: Literal["priced"] = "priced"
    unit_price: UnitPrice
    line_total: Amount
    line_total_exact: ExactAmount | None = where_it_says_something
    basis: Basis
    break_quantity: Quantity | None
    next_break: NextBreak | None
    cheaper_at_more: CheaperAtMore | None
    reason: str = _where_there_is_one


class UnpricedLine(_Line):
    """A line without a price has no break and nothing that costs less; `reason` says why."""

    status: Literal["no_price", "ambiguous", "not_found"]
    unit_price: None = None
    line_total: None = None
    break_quantity: None = None
    reason: str


_AnyLine = PricedLine | UnpricedLine


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
    lines: tuple[_AnyLine, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def price_lines(context: ErpContext, customer: str, lines: Sequence[AskedLine]) -> OrderPrices:
    """Each line at its own quantity for one customer, and the sum: `total` only where every line has a price.

    Requests: one for the customer, and two for each distinct part (one where it has just been seen). Where the customer
    is not one, the parts are looked for all the same, so that a second failure is not found one call later.
    """
    known = await context.lookup.find(CUSTOMER, customer)
    if isinstance(known, NotOne):
        return _nobody_named(context, known, lines, await _gathered(context, lines))
    buyer = QuotedCustomer(id=known.record["id"], name=name_of(known.record, CUSTOMER.key))
    parts = await _gathered(context, lines, known.record)
    priced = [_priced_line(context, line, parts[normalised(line.part)]) for line in lines]
    totals = (context.money(line.line_total) for line in priced if line.line_total is not None)
    total = Money.sum(totals, context.currency)
    count = sum(line.status == "priced" for line in priced)
    return OrderPrices(
        summary=known.remark(CUSTOMER) + _order_sentence(buyer, priced, total) + _own_numbers(parts),
        next=_order_next(priced),
        status="priced" if count == len(priced) else "partly_priced" if count else "no_price",
        customer=buyer,
        currency=context.currency or None,
        lines=tuple(priced),
        priced_lines=count,
        priced_total=total.amount,
        total=total.amount if count == len(priced) else None,
        candidates=tuple(_candidates(lines, parts)),
    )


@dataclass(frozen=True, slots=True)
class _Meant:
    """What a name of a part means: the part, and the customer's price lists of it. `said` is the name."""

    said: str
    found: Found
    lists: list[PriceList]

    @property
    def part(self) -> PricedPart:
        return part_of(self.found)


_Parts = dict[str, NotOne | _Meant]


def _nobody_named(context: ErpContext, known: NotOne, lines: Sequence[AskedLine], parts: _Parts) -> OrderPrices:
    """Everything that could not be resolved, at once."""
    unclear = list(dict.fromkeys(normalised(line.part) for line in lines))
    others = [entry for key in unclear if isinstance(entry := parts[key], NotOne)]
    return OrderPrices(
        summary=" ".join(unresolved.summary for unresolved in (known, *others)),
        next=known.next + (" Ask about the parts as well." if others else ""),
        status=known.status,
        currency=context.currency or None,
        candidates=(*known.candidates, *_candidates(lines, parts)),
    )


def _candidates(lines: Sequence[AskedLine], parts: _Parts) -> Iterator[Candidate]:
    for index, line in enumerate(lines):
        if isinstance(entry := parts[normalised(line.part)], NotOne):
            for candidate in entry.candidates[:_CANDIDATES]:
                yield candidate.model_copy(update={"argument": f"lines[{index}].part"})


async def _gathered(context: ErpContext, lines: Sequence[AskedLine], buyer: Record | None = None) -> _Parts:
    """Every distinct part once, a few at a time, with this customer's price list of it; without one, with none.

    What is not a number of ours comes second, when all the lists are read that may hold it as the customer's own.
    """
    wanted = {normalised(line.part): line.part for line in lines}
    matches: dict[str, Found | NotOne] = {}
    lists: dict[str, list[PriceList]] = {}
    parts: _Parts = {}

    async def find(key: str) -> None:
        match = matches[key] = await context.lookup.find(PART, wanted[key])
        if isinstance(match, Found) and match.how == "exact" and buyer:
            lists[key] = await price_lists(context, match.record["id"], buyer["id"])

    async def settle(key: str) -> None:
        match = await called_by_customer(context, matches[key], wanted[key], buyer) if buyer else matches[key]
        if isinstance(match, NotOne):
            parts[key] = match
            return
        if key not in lists:
            lists[key] = await price_lists(context, match.record["id"], buyer["id"]) if buyer else []
        parts[key] = _Meant(wanted[key], match, lists[key])

    await _each(find, wanted)
    await _each(settle, wanted)
    return parts


async def _each(work: Callable[[str], Awaitable[None]], keys: Iterable[str]) -> None:
    """Work on all of them, a few at a time."""
    gate = anyio.CapacityLimiter(_AT_ONCE)

    async def in_turn(key: str) -> None:
        async with gate:
            await work(key)

    try:
        async with anyio.create_task_group() as group:
            for key in keys:
                group.start_soon(in_turn, key)
    except BaseExceptionGroup as failures:
        raise _first_of(failures) from None


def _first_of(failures: BaseExceptionGroup) -> BaseException:
    """The first thing that went wrong: the others were cancelled, or failed for the same reason."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _priced_line(context: ErpContext, line: AskedLine, entry: NotOne | _Meant) -> _AnyLine:
    if isinstance(entry, NotOne):
        part_number = clean(line.part)
        return UnpricedLine(part_number=part_number, quantity=line.quantity, status=entry.status, reason=entry.summary)
    part, remark = entry.part, entry.found.remark(PART)
    quote = _the_price(entry.lists, line.quantity)
    if isinstance(quote, Unpriced):
        return UnpricedLine(
            part_number=part.part_number,
            uom=part.uom,
            quantity=line.quantity,
            status="no_price",
            reason=remark + quote.reason,
        )
    return PricedLine(
        part_number=part.part_number,
        uom=part.uom,
        quantity=line.quantity,
        **dict(Figures.of(quote, line.quantity, context.currency)),
        reason=remark.strip(),
    )


def _the_price(lists: list[PriceList], quantity: Decimal) -> Priced | Unpriced:
    """One customer's price of one part. Of two lists for the same pair none is picked: nothing says which one holds."""
    if not lists:
        return Unpriced("no price list")
    if len(lists) > 1:
        return Unpriced("the ERP holds two price lists for this customer")
    return price_at(lists[0], quantity)


def _order_sentence(buyer: QuotedCustomer, lines: Sequence[_AnyLine], total: Money) -> str:
    unpriced = [line.part_number for line in lines if line.status != "priced"]
    priced = len(lines) - len(unpriced)
    who = quoted(buyer.name)
    if not unpriced:
        words = f"All {priced} lines are priced" if priced > 1 else "The line is priced"
        sentence = f"{words} for {who}: {total} in total"
    elif priced:
        sentence = (
            f"{priced} of {len(lines)} lines are priced for {who}: {total} for those, and no total, "
            f"since {_named(unpriced)} {'lacks' if len(unpriced) == 1 else 'lack'} a price"
        )
    else:
        none = f"None of the {len(lines)} lines has a price" if len(lines) > 1 else "The line has no price"
        sentence = f"{none} for {who}: {_named(unpriced)}"
    numbers = [line.part_number for line in lines]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        sentence += f"; {', '.join(map(quoted, twice[:3]))} stands on several lines, each priced at its own quantity"
    packs = {line.uom: line for line in lines if is_pack(line.uom)}
    sentence += "".join(f"; of {quoted(line.part_number)}, {pack_warning(uom)}" for uom, line in packs.items())
    return sentence + "."


def _own_numbers(parts: _Parts) -> str:
    """Which lines were found by a number that is not ours but the customer's."""
    own = [meant for meant in parts.values() if isinstance(meant, _Meant) and meant.found.how == "own"]
    sentences = [
        f"{quoted(meant.said)} is their own number for {quoted(meant.part.part_number)}" for meant in own[:_NAMED]
    ]
    return f" {', '.join(sentences)}{f' (and {len(own) - _NAMED} more)' * (len(own) > _NAMED)}." if own else ""


def _named(numbers: Sequence[str]) -> str:
    """Lines by their part numbers: some of them, each once, and how many more lines there are."""
    names = list(dict.fromkeys(numbers))
    shown = names[:_NAMED]
    more = len(numbers) - sum(numbers.count(name) for name in shown)
    return ", ".join(map(quoted, shown)) + (f" and {more} more" if more else "")


def _order_next(lines: Sequence[_AnyLine]) -> str:
    words = []
    if any(line.status in {"ambiguous", "not_found"} for line in lines):
        words.append("Ask the user which parts are meant where a line is ambiguous or not found.")
    words += [pack_question(uom) for uom in dict.fromkeys(line.uom for line in lines) if is_pack(uom)]
    cheaper = [
        f"line {number}"
        for number, line in enumerate(lines, start=1)
        if isinstance(line, PricedLine) and line.cheaper_at_more
    ]
    if cheaper:
        words.append(f"Mention that more costs less on {', '.join(cheaper)}: cheaper_at_more says how much.")
    return " ".join(words)
