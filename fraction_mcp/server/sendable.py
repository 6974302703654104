"""Results that can be encoded, whatever they hold.

JSON may spell half of a surrogate pair, and an ERP may send one; UTF-8 has no bytes for it. Where such a half got as
far as a result, encoding it would end a stdio session, and over HTTP make an answer that clients refuse.
"""

from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.types import CallToolResult
from pydantic_core import PydanticSerializationError, to_json

__all__ = ["encodable", "sendable", "sendable_results"]


def encodable(value: Any) -> Any:
    """JSON that UTF-8 can spell: every half of a surrogate pair, in names too, becomes U+FFFD."""
    try:
        to_json(value)
    except PydanticSerializationError:
        return _mended(value)
    return value


def sendable(result: CallToolResult) -> CallToolResult:
    """A tool's result whose structured content the SDK can take: it encodes the names of fields before any middleware
    sees the result."""
    return result.model_copy(update={"structured_content": encodable(result.structured_content)})


async def sendable_results(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Server middleware: whatever a handler answers can be sent."""
    result = await call_next(ctx)
    return encodable(result) if isinstance(result, dict) else result


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_mended(name): _mended(item) for name, item in value.items()}
        case list() | tuple():
            return [_mended(item) for item in value]
        case _:
            return value
