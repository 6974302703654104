"""How a record is called in a sentence: by the name or number that people use, quoted, with its id beside it.

Nothing here looks for a record; `lookup` does.
"""

from fraction_mcp.erp.records import Record, shown_id
from fraction_mcp.values.text import clean, quoted

__all__ = ["counted", "name_of", "with_id"]


def name_of(record: Record, field: str) -> str:
    """What a record is called by: its field, as clean text; empty where it has none."""
    value = record.get(field)
    return "" if value is None else clean(str(value))


def with_id(name: str, record: Record) -> str:
    """`'Acme Corp' (id 52)`."""
    return f"{quoted(name)} (id {clean(str(shown_id(record)), 80)})"


def counted(count: int, noun: str) -> str:
    """`1 contract`, `12 contracts`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
