"""Arguments as they came -> a tool's model, or every problem by its path, with the nearest known name."""

import difflib
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fraction_mcp.errors import InputError
from fraction_mcp.tools.schema import NOT_GIVEN, shape
from fraction_mcp.tools.spec import ToolSpec
from fraction_mcp.tools.spellings import nearest_choice, nearest_list, nearest_number
from fraction_mcp.values.decimals import NO_DECIMAL
from fraction_mcp.values.text import clean, quoted

__all__ = ["read_arguments"]

_REASONS = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def read_arguments(spec: ToolSpec, arguments: Mapping[str, Any]) -> Any:
    """The tool's own model, filled in. Raises InputError."""
    try:
        return spec.ask.model_validate(_provided(arguments, spec.input_schema))
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = {_path(problem): _reason(spec, problem) for problem in details}
    known = ", ".join(spec.input_schema["properties"]) or "none"
    raise InputError(problems, hint=f"The arguments of {spec.name} are: {known}.")


def _provided(value: Any, schema: Mapping[str, Any]) -> Any:
    """What was really given, at any depth: without arguments that are null, or the word of their enum for that.

    Adapters send null for whatever their model leaves out; strict modes fill every argument. What is required, and a
    name that is not known, stay, to be refused.
    """
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        optional = set(known) - set(schema.get("required", ()))
        return {
            name: _provided(item, known.get(name, {}))
            for name, item in value.items()
            if name not in optional or not _is_left_out(item, known[name])
        }
    if isinstance(value, list):
        return [_provided(item, schema.get("items", {})) for item in value]
    return value


def _is_left_out(value: object, schema: Mapping[str, Any]) -> bool:
    return value is None or (value == NOT_GIVEN and NOT_GIVEN in schema.get("enum", ()))


def _path(problem: ErrorDetails) -> str:
    text = ""
    for step in problem["loc"]:
        text += f"[{step}]" if isinstance(step, int) else f".{clean(str(step), 60)}" if text else clean(str(step), 60)
    return text or "(arguments)"


def _reason(spec: ToolSpec, problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    match kind:
        case "extra_forbidden":
            known = _known(spec.input_schema, problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]).lower(), known, n=1, cutoff=0.5)
            return "is not a known name" + _meant(*near)
        case "value_error":
            reason = str(context["error"])
            return reason + _meant(*nearest_number(problem["input"]) if reason.startswith(NO_DECIMAL) else ())
        case "literal_error":
            expected = context["expected"].replace(" or ", ", ").replace("''", f"'{NOT_GIVEN}'")
            choice = nearest_choice(problem["input"], [word.strip("'") for word in expected.split(", ")])
            return f"must be one of {expected}, not {_shown(problem['input'])}" + _meant(*choice)
        case "string_too_short" | "too_short":
            text = isinstance(problem["input"], str)
            return "must not be empty" if text else f"must hold at least {context['min_length']}"
        case "string_too_long" | "too_long":
            unit = " characters" if isinstance(problem["input"], str) else ""
            return f"must hold at most {context['max_length']}{unit}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more, not {_shown(problem['input'])}"
        case "less_than_equal":
            return f"must be {context['le']} or less, not {_shown(problem['input'])}"
    wording = _REASONS.get(kind)
    if wording is None:
        return clean(problem["msg"])
    return wording if kind == "missing" else f"{wording}, not {_shown(problem['input'])}{_instead(spec, problem)}"


def _instead(spec: ToolSpec, problem: ErrorDetails) -> str:
    """What to send in place of a value of the wrong type, where that can be told."""
    node = _node(spec.input_schema, problem["loc"])
    match problem["type"]:
        case "list_type":
            item = node.get("items", {})
            advice = nearest_list(problem["input"], shape(item) if "properties" in item else "")
            return f"; {advice}" if advice else ""
        case "int_type":
            return _meant(*filter(str.isdigit, nearest_number(problem["input"])))
        case "model_type" | "model_attributes_type" | "dict_type" if "properties" in node:
            return f"; it holds {shape(node)}"
    return ""


def _meant(*near: str) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _known(schema: Mapping[str, Any], path: tuple[int | str, ...]) -> list[str]:
    """The names that an object at this path may hold."""
    return list(_node(schema, path).get("properties", {}))


def _node(schema: Mapping[str, Any], path: tuple[int | str, ...]) -> Mapping[str, Any]:
    """What the schema says of the value at a path."""
    node: Any = schema
    for step in path:
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
    return cast(Mapping[str, Any], node)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value, 40)
    if isinstance(value, int | float):
        return str(value) if -1e15 < value < 1e15 else "so large a number"  # Python refuses to spell some out
    return "null" if value is None else f"a {_KINDS[type(value)]}"


_KINDS: Mapping[type, str] = {dict: "JSON object", list: "list"}
