"""What there is to list: each kind with its count and span of time; one kind's fields, their types and values.

No document states the fields of most kinds, so they are looked at: a page of each, remembered for an hour (and no
longer than until this process writes). By which fields a list sorts is not stated either, so what
comes back is checked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from fraction_mcp.erp.endpoints import KINDS, RecordKind
from fraction_mcp.erp.pages import stated_total
from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.errors import ErpError, ErpRejected
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import pieces_fitting
from fraction_mcp.operations.known_fields import field_paths
from fraction_mcp.operations.naming import number_field
from fraction_mcp.operations.records.all_pages import PAGE
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.filters import as_date, as_number
from fraction_mcp.operations.records.table import Cell, called
from fraction_mcp.operations.results import ResultPart, ToolResult, where_it_says_something
from fraction_mcp.values.text import clean

__all__ = ["Description", "describe_kind", "describe_kinds"]

_COLUMNS = ("kind", "count", "number_field", "date_field", "first", "last")
_SAMPLE = 10  # records of a kind that the overview looks at
_AT_ONCE = 4
_FEW = 12  # values of a field that are named
_EXAMPLE = 40
_CHOICE = 30  # characters of what a field offers to choose from
_DAY = len("2026-12-31")
_NOT_THE_DATE = ("due", "deliver", "expect", "requir", "paid", "complet", "expir", "updated", "end", "ship")


class ValueCount(ResultPart):
    value: str
    count: int


class DescribedField(ResultPart):
    """A field as it was seen. `values` are all that were seen, with their counts, where they are few."""

    name: str
    type: str
    example: str
    documented: bool
    values: tuple[ValueCount, ...]


class Description(ToolResult):
    """All kinds as a table, or one kind's fields: the one that `kind` names."""

    coverage: Coverage | None = where_it_says_something
    columns: tuple[str, ...] | None = where_it_says_something
    rows: tuple[tuple[Cell, ...], ...] | None = where_it_says_something
    kind: str
    looked_at: int | None = where_it_says_something
    fields: tuple[DescribedField, ...] | None = where_it_says_something


# ------------------------------------------------------------------------------------------------------------ all kinds


@dataclass(frozen=True, slots=True)
class _Span:
    """What one kind's row says; `failure` where its list could not be read."""

    kind: str
    count: int | None = None
    number: str = ""
    dated: str = ""
    first: str | None = None
    last: str | None = None
    failure: ErpError | None = None

    @property
    def row(self) -> tuple[Cell, ...]:
        return (self.kind, self.count, self.number, self.dated, self.first, self.last)


async def describe_kinds(context: ErpContext) -> Description:
    """One row a kind: how many, by the ERP's own count, and since when until when. At most three requests a kind.

    Raises ErpError where not one of the lists could be read.
    """
    return await context.described.recall("", context.fraction, lambda: _all_kinds(context))


async def _all_kinds(context: ErpContext) -> Description:
    spans: dict[str, _Span] = {}
    gate = anyio.CapacityLimiter(_AT_ONCE)

    async def look(kind: str) -> None:
        async with gate:
            spans[kind] = await _span(context, kind)

    async with anyio.create_task_group() as group:
        for kind in KINDS:
            group.start_soon(look, kind)
    rows = [spans[kind] for kind in KINDS]
    failures = [span.failure for span in rows if span.failure is not None]
    if len(failures) == len(rows):
        raise failures[0]
    counts = ", ".join(f"{span.count} {KINDS[span.kind].nouns}" for span in rows if span.count is not None)
    unread = ", ".join(KINDS[span.kind].nouns for span in rows if span.failure)
    return Description(
        summary=f"FractionERP counts {counts}." + (f" Not read: {unread} ({failures[0].message})." if failures else ""),
        next="describe_records with a kind names its fields.",
        kind="",
        coverage=_coverage(len(rows), len(rows) - len(failures)),
        columns=_COLUMNS,
        rows=tuple(span.row for span in rows),
    )


def _coverage(rows: int, read: int) -> Coverage:
    return Coverage(
        total=rows,
        scanned=read,
        returned=rows,
        first=1,
        last=rows,
        page=1,
        last_page=1,
        complete=read == rows,
        next_page=None,
    )


async def _span(context: ErpContext, kind: str) -> _Span:
    try:
        answer = await context.fraction.call(KINDS[kind].list, query={"per_page": _SAMPLE, "page": 1})
        records = answer.records()
    except ErpError as failure:
        return _Span(kind, failure=failure)
    context.known.of(kind).look(records)
    dated = _date_field(records)
    first, last = await _ends(context, kind, dated, records) if dated else (None, None)
    return _Span(kind, stated_total(answer, _SAMPLE), number_field(KINDS[kind], records), dated, first, last)


def _date_field(records: Sequence[Record]) -> str:
    """The field that says when such a record came about: its own date, else when it was created."""
    names = [name for name in dict.fromkeys(name for record in records for name in record) if _is_dated(name, records)]
    own = [name for name in names if "date" in name.casefold() and not any(word in name for word in _NOT_THE_DATE)]
    always = [name for name in names if all(record.get(name) for record in records)]
    created = [name for name in always if name.startswith("created")]
    return next(iter([*(name for name in own if name in always), *created, *names]), "")


def _is_dated(name: str, records: Sequence[Record]) -> bool:
    held = [record[name] for record in records if record.get(name) not in (None, "")]
    return bool(held) and all(as_date(value) for value in held)


async def _ends(context: ErpContext, kind: str, field: str, sample: Sequence[Record]) -> tuple[str | None, str | None]:
    """The first and the last date, where the ERP sorts by it. None where it refuses to, or what comes back cannot be
    the ends: no document says by which fields a list sorts, and an ERP may ignore being asked."""
    ends: list[Record] = []
    for order in ("asc", "desc"):
        query: dict[str, str | int] = {"sort": field, "order": order, "per_page": 1, "page": 1}
        try:
            ends += (await context.fraction.call(KINDS[kind].list, query=query)).records()[:1]
        except ErpError:
            return None, None
    days = [as_date(record.get(field)) for record in (*ends, *sample)]
    if len(ends) < 2:
        return None, None
    dated = [day for day in days[2:] if day is not None]
    first, last = days[:2]
    if first is None or last is None or first > min(dated) or last < max(dated):
        return None, None
    return first.isoformat(), last.isoformat()


# ------------------------------------------------------------------------------------------------------------ one kind


async def describe_kind(context: ErpContext, kind: str) -> Description:
    """One kind's fields, as a page of its records shows them: the newest ones where the ERP sorts so. One request, two
    where it does not."""
    return await context.described.recall(kind, context.fraction, lambda: _one_kind(context, kind))


async def _one_kind(context: ErpContext, kind: str) -> Description:
    record_kind = KINDS[kind]
    answer, which = await _newest(context, record_kind)
    records = answer.records()
    names = context.known.of(kind)
    names.look(records)
    offered = dict.fromkeys(path for record in records for path in field_paths(record))
    # A list or an object that is empty in one record, and is not in another, is what is in it.
    paths = [path for path in offered if not any(other.startswith((f"{path}[", f"{path}.")) for other in offered)]
    fields = [_described(path, records, record_kind) for path in paths]
    fit = pieces_fitting(fields)
    total = stated_total(answer, PAGE)
    if total == len(records):
        names.seen_whole(context.fraction.writes)
    of = f" of {total}" if total is not None and total > len(records) else ""
    cut = f", of which {fit} fit into a result" if fit < len(fields) else ""
    return Description(
        summary=f"{len(fields)} fields in {which} {len(records)}{of} {record_kind.nouns}{cut}; others may have more.",
        kind=kind,
        looked_at=len(records),
        fields=tuple(fields[:fit]),
    )


async def _newest(context: ErpContext, kind: RecordKind) -> tuple[ErpAnswer, str]:
    """A page of a kind, and which records it holds, in words."""
    query: dict[str, str | int] = {"per_page": PAGE, "page": 1}
    try:
        answer = await context.fraction.call(kind.list, query={**query, "sort": "created_at", "order": "desc"})
    except ErpRejected:
        return await context.fraction.call(kind.list, query=query), "the first"
    stamps = [str(record.get("created_at") or "") for record in answer.records()]
    newest = len(set(stamps)) > 1 and stamps == sorted(stamps, reverse=True)
    return answer, "the newest" if newest else "the first"


def _described(path: str, records: Sequence[Record], kind: RecordKind) -> DescribedField:
    values = list(_values(path, records))
    counts = Counter(map(called, values))
    few = 0 < len(counts) <= _FEW and len(values) >= 2 * len(counts) and _enumerates(values)
    example = next((called(value) for value in values), "")
    return DescribedField(
        name=clean(path, 120),
        type=_type_of(values),
        example="" if few else clean(example, _EXAMPLE),
        documented=path in kind.documented,
        values=tuple(
            ValueCount(value=clean(value, _EXAMPLE), count=count) for value, count in counts.most_common() if few
        ),
    )


def _values(path: str, records: Iterable[Record]) -> Iterable[Any]:
    for record in records:
        value = at_path(record, path)
        for each in value if isinstance(value, list) and "[]" in path else [value]:
            if each is not ABSENT and each not in (None, "", [], {}):
                yield each


def _enumerates(values: Sequence[Any]) -> bool:
    """Whether values can be the choices of a field: yes or no, or texts that are neither numbers nor dates."""
    return all(
        isinstance(value, bool)
        or (isinstance(value, str) and len(value) <= _CHOICE and as_number(value) is None and as_date(value) is None)
        for value in values
    )


def _type_of(values: Sequence[Any]) -> str:
    kinds = Counter(map(_type, values))
    return " or ".join(name for name, _ in kinds.most_common(2)) or "empty"


def _type(value: Any) -> str:
    match value:
        case bool():
            return "yes/no"
        case dict():
            return "object"
        case list():
            return "list"
    if as_number(value) is not None:
        return "number"
    if as_date(value) is None:
        return "text"
    return "date" if len(value.strip()) == _DAY else "time"
