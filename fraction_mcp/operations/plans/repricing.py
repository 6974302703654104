"""What a customer pays by one price list and would pay by another, at every quantity of either.

Two lists whose breaks stand at different quantities cannot be compared break by break: here they are compared by what
`pricing.price_at`, the one arithmetic, makes of them. Between two neighbouring quantities of either list nothing
changes, so a few steps say everything about every quantity. Knows nothing of plans, ERPs or people's consent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Literal

from fraction_mcp.erp.records import PriceList
from fraction_mcp.operations.pricing.price_list import Priced, Unpriced, price_at
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.values.decimals import exact_product, exact_sum, plain

__all__ = [
    "PAYS",
    "Step",
    "break_list",
    "changes",
    "compared",
    "listed",
    "money",
    "percent",
    "percentage",
    "unchanged",
    "warnings",
]

PAYS = "pays "
"""How the lines of a preview begin that say what is paid at a quantity."""
_JUMP = Decimal("0.2")
_MOST_ROWS = 24  # beyond, steps that stay as they are share a row
_MOST_NAMED = 10
_MOST_PRICES = 4

Kind = Literal["same", "less", "more", "gone", "new", "unclear"]


@dataclass(frozen=True, slots=True)
class Step:
    """Quantities from `start` (from nothing, where it is None) to below `end` (without end, where it is None), all of
    which cost the same each. `at` is one of them. `before` is None where the customer has no list yet."""

    start: Decimal | None
    end: Decimal | None
    at: Decimal
    before: Priced | Unpriced | None
    after: Priced | Unpriced

    @property
    def kind(self) -> Kind:
        """What becomes of the price. `less` and `more` are changes of more than 20 %."""
        if self.before is None:
            return "same"
        if isinstance(self.before, Unpriced):
            if self.before.at_break is not None:
                return "unclear"
            return "same" if isinstance(self.after, Unpriced) else "new"
        if isinstance(self.after, Unpriced):
            return "gone"
        change = exact_sum((self.after.unit_price, self.before.unit_price.copy_negate()))
        if abs(change) <= exact_product(abs(self.before.unit_price), _JUMP):
            return "same"
        return "less" if change < 0 else "more"

    @property
    def factor(self) -> Decimal:
        """How many times dearer the one price is than the other; without bound where one is nothing or less."""
        if not (isinstance(self.before, Priced) and isinstance(self.after, Priced)):
            return Decimal(1)
        low, high = sorted((self.before.unit_price, self.after.unit_price))
        return Decimal("Infinity") if low <= 0 else high / low


def compared(old: PriceList | None, new: PriceList) -> list[Step]:
    """The steps of both lists, from the least quantity to beyond the last break of either."""
    quantities = {
        step.quantity for price_list in (old, new) if price_list is not None for step in price_list.price_breaks
    }
    starts = sorted(quantity for quantity in quantities if quantity > 0)
    least = Decimal(1) if not starts or starts[0] > 1 else starts[0] / 2
    edges = [None, *starts, None]
    return [
        Step(start, end, at, None if old is None else price_at(old, at), price_at(new, at))
        for start, end in pairwise(edges)
        for at in (start or least,)
    ]


# ---------------------------------------------------------------------------------------------------------------- rows


def changes(steps: Sequence[Step]) -> list[Change]:
    """A table for people: what one piece costs the customer now, and would cost, at each step."""
    shown = [step for step in steps if _worth_a_row(step)]
    if len(shown) <= _MOST_ROWS:
        return [_row(step) for step in shown]
    rows: list[Change] = []
    for same, run in groupby(shown, lambda step: _pays(step.before) == _pays(step.after)):
        held = list(run)
        if same and len(held) > 2:
            words = f"the same at each of {len(held)} steps"
            rows.append(
                Change(field=f"{PAYS}at {plain(held[0].at)} to {plain(held[-1].at)}", before=words, after=words)
            )
        else:
            rows += [_row(step) for step in held]
    return rows


def _worth_a_row(step: Step) -> bool:
    """Quantities below a first break of 1 are seldom bought: they are shown where their price changes."""
    return step.start is not None or step.at >= 1 or _pays(step.before) != _pays(step.after)


def _row(step: Step) -> Change:
    where = f"at {plain(step.at)}" if step.start is not None or step.at >= 1 else f"below {_end(step)}"
    before, after = _pays(step.before), _pays(step.after)
    return Change(field=f"{PAYS}{where}", before=before, after=f"{after}{_in_brackets(step)}")


def _pays(price: Priced | Unpriced | None) -> str | None:
    match price:
        case None:
            return None
        case Priced():
            return f"{money(price.unit_price)} each"
        case _:
            return "no price" if price.at_break is None else f"not known: {_both(price)}"


def _both(price: Unpriced) -> str:
    """The prices of one break, or the least and the most where they are many: a warning has its length."""
    if len(price.prices) > _MOST_PRICES:
        return f"from {money(min(price.prices))} to {money(max(price.prices))}"
    return " or ".join(map(money, price.prices))


def _in_brackets(step: Step) -> str:
    change = _percent(step)
    return f" ({change})" if change else ""


def _percent(step: Step) -> str:
    if not (isinstance(step.before, Priced) and isinstance(step.after, Priced)):
        return ""
    return percent(step.before.unit_price, step.after.unit_price)


def percent(before: Decimal | None, after: Decimal | None) -> str:
    """`−99.9 %`; empty where there is nothing to compare, or no change that shows."""
    if before is None or after is None or before <= 0:
        return ""
    change = (after - before) / before * 100
    return f"{change:+.1f} %".replace("-", "−") if change else ""


def percentage(value: Decimal) -> str:
    """A percentage as it was asked for: `+3.25 %`."""
    return f"{'−' if value < 0 else '+'}{plain(abs(value))} %"


def break_list(price_list: PriceList | None) -> str | None:
    """All breaks of a list in one line, by quantity: `1 at 12.50, 100 at 10.00`."""
    if price_list is None:
        return None
    steps = sorted(price_list.price_breaks, key=lambda step: step.quantity)
    return ", ".join(f"{plain(step.quantity)} at {money(step.unit_price)}" for step in steps) or None


def unchanged(old: PriceList, new: PriceList) -> bool:
    """Whether a list holds what another one holds, in whatever order."""

    def held(price_list: PriceList) -> tuple[object, ...]:
        breaks = sorted((step.quantity, step.unit_price) for step in price_list.price_breaks)
        return (breaks, price_list.selling_price, price_list.customer_part_number)

    return held(old) == held(new)


# ------------------------------------------------------------------------------------------------------------ warnings


def warnings(steps: Sequence[Step]) -> list[str]:
    """What a person must not overlook: every quantity at which the price changes by more than 20 %, the worst first;
    then where there is none any more, or one where there was none, or what is paid now is not known."""
    runs = [list(run) for _, run in groupby(steps, lambda step: step.kind)]
    jumps = [run for run in runs if run[0].kind in {"less", "more"}]
    sentences = [_jump(run) for run in sorted(jumps, key=lambda run: -_worst(run).factor)]
    for kind, words in _OTHERWISE:
        sentences += [line for run in runs if run[0].kind == kind for line in words(run)]
    return sentences


def _worst(run: Sequence[Step]) -> Step:
    return max(run, key=lambda step: step.factor)


def _jump(run: Sequence[Step]) -> str:
    worst = _worst(run)
    change = _percent(worst)
    return (
        f"At {plain(worst.at)} the customer would pay {_money_of(worst.after)} instead of {_money_of(worst.before)}"
        f"{f' ({change})' if change else ''}: more than 20 % {run[0].kind} {_range(run)}."
    )


def _gone(run: Sequence[Step]) -> Iterator[str]:
    first = run[0]
    yield (
        f"No price any more {_range(run)}: at {plain(first.at)} the customer pays {_money_of(first.before)} now, and "
        "would have no price."
    )


def _new(run: Sequence[Step]) -> Iterator[str]:
    first = run[0]
    yield (
        f"A price where there was none {_range(run)}: at {plain(first.at)} the customer would pay "
        f"{_money_of(first.after)}."
    )


def _unclear(run: Sequence[Step]) -> Iterator[str]:
    for before, same in groupby(run, lambda step: step.before):
        held = list(same)
        if isinstance(before, Unpriced) and before.at_break is not None:
            yield (
                f"What the customer pays now {_range(held)} is not known: the list holds {plain(before.at_break)} at "
                f"{len(before.prices)} prices, {_both(before)}. At {plain(held[0].at)} they would pay "
                f"{_money_of(held[0].after)}."
            )


_OTHERWISE = (("unclear", _unclear), ("gone", _gone), ("new", _new))


def _range(run: Sequence[Step]) -> str:
    start, end = run[0].start, run[-1].end
    if start is None:
        return "at every quantity" if end is None else f"below {plain(end)}"
    return f"from {plain(start)} on" if end is None else f"from {plain(start)} to below {plain(end)}"


def _end(step: Step) -> str:
    return "any" if step.end is None else plain(step.end)


def _money_of(price: Priced | Unpriced | None) -> str:
    return money(price.unit_price) if isinstance(price, Priced) else "no price"


def money(value: Decimal) -> str:
    return plain(value, 2)


def listed(quantities: Sequence[Decimal]) -> str:
    """Quantities as a sentence names them: some ten, and how many more."""
    named = ", ".join(map(plain, quantities[:_MOST_NAMED]))
    more = len(quantities) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
