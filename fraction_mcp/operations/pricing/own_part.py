"""The part that a customer's order means: by our number or id, or else by the customer's own number for it.

Our exact number always wins. Otherwise the customer's price lists that were read here are looked through; what comes of
it is always said, also that nothing was there to look through.
"""

from dataclasses import replace

from fraction_mcp.erp.records import Record, id_key
from fraction_mcp.operations.candidates import CUSTOMER, PART, NotOne, part_candidate
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.lookup import Found
from fraction_mcp.operations.naming import counted, name_of
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["also_called", "called_by_customer", "own_number_words", "parts_called"]


async def called_by_customer(
    context: ErpContext, match: Found | NotOne, reference: str, buyer: Record
) -> Found | NotOne:
    """What was found by our own numbers, or what the customer's own number means where it was none of ours.

    No request where no price list that was read holds the number. Raises what `Lookup.find` raises.
    """
    who = name_of(buyer, CUSTOMER.key)
    if isinstance(match, Found) and match.how == "exact":
        return replace(match, also=await also_called(context, match, reference, buyer["id"], who))
    parts = await parts_called(context, reference, buyer["id"])
    meant = [part_candidate(part, own_number_words(who)) for part in parts]
    if isinstance(match, Found) and match.how == "id" and _others(parts, match):
        meant.append(part_candidate(match.record, "by its id"))
    if len(meant) > 1:
        return NotOne("ambiguous", PART, clean(reference), meant)
    if parts:
        return Found(parts[0], "own", clean(reference), owner=who)
    return match if isinstance(match, Found) else replace(match, own=_not_there(context, buyer["id"], who))


def own_number_words(who: str) -> str:
    return f"{quoted(who)} calls it so"


async def also_called(context: ErpContext, match: Found, reference: str, customer_id: object, who: str) -> str:
    """A sentence where the customer calls another part by the very number that is one of ours; else empty."""
    others = _others(await parts_called(context, reference, customer_id), match)
    return f"{quoted(who)} calls {quoted(name_of(others[0], PART.key))} so as well. " if others else ""


def _others(parts: list[Record], match: Found) -> list[Record]:
    return [part for part in parts if id_key(part.get("id")) != id_key(match.record["id"])]


async def parts_called(context: ErpContext, number: str, customer_id: object) -> list[Record]:
    """The parts whose price list for the customer holds this as its own number, each read again."""
    parts = []
    for part_id in context.own_numbers.parts_called(number, customer_id):
        held = await price_lists(context, part_id, customer_id)  # which is remembered in turn
        if held and not any(normalised(price_list.customer_part_number) == normalised(number) for price_list in held):
            continue
        if held and (record := await context.lookup.by_id(PART, str(part_id))):
            parts.append({**record, "id": part_id})
        else:
            context.own_numbers.forget(part_id, customer_id)
    return parts


def _not_there(context: ErpContext, customer_id: object, who: str) -> str:
    seen = context.own_numbers.lists_of(customer_id)
    if not seen:
        return f" Own part numbers of {quoted(who)} were not searched: no price list of theirs was read here yet."
    lists = counted(seen, "price list")
    return f" None of the {lists} of {quoted(who)} that {'was' if seen == 1 else 'were'} read here holds it either."
