"""The tools in other hosts' spellings, held against each provider's rules, and its own SDK where that is installed."""

import copy
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator

from fraction_mcp.cli.schemas import _everything
from fraction_mcp.runtime import Runtime
from fraction_mcp.server import contract
from fraction_mcp.server.app import create_server

STYLES = ("openai-responses", "openai-chat", "anthropic", "gemini")
# What OpenAI's and Anthropic's strict modes take of a schema, by their documents; Gemini's Schema, by its SDK.
OPENAI = {"type", "description", "properties", "required", "items", "enum", "anyOf", "additionalProperties", "minItems",
          "maximum"}  # fmt: skip
ANTHROPIC = {"type", "description", "properties", "required", "items", "enum", "additionalProperties", "minItems",
             "default"}  # fmt: skip
GEMINI = {"type", "description", "properties", "required", "items", "enum", "minItems", "maxItems"}


@pytest.fixture(scope="module")
def tools() -> list[dict[str, Any]]:
    async def served() -> list[dict[str, Any]]:
        return await contract.served_tools(create_server(Runtime(_everything())))

    return anyio.run(served)


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for child in (
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        *filter(None, [schema.get("items")]),
    ):
        yield from nodes(child)


def schema_of(spelt: dict[str, Any]) -> dict[str, Any]:
    function = spelt.get("function", spelt)
    schema: dict[str, Any] = function.get("parameters") or function["input_schema"]
    return schema


@pytest.mark.matrix
@pytest.mark.parametrize("style", STYLES)
def test_each_spelling_has_every_tool_under_its_own_name(tools: list[dict[str, Any]], style: str) -> None:
    spelt = contract.spelt_for(style, tools)
    assert [one.get("function", one)["name"] for one in spelt] == [tool["name"] for tool in tools]
    for one, tool in zip(spelt, tools, strict=True):
        Draft202012Validator.check_schema(schema_of(one))
        assert set(schema_of(one)["properties"]) == set(tool["inputSchema"]["properties"])


@pytest.mark.parametrize("style", ["openai-responses", "openai-chat"])
def test_openai_s_strict_mode_is_given_every_argument_closed_objects_and_null_for_not_given(
    tools: list[dict[str, Any]], style: str
) -> None:
    for one, tool in zip(contract.spelt_for(style, tools), tools, strict=True):
        assert one.get("function", one)["strict"] is True
        for node in nodes(schema_of(one)):
            assert set(node) <= OPENAI, node
            if node.get("type") == "object":
                assert (node["additionalProperties"], node["required"]) == (False, list(node["properties"]))
        optional = set(tool["inputSchema"]["properties"]) - set(tool["inputSchema"].get("required", ()))
        nullable = {name for name, value in schema_of(one)["properties"].items() if "anyOf" in value}
        assert nullable == optional


def test_anthropic_is_given_closed_objects_and_no_bound_that_its_strict_mode_refuses(
    tools: list[dict[str, Any]],
) -> None:
    for one in contract.spelt_for("anthropic", tools):
        for node in nodes(schema_of(one)):
            assert set(node) <= ANTHROPIC, node
            assert node.get("type") != "object" or node["additionalProperties"] is False


def test_gemini_is_sent_only_what_it_knows(tools: list[dict[str, Any]]) -> None:
    for one in contract.spelt_for("gemini", tools):
        for node in nodes(schema_of(one)):
            assert set(node) <= GEMINI, node
            assert "" not in node.get("enum", [])


# ------------------------------------------------------------------------------------------- the providers' own SDKs


def test_openai_s_own_sdk_finds_nothing_to_make_strict(tools: list[dict[str, Any]]) -> None:
    pydantic = pytest.importorskip("openai.lib._pydantic", reason="pip install openai")
    for style in ("openai-responses", "openai-chat"):
        for one in contract.spelt_for(style, tools):
            schema = schema_of(one)
            assert pydantic._ensure_strict_json_schema(copy.deepcopy(schema), path=(), root=schema) == schema


def test_anthropic_s_own_sdk_changes_nothing(tools: list[dict[str, Any]]) -> None:
    anthropic = pytest.importorskip("anthropic", reason="pip install anthropic")
    for one in contract.spelt_for("anthropic", tools):
        schema = schema_of(one)
        assert set(anthropic.transform_schema(copy.deepcopy(schema))["properties"]) == set(schema["properties"])


def test_gemini_s_own_sdk_takes_every_declaration(tools: list[dict[str, Any]]) -> None:
    types = pytest.importorskip("google.genai.types", reason="pip install google-genai")
    for one in contract.spelt_for("gemini", tools):
        declared = types.FunctionDeclaration.model_validate(one)
        assert set(declared.parameters.properties or {}) == set(schema_of(one)["properties"])
