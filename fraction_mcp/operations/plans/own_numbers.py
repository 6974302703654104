"""The part that a write is about, where what was said may be a customer's own number: a write takes none."""

from fraction_mcp.erp.records import Record
from fraction_mcp.errors import AmbiguousReference
from fraction_mcp.operations.candidates import CUSTOMER, PART, NotOne, part_candidate
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.naming import name_of
from fraction_mcp.operations.plans.named import exactly_one
from fraction_mcp.operations.pricing.own_part import own_number_words, parts_called
from fraction_mcp.values.text import quoted

__all__ = ["exactly_the_part"]


async def exactly_the_part(context: ErpContext, reference: str, customer: str) -> Record:
    """Exactly the part of our own number or id. Raises AmbiguousReference; where it is the number by which the customer
    calls a part, that part is the first candidate."""
    try:
        return await exactly_one(context, PART, reference, "part")
    except AmbiguousReference as unclear:
        if not context.own_numbers.anyone_calls(reference):
            raise
        buyer = await context.lookup.find(CUSTOMER, customer, strict=True)
        parts = [] if isinstance(buyer, NotOne) else await parts_called(context, reference, buyer.record["id"])
        if isinstance(buyer, NotOne) or not parts:
            raise
        who = name_of(buyer.record, CUSTOMER.key)
        names = ", ".join(quoted(name_of(part, PART.key)) for part in parts)
        raise AmbiguousReference(
            f"{quoted(reference)} is the own number of {quoted(who)} for {names}; "
            "a write takes our number or id alone.",
            next_step=f"Ask the user whether {names} is meant, then call again with our number.",
            status="ambiguous" if len(parts) > 1 else unclear.status,
            candidates=[
                *(part_candidate(part, own_number_words(who)) for part in parts),
                *(
                    candidate
                    for candidate in unclear.candidates
                    if getattr(candidate, "id", None) not in [part["id"] for part in parts]
                ),
            ][:10],
            sought=unclear.sought,
        ) from None
