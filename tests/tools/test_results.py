"""What each reading tool answers: the contract's keys, its own output schema, and one truth in two renderings."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import CallToolResult, TextContent

from .conftest import Hosted

pytestmark = pytest.mark.anyio

COVERAGE = {"total", "scanned", "returned", "from", "to", "page", "last_page", "complete", "next_page"}
LISTING = {"summary", "kind", "coverage", "columns", "rows"}
PRICE = {
    "customer_id",
    "customer_name",
    "customer_part_number",
    "unit_price",
    "line_total",
    "basis",
    "break_quantity",
    "next_break",
    "cheaper_at_more",
}
# tool, arguments, the result's keys, and the keys of objects inside it by their path
OURS = {"reason"}  # why a line has no price
OF_A_PRICE = {"basis", "next_break", "cheaper_at_more"}  # an order's line without one does not speak of them
ALSO = {"as_of", "warnings"}  # when it was read, and what limits the answer: beside what the contract names
Call = tuple[str, dict[str, Any], set[str], dict[str, set[str]]]
CALLS: list[Call] = [
    ("search_parts", {"query": "widget"}, LISTING, {"coverage": COVERAGE}),
    (
        "get_part",
        {"part": "MANIFOLD-220"},
        {"summary", "status", "part", "price_lists", "candidates"},
        {
            "price_lists": {"customer_id", "customer_name", "customer_part_number", "selling_price", "price_breaks"},
            "price_lists.price_breaks": {"quantity", "unit_price"},
        },
    ),
    (
        "get_price_for_quantity",
        {"part": "WIDGET-001", "quantity": 250},
        {"summary", "status", "part", "quantity", "currency", "prices", "unpriced", "candidates"},
        {
            "part": {"id", "part_number", "description", "uom"},
            "prices": PRICE,
            "prices.next_break": {"quantity", "unit_price", "line_total", "extra_cost"},
        },
    ),
    (
        "get_price_for_quantity",
        {"part": "GASKET-41", "quantity": 250},
        {"summary", "status", "part", "quantity", "currency", "prices", "unpriced", "candidates"},
        {"unpriced": {"customer_id", "customer_name", "reason"}},
    ),
    (
        "price_order_lines",
        {
            "customer": "Acme Corp",
            "lines": [
                {"part": "WIDGET-001", "quantity": "500"},
                {"part": "BUSH-1", "quantity": 2},
                {"part": "FLANGE-DN50", "quantity": 12},
            ],
        },
        {
            "summary",
            "next",
            "status",
            "customer",
            "currency",
            "lines",
            "priced_lines",
            "priced_total",
            "total",
            "candidates",
        },
        {
            "customer": {"id", "name"},
            "lines": {
                *("part_number", "uom", "quantity", "status", "unit_price", "line_total", "basis", "break_quantity"),
                *("next_break", "cheaper_at_more"),
            },
            "candidates": {"argument", "id", "name", "description"},
        },
    ),
    ("search_customers", {"query": "northgate"}, LISTING, {"coverage": COVERAGE}),
    ("get_customer", {"customer": 52}, {"summary", "status", "customer", "contacts", "candidates"}, {}),
    ("list_records", {"kind": "contracts", "limit": 3}, {*LISTING, "next"}, {"coverage": COVERAGE}),
    ("get_record", {"kind": "work_orders", "id": "WORK_ORDER"}, {"summary", "kind", "record"}, {}),
    (
        "get_connection_status",
        {},
        {"summary", "systems", "confirm", "read_only", "version"},
        {
            "systems": {
                "system",
                "configured",
                "signed_in",
                "base_url",
                "user",
                "company",
                "plan",
                "requests_remaining",
                "resets_at",
                "problem",
            }
        },
    ),
]


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    if arguments.get("id") == "WORK_ORDER":
        listed = await client.call_tool("list_records", {"kind": "work_orders", "limit": 1})
        arguments = {**arguments, "id": (listed.structured_content or {})["rows"][0][0]}
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result


def told(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def objects(data: Any, path: str) -> list[dict[str, Any]]:
    found = [data]
    for step in path.split("."):
        found = [one[step] for one in found if one[step]]
        found = [item for one in found for item in (one if isinstance(one, list) else [one])]
    return found


every_call = pytest.mark.parametrize("call", CALLS, ids=[call[0] for call in CALLS])


@pytest.mark.matrix
@every_call
async def test_a_result_has_the_contracts_keys_and_conforms_to_its_schema_in_both_eras(
    hosted: Hosted, mode: str, call: Call
) -> None:
    tool, arguments, keys, inside = call
    async with hosted(mode) as client:
        result = await called(client, tool, arguments)
        schema = next(one for one in (await client.list_tools()).tools if one.name == tool).output_schema
    data = result.structured_content
    assert data is not None
    assert set(data) - ALSO == keys
    for path, names in inside.items():
        shown = objects(data, path)
        assert shown, f"{path} is empty, so that its keys were not looked at"
        for one in shown:
            without = OF_A_PRICE if one.get("unit_price", "") is None else set()
            assert set(one) - (OURS - names) == names - without
    assert schema is not None
    Draft202012Validator(schema).validate(data)


@every_call
async def test_text_and_structured_content_tell_the_same_facts(client: Client, call: Call) -> None:
    result = await called(client, call[0], call[1])
    text, data = told(result), result.structured_content
    assert data is not None
    assert text.startswith(data["summary"])
    unquoted = text.replace('""', '"')
    assert [fact for fact in facts(data) if fact not in unquoted] == []
    known = json.dumps(data, ensure_ascii=False)
    figures = re.findall(r"\d+(?:\.\d+)?", text)
    assert [figure for figure in figures if figure not in known] == []
    assert "{" not in text.replace(data["summary"], "")  # never a dump of the other


def facts(data: Any) -> Iterator[str]:
    """Every value, as the text would spell it; what is null or empty says nothing."""
    if isinstance(data, dict):
        for value in data.values():
            yield from facts(value)
    elif isinstance(data, list):
        for value in data:
            yield from facts(value)
    elif isinstance(data, bool):
        yield str(data).lower()
    elif data not in (None, ""):
        yield str(data)


async def test_the_documents_own_sample_is_priced_to_the_digit(hosted: Hosted, mode: str) -> None:
    asked = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
    async with hosted(mode) as client:
        result = await client.call_tool("get_price_for_quantity", asked)
    assert re.sub("as_of=[^;]+; ", "", told(result)) == (
        "250 EA of 'WIDGET-001' cost 2500.00 GBP for 'Acme Corp' (id 52), at 10.00 each (the break of 100); "
        "from 500 it is 8.50 each.\n"
        "status=priced; quantity=250; currency=GBP\n"
        "part: id=1; part_number=WIDGET-001; description=Custom widget; uom=EA\n"
        "prices:\n"
        "customer_id,customer_name,customer_part_number,unit_price,line_total,basis,break_quantity,"
        "next_break.quantity,next_break.unit_price,next_break.line_total,next_break.extra_cost\n"
        "52,Acme Corp,ACM-100,10.00,2500.00,price_break,100,500,8.50,4250.00,1750.00"
    )


async def test_paging_facts_come_before_the_rows(client: Client) -> None:
    text = told(await client.call_tool("list_records", {"kind": "invoices", "limit": 3}))
    lines = text.splitlines()
    assert "kind=invoices" in lines[1]
    assert lines[2].startswith("coverage: total=")
    assert lines[3].startswith("id,")
    assert lines[-1].startswith("Next: ")


async def test_a_price_costs_two_requests_and_then_one_or_none(hosted: Hosted, app: Any) -> None:
    async with hosted() as client:
        await client.call_tool("get_connection_status", {"system": "fractionerp"})  # signs in
        counts = []
        for arguments in (
            {"part": "BRKT-1", "quantity": 250, "customer": "Acme Corp"},
            {"part": "BRKT-1", "quantity": 49},
        ):
            app.state.requests.clear()
            await client.call_tool("get_price_for_quantity", arguments)
            counts.append(len(app.state.requests))
    assert counts == [2, 0]  # the second within seconds: the part is known, its price lists are remembered
    async with hosted(cache_s=0) as client:
        await client.call_tool("get_connection_status", {"system": "fractionerp"})
        for _ in range(2):
            app.state.requests.clear()
            await client.call_tool("get_price_for_quantity", {"part": "BRKT-1", "quantity": 250})
            assert len(app.state.requests) == 2


async def test_the_sandboxes_awkward_price_lists_are_read_right(client: Client) -> None:
    async def price(part: str, quantity: str) -> tuple[str, ...]:
        result = await client.call_tool("get_price_for_quantity", {"part": part, "quantity": quantity, "customer": 52})
        (one,) = (result.structured_content or {})["prices"] or [{}]
        return tuple(str(one.get(name)) for name in ("unit_price", "line_total", "break_quantity"))

    assert await price("BRKT-1", "250") == ("6.47125", "1617.81", "250")  # 1617.8125
    assert await price("BAR-EN24T-25", "0.25") == ("18.40", "4.60", "None")
    assert await price("BAR-EN24T-25", "12.25") == ("16.12345", "197.51", "12.25")
    assert await price("MANIFOLD-220", "99") == ("118.25", "11706.75", "50")
    assert await price("FLANGE-DN50", "12") == ("None", "None", "None")
    assert await price("DOWEL-6H7", "9") == ("None", "None", "None")
