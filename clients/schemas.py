"""What each framework's own conversion makes of a tool's input schema: what it chokes on, and what it drops unsaid.

A conversion is asked for every tool that the server lists, and for a probe of each keyword of JSON Schema that a tool
might use, so that the table tells what to avoid before a tool uses it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.conversation import Conversation

TEXT = {"type": "string", "description": "Text"}
PART = {"type": "object", "properties": {"part": TEXT}, "required": ["part"]}

# One property `p` (or a whole schema) for each way of saying something.
PROBES: Mapping[str, dict[str, Any]] = {
    "additionalProperties: false": {"additionalProperties": False},
    "minimum": {"p": {"type": "number", "minimum": 1}},
    "exclusiveMinimum": {"p": {"type": "number", "exclusiveMinimum": 0}},
    "maximum": {"p": {"type": "number", "maximum": 9}},
    "multipleOf": {"p": {"type": "number", "multipleOf": 0.5}},
    "minLength": {"p": {"type": "string", "minLength": 1}},
    "maxLength": {"p": {"type": "string", "maxLength": 9}},
    "pattern": {"p": {"type": "string", "pattern": "^a"}},
    "format": {"p": {"type": "string", "format": "date"}},
    "default": {"p": {"type": "string", "default": "a"}},
    "examples": {"p": {"type": "string", "examples": ["a"]}},
    "enum": {"p": {"type": "string", "enum": ["a", "b"]}},
    "enum, integers": {"p": {"type": "integer", "enum": [1, 2]}},
    "enum with an empty text": {"p": {"type": "string", "enum": ["a", ""]}},
    "const": {"p": {"const": "a"}},
    "type: [string, null]": {"p": {"type": ["string", "null"]}},
    "type: [string, integer]": {"p": {"type": ["string", "integer"]}},
    "anyOf": {"p": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
    "anyOf with null": {"p": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "oneOf": {"p": {"oneOf": [{"type": "string"}, {"type": "integer"}]}},
    "allOf": {"p": {"allOf": [{"type": "string"}]}},
    "$ref, $defs": {"p": {"$ref": "#/$defs/Part"}, "$defs": {"Part": PART}},
    "items of objects": {"p": {"type": "array", "items": PART}},
    "items missing": {"p": {"type": "array"}},
    "minItems": {"p": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "maxItems": {"p": {"type": "array", "items": {"type": "string"}, "maxItems": 9}},
    "uniqueItems": {"p": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}},
    "prefixItems": {"p": {"type": "array", "items": {"type": "string"}, "prefixItems": [{"type": "string"}]}},
    "object without properties": {"p": {"type": "object"}},
    "nested object": {"p": PART},
    "nullable": {"p": {"type": "string", "nullable": True}},
    "not": {"p": {"type": "string", "not": {"const": "a"}}},
    "propertyNames": {"p": {"type": "object", "propertyNames": {"pattern": "^a"}}},
    "no properties": {"properties": {}, "required": []},
}


@dataclass
class Conversion:
    """What one conversion did: per tool and per probe, why it failed; per tool and probe, what it dropped."""

    by: str
    failed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    probes_failed: dict[str, str] = field(default_factory=dict)
    probes_dropped: list[str] = field(default_factory=list)


def converted(conversation: Conversation, tools: list[dict[str, Any]]) -> Iterator[Conversion]:
    for by in conversation.converts:
        done = Conversion(by)
        for tool in tools:
            told = conversation.convert(by, tool)
            if "raised" in told:
                done.failed[tool["name"]] = _short(told["raised"])
            elif lost := sorted(shape(tool["inputSchema"]) - shape(told["made"])):
                done.dropped[tool["name"]] = ", ".join(lost)
        for name, probe in PROBES.items():
            told = conversation.convert(by, _tool(probe))
            if "raised" in told:
                done.probes_failed[name] = _short(told["raised"])
            elif _keyword(name) not in _keywords(told["made"]):
                done.probes_dropped.append(name)
        yield done


def _tool(probe: Mapping[str, Any]) -> dict[str, Any]:
    """A tool with one required text and the probe's property."""
    rest = {name: value for name, value in probe.items() if name != "p"}
    properties = {"q": TEXT, **({"p": {"description": "P", **probe["p"]}} if "p" in probe else {})}
    schema = {"type": "object", "properties": properties, "required": ["q"], **rest}
    return {"name": "probe", "description": "A probe.", "inputSchema": json.loads(json.dumps(schema))}


def _keyword(probe: str) -> str:
    """The keyword that must still stand in what is made, where the probe's name is more than one."""
    special = {
        "$ref, $defs": "part",
        "anyOf with null": "null",
        "enum with an empty text": "",
        "enum, integers": "enum",
        "items missing": "p",
        "items of objects": "part",
        "nested object": "part",
        "no properties": "properties",
        "object without properties": "p",
        "type: [string, integer]": "integer",
        "type: [string, null]": "null",
    }
    return special.get(probe, probe.partition(":")[0])


def _keywords(made: Any) -> set[str]:
    """Every name and every text in what a conversion made, in one spelling (Gemini's is in capitals and snake case)."""
    found: set[str] = set()
    if isinstance(made, dict):
        for name, value in made.items():
            found |= {name, _camel(name)} | _keywords(value)
            if name == "nullable" and value:
                found.add("null")
    elif isinstance(made, list):
        found = found.union(*map(_keywords, made))
    elif isinstance(made, str):
        found = {made, made.lower()}
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def shape(schema: Any, path: str = "") -> set[str]:
    """The arguments by their paths, `lines[].part` among them, and which of them are lists of choices."""
    root = _root(schema) if not path else schema
    found: set[str] = set()
    for name, one in (root.get("properties") or {}).items() if isinstance(root, dict) else ():
        here = f"{path}{name}"
        found.add(here)
        found |= {f"{here}: enum"} if _has(one, "enum") else set()
        found |= {f"{here}: description"} if _has(one, "description") else set()
        for inner in _branches(one):
            found |= shape(inner, f"{here}.")
            if isinstance(inner.get("items"), dict):
                for item in _branches(inner["items"]):
                    found |= shape(item, f"{here}[].")
    return found


def _root(made: Any) -> Any:
    """The outermost thing with properties: what is around it differs from provider to provider."""
    if isinstance(made, dict):
        if isinstance(made.get("properties"), dict) and made["properties"]:
            return made
        return next((found for value in made.values() if (found := _root(value)) is not None), None)
    if isinstance(made, list):
        return next((found for value in made if (found := _root(value)) is not None), None)
    return None


def _branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    unions = schema.get("anyOf") or schema.get("any_of") or schema.get("oneOf") or []
    return [schema, *(one for one in unions if isinstance(one, dict))]


def _has(schema: dict[str, Any], keyword: str) -> bool:
    return any(keyword in one for one in _branches(schema))


def _short(text: str) -> str:
    line = " ".join(text.split())
    line = line.partition(" [type=")[0]
    return line if len(line) <= 160 else f"{line[:157]}..."
