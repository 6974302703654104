"""Laws over the whole list of tools, as a host receives it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from fraction_mcp.erp.endpoints import System
from fraction_mcp.server import contract
from fraction_mcp.tools.catalogue import catalogue

from .conftest import Hosted

pytestmark = pytest.mark.anyio

READING = {name for name, spec in catalogue().items() if spec.effect.reads}
OF_FRACTIONERP_ALONE = {name for name in READING if catalogue()[name].systems == {System.FRACTIONERP}}
NOTHING = SecretStr("")


async def listed(hosted: Hosted, mode: str = "auto", **changes: Any) -> list[dict[str, Any]]:
    async with hosted(mode, **changes) as client:
        tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


@pytest.fixture
async def tools(hosted: Hosted) -> list[dict[str, Any]]:
    return await listed(hosted)


@pytest.fixture
async def reading(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [tool for tool in tools if tool["name"] in READING]


ORDER = [
    "search_parts",
    "get_part",
    "get_price_for_quantity",
    "price_order_lines",
    "search_customers",
    "get_customer",
    "describe_records",
    "list_records",
    "get_record",
    "summarise_records",
    "get_connection_status",
    "list_fracttal_purchase_orders",
    "get_write_status",
]


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema."""
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from nodes(inner)
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"])


# ----------------------------------------------------------------------------------------------------------------- list


async def test_the_reading_tools_are_listed_in_their_fixed_order_in_both_eras(hosted: Hosted) -> None:
    modern, legacy = [[tool["name"] for tool in await listed(hosted, mode)] for mode in ("auto", "legacy")]
    assert modern == legacy
    assert [name for name in modern if name in READING] == ORDER


async def test_the_list_may_be_kept_by_anybody_for_five_minutes(hosted: Hosted) -> None:
    async with hosted() as client:
        answer = await client.list_tools()
    assert (answer.ttl_ms, answer.cache_scope) == (300_000, "public")


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ({"fracttal_client_id": "", "fracttal_client_secret": NOTHING}, {"fracttal"}),
        ({"fraction_email": "", "fraction_password": NOTHING}, OF_FRACTIONERP_ALONE),
    ],
    ids=["FractionERP alone", "Fracttal alone"],
)
async def test_only_the_tools_of_a_configured_erp_are_listed(
    hosted: Hosted, without: dict[str, Any], missing: set[str]
) -> None:
    names = {tool["name"] for tool in await listed(hosted, **without)}
    assert not {name for name in names for word in missing if word in name}
    assert "get_connection_status" in names
    async with hosted(**without) as client:
        status = (await client.call_tool("get_connection_status", {})).structured_content or {}
    assert sorted(one["configured"] for one in status["systems"]) == [False, True]


async def test_what_is_not_listed_cannot_be_called(hosted: Hosted) -> None:
    async with hosted(fraction_email="", fraction_password=NOTHING) as client:
        with pytest.raises(Exception, match="Unknown tool: get_part"):
            await client.call_tool("get_part", {"part": "WIDGET-001"})


async def test_reading_only_every_tool_is_marked_as_reading(hosted: Hosted) -> None:
    tools = await listed(hosted, read_only=True)
    assert {tool["name"] for tool in tools} == READING
    assert all(tool["annotations"]["readOnlyHint"] is True for tool in tools)


async def test_what_reads_is_marked_so_what_writes_is_not_and_none_reaches_further_than_its_erp(
    tools: list[dict[str, Any]],
) -> None:
    for tool in tools:
        hints, effect = tool["annotations"], catalogue()[tool["name"]].effect
        assert (hints["readOnlyHint"], hints["openWorldHint"]) == (effect.reads, False), tool["name"]
        assert hints.get("destructiveHint", False) == effect.destroys, tool["name"]


async def test_claude_code_is_told_to_ask_before_every_write_and_what_to_load_always(hosted: Hosted) -> None:
    tools = await listed(hosted, confirm="two_step")
    asks = {tool["name"] for tool in tools if tool.get("_meta", {}).get("anthropic/requiresUserInteraction")}
    assert asks == {tool["name"] for tool in tools if tool["annotations"]["readOnlyHint"] is False}
    loads = {tool["name"] for tool in tools if tool.get("_meta", {}).get("anthropic/alwaysLoad")}
    assert loads == {"get_price_for_quantity", "price_order_lines", "search_parts", "search_customers"}


async def test_the_server_has_an_icon_and_a_website_small_enough_for_every_result(hosted: Hosted, mode: str) -> None:
    async with hosted(mode) as client:
        info = client.server_info
    assert info.website_url
    assert info.website_url.startswith("https://")
    assert info.icons
    (icon,) = info.icons
    assert (icon.src[:26], icon.mime_type) == ("data:image/svg+xml;base64,", "image/svg+xml")
    assert len(icon.src) < 300


async def test_no_list_in_a_result_holds_what_its_schema_does_not_name(tools: list[dict[str, Any]]) -> None:
    """Hosts mark `items: {}` as a schema that not every validator takes."""
    for tool in tools:
        for node in nodes(tool["outputSchema"]):
            assert "items" not in node or {"type", "anyOf"} & set(node["items"]), tool["name"]


async def test_structured_off_sends_text_alone_and_no_output_schemas(hosted: Hosted, mode: str) -> None:
    async with hosted(mode, structured="off") as client:
        tools = (await client.list_tools()).tools
        priced = await client.call_tool("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250})
        refused = await client.call_tool("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 0})
    assert {tool.output_schema for tool in tools} == {None}
    assert (priced.structured_content, refused.structured_content) == (None, None)
    assert "2500.00 GBP" in str(priced.content)
    assert "INVALID_INPUT: quantity: must be greater than 0" in str(refused.content)


# -------------------------------------------------------------------------------------------------------- input schemas


# Each was seen to break some client's tools, or to put its own refusal in place of ours (docs/clients.md).
BREAKS_CLIENTS = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "additionalProperties", "exclusiveMinimum", "multipleOf",
                  "examples", "const", "uniqueItems", "prefixItems", "nullable", "not", "propertyNames",
                  "title"}  # fmt: skip


async def test_input_schemas_are_flat_of_one_type_each_and_hold_nothing_that_a_client_fails_on(
    tools: list[dict[str, Any]],
) -> None:
    for tool in tools:
        Draft202012Validator.check_schema(tool["inputSchema"])
        for node in nodes(tool["inputSchema"]):
            where = f"{tool['name']}: {json.dumps(node)[:200]}"
            assert isinstance(node["type"], str), where
            assert not BREAKS_CLIENTS & set(node), where
            assert all(isinstance(value, str) and value for value in node.get("enum", [])), where
            assert (node["type"] != "array") or "items" in node, where


async def test_the_shape_of_what_a_list_holds_stands_in_its_description_as_well(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for node in nodes(tool["inputSchema"]):
            for name in node.get("items", {}).get("properties", {}):
                assert re.search(rf"\b{name}\b", node["description"].partition("Each: {")[2]), (tool["name"], name)


async def test_no_schema_has_a_list_of_types(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert '"type": [' not in json.dumps([tool["inputSchema"], tool["outputSchema"]]), tool["name"]


async def test_every_argument_is_described(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for node in nodes(tool["inputSchema"]):
            for name, property_ in node.get("properties", {}).items():
                assert len(property_.get("description", "")) > 3, f"{tool['name']}.{name}"


async def test_not_given_is_never_spelt_as_null(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for node in nodes(tool["inputSchema"]):
            for name, property_ in node.get("properties", {}).items():
                assert property_.get("default", "") is not None, f"{tool['name']}.{name}"
                assert None not in property_.get("enum", []), f"{tool['name']}.{name}"


# ------------------------------------------------------------------------------------------------------- output schemas


async def test_output_schemas_are_closed_and_take_the_form_of_an_error_too(tools: list[dict[str, Any]]) -> None:
    """Hosts on the TypeScript SDK hold an error's structured content against the output schema as well."""
    error = {"error": {"code": "X", "message": "m", "hint": "", "retryable": False, "written": None}}
    for tool in tools:
        schema = tool["outputSchema"]
        Draft202012Validator.check_schema(schema)
        assert (schema["type"], schema["additionalProperties"]) == ("object", False)
        assert "$ref" not in json.dumps(schema)
        Draft202012Validator(schema).validate(error)
        assert not Draft202012Validator(schema).is_valid({})
        told = f"{tool['name']}: a result has a field beside its summary that is always there"
        assert not Draft202012Validator(schema).is_valid({"summary": "alone"}), told


# --------------------------------------------------------------------------------------------------------- descriptions


async def test_a_description_says_in_its_first_line_what_the_tool_does_and_then_when_to_use_it(
    tools: list[dict[str, Any]],
) -> None:
    for tool in tools:
        description = tool["description"]
        first, _, rest = description.partition("\n")
        assert 10 < len(first) < 100, tool["name"]
        assert "Use when" in rest, tool["name"]
        assert len(description) < 1000, tool["name"]
        assert "IMPORTANT" not in description
        assert "!" not in description


async def test_a_description_names_only_tools_that_there_are(tools: list[dict[str, Any]]) -> None:
    names = {tool["name"] for tool in tools}
    verbs = ("get_", "search_", "list_", "price_order", "summarise_", "set_", "create_", "add_", "confirm_")
    for tool in tools:
        words = tool["description"].replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ").split()
        named = {word.strip(":;") for word in words if word.startswith(verbs)}
        assert named <= names | {"confirm_write", "list_fracttal_purchase_orders", "summarise_records"}, tool["name"]


async def test_the_reading_tools_stay_under_2200_tokens(reading: list[dict[str, Any]]) -> None:
    shown = [{name: tool[name] for name in ("name", "description", "inputSchema")} for tool in reading]
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    assert len(reading) == len(READING)
    assert len(text) / 4 < 2200


# ------------------------------------------------------------------------------------------------------ published files


async def test_missing_stale_and_extra_files_are_told_apart(tools: list[dict[str, Any]], tmp_path: Path) -> None:
    contract.write(tools, tmp_path)
    assert contract.differences(tools, tmp_path) == []
    (tmp_path / "get_part.json").unlink()
    (tmp_path / "get_customer.json").write_bytes((tmp_path / "get_customer.json").read_bytes() + b"\n")
    (tmp_path / "get_weather.json").write_text("{}")
    assert [f"{one.file} {one.what}" for one in contract.differences(tools, tmp_path)] == [
        "get_part.json is missing",
        "get_customer.json is stale: it says the same in other bytes",
        "get_weather.json is of no tool",
    ]
    contract.write(tools, tmp_path)
    assert contract.differences(tools, tmp_path) == []
