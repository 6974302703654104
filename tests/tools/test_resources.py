"""Resources as a host meets them: which addresses there are, what stands there, and how a URI is spelt both ways."""

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, TextResourceContents

from fraction_mcp.erp.endpoints import NAMED

from .conftest import Hosted
from .test_names import CUSTOMERS_BY_NAME, PARTS_BY_NAME

pytestmark = pytest.mark.anyio

PART = UriTemplate.parse("fraction://parts/{part_number}")
RECORD = UriTemplate.parse("fraction://{kind}/{id}")
CUSTOMER = UriTemplate.parse("fraction://customers/{id}")


async def content(client: Client, uri: str) -> TextResourceContents:
    (one,) = (await client.read_resource(uri)).contents
    assert isinstance(one, TextResourceContents)
    assert one.uri == uri
    return one


async def at(client: Client, uri: str) -> Any:
    one = await content(client, uri)
    assert one.mime_type == "application/json"
    return json.loads(one.text)


async def refusal(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await client.read_resource(uri)
    assert refused.value.data["uri"] == uri
    return refused.value


# ------------------------------------------------------------------------------------------------------ what is offered


async def test_resources_and_templates_are_listed_with_titles_and_icons(hosted: Hosted, mode: str) -> None:
    async with hosted(mode) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        capability = client.server_capabilities.resources
    assert capability is not None
    assert not capability.subscribe
    assert not capability.list_changed
    assert "fraction://api-reference" in [one.uri for one in resources]
    assert [one.uri_template for one in templates] == [
        "fraction://writes/{id}", PART.template, CUSTOMER.template, RECORD.template,
    ]  # fmt: skip
    listed: list[Any] = [*resources, *templates]
    assert all(one.title and one.description and one.icons and one.mime_type for one in listed)


async def test_without_fractionerp_none_of_its_addresses_is_there(hosted: Hosted) -> None:
    async with hosted(fraction_email="") as client:
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        assert templates == ["fraction://writes/{id}"]
        assert client.server_capabilities.completions is None
        assert "is no address of this server" in (await refusal(client, "fraction://parts/WIDGET-001")).message
        page = (await content(client, "fraction://api-reference")).text
    assert "/warehouse_purchase_orders/{code}" in page
    assert "/customers" not in page


async def test_the_api_reference_names_every_endpoint_that_reads_or_writes_and_the_tools_that_call_it(
    client: Client,
) -> None:
    one = await content(client, "fraction://api-reference")
    assert one.mime_type == "text/markdown"
    for endpoint in NAMED.values():
        row = f"| {endpoint.method} {endpoint.path} | {endpoint.name} |"
        assert (row in one.text) == (endpoint.writes or endpoint.method == "GET"), row
    (pricing,) = (line for line in one.text.splitlines() if "GET /parts/{id}/price-lists" in line)
    assert "get_price_for_quantity, price_order_lines" in pricing


# ------------------------------------------------------------------------------------------------ the tool's own result


@pytest.mark.parametrize(
    ("uri", "tool", "arguments"),
    [
        ("fraction://parts/WIDGET-001", "get_part", {"part": "WIDGET-001"}),
        ("fraction://customers/52", "get_customer", {"customer": "52"}),
        ("fraction://contracts/Q1232", "get_record", {"kind": "contracts", "id": "Q1232"}),
        ("fraction://work_orders/1", "get_record", {"kind": "work_orders", "id": "1"}),
    ],
)
async def test_a_resource_holds_what_the_tool_answers(
    hosted: Hosted, mode: str, uri: str, tool: str, arguments: dict[str, str]
) -> None:
    async with hosted(mode) as client:
        answer = await client.call_tool(tool, arguments)
        assert await at(client, uri) == answer.structured_content


async def test_what_waits_stands_at_an_address_of_its_own_and_so_does_each_write(hosted: Hosted, mode: str) -> None:
    async with hosted(mode) as client:
        before = await at(client, "fraction://writes")
        assert (before["rows"], before["summary"]) == ([], "Nothing waits for a person.")
        proposed = (await client.call_tool("create_part", {"part_number": "NEW-1"})).structured_content or {}
        (row,) = (await at(client, "fraction://writes/"))["rows"]
        assert row[:2] == [proposed["write_id"], "awaiting_approval"]
        one = await at(client, f"fraction://writes/{row[0]}")
        assert (one["outcome"], one["operation"]) == ("awaiting_approval", "create_part")


@pytest.mark.parametrize("name", PARTS_BY_NAME)
async def test_a_part_of_any_number_has_an_address(client: Client, name: str) -> None:
    assert (await at(client, PART.expand({"part_number": name})))["part"]["part_number"] == name


@pytest.mark.parametrize("name", CUSTOMERS_BY_NAME)
async def test_a_customer_of_any_name_has_an_address(client: Client, name: str) -> None:
    assert (await at(client, CUSTOMER.expand({"id": name})))["customer"]["name"] == name


async def test_hands_that_encode_nothing_but_what_they_must_are_understood(client: Client) -> None:
    assert (await at(client, "fraction://parts/SHAFT 20%"))["part"]["part_number"] == "SHAFT 20%"
    assert (await at(client, "fraction://parts/部品-7"))["part"]["part_number"] == "部品-7"
    assert (await at(client, "fraction://parts/gear%2f24t"))["part"]["part_number"] == "GEAR/24T"


async def test_a_slash_that_is_not_encoded_is_refused_with_the_right_spelling(client: Client) -> None:
    error = await refusal(client, "fraction://parts/GEAR/24T")
    assert error.code == INVALID_PARAMS
    assert error.message.endswith("is no address of this server. It may be fraction://parts/GEAR%2F24T.")
    error = await refusal(client, "fraction://parts/CAP%2050% C/W SEAL & <O-RING>")
    assert PART.expand({"part_number": "CAP 50% C/W SEAL & <O-RING>"}) in error.message


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("fraction://parts/NOPE-1", "No part is called 'NOPE-1'."),
        ("fraction://customers/Acme", "No customer is called exactly 'Acme', and 4 come near"),
        ("fraction://shipments/99999999", "FractionERP refused to read a shipment"),
        ("fraction://contracts/Q0", "No contract goes by the number or id 'Q0'"),
        ("fraction://writes/nope", "there is no write 'nope' in the journal"),
    ],
)
async def test_what_is_not_there_is_the_protocol_s_own_error(hosted: Hosted, mode: str, uri: str, says: str) -> None:
    async with hosted(mode) as client:
        error = await refusal(client, uri)
    assert error.code == (INVALID_PARAMS if mode == "auto" else -32002)
    assert error.message.startswith(says)


async def test_a_name_of_several_comes_with_its_candidates(client: Client) -> None:
    candidates = (await refusal(client, "fraction://customers/Acme")).data["candidates"]
    assert "Acme Corp" in [one["name"] for one in candidates]


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("fraction://payments/1", "kind: must be one of 'customers', "),
        ("fraction://parts/", "part: must not be empty"),
        ("file:///etc/passwd", "uri: 'file:///etc/passwd' is no address of this server. There are: fraction://api-"),
        ("fraction://", "uri: 'fraction://' is no address of this server."),
        ("", "uri: '' is no address of this server."),
    ],
)
async def test_an_address_that_means_nothing_is_refused_with_what_there_is(client: Client, uri: str, says: str) -> None:
    error = await refusal(client, uri)
    assert (error.code, error.message[: len(says)]) == (INVALID_PARAMS, says)


async def test_a_failure_of_the_erp_is_told_as_the_tool_tells_it(hosted: Hosted) -> None:
    async with hosted(fraction_email="nobody@example.com") as client:
        error = await refusal(client, "fraction://parts/WIDGET-001")
    assert error.code == INTERNAL_ERROR
    assert error.data["error"]["code"] == "NOT_AUTHENTICATED"
    assert error.data["error"]["message"] in error.message
