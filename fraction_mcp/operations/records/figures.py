"""One field's figures in one group, exactly, and the currency that an amount is in.

Nothing here knows groups' names or which figures were asked for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fraction_mcp.erp.paths import ABSENT
from fraction_mcp.operations.records.table import called
from fraction_mcp.values.decimals import EXACT

__all__ = ["Figure", "Group", "amounts", "currency_of", "merged"]

_SIXTH = Decimal("0.000001")
_CURRENCY = re.compile(r"(?i)(^|_)currency(_(code|iso|symbol|name))?$")


@dataclass(slots=True)
class Figure:
    """One field's figures in one group. Numbers and days are kept apart, since neither compares with the other."""

    count: int = 0
    total: Decimal = Decimal(0)
    low: Decimal | None = None
    high: Decimal | None = None
    days: int = 0
    first: date | None = None
    last: date | None = None

    def take(self, value: Decimal | date) -> None:
        if isinstance(value, Decimal):
            self._numbers(1, value, value, value)
        else:
            self._days(1, value, value)

    def merge(self, other: "Figure") -> None:
        if other.low is not None and other.high is not None:
            self._numbers(other.count, other.total, other.low, other.high)
        if other.first is not None and other.last is not None:
            self._days(other.days, other.first, other.last)

    def _numbers(self, count: int, total: Decimal, low: Decimal, high: Decimal) -> None:
        self.count += count
        self.total = EXACT.add(self.total, total)
        self.low = low if self.low is None or low < self.low else self.low
        self.high = high if self.high is None or high > self.high else self.high

    def _days(self, count: int, first: date, last: date) -> None:
        self.days += count
        self.first = first if self.first is None or first < self.first else self.first
        self.last = last if self.last is None or last > self.last else self.last

    def average(self) -> Decimal | None:
        if not self.count:
            return None
        return EXACT.divide(self.total, Decimal(self.count)).quantize(_SIXTH, ROUND_HALF_UP, EXACT)


@dataclass(slots=True)
class Group:
    """`count` records or elements; a group of a second currency within one record counts none of its own."""

    count: int = 0
    figures: dict[str, Figure] = field(default_factory=dict)

    def merge(self, other: "Group") -> None:
        self.count += other.count
        for name, figure in other.figures.items():
            self.figures.setdefault(name, Figure()).merge(figure)


def merged(groups: Iterable[Group]) -> Group:
    whole = Group()
    for group in groups:
        whole.merge(group)
    return whole


def amounts(record: Mapping[str, Any], path: str, currency: str) -> Iterable[tuple[Any, str]]:
    """The values at a path, each with the currency that stands nearest to it: beside it, or further out, which at the
    outermost is `currency`."""
    if "." not in path and "[" not in path:
        return ((record.get(path, ABSENT), currency),)
    return _amounts(record, path, currency)


def _amounts(value: Any, path: str, currency: str) -> Iterator[tuple[Any, str]]:
    step, _, rest = path.partition(".")
    name, each, _ = step.partition("[]")
    if not isinstance(value, dict) or name not in value:
        yield ABSENT, currency
        return
    inner = value[name]
    if not each and not rest:
        yield inner, currency
        return
    items = inner if each else [inner]
    if not isinstance(items, list) or not items:
        yield ABSENT, currency
        return
    for item in items:
        if rest:
            own = currency_of(item) if isinstance(item, dict) else ""
            yield from _amounts(item, rest, own or currency)
        else:
            yield item, currency


def currency_of(record: Mapping[str, Any]) -> str:
    """The currency that a record says its amounts are in; empty where it says nothing."""
    for name in ("currency", "currency_code"):
        if name in record:
            return called(record[name])
    names = (name for name in record if "urrency" in name and _CURRENCY.search(name))
    return next((called(record[name]) for name in names if isinstance(record[name], str)), "")
