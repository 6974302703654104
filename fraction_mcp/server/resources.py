"""Resources as the protocol has them: listed, and read. Which there are, and of which tool each is, `tools.resources`
says; a tool's own result, with its caps and its cleaning, is what stands in one, as JSON.

A URI is matched and spelt by RFC 6570. Whatever a tool would answer as an error, or as several candidates, is an error
of the protocol here: a resource is there, or it is not.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from fraction_mcp.errors import AmbiguousReference, FractionMcpError, InputError, NotFound, WriteNotFound
from fraction_mcp.operations.results import ToolError
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.call_log import client_of, logged
from fraction_mcp.server.calls import read
from fraction_mcp.server.icons import RESOURCE
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.resources import API_REFERENCE, Address, api_reference
from fraction_mcp.tools.spec import ToolSpec
from fraction_mcp.values.text import quoted

__all__ = ["listed_resource", "listed_template", "read_resource"]

logger = logging.getLogger(__name__)

_MARKDOWN, _JSON = "text/markdown", "application/json"
_NOT_FOUND_OF_OLD = -32002  # until 2025-11-25; then it is an invalid parameter


def listed_resource(address: Address) -> Resource:
    return Resource(
        uri=address.uri,
        name=address.name,
        title=address.title,
        description=address.description,
        mime_type=_MARKDOWN if address.uri == API_REFERENCE else _JSON,
        icons=[RESOURCE],
    )


def listed_template(address: Address) -> ResourceTemplate:
    return ResourceTemplate(
        uri_template=address.uri,
        name=address.name,
        title=address.title,
        description=address.description,
        mime_type=_JSON,
        icons=[RESOURCE],
    )


async def read_resource(
    runtime: Runtime,
    ctx: ServerRequestContext[Any, Any],
    uri: str,
    offered: Sequence[Address],
    tools: Mapping[str, ToolSpec],
) -> ReadResourceResult:
    """What stands at an address. Raises MCPError, with the tool's own error in its data."""
    if uri.rstrip("/") == API_REFERENCE:
        return _contents(uri, api_reference(tools), _MARKDOWN)
    try:
        address, variables = _meant(uri, offered)
        spec = tools[address.tool]
        arguments = {address.arguments.get(name, name): value for name, value in variables.items()}
        ask = read_arguments(spec, arguments)
        answer = await logged(client_of(ctx), f"{spec.name} (resource)", lambda: read(runtime, spec, ask))
    except FractionMcpError as error:
        raise _refusal(error, uri, ctx) from None
    except Exception:
        logger.exception("reading a resource failed")
        raise MCPError(INTERNAL_ERROR, "something went wrong inside the server", {"uri": uri}) from None
    data = answer.to_wire()
    if data.get("status") in {"ambiguous", "not_found"}:
        raise MCPError(_code_of_nothing(ctx), data["summary"], {"uri": uri, "candidates": data["candidates"]})
    return _contents(uri, json.dumps(data, ensure_ascii=False, separators=(",", ":")), _JSON)


def _contents(uri: str, text: str, mime_type: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=text)])


def _meant(uri: str, offered: Sequence[Address]) -> tuple[Address, dict[str, str]]:
    for address in offered:
        variables = UriTemplate.parse(address.uri).match(uri if address.is_template else uri.rstrip("/"))
        if variables is not None:
            return address, {name: str(value) for name, value in variables.items()}
    spelt = _spelt_right(uri, offered)
    known = ", ".join(address.uri for address in offered)
    hint = f"It may be {spelt}." if spelt else f"There are: {known}."
    raise InputError({"uri": f"{quoted(uri, 200)} is no address of this server"}, hint=hint)


def _spelt_right(uri: str, offered: Sequence[Address]) -> str:
    """The address that a URI would be if what follows its kind had been encoded; empty where it would be none."""
    scheme, _, rest = uri.partition("://")
    kind, _, value = rest.partition("/")
    template = UriTemplate.parse("{scheme}://{kind}/{value}")
    spelt = template.expand({"scheme": scheme, "kind": kind, "value": unquote(value)})
    fits = any(each.is_template and UriTemplate.parse(each.uri).match(spelt) is not None for each in offered)
    return spelt if value and spelt != uri and fits else ""


def _refusal(error: FractionMcpError, uri: str, ctx: ServerRequestContext[Any, Any]) -> MCPError:
    tool_error = ToolError.from_exception(error, written=None)
    text = f"{error.message.removesuffix('.')}. {error.hint}".strip()
    data = {"uri": uri, "error": tool_error.model_dump()}
    if isinstance(error, NotFound | WriteNotFound | AmbiguousReference):
        return MCPError(_code_of_nothing(ctx), text, data)
    return MCPError(INVALID_PARAMS if isinstance(error, InputError) else INTERNAL_ERROR, text, data)


def _code_of_nothing(ctx: ServerRequestContext[Any, Any]) -> int:
    return INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else _NOT_FOUND_OF_OLD
