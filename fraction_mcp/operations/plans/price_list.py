"""The plan for a customer's price list (`fractionerp-rest-api.txt`, Update Customer Price List)."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import PriceList
from fraction_mcp.errors import InputError
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.lookup import CUSTOMER, PART
from fraction_mcp.operations.plans import repricing
from fraction_mcp.operations.plans.named import exactly_one, given, named_record
from fraction_mcp.operations.plans.repricing import listed, money
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import Leeway, LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.decimals import plain
from fraction_mcp.values.text import quoted

__all__ = ["Break", "price_list_plan"]


Break = tuple[Decimal, Decimal]
"""A price break: quantity and unit price."""


async def price_list_plan(
    context: ErpContext,
    *,
    part: str,
    customer: str,
    breaks: Sequence[Break],
    selling_price: Decimal | None,
    customer_part_number: str,
) -> Plan:
    """Update Customer Price List. The breaks replace all there were; what is not asked to change is sent as read."""
    item = await exactly_one(context, PART, part, "part")
    buyer = await exactly_one(context, CUSTOMER, customer, "customer")
    lists = await price_lists(context, item["id"], buyer["id"], fresh=True)
    there = lists[0] if lists else None
    wanted, warnings = _ordered(breaks)
    price = selling_price if selling_price is not None else there.selling_price if there else None
    number = customer_part_number or (there.customer_part_number if there else "")
    body: dict[str, Any] = {
        "customer_id": buyer["id"],
        "price_breaks": [{"qty": quantity, "price": unit_price} for quantity, unit_price in wanted],
        **given(customer_part_number=number),
        **({"selling_price": price} if price is not None else {}),
    }
    then = PriceList.model_validate(body)
    steps = repricing.compared(there, then)
    changes = [
        _change("customer part number", there.customer_part_number or None if there else None, number or None),
        _change("base selling price", _money(there.selling_price if there else None), _money(price)),
        *repricing.changes(steps),
        _change("price breaks", repricing.break_list(there), repricing.break_list(then)),
    ]
    itself = thing("price list", item["id"], buyer["id"])
    return Plan(
        reads=[itself, thing("part", part), thing("part", item["part_number"])],
        writes=[itself],
        title=f"Set the price list of {quoted(str(item['part_number']))} for {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.SET_PRICE_LIST,
        path={"id": item["id"]},
        body=body,
        preview=[
            Change(field="part", before=None, after=named_record(item, "part_number")),
            Change(field="customer", before=None if there is None else named_record(buyer), after=named_record(buyer)),
            Change(field="currency", before=None, after=context.currency or "base currency"),
            *(change for change in changes if change.before or change.after),
        ],
        warnings=[
            *repricing.warnings(steps),
            *_held_warnings(lists),
            *_price_warnings(there, then),
            *warnings,
        ],
        look=LookFor(
            endpoints.PART_PRICE_LISTS,
            body,
            leeway=Leeway(rounded=("price", "selling_price")),
            path={"id": item["id"]},
            query={"customer_id": buyer["id"]},
            id_field="customer_id",
        ),
    )


def _ordered(breaks: Sequence[Break]) -> tuple[list[Break], list[str]]:
    """The breaks by quantity. One quantity at two prices cannot be meant; at one price twice it is merged."""
    prices: dict[Decimal, Decimal] = {}
    for index, (quantity, unit_price) in enumerate(breaks):
        if prices.setdefault(quantity, unit_price) != unit_price:
            raise InputError({f"price_breaks[{index}].quantity": f"{plain(quantity)} stands there with two prices"})
    warnings = [] if len(prices) == len(breaks) else ["A quantity was given twice at the same price; it is sent once."]
    if [quantity for quantity, _ in breaks] != sorted(quantity for quantity, _ in breaks):
        warnings.append("The breaks were not given in order of quantity; they are sent in order.")
    return sorted(prices.items()), warnings


def _change(field: str, before: str | None, after: str | None) -> Change:
    return Change(field=field, before=before and spelt_out(before), after=after and spelt_out(after))


def _money(value: Decimal | None) -> str | None:
    return None if value is None else money(value)


def _breaks(count: int) -> str:
    return "1 break disappears" if count == 1 else f"{count} breaks disappear"


def _held_warnings(lists: Sequence[PriceList]) -> list[str]:
    """What is odd about the list that FractionERP holds: it is shown, and in part sent, as it was read."""
    if not lists:
        return []
    held = lists[0]
    warnings = []
    if len(lists) > 1:
        warnings.append(
            f"FractionERP answered with {len(lists)} price lists of this customer for this part: which one holds is "
            "not known; the first is shown here."
        )
    odd = [f"{plain(step.quantity)} at {money(step.unit_price)}" for step in held.price_breaks
           if step.quantity <= 0 or step.unit_price < 0]  # fmt: skip
    warnings += [f"The list holds a price or a quantity that is none now: {', '.join(odd[:5])}."] if odd else []
    return warnings


def _price_warnings(there: PriceList | None, then: PriceList) -> list[str]:
    """What disappears, what rises, what is negative, what exceeds the base selling price."""
    new = {step.quantity: step.unit_price for step in then.price_breaks}
    gone = sorted({step.quantity for step in there.price_breaks} - set(new)) if there else []
    warnings = [f"{_breaks(len(gone))}: from {listed(gone)}."] if gone else []
    rising = [high[0] for low, high in pairwise(new.items()) if high[1] > low[1]]
    warnings += [f"The unit price rises with the quantity at {listed(rising)}."] if rising else []
    price = then.selling_price
    if price is not None and price < 0:
        warnings.append(f"The base selling price is below zero, and is sent as it was read: {money(price)}.")
    above = [quantity for quantity, unit_price in new.items() if price is not None and unit_price > price]
    warnings += [f"The price is above the base selling price at {listed(above)}."] if above else []
    if there is None:
        warnings.append("This customer is not linked to the part yet; this links it.")
    elif repricing.unchanged(there, then):
        warnings.append("Nothing would change: the list is as it is wanted already.")
    return warnings
