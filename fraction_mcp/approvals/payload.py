"""The exact bytes of a write, set so that a person can read them. Indents and nothing else: no number is ever parsed
into one, so that what is shown is what is sent.
"""

import json
from typing import Any

from fraction_mcp.values.characters import escaped

__all__ = ["readable"]


class _Number(str):
    """A number as it is spelt in the payload."""

    __slots__ = ()


def readable(content: str) -> str:
    """Canonical JSON with indents; characters that a page would not show, or would act on, as escapes."""
    return _set(json.loads(content, parse_float=_Number, parse_int=_Number), "\n")


def _set(value: Any, newline: str) -> str:
    inner = newline + "  "
    match value:
        case dict() if value:
            lines = (f"{_text(key)}: {_set(item, inner)}" for key, item in value.items())
            return "{" + inner + f",{inner}".join(lines) + newline + "}"
        case list() if value:
            return "[" + inner + f",{inner}".join(_set(item, inner) for item in value) + newline + "]"
        case _Number():
            return str(value)
        case str():
            return _text(value)
        case _:
            return json.dumps(value)


def _text(value: str) -> str:
    """A JSON string in which spaces that nobody can count, and what is not seen at all, are escapes, as JSON allows."""
    return escaped(json.dumps(value, ensure_ascii=False))
