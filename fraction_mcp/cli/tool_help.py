"""A tool for a person at a terminal: what it does, its arguments with their types, and a call to begin with."""

import difflib
import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["no_such_tool", "print_tool"]


def no_such_tool(name: str, offered: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), offered, n=1, cutoff=0.75)
    if near:
        return f"there is no tool {name}; did you mean {near[0]}?"
    return f"there is no tool {name}; there are {', '.join(offered)}"


def print_tool(tool: Mapping[str, Any]) -> None:
    """A tool for a person: what it does, each argument with its type, and how it is called."""
    hints = tool.get("annotations", {})
    reads = hints.get("readOnlyHint")
    writes = "replaces what is there" if hints.get("destructiveHint") else "writes"
    effect = "reads" if reads else f"{writes}, after a person approved it"
    print(f"{tool['name']}: {tool['description']}\n\nEffect: {effect}.\n\nArguments:")
    schema = tool["inputSchema"]
    required = schema.get("required", [])
    for name, argument in schema.get("properties", {}).items():
        need = "required" if name in required else _default(argument)
        allowed = [str(one) for one in argument.get("enum", ()) if one != ""]
        print(f"  {name}  ({_kind(argument)}, {need})")
        told = str(argument.get("description", "")) + (f" One of: {', '.join(allowed)}." if allowed else "")
        for line in textwrap.wrap(told, 96):
            print(f"      {line}")
    print(f"\nExample:\n  {_example(tool)}")


def _default(argument: Mapping[str, Any]) -> str:
    default = argument.get("default")
    return "optional" if default in (None, "", []) else f"default {json.dumps(default)}"


def _kind(argument: Mapping[str, Any]) -> str:
    kind = argument.get("type", "text")
    items = argument.get("items", {})
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list"}
    told = words.get(str(kind), str(kind))
    if kind == "array" and items.get("type") == "object":
        return f"list of {{{', '.join(items.get('properties', {}))}}}"
    return f"list of {words.get(str(items.get('type')), 'values')}" if kind == "array" else told


def _example(tool: Mapping[str, Any]) -> str:
    """A call with every required argument, its value the one that its description names first."""
    schema = tool["inputSchema"]
    names = [*schema.get("required", []), *_ONE_OF_TWO.get(tool["name"], ())]
    words = [_spelt(name, schema["properties"][name]) for name in names]
    return " ".join(["fraction-mcp call --sandbox", tool["name"], *words])


def _spelt(name: str, argument: Mapping[str, Any]) -> str:
    allowed = [str(value) for value in argument.get("enum", ()) if value]
    value = _EXAMPLES.get(name) or (allowed[0] if allowed else "...")
    return shlex.quote(f"{name}={allowed[0] if allowed and value not in allowed else value}")


# Where one of two arguments is required, which a schema that every client takes cannot say.
_ONE_OF_TWO = {"set_price_list": ("price_breaks",)}
# Of what is required: records of the embedded company.
_EXAMPLES = {
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
