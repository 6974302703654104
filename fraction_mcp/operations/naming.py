"""How a record is called in a sentence: by the name or number that people use, quoted, with its id beside it.

Nothing here looks for a record; `lookup` does.
"""

import re
from collections.abc import Sequence

from fraction_mcp.erp.endpoints import RecordKind
from fraction_mcp.erp.records import Record, shown_id
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = [
    "bare_or_quoted",
    "counted",
    "id_of",
    "name_of",
    "number_field",
    "numbers",
    "record_name",
    "runs_of",
    "with_id",
    "without_punctuation",
    "words_of",
]

_BARE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,60}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_RUN = re.compile(r"[^\W\d_]+|[0-9]+")
_NUMBER = re.compile(r"(?i)(number|_no|^no|^code|_code|^document|_?reference)$")
_OTHERS_NUMBER = re.compile(r"(?i)phone|fax|vat|tax|account|tracking|currency|post|zip|customer|supplier|status|cost")


def name_of(record: Record, field: str) -> str:
    """What a record is called by: its field, as clean text; empty where it has none."""
    value = record.get(field)
    return "" if value is None else clean(str(value))


def id_of(record: Record) -> str:
    """`(id 52)`: an id may be a text, anyone's, and so cleaned."""
    return f"(id {clean(str(shown_id(record)), 80)})"


def with_id(record: Record, field: str = "name") -> str:
    """`'Acme Corp' (id 52)`, by the field that such a record is called by."""
    return f"{quoted(name_of(record, field), 120)} {id_of(record)}"


def counted(count: int, noun: str) -> str:
    """`1 contract`, `12 contracts`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def without_punctuation(text: object) -> str:
    """A name as letters and digits alone, case aside: two that are one so differ only in punctuation and spaces."""
    return "".join(character for character in normalised(text) if character.isalnum())


def runs_of(text: str) -> list[str]:
    """The runs of letters and of digits that a text is made of, each once, the longest first: what an ERP's search can
    find where it is written with other punctuation."""
    return sorted(dict.fromkeys(_RUN.findall(text)), key=len, reverse=True)


def bare_or_quoted(name: str) -> str:
    """A foreign word in a sentence of ours: bare only where it can be nothing but a name."""
    return name if _BARE.fullmatch(name) else quoted(name)


def words_of(name: str) -> set[str]:
    """The words that a field's name is made of, however they are joined."""
    return {word.casefold() for word in _WORD.findall(name)}


# ------------------------------------------------------------------------------------------------------------ numbers


def numbers(kind: RecordKind, records: Sequence[Record]) -> list[str]:
    """The fields that people may call such a record by: the documented one, then what looks like a number."""
    fields = dict.fromkeys(name for record in records for name in record)
    names = [name for name in fields if _NUMBER.search(name) and not _OTHERS_NUMBER.search(name)]
    own = [name for name in names if any(word in words_of(name) for word in kind.noun.split())]
    documented = [kind.number_field] if kind.number_field in fields else []
    return list(dict.fromkeys([*documented, *own, *names]))


def number_field(kind: RecordKind, records: Sequence[Record]) -> str:
    return next(iter(numbers(kind, records)), "")


def record_name(kind: RecordKind, record: Record) -> str:
    """`Contract Q1232 (id 650)`; `Shipment 12` where it has no number."""
    noun = f"{kind.noun[0].upper()}{kind.noun[1:]}"
    name = name_of(record, number_field(kind, [record]))
    return f"{noun} {bare_or_quoted(name)} {id_of(record)}" if name else f"{noun} {clean(str(shown_id(record)), 80)}"
