"""A request to an ERP, built without any I/O: an endpoint filled in, a body as canonical JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote, urlencode

from fraction_mcp import errors
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.values.decimals import plain

__all__ = ["Request", "build", "encode"]


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out, but for the base URL and the token. `target` is path and query, percent-encoded."""

    method: str
    target: str
    content: bytes | None = field(repr=False)


def build(
    endpoint: Endpoint,
    path: Mapping[str, str | int] | None = None,
    query: Mapping[str, str | int] | None = None,
    body: object = None,
) -> Request:
    """Fill an endpoint in; a body of bytes is taken as it is, anything else is encoded.

    Every character of a path value that could change the path is percent-encoded.
    """
    values = {name: _segment(name, str(value)) for name, value in (path or {}).items()}
    target = endpoint.path.format_map(values)
    if query:
        target += "?" + urlencode(query, quote_via=quote, safe="")
    content = body if body is None or isinstance(body, bytes) else encode(body).encode()
    return Request(endpoint.method, target, content)


def _segment(name: str, value: str) -> str:
    if value.strip(".") == "":  # nothing, "." and "..": no encoding keeps these from being read as steps in the path
        raise errors.InputError({name: "must not be empty or made of dots"})
    return quote(value, safe="")


def encode(value: object) -> str:
    """Canonical JSON: keys sorted, no spaces, decimals as plain number literals, never through a float."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{encode(v)}" for k, v in sorted(value.items())) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode, value)) + "]"
        case Decimal() if value.is_finite():
            return plain(value)
        case float():
            raise TypeError("a float is not exact: send a Decimal")
        case _:
            return json.dumps(value, ensure_ascii=False)
