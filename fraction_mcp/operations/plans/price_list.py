"""The plan for a customer's price list (`fractionerp-rest-api.txt`, Update Customer Price List)."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import PriceList
from fraction_mcp.errors import InputError
from fraction_mcp.operations.candidates import CUSTOMER
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.naming import with_id
from fraction_mcp.operations.plans import repricing
from fraction_mcp.operations.plans.named import exactly_one, given
from fraction_mcp.operations.plans.own_numbers import exactly_the_part
from fraction_mcp.operations.plans.repricing import Step, listed, money, percentage
from fraction_mcp.operations.pricing.price_list import Break
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import Leeway, LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.decimals import EXACT, exact_product, exact_sum, plain
from fraction_mcp.values.text import quoted

__all__ = ["AskedPrices", "price_list_plan"]


@dataclass(frozen=True, slots=True)
class AskedPrices:
    """What a list shall hold: either `breaks`, alone or (`keep_others`) beside those that are there, or all that is
    there, changed by `percent`. What is None or empty stays as it is."""

    breaks: Sequence[Break]
    keep_others: bool
    percent: Decimal | None
    selling_price: Decimal | None
    customer_part_number: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The list as it would be, by quantity, and what is odd about how it was asked for."""

    breaks: list[Break]
    selling_price: Decimal | None
    warnings: list[str]


async def price_list_plan(context: ErpContext, *, part: str, customer: str, requested: AskedPrices) -> Plan:
    """Update Customer Price List. The breaks replace all there were; what is not asked to change is sent as read.

    Raises InputError where what was asked cannot be meant, or where there is nothing that it could change.
    """
    _refuse_what_contradicts(requested)
    item = await exactly_the_part(context, part, customer)
    buyer = await exactly_one(context, CUSTOMER, customer, "customer")
    lists = await price_lists(context, item["id"], buyer["id"], fresh=True)
    there = lists[0] if lists else None
    wanted = _wanted(requested, there)
    price, number = (
        wanted.selling_price,
        requested.customer_part_number or (there.customer_part_number if there else ""),
    )
    body: dict[str, Any] = {
        "customer_id": buyer["id"],
        "price_breaks": [{"qty": quantity, "price": unit_price} for quantity, unit_price in wanted.breaks],
        **given(customer_part_number=number),
        **({"selling_price": price} if price is not None else {}),
    }
    then = PriceList.model_validate(body)
    steps = repricing.compared(there, then)
    by = "" if requested.percent is None else percentage(requested.percent)
    itself = thing("price list", item["id"], buyer["id"])
    return Plan(
        reads=[itself, thing("part", part), thing("part", item["part_number"])],
        writes=[itself],
        title=f"Set the price list of {quoted(str(item['part_number']))} for {quoted(str(buyer.get('name')))}"
        + (f", every price {by}" if by else ""),
        endpoint=endpoints.SET_PRICE_LIST,
        path={"id": item["id"]},
        body=body,
        preview=[
            Change(field="part", before=None, after=with_id(item, "part_number")),
            Change(field="customer", before=None if there is None else with_id(buyer), after=with_id(buyer)),
            Change(field="currency", before=None, after=context.currency or "base currency"),
            *([Change(field="change", before=None, after=f"{by} on every price, {_ROUNDED}")] if by else []),
            *_changes(there, then, steps),
        ],
        warnings=[*repricing.warnings(steps), *_held_warnings(lists), *_price_warnings(there, then), *wanted.warnings],
        repeats=f"{by} on the price list of part {item['id']} for customer {buyer['id']}" if by else "",
        look=LookFor(
            endpoints.PART_PRICE_LISTS,
            body,
            leeway=Leeway(rounded=("price", "selling_price")),
            path={"id": item["id"]},
            query={"customer_id": buyer["id"]},
            id_field="customer_id",
        ),
    )


# ------------------------------------------------------------------------------------------------------ what is wanted

_ROUNDED = "each rounded half up to its own decimals, at least 2"


def _refuse_what_contradicts(requested: AskedPrices) -> None:
    problems = {}
    if requested.percent is None and not requested.breaks:
        problems["price_breaks"] = "either price_breaks or change_percent is required"
    if requested.percent is not None and requested.breaks:
        problems["change_percent"] = "not together with price_breaks"
    if requested.percent is not None and requested.selling_price is not None:
        problems["selling_price"] = "not together with change_percent, which changes it as well"
    if requested.percent is not None and requested.keep_others:
        problems["keep_other_breaks"] = "not together with change_percent, which changes every break"
    if problems:
        raise InputError(problems)


def _wanted(requested: AskedPrices, there: PriceList | None) -> _Wanted:
    if requested.percent is None:
        breaks, warnings = _ordered(requested.breaks)
        kept = _kept(there, {quantity for quantity, _ in breaks}, "keep_other_breaks") if requested.keep_others else []
        held = there.selling_price if there else None
        price = requested.selling_price if requested.selling_price is not None else held
        return _Wanted(sorted([*breaks, *kept]), price, warnings)
    if there is None or not (there.price_breaks or there.selling_price is not None):
        raise InputError(
            {"change_percent": "this customer has no prices of the part that could change"}, hint="Give price_breaks."
        )
    if there.selling_price is not None and there.selling_price < 0:
        raise InputError({"change_percent": "the base selling price is below zero"}, hint="Give price_breaks.")
    factor = exact_sum((Decimal(1), requested.percent.scaleb(-2)))
    changed = [(quantity, _times(price, factor)) for quantity, price in _kept(there, set(), "change_percent")]
    price = there.selling_price
    return _Wanted(sorted(changed), None if price is None else _times(price, factor), [])


def _kept(there: PriceList | None, named: Set[Decimal], argument: str) -> list[Break]:
    """The breaks that the list holds besides those that are `named`.

    Raises InputError where one of them is none, or stands there at two prices: which of them holds is not known.
    """
    kept: dict[Decimal, Decimal] = {}
    for step in there.price_breaks if there else ():
        if step.quantity in named:
            continue
        if step.quantity <= 0 or step.unit_price < 0 or kept.get(step.quantity, step.unit_price) != step.unit_price:
            raise InputError(
                {argument: f"the list holds the break of {plain(step.quantity)} at several prices, or below zero"},
                hint="Ask the user which breaks shall hold, and give all of them in price_breaks.",
            )
        kept[step.quantity] = step.unit_price
    return list(kept.items())


def _times(price: Decimal, factor: Decimal) -> Decimal:
    """A changed price, rounded half up to the decimals of the one that it was, at least 2."""
    decimals = max(2, len(plain(price).partition(".")[2]))
    return exact_product(price, factor).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP, context=EXACT)


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


# ------------------------------------------------------------------------------------------------------- what is shown


def _changes(there: PriceList | None, then: PriceList, steps: Sequence[Step]) -> list[Change]:
    number, price = there.customer_part_number if there else "", there.selling_price if there else None
    change = repricing.percent(price, then.selling_price)
    rows = [
        _change("customer part number", number or None, then.customer_part_number or None),
        _change("base selling price", _money(price), _money(then.selling_price), f" ({change})" if change else ""),
        *repricing.changes(steps),
        _change("price breaks", repricing.break_list(there), repricing.break_list(then)),
    ]
    return [row for row in rows if row.before or row.after]


def _change(field: str, before: str | None, after: str | None, suffix: str = "") -> Change:
    return Change(field=field, before=before and spelt_out(before), after=after and spelt_out(after) + suffix)


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
    warnings += _old_and_new("The unit price rises with the quantity at", _rising(then), _rising(there))
    price = then.selling_price
    if price is not None and price < 0:
        warnings.append(f"The base selling price is below zero, and is sent as it was read: {money(price)}.")
    warnings += _old_and_new("The price is above the base selling price at", _above(then), _above(there))
    if there is None:
        warnings.append("This customer is not linked to the part yet; this links it.")
    elif repricing.unchanged(there, then):
        warnings.append("Nothing would change: the list is as it is wanted already.")
    return warnings


def _old_and_new(words: str, now: Sequence[Decimal], before: Sequence[Decimal]) -> list[str]:
    """What would be true, apart from what is true already: a person looks for what their yes changes."""
    new, old = (
        [quantity for quantity in now if quantity not in before],
        [quantity for quantity in now if quantity in before],
    )
    sentences = [f"{words} {listed(new)}."] if new else []
    return sentences + ([f"{words} {listed(old)}, as before."] if old else [])


def _rising(price_list: PriceList | None) -> list[Decimal]:
    """The breaks at which a piece costs more than at the one before."""
    steps = sorted((step.quantity, step.unit_price) for step in price_list.price_breaks) if price_list else []
    return [high[0] for low, high in pairwise(steps) if high[1] > low[1]]


def _above(price_list: PriceList | None) -> list[Decimal]:
    """The breaks at which a piece costs more than the base selling price."""
    if price_list is None or price_list.selling_price is None:
        return []
    return sorted({step.quantity for step in price_list.price_breaks if step.unit_price > price_list.selling_price})
