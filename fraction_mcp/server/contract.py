"""The published contract: every tool as `tools/list` sends it, one file a tool, and in other hosts' spellings."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from mcp import Client
from mcp.server import Server

from fraction_mcp.server.contract_changes import Change, changes

__all__ = ["Difference", "differences", "served_tools", "spelt_for", "write"]

_GEMINI = {"type", "description", "properties", "required", "items", "enum", "minItems", "maxItems"}


async def served_tools(server: Server[Any]) -> list[dict[str, Any]]:
    """The tools of a server, off the wire. Raises jsonschema.SchemaError for a schema that is none."""
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
    wire = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    for tool in wire:
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool.get("outputSchema", {}))
    return wire


def _files(tools: list[dict[str, Any]]) -> dict[str, str]:
    return {f"{tool['name']}.json": json.dumps(tool, indent=2, ensure_ascii=False) + "\n" for tool in tools}


def write(tools: list[dict[str, Any]], folder: Path) -> None:
    """One file a tool; files of tools that are no more are removed."""
    files = _files(tools)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class Difference:
    """A file that is missing, stale or extra: what is wrong with it, and what has changed for those who call."""

    file: str
    what: str
    changes: tuple[Change, ...] = ()

    @property
    def breaking(self) -> bool:
        return any(change.breaking for change in self.changes)

    def __str__(self) -> str:
        return "\n  ".join([f"{self.file} {self.what}", *map(str, self.changes)])


def differences(tools: list[dict[str, Any]], folder: Path) -> list[Difference]:
    """What is missing, stale or extra in the folder, byte for byte; empty where nothing is."""
    files = _files(tools)
    there = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    differing = [Difference(name, "is missing") for name in files if name not in there]
    for tool in tools:
        name = f"{tool['name']}.json"
        if name in there and there[name] != files[name].encode():
            differing.append(_stale(name, there[name], tool))
    gone = (Change("name", "the tool is gone", breaking=True),)
    return differing + [Difference(name, "is of no tool", gone) for name in there if name not in files]


def _stale(name: str, published: bytes, tool: dict[str, Any]) -> Difference:
    try:
        before = json.loads(published)
    except ValueError:
        before = None
    if not isinstance(before, dict) or "inputSchema" not in before:
        return Difference(name, "holds no tool")
    tool_changes = tuple(changes(before, tool))
    return Difference(name, "is stale" if tool_changes else "is stale: it says the same in other bytes", tool_changes)


def spelt_for(style: str, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools as another API takes them: `mcp`, `openai-responses`, `openai-chat`, `anthropic` or `gemini`."""
    if style == "mcp":
        return tools
    return [_SPELLINGS[style]({**tool, "inputSchema": _without_open_objects(tool["inputSchema"])}) for tool in tools]


def _without_open_objects(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Strict modes and Gemini refuse an object that may hold anything: it is given as JSON text, which the server takes
    as well."""
    if schema.get("type") == "object" and not schema.get("properties"):
        return {"type": "string", "description": f"{schema['description']}, as JSON text"}
    kept = dict(schema)
    if "properties" in kept:
        kept["properties"] = {name: _without_open_objects(value) for name, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _without_open_objects(kept["items"])
    return kept


def _openai_responses(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", **_openai_function(tool)}


def _openai_chat(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": _openai_function(tool)}


def _openai_function(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Strict, so that what its model gives has the form that is asked for."""
    return {"name": tool["name"], "description": tool["description"], "parameters": _strict(tool["inputSchema"]),
            "strict": True}  # fmt: skip


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's strict mode: every argument is required, and null where it is not given, as the server takes it."""
    kept = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in kept:
        needed = schema.get("required", ())
        kept["properties"] = {
            name: _strict(value) if name in needed else _or_null(_strict(value))
            for name, value in schema["properties"].items()
        }
        kept["required"] = list(kept["properties"])
    if "items" in kept:
        kept["items"] = _strict(kept["items"])
    return kept | ({"additionalProperties": False} if kept.get("type") == "object" else {})


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": schema["description"]}
    return {**described, "anyOf": [{k: v for k, v in schema.items() if k != "description"}, {"type": "null"}]}


def _anthropic(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": tool["name"], "description": tool["description"], "input_schema": _closed(tool["inputSchema"])}


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's strict mode: objects are closed, and the bounds that it does not take stand in the description."""
    kept = {key: value for key, value in schema.items() if key not in _BOUNDS}
    if bounds := [f"{key}: {schema[key]}" for key in _BOUNDS if key in schema]:
        kept["description"] = f"{schema['description']} ({', '.join(bounds)})"
    if "properties" in kept:
        kept["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
        kept["additionalProperties"] = False
    if "items" in kept:
        kept["items"] = _closed(kept["items"])
    return kept


_BOUNDS = ("maximum",)


def _gemini(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Gemini takes a subset of JSON Schema; what it does not know is left to the server to check."""
    parameters = _subset(tool["inputSchema"])
    return {"name": tool["name"], "description": tool["description"], "parameters": parameters}


def _subset(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key in _GEMINI}
    if "properties" in kept:
        kept["properties"] = {name: _subset(value) for name, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _subset(kept["items"])
    return kept


_SPELLINGS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "openai-responses": _openai_responses,
    "openai-chat": _openai_chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
