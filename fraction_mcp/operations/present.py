"""Records of undocumented fields as a reader can take them in: cleaned values, flat columns, the telling ones first.

No document states the fields of a contract or an invoice, so nothing here depends on a name: names are a preference
order for columns, and what is there decides.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.shapes import clean, plain

__all__ = ["ABSENT", "Cell", "at_path", "chosen_columns", "presented", "table"]

Cell = str | int | bool | None
_CELL = 60
_TEXT = 2_000
_DEPTH = 6
_ITEMS = 200
_COLUMNS = 8

_RANKS = (
    r"^id$",
    r"number$|^number$|^code$|_no$",
    r"^name$|^title$",
    r"^description$",
    r"status|state$",
    r"^(customer|supplier|part|contract)$",
    r"date$|^due|_at$",
    r"total|amount|value|price|cost|net|gross|tax|balance",
    r"currency",
    r"^(qty|quantity|uom)|_ref$|^revision$|^material$|^category$",
)
_NAMES = ("name", "part_number", "number", "quote_number", "code", "title", "id")


def presented(value: Any, depth: int = 0) -> Any:
    """A record as JSON that is safe to show: decimals as exact text, strings cleaned and capped, nothing endless."""
    match value:
        case Decimal():
            return plain(value) if abs(value.adjusted()) < 40 else "unreadable number"
        case str():
            return clean(value, _TEXT)
        case dict():
            return {clean(str(k), 80): presented(v, depth + 1) for k, v in value.items()} if depth < _DEPTH else "…"
        case list():
            shown = [presented(item, depth + 1) for item in value[:_ITEMS]] if depth < _DEPTH else ["…"]
            return [*shown, f"… {len(value) - _ITEMS} more"] if len(value) > _ITEMS else shown
        case _:
            return value


def table(records: Sequence[Record], fields: Sequence[str] = ()) -> tuple[list[str], list[list[Cell]]]:
    """Columns and rows, `id` first. `fields` names the columns (dots for nested ones, `lines[].qty` for a list's);
    `["*"]` takes all there are. Raises InputError for a field that no record has."""
    columns = chosen_columns(records, fields)
    return columns, [[_cell(at_path(record, column)) for column in columns] for record in records]


def chosen_columns(records: Sequence[Record], fields: Sequence[str] = ()) -> list[str]:
    known = list(dict.fromkeys(key for record in records for key in record))
    if not fields:
        return sorted(known, key=lambda name: _rank(name, records))[:_COLUMNS]
    if list(fields) == ["*"]:
        return ["id", *(name for name in known if name != "id")]
    if records:
        missing = [field for field in fields if all(at_path(record, field) is ABSENT for record in records)]
        if missing:
            there = ", ".join(clean(name, 40) for name in known[:60])
            raise InputError({"fields": f"no record has {', '.join(missing)}; the fields here are {there}"})
    return ["id", *(name for name in dict.fromkeys(fields) if name != "id")]


def _rank(name: str, records: Sequence[Record]) -> tuple[int, int]:
    """Empty columns last, then those that say the same in every row, then by what kind of field the name tells."""
    if name == "id":
        return (-1, 0)
    told = [_cell(record.get(name)) for record in records]
    dull = 2 if all(cell in {None, ""} for cell in told) else int(len(told) > 3 and len(set(told)) == 1)
    if name in {"created_at", "updated_at"}:
        return (dull, len(_RANKS) + 1)
    kind = next((rank for rank, pattern in enumerate(_RANKS) if re.search(pattern, name)), len(_RANKS))
    return (dull, kind)


ABSENT = object()


def at_path(record: Any, path: str) -> Any:
    """The value at a path such as `customer.name` or `lines[].part_number`; ABSENT where there is none."""
    value: Any = record
    steps = path.split(".")
    for index, step in enumerate(steps):
        name, each, _ = step.partition("[]")
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
        if each:
            rest = ".".join(steps[index + 1 :])
            items = value if isinstance(value, list) else []
            found = [at_path(item, rest) if rest else item for item in items]
            found = [item for item in found if item is not ABSENT]
            return found or (ABSENT if items else [])
    return value


def _cell(value: Any) -> Cell:
    match value:
        case bool() | int() | None:
            return value
        case Decimal():
            return str(presented(value))
        case str():
            return clean(value, _CELL)
        case dict():
            name = next((value[key] for key in _NAMES if value.get(key) not in (None, "")), None)
            return _cell(name) if not isinstance(name, dict | list) else None
        case list() if value and all(not isinstance(item, dict | list) for item in value):
            return clean("; ".join(str(_cell(item)) for item in value), _CELL)
        case list():
            return f"{len(value)} entries" if value else None
        case _:
            return None
