"""A page of records -> a small table with honest coverage, filtered where it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.known_fields import FieldNames, nearest, refuse_unknown
from fraction_mcp.operations.naming import bare_or_quoted, runs_of, without_punctuation
from fraction_mcp.operations.records.all_pages import PAGE, Query, Reading, read_all
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.figures import currency_of
from fraction_mcp.operations.records.filters import Condition, Filters, is_amount, several_currencies
from fraction_mcp.operations.records.table import Cell, called, fitting, table
from fraction_mcp.operations.results import ToolResult
from fraction_mcp.values.text import clean, quoted

__all__ = ["Listing", "Shown", "list_kind"]


_EVERY_PAGE = 10_000  # the rate budget ends a reading long before


@dataclass(frozen=True, slots=True)
class Shown:
    """Which rows of a list, in which order, and which of their fields."""

    limit: int = 10
    page: int = 1
    sort: str = ""
    order: str = ""
    fields: Sequence[str] = ()

    @property
    def query(self) -> dict[str, str | int]:
        return {name: value for name, value in (("sort", self.sort), ("order", self.order)) if value}


class Listing(ToolResult):
    kind: str
    coverage: Coverage
    warnings: tuple[str, ...] = ()
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


async def list_kind(
    context: ErpContext, kind: str, shown: Shown, *, search: str = "", conditions: Sequence[Condition] = ()
) -> Listing:
    """One page of any kind of record; with conditions, of those that meet them: then all pages are read."""
    record = endpoints.KINDS[kind]
    endpoint = record.list
    context.known.check(kind, _named_fields(shown, conditions), writes=context.fraction.writes)
    query = {**shown.query, **({"search": search} if search else {})}
    words = f" matching {quoted(search)}" if search else ""
    order = f", sorted by {clean(shown.sort, 40)}{' descending' if shown.order == 'desc' else ''}" if shown.sort else ""
    if conditions:
        matches = await _Matches.read(context, kind, query, conditions, shown)
        coverage = Coverage.of_matches(matches.reading, matches.count, len(matches.rows), shown.page, shown.limit)
        words = f"{matches.count} of {matches.reading.scanned} {record.nouns}{words} meet the filters{order}"
        if len(matches.rows) < matches.count:
            there = f"rows {coverage.first} to {coverage.last} of them"
            words += f"; {there if matches.rows else f'none are on page {shown.page}'}"
        if not matches.reading.complete:
            words = f"Partial: {words}"
        listing = _listing(kind, coverage, matches.rows, shown, summary=words + ".", warnings=matches.warnings(shown))
        return listing if matches.count else listing.model_copy(update={"next": matches.values_there})
    answer = await context.fraction.call(endpoint, query={**query, "per_page": shown.limit, "page": shown.page})
    records = answer.records()
    if search and not records and shown.page == 1 and (loose := await _loosely(context, kind, search, shown)):
        return loose
    fields = context.known.of(kind)
    fields.look(records)
    coverage = Coverage.of_page(answer, shown.page, shown.limit)
    if coverage.complete and not search:
        fields.seen_whole(context.fraction.writes)
    phrase = coverage.phrase(record.noun)
    warnings = _unseen_order(shown, fields) if records else []
    if shown.sort and coverage.next_page and records:
        following = {**query, "per_page": 1, "page": shown.page * shown.limit + 1}
        after = (await context.fraction.call(endpoint, query=following)).records()[:1]
        warnings += _tie(shown, coverage.last, records[-1], *after)
    return _listing(
        kind,
        coverage,
        records,
        shown,
        summary=f"{phrase[0].upper()}{phrase[1:]}{words}{order}.",
        warnings=[*warnings, *_sorted_amounts(shown, records)],
    )


async def _loosely(context: ErpContext, kind: str, search: str, shown: Shown) -> Listing | None:
    """What contains the text but for punctuation and spaces, as far as a page of the ERP's search shows it."""
    wanted, runs = without_punctuation(search), runs_of(search)
    if not wanted or runs[0] == search:
        return None
    answer = await context.fraction.call(
        endpoints.KINDS[kind].list, query={**shown.query, "search": runs[0], "per_page": PAGE, "page": 1}
    )
    pages = Pages(PAGE)
    records = pages.take(answer)
    matches = [
        record for record in records if any(wanted in without_punctuation(called(value)) for value in record.values())
    ]
    if not matches:
        return None
    coverage = Coverage.of_page(answer, 1, PAGE).model_copy(
        update={"total": len(matches) if pages.whole else None, "returned": len(matches[: shown.limit]), "first": 1}
        | {"last": len(matches[: shown.limit]), "next_page": None, "last_page": None}
        | {"complete": pages.whole and len(matches) <= shown.limit}
    )
    noun = endpoints.KINDS[kind].noun
    but = "" if pages.whole else f" of the first {len(records)} that were looked at"
    summary = (
        f"No {noun}s match {quoted(search)}; without punctuation and spaces, {len(matches)}{but} "
        f"{'does' if len(matches) == 1 else 'do'}."
    )
    return _listing(kind, coverage, matches[: shown.limit], shown, summary=summary)


def _tie(shown: Shown, row: int | None, last: Record, after: Record | None = None) -> list[str]:
    """A row limit between two rows that the order does not tell apart is chance, and said to be."""
    if after is None or not shown.sort:
        return []
    value, following = (at_path(record, shown.sort) for record in (last, after))
    if value is ABSENT or value is None or value != following:
        return []
    field = clean(shown.sort, 40)
    return [
        f"The limit falls into a tie: row {row} and the one after it have the same {field}, {quoted(called(value))}."
    ]


def _unseen_order(shown: Shown, fields: FieldNames) -> list[str]:
    """An ERP may ignore being asked to sort by what it does not have."""
    if not shown.sort or fields.may_hold(shown.sort):
        return []
    near = nearest(shown.sort, fields)
    meant = f"; did you mean {bare_or_quoted(near[0])}?" if near else "."
    return [f"No record looked at has {quoted(shown.sort)}, so the rows may be in no such order{meant}"]


def _sorted_amounts(shown: Shown, records: Sequence[Record]) -> list[str]:
    """A warning where amounts of several currencies stand in one order."""
    return several_currencies(shown.sort, set(map(currency_of, records))) if is_amount(shown.sort) else []


def _named_fields(shown: Shown, conditions: Sequence[Condition]) -> dict[str, list[str]]:
    """The fields that a call names, by the argument that names them."""
    return {
        "filters": [condition[0] for condition in conditions],
        "fields": [] if list(shown.fields) == ["*"] else list(shown.fields),
        "sort": [shown.sort] if shown.sort else [],
    }


def _listing(
    kind: str,
    coverage: Coverage,
    records: Sequence[Record],
    shown: Shown,
    *,
    summary: str = "",
    warnings: Sequence[str] = (),
) -> Listing:
    """The rows as a table, whole ones only, as many as there is room for."""
    columns, rows = table(records, shown.fields)
    room = fitting(columns, rows)
    if kind in endpoints.KINDS and any(map(is_amount, columns)) and "currency" not in columns:
        currencies = sorted(filter(None, map(currency_of, records)))
        if len(set(currencies)) > 1:
            warnings = [*warnings, "The amounts are in several currencies: add currency to fields."]
        elif currencies:
            summary = f"{summary.removesuffix('.')}; amounts in {bare_or_quoted(currencies[0])}."
    if list(shown.fields) == ["*"] and (known := len({name for record in records for name in record})) > len(columns):
        warnings = [*warnings, f"Only {len(columns)} of {known:,} fields are shown: name those that matter in fields."]
    step = f"Call again with page={coverage.next_page} for more, or narrow the search." if coverage.next_page else ""
    if room < len(rows):
        summary = f"{summary.removesuffix('.')}, of which {room} fit into a result."
        step = "Ask for fewer fields: not even one row fits into a result."
        if room and coverage.first:
            page = (coverage.first + room - 1) // room + 1
            step = f"Call again with limit={room} and page={page} for the rest, or with fewer fields."
        coverage = coverage.cut_to(room)
    return Listing(
        summary=summary,
        next=step,
        kind=kind,
        coverage=coverage,
        warnings=tuple(warnings),
        columns=tuple(columns),
        rows=tuple(map(tuple, rows[:room])),
    )


@dataclass(slots=True)
class _Paged:
    """One page out of all that matches; no more is held."""

    shown: Shown
    count: int = 0
    rows: list[Record] = field(default_factory=list)
    after: Record | None = None  # the one behind the page

    def take(self, record: Record) -> None:
        first = (self.shown.page - 1) * self.shown.limit
        if first <= self.count < first + self.shown.limit:
            self.rows.append(record)
        elif self.count == first + self.shown.limit:
            self.after = record
        self.count += 1


@dataclass(slots=True)
class _Matches:
    """The records that meet all conditions: how many, and those of the page that was asked for."""

    reading: Reading
    page: _Paged
    filters: Filters

    @property
    def count(self) -> int:
        return self.page.count

    @property
    def rows(self) -> list[Record]:
        return self.page.rows

    @property
    def values_there(self) -> str:
        return self.filters.values_there()

    def warnings(self, shown: Shown) -> list[str]:
        last = (shown.page - 1) * shown.limit + len(self.rows)
        tie = _tie(shown, last, self.rows[-1], self.page.after) if self.rows else []
        return [*self.reading.warnings(), *self.filters.warnings(), *tie, *_sorted_amounts(shown, self.rows)]

    @classmethod
    async def read(
        cls,
        context: ErpContext,
        kind: str,
        query: Query,
        conditions: Sequence[Condition],
        shown: Shown,
    ) -> "_Matches":
        filters = Filters(conditions)
        page = _Paged(shown)
        fields = context.known.of(kind)

        def take(records: list[Record]) -> None:
            fields.look(records)
            for record in records:
                if filters.match(record):
                    page.take(record)

        reading = await read_all(context.fraction, endpoints.KINDS[kind].list, query, take, max_pages=_EVERY_PAGE)
        if reading.scanned:
            if reading.complete and "search" not in query:
                fields.seen_whole(context.fraction.writes)
            refuse_unknown({"filters": filters.unknown()}, fields, among=reading.among(str(query.get("search", ""))))
        return cls(reading, page, filters)
