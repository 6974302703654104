"""Which changes of a published tool break whoever calls it."""

from copy import deepcopy
from typing import Any

import pytest

from fraction_mcp.server.contract_changes import changes

TOOL: dict[str, Any] = {
    "name": "price",
    "description": "Price a part.",
    "annotations": {"readOnlyHint": True},
    "inputSchema": {
        "type": "object",
        "properties": {
            "part": {"type": "string", "description": "A number"},
            "kind": {"type": "string", "enum": ["", "base"], "default": ""},
            "lines": {"type": "array", "maxItems": 100, "items": {"type": "object", "properties": {"quantity": {}}}},
        },
        "required": ["part"],
    },
    "outputSchema": {
        "type": "object",
        "properties": {"summary": {"type": "string"}, "status": {"type": "string", "enum": ["priced", "no_price"]}},
        "required": ["summary"],
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The tool with another value at a path of keys; None takes it away."""
    tool = deepcopy(TOOL)
    *way, last = path.split("/")
    node = tool
    for key in way:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return tool


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("description", "Say a price.", "description: 'Price a part.' -> 'Say a price.'"),
        ("inputSchema/properties/part/description", "No", "inputSchema.part: description 'A number' -> 'No'"),
        ("inputSchema/properties/note", {"type": "string"}, "inputSchema.note: is new"),
        ("inputSchema/required", [], "inputSchema.part: may be left out"),
        ("inputSchema/properties/kind/enum", ["", "base", "all"], "inputSchema.kind: 'all' is new"),
        ("inputSchema/properties/kind/enum", None, "inputSchema.kind: enum ['', 'base'] -> nothing"),
        ("inputSchema/properties/lines/maxItems", 200, "inputSchema.lines: maxItems 100 -> 200"),
        ("outputSchema/properties/next", {"type": "string"}, "outputSchema.next: is new"),
        ("outputSchema/properties/status/enum", ["priced"], "outputSchema.status: 'no_price' is no longer given"),
        ("outputSchema/required", ["summary", "status"], "outputSchema.status: is now always given"),
    ],
)
def test_what_every_caller_can_live_with_is_compatible(path: str, value: Any, told: str) -> None:
    assert [str(change) for change in changes(TOOL, changed(path, value))] == [f"compatible: {told}"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("annotations", {"readOnlyHint": False}, "annotations: {'readOnlyHint': True} -> {'readOnlyHint': False}"),
        ("outputSchema", None, "outputSchema: "),
        ("inputSchema/properties/part", None, "inputSchema.part: is no longer taken"),
        ("inputSchema/properties/part/type", "integer", "inputSchema.part: type 'string' -> 'integer'"),
        ("inputSchema/properties/part/pattern", "^A", "inputSchema.part: pattern nothing -> '^A'"),
        ("inputSchema/properties/part/minLength", 1, "inputSchema.part: minLength nothing -> 1"),
        ("inputSchema/properties/kind/default", "base", "inputSchema.kind: default '' -> 'base'"),
        ("inputSchema/properties/kind/enum", [""], "inputSchema.kind: 'base' is no longer taken"),
        ("inputSchema/required", ["part", "kind"], "inputSchema.kind: is now required"),
        ("inputSchema/properties/lines/maxItems", 50, "inputSchema.lines: maxItems 100 -> 50"),
        (
            "inputSchema/properties/lines/items/properties/quantity",
            None,
            "inputSchema.lines[].quantity: is no longer taken",
        ),
        ("outputSchema/properties/summary/type", "array", "outputSchema.summary: type 'string' -> 'array'"),
        ("outputSchema/properties/status", None, "outputSchema.status: is no longer given"),
        (
            "outputSchema/properties/status/enum",
            ["priced", "no_price", "later"],
            "outputSchema.status: 'later' is new",
        ),
        ("outputSchema/required", [], "outputSchema.summary: may be missing"),
    ],
)
def test_what_some_caller_cannot_live_with_is_breaking(path: str, value: Any, told: str) -> None:
    (change,) = changes(TOOL, changed(path, value))
    assert str(change).startswith(f"breaking: {told}")


def test_a_new_argument_that_must_be_given_breaks_and_is_told_once() -> None:
    tool = changed("inputSchema/required", ["part", "note"])
    tool["inputSchema"]["properties"]["note"] = {"type": "string"}
    (change,) = changes(TOOL, tool)
    assert (change.breaking, change.what) == (True, "is new")


def test_the_same_tool_has_not_changed() -> None:
    assert changes(TOOL, deepcopy(TOOL)) == []
