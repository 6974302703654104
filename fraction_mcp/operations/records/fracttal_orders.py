"""Fracttal's warehouse purchase orders as a table, with the days that it covers."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import System
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.records.all_pages import read_all
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.filters import as_date
from fraction_mcp.operations.records.listing import _EVERY_PAGE, Listing, Shown, _listing, _Paged
from fraction_mcp.operations.results import ResultPart
from fraction_mcp.values.text import normalised, quoted

__all__ = ["FracttalOrders", "Window", "list_fracttal_orders"]


class Window(ResultPart):
    """The days that a list of orders covers; null where it is open. `stated_by` says whose choice they are."""

    since: str | None
    until: str | None
    stated_by: Literal["caller", "fracttal"]


class FracttalOrders(Listing):
    window: Window


async def list_fracttal_orders(
    context: ErpContext, *, warehouse_code: str, since: str, until: str, document: str, shown: Shown
) -> FracttalOrders:
    """Purchase orders of Fracttal's warehouses. Without dates Fracttal answers for the last 30 days only."""
    first, last = _day("since", since), _day("until", until)
    if first and last and first > last:
        raise InputError({"since": "lies after until"})
    today = datetime.fromtimestamp(context.clock(), UTC).date()
    if first and not last:
        last = max(today, first) + timedelta(days=366)  # delivery dates lie ahead
    if last and not first:
        first = last - timedelta(days=30)
    dated = bool(first)
    window = Window(
        since=(first or today - timedelta(days=30)).isoformat(),
        until=last.isoformat() if last else None,
        stated_by="caller" if dated else "fracttal",
    )
    query: dict[str, str | int] = {"warehouse_code": warehouse_code} if warehouse_code else {}
    if first and last:
        query |= {"since": first.isoformat(), "until": last.isoformat()}
    erp = context.erp(System.FRACTTAL)
    page = _Paged(shown)

    def take(records: list[Record]) -> None:
        for order in records:
            if not document or normalised(order.get("document")) == normalised(document):
                page.take(order)

    reading = await read_all(erp, endpoints.WAREHOUSE_ORDERS, query, take, max_pages=_EVERY_PAGE)
    coverage = Coverage.of_matches(reading, page.count, len(page.rows), shown.page, shown.limit)
    words = _orders_sentence(coverage, window, document, partial=not reading.complete)
    listing = _listing(
        "fracttal_purchase_orders", coverage, page.rows, shown, summary=words, warnings=reading.warnings()
    )
    return FracttalOrders(**dict(listing), window=window)


def _orders_sentence(coverage: Coverage, window: Window, document: str, *, partial: bool) -> str:
    phrase = coverage.phrase("purchase order")
    if partial and coverage.returned:
        phrase = f"rows {coverage.first} to {coverage.last} of the purchase orders that could be read"
    elif partial:
        phrase = "none of the purchase orders that could be read"
    words = f"Partial: {phrase}" if partial else phrase[0].upper() + phrase[1:]
    words += f" with the document {quoted(document)}" if document else ""
    if window.stated_by == "fracttal":
        return (
            f"{words}, in the last 30 days only (since {window.since}): without dates Fracttal looks no further back."
        )
    return f"{words}, from {window.since} to {window.until}."


def _day(name: str, text: str) -> date | None:
    if text and (len(text) != 10 or as_date(text) is None):
        raise InputError({name: f"must be a date such as 2026-12-31, not {quoted(text)}"})
    return as_date(text)
