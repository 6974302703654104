"""Models as JSON Schemas that every client takes: flat, closed, without $ref, unions or titles."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

__all__ = ["input_schema", "output_schema"]


# ------------------------------------------------------------------------------------------------------ JSON schemas


_UNSAID = {"minLength", "maxLength", "maxItems", "minimum"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: flat, closed, without $ref, unions or titles.

    Every client pays for it in tokens at every session, so bounds that no honest caller meets are enforced without
    being stated, and an empty default is left out: what is not required may be left out.
    """
    return cast(dict[str, Any], _lean(_rendered(model, "validation")))


def _lean(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in _UNSAID and not _goes_without(key, value)}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value != ""]
    if "properties" in kept:
        kept["properties"] = {name: _lean(value) for name, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _lean(kept["items"])
    return kept


def _goes_without(key: str, value: object) -> bool:
    return (key == "default" and value in ("", [], 1)) or (key == "maximum" and isinstance(value, int) and value > 200)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's result, without $ref or titles; `null` stands in a type list."""
    schema = _rendered(model, "serialization")
    schema["required"] = [name for name in schema.get("required", []) if name not in {"next", "as_of"}]
    return schema


class _Bare(GenerateJsonSchema):
    """Pydantic's generator without the titles that it makes up, and with null folded into the type."""

    def get_title_from_name(self, name: str) -> str:  # noqa: ARG002 - pydantic's signature
        return ""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if isinstance(kind := inner.get("type"), str):
            choices = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
            return {**inner, "type": [kind, "null"], **choices}
        return {"anyOf": [inner, {"type": "null"}]}


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
    if nullable := _nullable_reference(node, definitions):
        return _inlined(nullable, definitions)
    drop = {"title", "description"} if top else {"title"}
    return {
        key: {name: _inlined(value, definitions) for name, value in item.items()}
        if key == "properties"
        else _inlined(item, definitions)
        for key, item in node.items()
        if key not in drop
    }


def _nullable_reference(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any] | None:
    """`anyOf [$ref, null]` as one object schema whose type is [object, null]."""
    match node.get("anyOf"):
        case [{"$ref": str(ref)}, {"type": "null"}]:
            target = {k: v for k, v in definitions[ref.rpartition("/")[2]].items() if k != "description"}
            return {**target, "type": [target["type"], "null"]}
    return None
