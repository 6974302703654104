"""One record of any kind by its id, whole as far as a result has room."""

from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.errors import InputError
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import ROOM, Shown, whole
from fraction_mcp.operations.results import ToolResult
from fraction_mcp.values.text import quoted

__all__ = ["BESIDE_OTHERS", "RecordResult", "record_detail", "what_was_cut"]


BESIDE_OTHERS = ROOM // 2  # what a record has room for where a list of its own stands beside it


class RecordResult(ToolResult):
    kind: str
    record: dict[str, Any]


async def record_detail(context: ErpContext, kind: str, record_id: str) -> RecordResult:
    """One record, whole as far as a result has room.

    Raises NotFound where the ERP has none of that id, InputError where it can be no id.
    """
    if not (record_id.isascii() and record_id.isdigit() and len(record_id) <= 18):
        raise InputError(
            {"id": f"must be a record's numeric id, not {quoted(record_id)}"},
            hint=f"Find the id with list_records(kind={kind!r}, search=…).",
        )
    record = (await context.fraction.call(endpoints.KINDS[kind].single, path={"id": int(record_id)})).record()
    shown = whole(record)
    noun = endpoints.KINDS[kind].noun
    return RecordResult(
        summary=f"{noun[0].upper()}{noun[1:]} {record_id}, with its {len(record)} fields{what_was_cut(shown)}.",
        next=_rest(shown, kind),
        kind=kind,
        record=shown.value,
    )


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
