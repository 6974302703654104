"""Counts, sums, extremes and averages of records, by group, exactly; amounts never added across currencies.

What is summed is kept for each group and currency apart. Nothing here reads pages or writes sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.filters import as_date, as_number
from fraction_mcp.operations.present import ABSENT, at_path, called
from fraction_mcp.shapes import plain

__all__ = ["Aggregates", "Asked", "bucketed", "currency_of"]

_EXACT = Context(prec=60)
_SIXTH = Decimal("0.000001")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be worked out. `dates` is a field and its bucket, or two empty texts."""

    group_by: Sequence[str] = ()
    sums: Sequence[str] = ()
    lows: Sequence[str] = ()
    highs: Sequence[str] = ()
    averages: Sequence[str] = ()
    dates: tuple[str, str] = ("", "")

    @property
    def figures(self) -> list[str]:
        return list(dict.fromkeys([*self.sums, *self.lows, *self.highs, *self.averages]))

    @property
    def paths(self) -> list[str]:
        return [*self.group_by, *([self.dates[0]] if self.dates[0] else []), *self.figures]

    @property
    def list_field(self) -> str:
        """The list whose elements are grouped, empty where records are. Raises InputError where that is not one."""
        lists = {path.partition("[]")[0] for path in self.group_by if "[]" in path}
        if len(lists) > 1:
            raise InputError({"group_by": f"runs through several lists ({', '.join(sorted(lists))}); group by one"})
        for path in self.figures if lists else ():
            if not path.startswith(f"{min(lists)}[]"):
                raise InputError(
                    {
                        "group_by": f"{path} belongs to the record, and would be counted once for each element of "
                        f"{min(lists)}; take a field of {min(lists)}[] or group by a field of the record"
                    }
                )
        return min(lists, default="")


@dataclass(slots=True)
class Figure:
    """One field's figures in one group: what was there, what was not a number."""

    count: int = 0
    total: Decimal = Decimal(0)
    low: Decimal | date | None = None
    high: Decimal | date | None = None

    def take(self, value: Decimal | date) -> None:
        self.count += 1
        if isinstance(value, Decimal):
            self.total = _EXACT.add(self.total, value)
        self.low = value if self.low is None or value < self.low else self.low  # type: ignore[operator]
        self.high = value if self.high is None or value > self.high else self.high  # type: ignore[operator]

    def merge(self, other: "Figure") -> None:
        self.count += other.count
        self.total = _EXACT.add(self.total, other.total)
        for value in (other.low, other.high):
            if value is not None:
                self.low = value if self.low is None or value < self.low else self.low  # type: ignore[operator]
                self.high = value if self.high is None or value > self.high else self.high  # type: ignore[operator]

    def average(self) -> Decimal | None:
        if not self.count:
            return None
        return _EXACT.divide(self.total, Decimal(self.count)).quantize(_SIXTH, ROUND_HALF_UP, _EXACT)


@dataclass(slots=True)
class Group:
    count: int = 0
    figures: dict[str, Figure] = field(default_factory=dict)

    def merge(self, other: "Group") -> None:
        self.count += other.count
        for name, figure in other.figures.items():
            self.figures.setdefault(name, Figure()).merge(figure)

    def cells(self, asked: Asked) -> list[str | int | None]:
        """count, then each figure that was asked for, in the order of `Aggregates.columns`."""
        row: list[str | int | None] = [self.count]
        row += [_shown(self.figures[name].total) if self._has(name) else None for name in asked.sums]
        row += [_shown(self.figures[name].low) if self._has(name) else None for name in asked.lows]
        row += [_shown(self.figures[name].high) if self._has(name) else None for name in asked.highs]
        row += [_shown(self.figures[name].average()) if self._has(name) else None for name in asked.averages]
        return row

    def _has(self, name: str) -> bool:
        return name in self.figures and self.figures[name].count > 0


class Aggregates:
    """Fed record by record; `groups` are keyed by the group paths' values, then the currency."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.groups: dict[Key, Group] = {}
        self.met: set[str] = set()
        self.blank: dict[str, int] = {}
        self.odd: dict[str, int] = {}
        self.currencies: set[str] = set()
        self.without_elements = 0
        self._list = asked.list_field

    def take(self, record: Record) -> None:
        currency = currency_of(record) if self.asked.figures else ""
        if self.asked.figures:
            self.currencies.add(currency)
        elements = self._elements(record)
        if self._list and not elements:
            self.without_elements += 1
        for element in elements:
            self._count(element, currency)

    def _elements(self, record: Record) -> list[Record]:
        """The records that are counted: this one, or one for each element of the list that is grouped by."""
        if not self._list:
            return [record]
        items = at_path(record, self._list)
        self.met |= {path for path in self.asked.paths if at_path(record, path) is not ABSENT}
        return [_with(record, self._list, item) for item in items] if isinstance(items, list) else []

    def _count(self, record: Record, currency: str) -> None:
        key = [self._value(record, path) for path in self.asked.group_by]
        if self.asked.dates[0]:
            key.append(bucketed(self._at(record, self.asked.dates[0]), self.asked.dates[1]))
        group = self.groups.setdefault((*key, currency), Group())
        group.count += 1
        for path in self.asked.figures:
            self._measure(group, record, path)

    def _at(self, record: Record, path: str) -> Any:
        value = at_path(record, path)
        if value is not ABSENT:
            self.met.add(path)
        return value

    def _value(self, record: Record, path: str) -> str:
        value = self._at(record, path)
        if "[]" in path and isinstance(value, list):  # a list of one: the element that is being counted
            value = value[0] if value else None
        return "" if value is ABSENT else called(value)

    def _measure(self, group: Group, record: Record, path: str) -> None:
        value = self._at(record, path)
        figure = group.figures.setdefault(path, Figure())
        items = value if isinstance(value, list) and "[]" in path else [value]
        for item in items:
            if item is ABSENT or item is None or item == "":
                self.blank[path] = self.blank.get(path, 0) + 1
            elif (number := as_number(item)) is not None:
                self._compared(figure, path, number)
            elif path not in {*self.asked.sums, *self.asked.averages} and (day := as_date(item)) is not None:
                self._compared(figure, path, day)
            else:
                self.odd[path] = self.odd.get(path, 0) + 1

    def _compared(self, figure: Figure, path: str, value: Decimal | date) -> None:
        if figure.low is not None and isinstance(figure.low, Decimal) is not isinstance(value, Decimal):
            self.odd[path] = self.odd.get(path, 0) + 1  # a date among numbers compares with none of them
        else:
            figure.take(value)

    # ------------------------------------------------------------------------------------------------------ what came

    @property
    def by_currency(self) -> bool:
        """Whether records carry a currency, and amounts are therefore kept apart."""
        return bool(self.currencies - {""})

    def columns(self) -> list[str]:
        asked = self.asked
        names = [*asked.group_by, *([f"{asked.dates[0]}:{asked.dates[1]}"] if asked.dates[0] else [])]
        names += ["currency"] if self.by_currency else []
        names += ["count", *(f"sum_{name}" for name in asked.sums), *(f"min_{name}" for name in asked.lows)]
        return [*names, *(f"max_{name}" for name in asked.highs), *(f"average_{name}" for name in asked.averages)]

    def ranked(self) -> list[tuple[Key, Group]]:
        """By date bucket where there is one, else the largest first: by the first sum, or by count."""
        asked = self.asked

        def size(entry: tuple[Key, Group]) -> tuple[Any, ...]:
            key, group = entry
            if asked.dates[0]:
                return (key[len(asked.group_by)], key)
            first = group.figures[asked.sums[0]].total if asked.sums and asked.sums[0] in group.figures else Decimal(0)
            return (-first, -group.count, key)

        return sorted(self.groups.items(), key=size)

    def rows(self, top: int) -> list[list[str | int | None]]:
        """The top groups, then one row for the rest (one for each currency, where amounts are kept apart)."""
        ranked = self.ranked()
        paths = len(self.asked.group_by) + bool(self.asked.dates[0])
        top = top if paths else len(ranked)  # without groups there are only the currencies
        if self.asked.dates[0] and len(ranked) > top:  # of many buckets the latest are wanted, still in order
            ranked = [*ranked[-top:], *ranked[:-top]]
        rows = [self._row(key, group) for key, group in ranked[:top]]
        rest: dict[str, Group] = {}
        for key, group in ranked[top:]:
            rest.setdefault(key[-1] if self.by_currency else "", Group()).merge(group)
        label = f"(the other {len(ranked) - top} groups)"
        rows += [self._row((label, *[""] * (paths - 1), currency), group) for currency, group in sorted(rest.items())]
        return rows

    def _row(self, key: Key, group: Group) -> list[str | int | None]:
        return [*(key if self.by_currency else key[:-1]), *group.cells(self.asked)]

    def totals(self) -> dict[str, Any]:
        """Over everything: `count`, and each figure; a figure of several currencies is an object by currency."""
        by: dict[str, Group] = {}
        for key, group in self.groups.items():
            by.setdefault(key[-1], Group()).merge(group)
        whole = {"count": sum(group.count for group in by.values())}
        names = self.columns()[-len(Group().cells(self.asked)) :][1:]
        figures = {currency: group.cells(self.asked)[1:] for currency, group in sorted(by.items())}
        for index, name in enumerate(names):
            each = {currency or "none": cells[index] for currency, cells in figures.items()}
            whole[name] = each if self.by_currency and len(each) > 1 else next(iter(each.values()), None)  # type: ignore[assignment]
        return whole


def currency_of(record: Mapping[str, Any]) -> str:
    """The currency that a record says its amounts are in; empty where it says nothing."""
    for name in ("currency", "currency_code"):
        if name in record:
            return called(record[name])
    return next((called(value) for name, value in record.items() if "currency" in name and isinstance(value, str)), "")


def bucketed(value: Any, bucket: str) -> str:
    """The bucket of an ISO date: 2026-11-21, 2026-W47 (ISO week), 2026-11, 2026-Q4, 2026; empty for no date."""
    day = as_date(value)
    if day is None:
        return ""
    week = day.isocalendar()
    return {
        "day": day.isoformat(),
        "week": f"{week.year}-W{week.week:02}",
        "month": f"{day.year}-{day.month:02}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": f"{day.year}",
    }[bucket]


def _with(record: Record, path: str, item: Any) -> Record:
    """The record as if its list held this element alone."""
    head, _, rest = path.partition(".")
    inner = _with(record[head], rest, item) if rest else [item]
    return {**record, head: inner}


def _shown(value: Decimal | date | None) -> str | None:
    return None if value is None else plain(value) if isinstance(value, Decimal) else value.isoformat()
