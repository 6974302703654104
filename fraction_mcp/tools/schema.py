"""Models as JSON Schemas that every client takes: flat, without $ref, unions or titles.

Real clients fail on keywords that seem harmless (docs/clients.md lists them); what is left out here is enforced by the
server all the same.
"""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

__all__ = ["NOT_GIVEN", "input_schema", "output_schema", "shape"]


NOT_GIVEN = "none"
"""What an enum holds in place of an empty text, which some clients refuse: it means that the argument is not given."""

_UNSAID = {"minLength", "maxLength", "maxItems", "minimum", "exclusiveMinimum", "additionalProperties"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: flat, without $ref, unions or titles.

    Every client pays for it in tokens at every session, so bounds that no honest caller meets are enforced without
    being stated, and an empty default is left out: what is not required may be left out.
    """
    return cast(dict[str, Any], _lean(_rendered(model, "validation")))


def _lean(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in _UNSAID and not _goes_without(key, value)}
    if "enum" in kept:
        kept["enum"] = [value or NOT_GIVEN for value in kept["enum"]]
    if "properties" in kept:
        kept["properties"] = {name: _lean(value) for name, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _lean(kept["items"])
        if "properties" in kept["items"]:  # two frameworks drop the shape of what a list holds
            kept["description"] = f"{kept['description']}. Each: {shape(kept['items'])}"
    return kept


def shape(item: Mapping[str, Any]) -> str:
    """`{part, quantity, note?}`, with what an enum may hold."""
    names = []
    for name, node in item["properties"].items():
        choice = f" ({' '.join(node['enum'])})" if "enum" in node else ""
        names.append(f"{name}{'' if name in item.get('required', ()) else '?'}{choice}")
    return "{" + ", ".join(names) + "}"


def _goes_without(key: str, value: object) -> bool:
    return (key == "default" and value in ("", [], 1)) or (key == "maximum" and isinstance(value, int) and value > 200)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's result, without $ref or titles; what may be null has two branches."""
    schema = _rendered(model, "serialization")
    schema["required"] = [name for name in schema.get("required", []) if name not in {"next", "as_of"}]
    return schema


class _Bare(GenerateJsonSchema):
    """Pydantic's generator without the titles that it makes up."""

    def get_title_from_name(self, name: str) -> str:  # noqa: ARG002 - pydantic's signature
        return ""


def _rendered(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Bare, mode=mode)
    definitions = schema.pop("$defs", {})
    return cast(dict[str, Any], _inlined(schema, definitions, top=True))


def _inlined(node: Any, definitions: Mapping[str, Any], *, top: bool = False) -> Any:
    """Every $ref replaced by what it names. A docstring of ours is not a description of the wire: dropped."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = dict(definitions[node["$ref"].rpartition("/")[2]])
        target.pop("description", None)
        return _inlined({**target, **{k: v for k, v in node.items() if k != "$ref"}}, definitions)
    drop = {"title", "description"} if top else {"title"}
    return {
        key: {name: _inlined(value, definitions) for name, value in item.items()}
        if key == "properties"
        else _inlined(item, definitions)
        for key, item in node.items()
        if key not in drop
    }
