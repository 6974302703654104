"""JSON without floats: what goes in and out of the sandbox keeps every digit.

Knows how to read a body into exact decimals and how to write them back as number literals.
Refuses to know what the values mean.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"

_name = json.JSONEncoder().encode
_literal = json.JSONEncoder(ensure_ascii=False).encode


class Raw(str):
    """JSON text that is already written (a row that SQLite rendered): spliced in as it is."""

    __slots__ = ()


def encode(value: object) -> str:
    """Compact JSON; a `Decimal` becomes a plain number literal without trailing zeros."""
    if type(value) is str:  # most values are
        return _literal(value)
    if isinstance(value, Raw):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{_name(str(k))}:{encode(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(encode, value)) + "]"
    return _literal(value)


def plain(value: Decimal) -> str:
    """`Decimal("1E+2")` -> `100`, `Decimal("12.50")` -> `12.5`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decode(body: bytes) -> Json:
    """The value of a JSON body.

    Raises ValueError for anything that is not JSON, which includes NaN, lone surrogates, and numbers or nesting
    too large to be meant.
    """
    try:
        value: Json = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
        encode(value).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _refuse(name: str) -> Decimal:
    raise ValueError(f"{name} is not JSON")
