"""One record of any kind by its id or number, whole as far as a result has room."""

from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import Record, shown_id
from fraction_mcp.errors import AmbiguousReference, NotFound
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import ROOM, Shown, whole
from fraction_mcp.operations.naming import name_of, numbers, record_name
from fraction_mcp.operations.records.all_pages import PAGE
from fraction_mcp.operations.results import ToolResult
from fraction_mcp.values.text import normalised, quoted

__all__ = ["BESIDE_OTHERS", "RecordResult", "record_detail", "what_was_cut"]


BESIDE_OTHERS = ROOM // 2  # what a record has room for where a list of its own stands beside it
_WITHOUT_LINES = frozenset({"customers", "parts"})


class RecordResult(ToolResult):
    kind: str
    record: dict[str, Any]


async def record_detail(context: ErpContext, kind: str, reference: str) -> RecordResult:
    """One record, by its id or by the number that people use (a quote number, an order number), whole as far as a
    result has room: one request by its id, two by its number.

    Raises AmbiguousReference where none or several go by that number, NotFound where the ERP has none of that id.
    """
    record = await _by_id(context, kind, reference) if _is_id(reference) else await _by_number(context, kind, reference)
    context.known.of(kind).look([record])
    shown = whole(record)
    return RecordResult(
        summary=f"{record_name(endpoints.KINDS[kind], record)}, with its {len(record)} fields"
        f"{_lists(kind, record)}{what_was_cut(shown)}.",
        next=_rest(shown, kind),
        kind=kind,
        record=shown.value,
    )


def _is_id(reference: str) -> bool:
    return reference.isascii() and reference.isdigit() and len(reference) <= 18 and str(int(reference)) == reference


async def _by_id(context: ErpContext, kind: str, reference: str) -> Record:
    try:
        return (await context.fraction.call(endpoints.KINDS[kind].single, path={"id": int(reference)})).record()
    except NotFound:
        matches, _ = await _numbered(context, kind, reference)  # a number may be digits alone
        if len(matches) != 1:
            raise
        return await _single(context, kind, matches[0])


async def _by_number(context: ErpContext, kind: str, reference: str) -> Record:
    matches, whole_list = await _numbered(context, kind, reference)
    if len(matches) == 1:
        return await _single(context, kind, matches[0])
    noun = endpoints.KINDS[kind].noun
    ids = ", ".join(str(shown_id(record)) for record in matches[:10])
    among = "" if whole_list else " among the first that the ERP finds"
    raise AmbiguousReference(
        f"{len(matches)} {noun}s go by {quoted(reference)}: their ids are {ids}"
        if matches
        else f"No {noun} goes by the number or id {quoted(reference)}{among}",
        next_step="Ask the user which is meant." if matches else f"Find it with list_records(kind={kind!r}, search=…).",
        status="ambiguous" if matches else "not_found",
        candidates=(),
    )


async def _numbered(context: ErpContext, kind: str, reference: str) -> tuple[list[Record], bool]:
    """The records one of whose numbers is this, case aside, as far as a page of the ERP's search shows them."""
    record_kind = endpoints.KINDS[kind]
    answer = await context.fraction.call(record_kind.list, query={"search": reference, "per_page": PAGE, "page": 1})
    records = answer.records()
    fields = numbers(record_kind, records)
    matches = [
        record
        for record in records
        if any(normalised(name_of(record, name)) == normalised(reference) for name in fields)
    ]
    pages = Pages(PAGE)
    pages.take(answer)
    return matches, pages.whole


async def _single(context: ErpContext, kind: str, listed: Record) -> Record:
    """The whole record of one that stood in a list."""
    path = {"id": shown_id(listed)}
    return (await context.fraction.call(endpoints.KINDS[kind].single, path=path)).record()


def _lists(kind: str, record: Record) -> str:
    """How many lines a record has, and that it has none where no list is in it."""
    held = {name: len(value) for name, value in record.items() if isinstance(value, list)}
    if not held:
        return "" if kind in _WITHOUT_LINES else " and no lines"
    return "".join(f", {count or 'no'} {quoted(name, 40)[1:-1]}" for name, count in list(held.items())[:3])


def what_was_cut(*parts: Shown) -> str:
    """What the summary owes its reader about what did not fit."""
    missing = [name for part in parts for name in part.left_out]
    names = ", ".join(quoted(name, 80) for name in missing[:3]) + (f" and {len(missing) - 3} more" * (len(missing) > 3))
    return f"; only a part fits into a result of {names}" if missing else ""


def _rest(shown: Shown, kind: str) -> str:
    if not shown.left_out:
        return ""
    return (
        f"summarise_records(kind={kind!r}) with a filter on id and group_by on fields of a list (lines[].…) shows its "
        "entries in rows; the rest is to be seen in the ERP itself."
    )
