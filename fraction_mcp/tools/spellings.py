"""The nearest right spelling of an argument that was refused: a suggestion for its sender, never taken by itself."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from fraction_mcp.values.decimals import to_decimal
from fraction_mcp.values.text import clean, quoted

__all__ = ["nearest_choice", "nearest_list", "nearest_number"]

_CLOSE = 0.7
# What people and models write for what the tools call otherwise: the nearest by meaning, not by letters.
_MEANT = {
    "==": "=", "<>": "!=", "eq": "=", "equals": "=", "is": "=", "ne": "!=", "not_equals": "!=", "gt": ">", "gte": ">=",
    "lt": "<", "lte": "<=", "like": "contains", "empty": "is_empty", "is_null": "is_empty", "quote": "contracts",
    "quotes": "contracts", "enquiry": "contracts", "enquiries": "contracts", "sales_order": "contracts",
    "sales_orders": "contracts", "bill_of_materials": "boms", "items": "parts", "products": "parts",
}  # fmt: skip


def nearest_choice(value: object, choices: Sequence[str]) -> list[str]:
    """The choice that was meant, `contracts` for `Contract`, quoted; none where none comes near."""
    if not isinstance(value, str):
        return []
    words = "_".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\w\s]+", value[:80])).lower()
    known = [choice for choice in choices if choice]
    meant = _MEANT.get(words, words)
    if meant in known:
        return [quoted(meant)]
    longer = [
        choice
        for choice in known
        if len(choice) > 2 and (words.startswith(choice) or (choice.startswith(words) and words[2:]))
    ]
    return [quoted(choice) for choice in (longer or difflib.get_close_matches(words, known, n=1, cutoff=_CLOSE))[:1]]


# ------------------------------------------------------------------------------------------------------------- numbers

_FIGURE = re.compile(
    r"(?:[A-Z]{3}|[£$€¥])?\s*([+-]?\d[\d.,'’_\s]*(?:[eE][+-]?\d{1,2})?)\s*(?![kKmM]\b)[A-Za-z£$€¥]{0,4}"
)
_ASIDE = re.compile(r"['’_\s]")
_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


def nearest_number(value: object) -> list[str]:
    """How a number could be spelt that was written for people: `1000` for `1 000` or `£1000`. Where a comma may part
    thousands or begin the decimals, both: `1000` and `1.000`. None where no number is in sight."""
    match = _FIGURE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        return []
    text = _ASIDE.sub("", match[1])
    point, comma = text.rfind("."), text.rfind(",")
    one_comma = text.count(",") == 1 and point < 0
    if one_comma and _GROUPS.fullmatch(text):
        readings = [text.replace(",", ""), text.replace(",", ".")]
    elif one_comma or 0 <= point < comma:
        readings = [text.replace(".", "").replace(",", ".")]
    else:
        readings = [text.replace("." if text.count(".") > 1 else ",", "")]
    return [spelt for reading in readings if (spelt := _spelt(reading))]


def _spelt(text: str) -> str:
    """Plain, with the decimals that it has; empty where it is no number of the size that is taken."""
    try:
        number = format(Decimal(text), "f")
        to_decimal(number)
    except (ValueError, InvalidOperation):
        return ""
    return number


# --------------------------------------------------------------------------------------------------------------- lists


def nearest_list(value: object, shape: str) -> str:
    """What to send in place of a value that stands alone where a list is wanted. `shape` is what each item is to hold,
    empty where the items are text."""
    if isinstance(value, Mapping):
        return "put it into one: [{…}]"
    if isinstance(value, str) and _is_list(value):
        return "send the list itself, not its JSON as text"
    if shape:
        return f"each item is {shape}"
    if isinstance(value, str):
        items: list[Any] = [clean(item, 40) for item in value.split(",")]
        return f"did you mean {_shown(items)}?"
    return ""


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):  # no JSON, or nested without end
        return False


def _shown(items: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(item, 40).replace("'", '"') for item in items[:3]) + (", …]" if items[3:] else "]")
