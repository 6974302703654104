"""A tool for a person, at a terminal and in docs/tools.md: what it does, its arguments with their types, and a call to
begin with."""

import difflib
import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Argument", "arguments_of", "effect_of", "example_of", "no_such_tool", "print_tool"]


@dataclass(frozen=True)
class Argument:
    """One argument in words: `need` is `required`, `optional` or its default."""

    name: str
    kind: str
    need: str
    told: str


def no_such_tool(name: str, offered: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), offered, n=1, cutoff=0.75)
    if near:
        return f"there is no tool {name}; did you mean {near[0]}?"
    return f"there is no tool {name}; there are {', '.join(offered)}"


def print_tool(tool: Mapping[str, Any]) -> None:
    print(f"{tool['name']}: {tool['description']}\n\nEffect: {effect_of(tool)}.\n\nArguments:")
    for argument in arguments_of(tool):
        print(f"  {argument.name}  ({argument.kind}, {argument.need})")
        for line in textwrap.wrap(argument.told, 96):
            print(f"      {line}")
    print(f"\nExample:\n  {example_of(tool)}")


def effect_of(tool: Mapping[str, Any]) -> str:
    hints = tool.get("annotations", {})
    if hints.get("readOnlyHint"):
        return "reads"
    writes = "replaces what is there" if hints.get("destructiveHint") else "writes"
    return f"{writes}, after a person approved it"


def arguments_of(tool: Mapping[str, Any]) -> list[Argument]:
    schema = tool["inputSchema"]
    required = schema.get("required", [])
    arguments = []
    for name, argument in schema.get("properties", {}).items():
        allowed = [str(choice) for choice in argument.get("enum", ()) if choice != ""]
        description = str(argument.get("description", ""))
        if allowed:
            description = f"{description.rstrip('.')}{'. ' if description else ''}One of: {', '.join(allowed)}."
        need = "required" if name in required else _default(argument)
        arguments.append(Argument(name, _kind(argument), need, description.strip()))
    return arguments


def _default(argument: Mapping[str, Any]) -> str:
    default = argument.get("default")
    return "optional" if default in (None, "", []) else f"default {json.dumps(default)}"


def _kind(argument: Mapping[str, Any]) -> str:
    kind = argument.get("type", "text")
    items = argument.get("items", {})
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list"}
    word = words.get(str(kind), str(kind))
    if kind == "array" and items.get("type") == "object":
        return f"list of {{{', '.join(items.get('properties', {}))}}}"
    return f"list of {words.get(str(items.get('type')), 'values')}" if kind == "array" else word


def example_of(tool: Mapping[str, Any]) -> str:
    """A call with every required argument, its value the one that its description names first."""
    schema = tool["inputSchema"]
    names = [*schema.get("required", []), *_NAMED_TOO.get(tool["name"], ())]
    words = [_spelt(name, schema["properties"][name]) for name in names]
    return " ".join(["fraction-mcp call --sandbox", tool["name"], *words])


def _spelt(name: str, argument: Mapping[str, Any]) -> str:
    allowed = [str(value) for value in argument.get("enum", ()) if value]
    value = _EXAMPLES.get(name) or (allowed[0] if allowed else "...")
    return shlex.quote(f"{name}={allowed[0] if allowed and value not in allowed else value}")


# What an example says beside what is required: one of two that a schema that every client takes cannot ask for, or what
# the tool is called for.
_NAMED_TOO = {
    "set_price_list": ("price_breaks",),
    "search_parts": ("query",),
    "search_customers": ("query",),
    "summarise_records": ("group_by",),
}
# Records of the embedded company.
_EXAMPLES = {
    "query": "ac",
    "group_by": '["status"]',
    "part": "WIDGET-001",
    "part_number": "BRKT-2",
    "quantity": "250",
    "customer": "Acme Corp",
    "kind": "contracts",
    "id": "1",
    "name": "Jo Bloggs",
    "lines": '[{"part": "WIDGET-001", "quantity": 500}]',
    "warehouse_code": "WH-1",
    "document": "PO-1001",
    "price_breaks": '[{"quantity": 1, "unit_price": "12.50"}, {"quantity": 100, "unit_price": "10.00"}]',
    "change_percent": "3",
    "write_id": "w0123456789ab",
    "confirmation_token": "TOKEN",
    "items": '[{"code": "OIL-5L", "quantity": 2, "unit_cost": "12.50"}]',
    "writes": '[{"tool": "create_part", "arguments": {"part_number": "BRKT-2"}}]',
}
