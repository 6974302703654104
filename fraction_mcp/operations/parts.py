"""One part with every customer's price list of it."""

from collections.abc import Sequence
from typing import Any

from fraction_mcp.erp.records import PriceBreak, PriceList
from fraction_mcp.operations.candidates import PART, Candidate, NotOne, Status
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import pieces_fitting, whole
from fraction_mcp.operations.naming import counted, name_of, with_id
from fraction_mcp.operations.pricing.answer import break_words
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.pricing.units import is_pack, pack_question, pack_warning
from fraction_mcp.operations.records.detail import BESIDE_OTHERS, what_was_cut
from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.values.money import Quantity, UnitPrice
from fraction_mcp.values.text import clean, quoted

__all__ = ["PartResult", "ShownBreak", "ShownPriceList", "part_record"]

_SPELT_OUT = 3  # price lists that the sentence holds; the table holds them all


class ShownBreak(ResultPart):
    quantity: Quantity
    unit_price: UnitPrice

    @classmethod
    def of(cls, step: PriceBreak) -> "ShownBreak":
        return cls(quantity=step.quantity, unit_price=step.unit_price)


class ShownPriceList(ResultPart):
    customer_id: int
    customer_name: str
    customer_part_number: str
    selling_price: UnitPrice | None
    price_breaks: tuple[ShownBreak, ...]

    @classmethod
    def of(cls, sent: PriceList) -> "ShownPriceList":
        return cls(
            customer_id=sent.customer_id,
            customer_name=clean(sent.customer_name),
            customer_part_number=clean(sent.customer_part_number),
            selling_price=sent.selling_price,
            price_breaks=tuple(map(ShownBreak.of, sorted(sent.price_breaks, key=lambda step: step.quantity))),
        )


class PartResult(ToolResult):
    status: Status
    part: dict[str, Any] | None = None
    price_lists: tuple[ShownPriceList, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def part_record(context: ErpContext, reference: str) -> PartResult:
    """A part and every customer's price list of it."""
    match = await context.lookup.find(PART, reference)
    if isinstance(match, NotOne):
        return PartResult(
            summary=match.summary, next=match.next, status=match.status, candidates=tuple(match.candidates)
        )
    part_id = match.record["id"]
    sent = await price_lists(context, part_id)
    lists = [ShownPriceList.of(price_list) for price_list in sent]
    part, fit = whole(match.record, BESIDE_OTHERS), pieces_fitting(lists, BESIDE_OTHERS)
    owners = f"price lists of {counted(len(lists), 'customer')}" if lists else "no price list"
    owners += f", of which {fit} fit into a result" if fit < len(lists) else ""
    uom = name_of(match.record, "uom")
    return PartResult(
        summary=f"{match.remark(PART)}Part {with_id(match.record, PART.key)}, with {owners}{what_was_cut(part)}."
        + _in_words(context, sent, uom),
        next=_next(context, fit, len(lists), uom),
        status="found",
        part=part.value,
        price_lists=tuple(lists[:fit]),
    )


def _in_words(context: ErpContext, lists: Sequence[PriceList], uom: str) -> str:
    """The first lists as sentences, and what a base selling price is for."""
    if not lists:
        return ""
    sentences = [
        f" {quoted(price_list.customer_name)} {break_words(price_list, uom)}." for price_list in lists[:_SPELT_OUT]
    ]
    packs = f" Here {pack_warning(uom)}." if is_pack(uom) else ""
    base = any(price_list.selling_price is not None for price_list in lists)
    rule = "A base selling price holds below the first break; prices are" if base else "Prices are"
    return f"{''.join(sentences)} {rule} {context.in_currency}.{packs}"


def _next(context: ErpContext, fit: int, lists: int, uom: str) -> str:
    if not lists:
        way = "" if context.read_only else "; set_price_list makes one"
        return f"Say that no customer has a price for this part{way}."
    if fit < lists:
        return "get_price_for_quantity with a customer prices any of the others."
    return pack_question(uom) if is_pack(uom) else ""
