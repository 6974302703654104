"""All pages of a kind of record, folded into counts and figures by group, with the truth about what was read."""

from collections.abc import Collection, Sequence
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.known_fields import FieldNames, refuse_unknown
from fraction_mcp.operations.records.aggregate import Aggregates, Asked
from fraction_mcp.operations.records.all_pages import Reading, counted, read_all
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.filters import Condition, Filters
from fraction_mcp.operations.records.table import Cell, fitting
from fraction_mcp.operations.results import ToolResult
from fraction_mcp.values.text import clean, quoted

__all__ = ["Summary", "summarise"]

_CURRENCIES = 5  # that a sentence names


class Summary(ToolResult):
    kind: str
    coverage: Coverage
    warnings: tuple[str, ...] = ()
    totals: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


async def summarise(
    context: ErpContext,
    kind: str,
    asked: Asked,
    *,
    search: str = "",
    conditions: Sequence[Condition] = (),
    top: int = 20,
    max_pages: int = 50,
    max_records: int = 0,
) -> Summary:
    """Fold all pages (at most `max_pages`). Without groups, figures and filters, a count: one request.

    Raises InputError for a field that no record has, TooCostly where the rate budget would not bear it.
    """
    record = endpoints.KINDS[kind]
    endpoint, noun = record.list, record.nouns
    query: dict[str, str | int] = {"search": search} if search else {}
    filters = Filters(conditions)
    groups = Aggregates(asked)
    named = {"filters": [condition[0] for condition in conditions], **_named(asked)}
    context.known.check(kind, named, writes=context.fraction.writes)
    if not (asked.paths or filters) and (total := await counted(context.fraction, endpoint, query)) is not None:
        return _count(kind, noun, search, total)
    fields = context.known.of(kind)
    fold = _Fold(fields, filters, groups)
    reading = await read_all(context.fraction, endpoint, query, fold.take, max_pages=max_pages, max_records=max_records)
    if reading.scanned:
        if reading.complete and not search:
            fields.seen_whole(context.fraction.writes)
        unknown = {"filters": filters.unknown(), **_never(asked, groups)}
        refuse_unknown(unknown, fields, among=reading.among(search))
    rows, remark = _shown(groups, top)
    return Summary(
        summary=_sentence(groups, reading, noun, search, fold.matched if filters else None),
        next=" ".join(filter(None, (_next(reading), filters.values_there() if not fold.matched else ""))),
        kind=kind,
        coverage=Coverage.of_all(reading, len(rows)),
        warnings=(*reading.warnings(), *filters.warnings(), *_remarks(groups, noun), *remark),
        totals=groups.totals(),
        columns=tuple(groups.columns()),
        rows=rows,
    )


class _Fold:
    """Pages of records, as they come: what their fields are, and the figures of those that match."""

    def __init__(self, fields: FieldNames, filters: Filters, groups: Aggregates) -> None:
        self.matched = 0
        self._fields = fields
        self._filters = filters
        self._groups = groups

    def take(self, records: list[dict[str, Any]]) -> None:
        self._fields.look(records)
        for record in records:
            self._groups.note(record)
            if self._filters.match(record):
                self.matched += 1
                self._groups.take(record)


def _shown(groups: Aggregates, top: int) -> tuple[tuple[tuple[Cell, ...], ...], list[str]]:
    """The groups, long names cut, and a remark where there is no room for as many as were asked for."""
    remark: list[str] = []
    while True:
        rows = [[clean(cell, 80) if isinstance(cell, str) else cell for cell in row] for row in groups.rows(top)]
        room = fitting(groups.columns(), rows)
        if room < len(rows) and top == 1:  # so many currencies
            remark = [f"Only {room} of {len(rows)} rows fit into a result by themselves."]
        if room >= len(rows) or top == 1:
            remark = remark or _tie(groups, top)
            return tuple(map(tuple, rows[:room])), remark
        top = max(room - len(groups.currencies), 1)  # what has no room of its own goes into the rest
        remark = [f"Only {top} groups fit into a result by themselves: name fewer fields to see more."]


def _tie(groups: Aggregates, top: int) -> list[str]:
    more = groups.tied(top)
    are = "group is" if more == 1 else "groups are"
    return (
        [f"The limit of {top} falls into a tie: {more} further {are} as large as the last one shown."] if more else []
    )


def _next(reading: Reading) -> str:
    if reading.capped or reading.cut:
        limit = "max_records" if reading.cut else "max_pages"
        return f"Narrow it with search, or raise {limit}, to cover everything."
    return "" if reading.complete else "Ask again in a moment to cover everything."


def _count(kind: str, noun: str, search: str, total: int) -> Summary:
    reading = Reading(total=total, scanned=total)
    of = f" matching {quoted(search)}" if search else ""
    return Summary(
        summary=f"There are {total} {noun}{of}, as FractionERP counts them.",
        kind=kind,
        coverage=Coverage.of_all(reading, 1).model_copy(update={"scanned": 0}),
        totals={"count": total},
        columns=("count",),
        rows=((total,),),
    )


def _never(asked: Asked, groups: Aggregates) -> dict[str, list[str]]:
    """The paths that no record had, by the argument that named them."""
    return {name: [path for path in paths if path in groups.unmet] for name, paths in _named(asked).items()}


def _named(asked: Asked) -> dict[str, Sequence[str]]:
    """The fields that a call names, by the argument that names them."""
    return {
        "group_by": asked.group_by,
        "sum": asked.sums,
        "min": asked.lows,
        "max": asked.highs,
        "average": asked.averages,
        "date_field": [asked.dates[0]] if asked.dates[0] else [],
    }


def _remarks(groups: Aggregates, noun: str) -> list[str]:
    """What the figures leave out."""
    words = []
    if groups.by_currency and len(groups.currencies) > 1:
        words.append(f"Amounts are kept apart by currency ({_currencies(groups.currencies)}) and never added across.")
    words += [f"{_values(count, name)} empty and left out." for name, count in groups.blank.items()]
    words += [f"{_values(count, name)} not to be counted with and left out." for name, count in groups.odd().items()]
    if groups.without_elements:
        words.append(f"{groups.without_elements} {noun} have no {groups.asked.list_field} and are not counted.")
    return words


def _currencies(currencies: Collection[str]) -> str:
    """The currencies as the ERP writes them, which may be any text at all."""
    names = [quoted(currency, 12) if currency else "not stated" for currency in sorted(currencies)]
    rest = f" and {len(names) - _CURRENCIES} more" if len(names) > _CURRENCIES else ""
    return ", ".join(names[:_CURRENCIES]) + rest


def _values(count: int, name: str) -> str:
    return f"{count} value of {name} is" if count == 1 else f"{count} values of {name} are"


def _sentence(groups: Aggregates, reading: Reading, noun: str, search: str, matched: int | None) -> str:
    what = f"all {reading.scanned} {noun}" if reading.complete else f"only {reading.scanned} {noun}"
    if not reading.complete and reading.total is not None and reading.total >= reading.scanned:
        what += f" of {reading.total}"
    words = f"Partial: {what}" if not reading.complete else what[0].upper() + what[1:]
    words += f" matching {quoted(search)}" if search else ""
    words += " were read"
    if matched is not None:
        words += f", and {matched} meet the filters"
    count = len(groups.groups)
    if groups.asked.group_by or groups.asked.dates[0]:
        words += f"; they make {count} group{'' if count == 1 else 's'}"
    if groups.asked.list_field:
        words += f", counted by the elements of {groups.asked.list_field}"
    return words + "."
