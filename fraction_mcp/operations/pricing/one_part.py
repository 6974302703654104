"""What a quantity of one part costs: for one customer, or for each that has a price list of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import Part, PriceList, id_key
from fraction_mcp.erp.response import read_record
from fraction_mcp.operations.candidates import CUSTOMER, PART, Candidate, NotOne
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import ROOM, pieces_fitting
from fraction_mcp.operations.lookup import Found
from fraction_mcp.operations.naming import counted, name_of
from fraction_mcp.operations.pricing.answer import Figures, further_words
from fraction_mcp.operations.pricing.own_part import also_called, called_by_customer
from fraction_mcp.operations.pricing.price_list import Priced, Unpriced, price_at
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.pricing.units import bare_unit, is_pack, pack_question, pack_warning, per_unit
from fraction_mcp.operations.results import ResultPart, ToolResult, where_it_says_something
from fraction_mcp.values.decimals import plain
from fraction_mcp.values.money import Amount, Quantity
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["CustomerPrice", "NoPrice", "PriceResult", "PricedPart", "Spread", "part_of", "price_for_quantity"]


_SURE = 5  # prices that fit, however long the names in them


class PricedPart(ResultPart):
    id: int
    part_number: str
    description: str
    uom: str


class PayingCustomer(ResultPart):
    customer_id: int
    customer_name: str
    customer_part_number: str


class CustomerPrice(Figures, PayingCustomer):
    """One customer's price: who pays, then what."""


class Spread(ResultPart):
    """What the cheapest and the dearest customer pay, and by how much they differ."""

    lowest: Amount
    highest: Amount
    difference: Amount


class NoPrice(ResultPart):
    customer_id: int | str
    customer_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Offer:
    """A price as a result states it, and as it was worked out."""

    price: CustomerPrice
    priced: Priced


class PriceResult(ToolResult):
    status: Literal["priced", "no_price", "ambiguous", "not_found"]
    part: PricedPart | None = None
    quantity: Quantity
    currency: str | None
    prices: tuple[CustomerPrice, ...] = ()
    spread: Spread | None = where_it_says_something
    unpriced: tuple[NoPrice, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def price_for_quantity(context: ErpContext, part: str, quantity: Decimal, customer: str = "") -> PriceResult:
    """What `quantity` of a part costs: for one customer, or for each customer that has a price list of it.

    Two requests: the part, its price lists (one where the part has just been seen). A customer is looked for among the
    price lists first, since a customer without one has no price whatever else is true of it. Where a name is not one
    record, the other one is looked for all the same, so that its failure is not found one call later.
    """
    match, buyer = await context.lookup.find(PART, part), None
    if customer and _may_be_their_own(context, match, part):
        buyer = await context.lookup.find(CUSTOMER, customer)
        if isinstance(buyer, Found):
            match = await called_by_customer(context, match, part, buyer.record)
    if isinstance(match, NotOne):
        return _nobody_named(context, quantity, match, buyer)
    sold = part_of(match)
    lists = await price_lists(context, sold.id)
    remark = match.remark(PART)
    nobody: NoPrice | None = None
    if customer:
        chosen = _lists_of(lists, customer)
        if chosen is None:
            known = await context.lookup.find(CUSTOMER, customer)
            if isinstance(known, NotOne):
                return _nobody_named(
                    context, quantity, known.with_lists({price_list.customer_id for price_list in lists}), part=sold
                )
            remark += known.remark(CUSTOMER)
            chosen = [price_list for price_list in lists if price_list.customer_id == id_key(known.record["id"])]
            nobody = _without_list(known)
        lists = chosen
        if lists and match.how == "exact":
            remark += await also_called(context, match, part, lists[0].customer_id, clean(lists[0].customer_name))
    offers, unpriced = _sorted_out(context, lists, quantity)
    if nobody is not None and not lists:
        unpriced = [nobody]
    answer = _result(context, sold, quantity, offers, unpriced)
    return answer.model_copy(update={"summary": remark + answer.summary})


def _may_be_their_own(context: ErpContext, match: Found | NotOne, part: str) -> bool:
    """Whether it is worth a request to know which customer it is that may call a part so."""
    return isinstance(match, NotOne) or (match.how != "exact" and context.own_numbers.anyone_calls(part))


def _result(
    context: ErpContext,
    sold: PricedPart,
    quantity: Decimal,
    offers: Sequence[_Offer],
    unpriced: Sequence[NoPrice],
) -> PriceResult:
    prices = [offer.price for offer in offers]
    fit, rest = _fitting(prices, ROOM * 3 // 4), _fitting(unpriced, ROOM // 4)
    counts = ((fit, len(prices), "prices"), (rest, len(unpriced), "lists without one"))
    short = [f"{shown} of {there} {what}" for shown, there, what in counts if shown < there]
    cut = f" Only {' and '.join(short)} fit into a result." if short else ""
    return PriceResult(
        summary=_price_sentence(context, sold, quantity, offers, unpriced) + cut,
        next="Name a customer for a price that is not shown." if short else _price_next(sold, offers),
        status="priced" if prices else "no_price",
        part=sold,
        quantity=quantity,
        currency=context.currency or None,
        prices=tuple(prices[:fit]),
        spread=_spread(context, prices),
        unpriced=tuple(unpriced[:rest]),
    )


def _fitting(pieces: Sequence[ResultPart], room: int) -> int:
    return len(pieces) if len(pieces) <= _SURE else pieces_fitting(pieces, room)


def _nobody_named(
    context: ErpContext,
    quantity: Decimal,
    first: NotOne,
    other: Found | NotOne | None = None,
    *,
    part: PricedPart | None = None,
) -> PriceResult:
    """Everything that could not be resolved, at once."""
    unclear = [first, *([other] if isinstance(other, NotOne) else [])]
    return PriceResult(
        summary=" ".join(unresolved.summary for unresolved in unclear),
        next=" ".join(unresolved.next for unresolved in unclear),
        status=first.status,
        part=part,
        quantity=quantity,
        currency=context.currency or None,
        candidates=tuple(candidate for unresolved in unclear for candidate in unresolved.candidates),
    )


def part_of(match: Found) -> PricedPart:
    part = read_record(endpoints.PARTS, Part, match.record)
    return PricedPart(
        id=part.id,
        part_number=clean(part.part_number),
        description=clean(part.description),
        uom=clean(part.uom, 20),
    )


def _lists_of(lists: Sequence[PriceList], customer: str) -> list[PriceList] | None:
    """The list of the customer called or numbered so, where exactly one is; None where that is not settled here."""
    for matches in (
        [price_list for price_list in lists if normalised(price_list.customer_name) == normalised(customer)],
        [price_list for price_list in lists if str(price_list.customer_id) == customer.strip()],
    ):
        if len({price_list.customer_id for price_list in matches}) == 1:
            return matches
        if matches:
            return None
    return None


def _without_list(known: Found) -> NoPrice:
    return NoPrice(
        customer_id=known.record["id"],
        customer_name=name_of(known.record, CUSTOMER.key),
        reason="this customer has no price list for this part",
    )


def _sorted_out(
    context: ErpContext, lists: Sequence[PriceList], quantity: Decimal
) -> tuple[list[_Offer], list[NoPrice]]:
    """The prices, cheapest first, and the lists that have none."""
    offers, unpriced = [], []
    for price_list in lists:
        quote = price_at(price_list, quantity)
        name = clean(price_list.customer_name)
        if isinstance(quote, Unpriced):
            unpriced.append(NoPrice(customer_id=price_list.customer_id, customer_name=name, reason=quote.reason))
            continue
        price = CustomerPrice(
            customer_id=price_list.customer_id,
            customer_name=name,
            customer_part_number=clean(price_list.customer_part_number),
            **dict(Figures.of(quote, quantity, context.currency)),
        )
        offers.append(_Offer(price, quote))
    return sorted(offers, key=lambda offer: offer.price.line_total), unpriced


def _spread(context: ErpContext, prices: Sequence[CustomerPrice]) -> Spread | None:
    if len(prices) < 2:
        return None
    lowest, highest = context.money(prices[0].line_total), context.money(prices[-1].line_total)
    return Spread(lowest=lowest.amount, highest=highest.amount, difference=(highest - lowest).amount)


# --------------------------------------------------------------------------------------------------------------- words


def _price_sentence(
    context: ErpContext,
    part: PricedPart,
    quantity: Decimal,
    offers: Sequence[_Offer],
    unpriced: Sequence[NoPrice],
) -> str:
    what = f"{plain(quantity)} {bare_unit(part.uom)}".strip() + f" of {quoted(part.part_number)}"
    packs = f"; {pack_warning(part.uom)}" if is_pack(part.uom) else ""
    if not offers:
        return f"{_no_price(what, unpriced)}{packs}."
    if len(offers) == 1:
        (offer,) = offers
        words = f"{context.money(offer.price.line_total)} for {_one_price(offer, quantity, part.uom)}"
    else:
        words = _several(context, [offer.price for offer in offers])
    return f"{what} cost {words}{_left_out(unpriced)}{packs}."


def _no_price(what: str, unpriced: Sequence[NoPrice]) -> str:
    if len(unpriced) == 1:
        return f"There is no price for {what} for {quoted(unpriced[0].customer_name)}: {unpriced[0].reason}"
    return f"There is no price for {what}: " + (
        f"none of its {len(unpriced)} price lists covers that quantity" if unpriced else "the part has no price list"
    )


def _one_price(offer: _Offer, quantity: Decimal, uom: str) -> str:
    price = offer.price
    basis = "the base selling price"
    if price.break_quantity is not None:
        basis = f"the break of {plain(price.break_quantity)}"
    # The id, since another customer of the same name may have no price list, and so was not seen here.
    return (
        f"{quoted(price.customer_name)} (id {price.customer_id}), at {plain(price.unit_price, 2)} {per_unit(uom)} "
        f"({basis}); {further_words(offer.priced, quantity, uom)}"
    )


def _several(context: ErpContext, prices: Sequence[CustomerPrice]) -> str:
    """Who pays least and who most, and how far apart they are; the prices come cheapest first."""
    low, high = context.money(prices[0].line_total), context.money(prices[-1].line_total)
    if len({price.customer_id for price in prices}) == 1:
        return (
            f"between {low.figure} and {high} for {quoted(prices[0].customer_name)}: the ERP holds {len(prices)} price "
            "lists for this customer, and which one counts is not known"
        )
    if low.amount == high.amount:
        return f"{low} for each of {len(prices)} customers"
    cheapest, dearest = (quoted(price.customer_name) for price in (prices[0], prices[-1]))
    return (
        f"between {low.figure} ({cheapest}) and {high} ({dearest}), a difference of {(high - low).figure}, depending "
        f"on which of {len(prices)} customers buys"
    )


def _left_out(unpriced: Sequence[NoPrice]) -> str:
    if not unpriced:
        return ""
    return f"; {counted(len(unpriced), 'price list')} more {'has' if len(unpriced) == 1 else 'have'} no price for it"


def _price_next(part: PricedPart, offers: Sequence[_Offer]) -> str:
    """Only where a person would want to be asked or told: packs, and more that costs less."""
    words = [pack_question(part.uom)] if is_pack(part.uom) else []
    cheaper = offers[0].price.cheaper_at_more if len(offers) == 1 else None
    if cheaper is not None:
        words.append(f"Mention that {plain(cheaper.quantity)} cost less in all.")
    return " ".join(words)
