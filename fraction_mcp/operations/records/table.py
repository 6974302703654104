"""Records of undocumented fields as a table that a reader can take in: flat columns, the telling ones first.

No document states the fields of a contract or an invoice, so nothing here depends on a name: names are a preference
order for columns, and what is there decides.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.operations.fitting import ROOM, shown_number
from fraction_mcp.operations.known_fields import field_paths, refuse_unknown
from fraction_mcp.values.text import clean

__all__ = ["AMOUNTS", "Cell", "called", "chosen_columns", "fitting", "table"]


Cell = str | int | bool | None
_CELL = 60
_WHOLE = 100_000  # characters of a text that is compared, and not shown
_COLUMNS = 8
_ALL = 200  # columns, where all are asked for
_LONGEST_NAME = 120  # a longer one cannot be asked for

AMOUNTS = r"total|amount|value|price|cost|net|gross|tax|balance"
_RANKS = (
    r"^id$",
    r"number$|^code$|_no$|^document$",
    r"^(name|title)$|_name$",
    r"status|state",
    r"^description$",
    r"^(customer|supplier|part|contract)$",
    r"date$|^due|_at$",
    AMOUNTS,
    r"currency",
    r"^(qty|quantity|uom)|_ref$|^revision$|^material$|^category$",
)
_LAST = re.compile(r"^id_|^(created|updated)_at$")
_NAMES = ("name", "part_number", "number", "quote_number", "code", "title", "id")


def table(records: Sequence[Record], fields: Sequence[str] = ()) -> tuple[list[str], list[list[Cell]]]:
    """Columns and rows, `id` first. `fields` names the columns (dots for nested ones, `lines[].qty` for a list's);
    `["*"]` takes all there are. Raises InputError for a field that no record has."""
    columns = chosen_columns(records, fields)
    return columns, [[_cell(at_path(record, column)) for column in columns] for record in records]


def chosen_columns(records: Sequence[Record], fields: Sequence[str] = ()) -> list[str]:
    known = [name for name in dict.fromkeys(key for record in records for key in record) if len(name) <= _LONGEST_NAME]
    if not fields:
        ranked = sorted(known, key=lambda name: _rank(name, records))
        return [*ranked[:_COLUMNS], *_currency_beside(ranked[:_COLUMNS], known, records)]
    if list(fields) == ["*"]:
        return ["id", *(name for name in known if name != "id")][:_ALL]
    if records:
        missing = [field for field in fields if all(at_path(record, field) is ABSENT for record in records)]
        there = dict.fromkeys(path for record in records for path in field_paths(record))
        refuse_unknown({"fields": missing}, there, among=" shown here")
    return ["id", *(name for name in dict.fromkeys(fields) if name != "id")]


def _currency_beside(columns: Sequence[str], known: Sequence[str], records: Sequence[Record]) -> list[str]:
    """The currency, where amounts are shown and it is not the same for all."""
    if "currency" not in known or "currency" in columns or not any(re.search(AMOUNTS, name) for name in columns):
        return []
    return ["currency"] if len({called(record.get("currency")) for record in records}) > 1 else []


def fitting(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """How many of the rows, whole ones, there is room for in a result, under the columns' names."""
    room, count = ROOM - _length(columns), 0
    for row in rows:
        room -= _length(row)
        if room < 0:
            break
        count += 1
    return count


def _length(row: Sequence[Cell]) -> int:
    return sum(len(str(cell)) + 3 for cell in row)


def _rank(name: str, records: Sequence[Record]) -> tuple[int, int]:
    """Empty columns last, then those that say the same in every row, then by what kind of field the name tells."""
    if name == "id":
        return (-1, 0)
    cells = [_cell(record.get(name)) for record in records]
    dull = 2 if all(cell in {None, ""} for cell in cells) else int(len(cells) > 3 and len(set(cells)) == 1)
    if _LAST.search(name):
        return (dull, len(_RANKS) + 1)
    kind = next((rank for rank, pattern in enumerate(_RANKS) if re.search(pattern, name)), len(_RANKS))
    return (dull, kind)


def called(value: Any) -> str:
    """A value as one would write it, uncut, so that two that differ stay two: an object by its name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and _cell(value) is None:  # it has no name: by what it holds
        return "; ".join(f"{clean(name, 60)}={text}" for name, inner in value.items() if (text := called(inner)))
    return str(shown) if (shown := _cell(value, _WHOLE)) is not None else ""


def _cell(value: Any, limit: int = _CELL) -> Cell:
    match value:
        case bool() | int() | None:
            return value
        case Decimal():
            return shown_number(value)
        case str():
            return clean(value, limit)
        case dict():
            name = next((value[key] for key in _NAMES if value.get(key) not in (None, "")), None)
            return _cell(name, limit) if not isinstance(name, dict | list) else None
        case list() if value and all(not isinstance(item, dict | list) for item in value):
            return clean("; ".join(str(_cell(item, limit)) for item in value), limit)
        case list():
            return f"{len(value)} entries" if value else None
        case _:
            return None
