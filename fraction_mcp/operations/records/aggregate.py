"""Counts, sums, extremes and averages of records, by group, exactly; amounts never added across currencies.

What is summed is kept for each group and currency apart. Nothing here reads pages or writes sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.records.figures import Figure, Group, amounts, currency_of, merged
from fraction_mcp.operations.records.filters import as_date, as_number
from fraction_mcp.operations.records.table import called
from fraction_mcp.values.decimals import per_cent, plain

__all__ = ["Aggregates", "Asked", "bucketed"]

_LABELS = 2_000  # texts whose clean spelling is remembered

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be worked out. `dates` is a field and its bucket, or two empty texts."""

    group_by: Sequence[str] = ()
    sums: Sequence[str] = ()
    lows: Sequence[str] = ()
    highs: Sequence[str] = ()
    averages: Sequence[str] = ()
    shares: Sequence[str] = ()
    dates: tuple[str, str] = ("", "")

    @property
    def figures(self) -> list[str]:
        return list(dict.fromkeys([*self.sums, *self.lows, *self.highs, *self.averages]))

    @property
    def groups(self) -> list[str]:
        """The paths that groups are made by. Amounts are kept apart by currency anyhow: it is one column, not two."""
        return [path for path in dict.fromkeys(self.group_by) if not (self.figures and path == "currency")]

    @property
    def paths(self) -> list[str]:
        return [*self.group_by, *([self.dates[0]] if self.dates[0] else []), *self.figures]

    @property
    def list_field(self) -> str:
        """The list whose elements are grouped, empty where records are. Raises InputError where that is not one."""
        through = [path for path in [*self.group_by, self.dates[0]] if "[]" in path]
        lists = {path.partition("[]")[0] for path in through}
        if len(lists) > 1:
            raise InputError({"group_by": f"runs through several lists ({', '.join(sorted(lists))}); group by one"})
        if any(path.count("[]") > 1 for path in through):
            raise InputError({"group_by": "runs through a list within a list; group by a field of the outer one"})
        for path in self.figures if lists else ():
            if not path.startswith(f"{min(lists)}[]"):
                raise InputError(
                    {
                        "group_by": f"{path} belongs to the record, and would be counted once for each element of "
                        f"{min(lists)}; take a field of {min(lists)}[] or group by a field of the record"
                    }
                )
        return min(lists, default="")


class Aggregates:
    """Fed record by record; `groups` are keyed by the group paths' values, then the currency."""

    def __init__(self, asked: Asked) -> None:
        if odd := [name for name in asked.shares if name != "count" and name not in asked.sums]:
            raise InputError({"share": f"goes with count or a field of sum, which {', '.join(odd)} is not"})
        self.asked = asked
        self.groups: dict[Key, Group] = {}
        self.unmet = set(asked.paths)
        self.blank: dict[str, int] = {}
        self.currencies: set[str] = set()
        self.without_elements = 0
        self._unread: dict[str, int] = {}
        self._list = asked.list_field
        self._paths = asked.groups
        self._figures = asked.figures
        self._numeric = {*asked.sums, *asked.averages}
        self._numbered: set[str] = set()  # fields that hold numbers: a date among them is left out
        self._labels: dict[str, str] = {}

    def note(self, record: Record) -> None:
        """Notice which fields there are, also in a record that is not counted."""
        if self.unmet:
            self.unmet = {path for path in self.unmet if at_path(record, path) is ABSENT}

    def take(self, record: Record) -> None:
        elements = self._elements(record)
        if self._list and not elements:
            self.without_elements += 1
        for element in elements:
            self._count(element)

    def _elements(self, record: Record) -> list[Record]:
        """The records that are counted: this one, or one for each element of the list that is grouped by."""
        if not self._list:
            return [record]
        items = at_path(record, self._list)
        return [_with(record, self._list, item) for item in items] if isinstance(items, list) else []

    def _count(self, record: Record) -> None:
        key = tuple(self._label(record, path) for path in self._paths)
        if self.asked.dates[0]:
            key = (*key, bucketed(self._value_at(record, self.asked.dates[0]), self.asked.dates[1]))
        home = currency_of(record) if self._figures else ""
        measured = [(path, *each) for path in self._figures for each in amounts(record, path, home)]
        # A record without a currency of its own is counted in that of its first amount.
        self._group((*key, home or next((currency for _, _, currency in measured if currency), ""))).count += 1
        for path, value, currency in measured:
            self._measure((*key, currency), path, value)

    def _group(self, key: Key) -> Group:
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group()
            self.currencies.add(key[-1])
        return group

    def _value_at(self, record: Record, path: str) -> Any:
        value = at_path(record, path)
        # A list of one: the element that is being counted.
        return value[0] if "[]" in path and isinstance(value, list) and value else value

    def _label(self, record: Record, path: str) -> str:
        value = self._value_at(record, path)
        if value is ABSENT:
            return ""
        if not isinstance(value, str) or len(value) > 80:
            return called(value)
        label = self._labels.get(value)
        if label is None:
            if len(self._labels) >= _LABELS:
                self._labels.clear()
            label = self._labels[value] = called(value)
        return label

    def _measure(self, key: Key, path: str, value: Any) -> None:
        if value is ABSENT or value is None or value == "":
            self.blank[path] = self.blank.get(path, 0) + 1
        elif (number := as_number(value)) is not None:
            self._numbered.add(path)
            self._group(key).figures.setdefault(path, Figure()).take(number)
        elif path not in self._numeric and (day := as_date(value)) is not None:
            self._group(key).figures.setdefault(path, Figure()).take(day)
        else:
            self._unread[path] = self._unread.get(path, 0) + 1

    # ------------------------------------------------------------------------------------------------------ what came

    @property
    def by_currency(self) -> bool:
        """Whether records carry a currency, and amounts are therefore kept apart."""
        return bool(self.currencies - {""}) or len(self._paths) < len(set(self.asked.group_by))

    def odd(self) -> dict[str, int]:
        """How many values of a field could not be counted with; among numbers a date is one of them."""
        counts = dict(self._unread)
        for path in self._numbered:
            days = sum(group.figures[path].days for group in self.groups.values() if path in group.figures)
            if days:
                counts[path] = counts.get(path, 0) + days
        return counts

    def columns(self) -> list[str]:
        asked = self.asked
        names = [*self._paths, *([f"{asked.dates[0]}:{asked.dates[1]}"] if asked.dates[0] else [])]
        shares = [f"share_{name}" for name in _once(asked.shares)]
        figures, sums = self._figure_columns(), len(_once(asked.sums))
        return [*names, *self._currency_column(), "count", *figures[:sums], *shares, *figures[sums:]]

    def _currency_column(self) -> list[str]:
        return ["currency"] if self.by_currency else []

    def _figure_columns(self) -> list[str]:
        asked = self.asked
        by_kind = (("sum", asked.sums), ("min", asked.lows), ("max", asked.highs), ("average", asked.averages))
        return [f"{kind}_{name}" for kind, names in by_kind for name in dict.fromkeys(names)]

    def _cells(self, group: Group) -> list[str | None]:
        """Each figure that was asked for, in the order of `_figure_columns`; null where a group has none."""
        asked, none = self.asked, Figure()

        def of(name: str) -> Figure:
            return group.figures.get(name, none)

        cells: list[Decimal | date | None] = [of(name).total if of(name).count else None for name in _once(asked.sums)]
        cells += [of(name).low if name in self._numbered else of(name).first for name in _once(asked.lows)]
        cells += [of(name).high if name in self._numbered else of(name).last for name in _once(asked.highs)]
        cells += [of(name).average() for name in _once(asked.averages)]
        return [_shown(cell) for cell in cells]

    def ranked(self) -> list[tuple[Key, Group]]:
        """By date bucket where there is one, else the largest first: by the first sum, or by count."""
        asked = self.asked

        def size(entry: tuple[Key, Group]) -> tuple[Any, ...]:
            key, group = entry
            if asked.dates[0]:
                return (key[len(self._paths)], key)
            total, count = self._size(group)
            return (total.copy_negate(), -count, key)

        return sorted(self.groups.items(), key=size)

    def rows(self, top: int) -> list[list[str | int | None]]:
        """The top groups, then one row for the rest (one for each currency, where amounts are kept apart)."""
        ranked = self.ranked()
        paths = len(self._paths) + bool(self.asked.dates[0])
        top = top if paths else len(ranked)  # without groups there are only the currencies
        if self.asked.dates[0] and len(ranked) > top:  # of many buckets the latest are wanted, still in order
            ranked = [*ranked[-top:], *ranked[:-top]]
        shown = ranked[:top]
        rest: dict[str, list[Group]] = {}
        for key, group in ranked[top:]:
            rest.setdefault(key[-1], []).append(group)
        for currency, groups in sorted(rest.items()):
            label = f"(the other {len(groups)} groups)" if len(groups) > 1 else "(the other group)"
            shown.append(((label, *[""] * (paths - 1), currency), merged(groups)))
        shares = self._shares(shown)
        return [self._row(key, group, share) for (key, group), share in zip(shown, shares, strict=True)]

    def _row(self, key: Key, group: Group, shares: Sequence[str | None]) -> list[str | int | None]:
        cells, sums = self._cells(group), len(_once(self.asked.sums))
        return [*(key if self.by_currency else key[:-1]), group.count, *cells[:sums], *shares, *cells[sums:]]

    def _shares(self, shown: Sequence[tuple[Key, Group]]) -> list[list[str | None]]:
        """Each row's shares in per cent: of all that were counted, and of a sum within its own currency."""
        shares: list[list[str | None]] = [[] for _ in shown]
        for name in _once(self.asked.shares):
            by: dict[str, list[tuple[int, Decimal]]] = {}
            for index, (key, group) in enumerate(shown):
                size = Decimal(group.count) if name == "count" else group.figures.get(name, Figure()).total
                by.setdefault("" if name == "count" else key[-1], []).append((index, size))
            for sizes in by.values():
                each = per_cent([size for _, size in sizes])
                for place, (index, _) in enumerate(sizes):
                    shares[index].append(None if each is None else str(each[place]))
        return shares

    def tied(self, top: int) -> int:
        """How many groups more are as large as the last one of the top; a row limit between them is chance."""
        if self.asked.dates[0] or not self._paths or len(self.groups) <= top:
            return 0
        ranked = [group for _, group in self.ranked()]
        last = self._size(ranked[top - 1])
        return sum(self._size(group) == last for group in ranked[top:])

    def _size(self, group: Group) -> tuple[Decimal, int]:
        """What groups are ranked by: the first sum, then the count."""
        first = self.asked.sums[0] if self.asked.sums else ""
        return (group.figures[first].total if first in group.figures else Decimal(0), group.count)

    def totals(self) -> dict[str, Any]:
        """Over everything: `count`, and each figure; a figure of several currencies is an object by currency, and one
        of a single currency has it beside it."""
        by: dict[str, list[Group]] = {}
        for key, group in self.groups.items():
            by.setdefault(key[-1], []).append(group)
        whole: dict[str, Any] = {"count": sum(group.count for group in self.groups.values())}
        figures = {currency or "none": self._cells(merged(groups)) for currency, groups in sorted(by.items())}
        if self._figures and self.by_currency and len(by) == 1:
            whole["currency"] = min(by)
        for index, name in enumerate(self._figure_columns()):
            each = {currency: cells[index] for currency, cells in figures.items()}
            whole[name] = each if len(each) > 1 else next(iter(each.values()), None)
        return whole


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def bucketed(value: Any, bucket: str) -> str:
    """The bucket of an ISO date: 2026-11-21, 2026-W47 (ISO week), 2026-11, 2026-Q4, 2026; empty for no date."""
    day = as_date(value)
    if day is None:
        return ""
    week = day.isocalendar()
    return {
        "day": day.isoformat(),
        "week": f"{week.year:04}-W{week.week:02}",
        "month": f"{day.year:04}-{day.month:02}",
        "quarter": f"{day.year:04}-Q{(day.month + 2) // 3}",
        "year": f"{day.year:04}",
    }[bucket]


def _with(record: Record, path: str, item: Any) -> Record:
    """The record as if its list held this element alone."""
    head, _, rest = path.partition(".")
    inner = _with(record[head], rest, item) if rest else [item]
    return {**record, head: inner}


def _shown(value: Decimal | date | None) -> str | None:
    return None if value is None else plain(value) if isinstance(value, Decimal) else value.isoformat()
