"""A page of records -> a small table with honest coverage, filtered where it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import System
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.coverage import Coverage
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.filters import Condition, Filters, as_date
from fraction_mcp.operations.fold import Query, Reading, read_all
from fraction_mcp.operations.lookup import fold
from fraction_mcp.operations.present import Cell, field_paths, refuse_unknown, table
from fraction_mcp.shapes import Answer, Piece, clean, quoted

__all__ = ["FracttalOrders", "Listing", "Shown", "list_fracttal_orders", "list_kind"]

_EVERY_PAGE = 10_000  # the rate budget ends a reading long before
_PATHS = 80  # field paths kept to name in an error
_ROOM = 20_000  # characters of rows in a result: some 6,000 tokens


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


class Listing(Answer):
    kind: str
    coverage: Coverage
    warnings: tuple[str, ...] = ()
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


async def list_kind(
    desk: Desk, kind: str, shown: Shown, *, search: str = "", conditions: Sequence[Condition] = ()
) -> Listing:
    """One page of any kind of record; with conditions, of those that meet them: then all pages are read."""
    endpoint = endpoints.KINDS[kind][0]
    query = {**shown.query, **({"search": search} if search else {})}
    noun = kind.replace("_", " ")
    words = f" matching {quoted(search)}" if search else ""
    words += (
        f", sorted by {clean(shown.sort, 40)}{' descending' if shown.order == 'desc' else ''}" if shown.sort else ""
    )
    if conditions:
        found = await _Matches.read(desk, endpoint, query, conditions, shown)
        coverage = Coverage.of_matches(found.reading, found.count, len(found.rows), shown.page, shown.limit)
        many = f"{found.count} of {found.reading.scanned} {noun}{words} meet the filters"
        words = many + (f"; {coverage.phrase('of them')}" if 0 < len(found.rows) < found.count else "")
        if not found.reading.complete:
            words = f"Partial: {words}"
        return _listing(kind, coverage, found.rows, shown, summary=words + ".", warnings=found.reading.warnings())
    answer = await desk.fraction.call(endpoint, query={**query, "per_page": shown.limit, "page": shown.page})
    records = answer.records()
    if kind == "parts":
        desk.lookup.learn_parts(records)
    coverage = Coverage.of_page(answer, len(records), shown.page, shown.limit)
    phrase = coverage.phrase(noun)
    return _listing(kind, coverage, records, shown, summary=f"{phrase[0].upper()}{phrase[1:]}{words}.")


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
    room, fitting = _ROOM, 0
    for row in rows:
        room -= sum(len(str(cell)) + 3 for cell in row)
        if room < 0:
            break
        fitting += 1
    step = f"Call again with page={coverage.next_page} for more, or narrow the search." if coverage.next_page else ""
    if fitting < len(rows):
        coverage = coverage.cut_to(fitting)
        summary = f"{summary[:-1]}, of which {fitting} fit into a result."
        step = f"Ask for fewer fields, or with limit={max(fitting, 1)}, to see all rows."
    return Listing(
        summary=summary,
        next=step,
        kind=kind,
        coverage=coverage,
        warnings=tuple(warnings),
        columns=tuple(columns),
        rows=tuple(map(tuple, rows[:fitting])),
    )


@dataclass(slots=True)
class _Matches:
    """The records that meet all conditions: how many, and those of the page that was asked for."""

    reading: Reading
    count: int
    rows: list[Record]

    @classmethod
    async def read(
        cls, desk: Desk, endpoint: endpoints.Endpoint, query: Query, conditions: Sequence[Condition], shown: Shown
    ) -> "_Matches":
        filters = Filters(conditions)
        found = cls(Reading(), 0, [])
        first = (shown.page - 1) * shown.limit
        fields: dict[str, None] = {}

        def take(records: list[Record]) -> None:
            for record in records:
                fields.update(dict.fromkeys(field_paths(record)) if len(fields) < _PATHS else {})
                if filters.match(record):
                    if first <= found.count < first + shown.limit:
                        found.rows.append(record)
                    found.count += 1

        found.reading = await read_all(desk.fraction, endpoint, query, take, max_pages=_EVERY_PAGE)
        if found.reading.scanned:
            refuse_unknown({"filters": filters.unknown()}, fields)
        return found


# ---------------------------------------------------------------------------------------------------------- Fracttal


class Window(Piece):
    """The days that a list of orders covers; null where it is open. `stated_by` says whose choice they are."""

    since: str | None
    until: str | None
    stated_by: Literal["caller", "fracttal"]


class FracttalOrders(Listing):
    window: Window


async def list_fracttal_orders(
    desk: Desk, *, warehouse_code: str, since: str, until: str, document: str, shown: Shown
) -> FracttalOrders:
    """Purchase orders of Fracttal's warehouses. Without dates Fracttal answers for the last 30 days only."""
    first, last = _day("since", since), _day("until", until)
    if first and last and first > last:
        raise InputError({"since": "lies after until"})
    today = datetime.now(UTC).date()
    if first and not last:
        last = max(today, first) + timedelta(days=366)  # delivery dates lie ahead
    if last and not first:
        first = last - timedelta(days=30)
    asked = bool(first)
    window = Window(
        since=(first or today - timedelta(days=30)).isoformat(),
        until=last.isoformat() if last else None,
        stated_by="caller" if asked else "fracttal",
    )
    query: dict[str, str | int] = {"warehouse_code": warehouse_code} if warehouse_code else {}
    if first and last:
        query |= {"since": first.isoformat(), "until": last.isoformat()}
    rows: list[Record] = []

    def take(records: list[Record]) -> None:
        rows.extend(one for one in records if not document or fold(one.get("document")) == fold(document))

    erp = desk.erp(System.FRACTTAL)
    reading = await read_all(erp, endpoints.WAREHOUSE_ORDERS, query, take, max_pages=_EVERY_PAGE)
    start = (shown.page - 1) * shown.limit
    page = rows[start : start + shown.limit]
    coverage = Coverage.of_matches(reading, len(rows), len(page), shown.page, shown.limit)
    listing = _listing("fracttal_purchase_orders", coverage, page, shown, warnings=reading.warnings())
    return FracttalOrders(
        **{**dict(listing), "summary": _orders_sentence(coverage, window, document), "window": window}
    )


def _orders_sentence(coverage: Coverage, window: Window, document: str) -> str:
    phrase = coverage.phrase("purchase orders")
    words = phrase[0].upper() + phrase[1:] + (f" with the document {quoted(document)}" if document else "")
    if window.stated_by == "fracttal":
        return (
            f"{words}, in the last 30 days only (since {window.since}): without dates Fracttal looks no further back."
        )
    return f"{words}, from {window.since} to {window.until}."


def _day(name: str, text: str) -> date | None:
    if text and (len(text) != 10 or as_date(text) is None):
        raise InputError({name: f"must be a date such as 2026-12-31, not {quoted(text)}"})
    return as_date(text)
