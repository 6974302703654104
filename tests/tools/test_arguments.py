"""Arguments are taken as they are meant or refused by name and reason, never bent and never dropped."""

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, TextContent

from fraction_mcp.errors import ErpTimedOut
from fraction_mcp.operations.records import listing

from .conftest import Hosted

pytestmark = pytest.mark.anyio

WIDGET = {"part": "WIDGET-001", "quantity": 250}


async def refusal(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    data = result.structured_content
    assert data is not None
    assert set(data) == {"error"}
    error: dict[str, Any] = data["error"]
    assert set(error) == {"code", "message", "hint", "retryable", "written"}
    (block,) = result.content
    assert isinstance(block, TextContent)
    words = f"{error['code']}: {error['message']}. {error['hint']}".rstrip()
    assert block.text == f"{words} Retryable: {'yes' if error['retryable'] else 'no'}."
    return error


# ----------------------------------------------------------------------------------------------------------- quantities


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        (0, "must be greater than 0, not 0"),
        (-1, "must be greater than 0, not -1"),
        ("-0.5", "must be greater than 0, not -0.5"),
        ("0.000000", "must be greater than 0, not 0"),
        ("NaN", "must be a finite number"),
        ("-inf", "must be a finite number"),
        ("abc", "must be a plain decimal number such as 250 or 12.5"),
        ("", "must be a plain decimal number"),
        ("1,000", "without thousands separators"),
        ("£5", "currency signs"),
        ("1e3", "exponents"),
        ("٢٥٠", "must be a plain decimal number"),
        ("1234567890123", "at most 12 digits before the point"),
        (1234567890123, "at most 12 digits before the point"),
        ("0.1234567", "6 behind it"),
        (0.1234567, "6 behind it"),
        (123456789012.123456, "more digits than a JSON number carries exactly; send it as text"),
        (True, "must be a number such as 250 or 12.5"),
        (None, "must be a number such as 250 or 12.5"),
        ([250], "must be a number such as 250 or 12.5"),
        ({"value": 250}, "must be a number such as 250 or 12.5"),
    ],
)
async def test_a_quantity_that_is_none_is_refused_with_the_field_and_the_reason(
    client: Client, quantity: object, reason: str
) -> None:
    error = await refusal(client, "get_price_for_quantity", {"part": "WIDGET-001", "quantity": quantity})
    assert (error["code"], error["retryable"], error["written"]) == ("INVALID_INPUT", False, None)
    assert error["message"].startswith("quantity: ")
    assert reason in error["message"]
    assert error["hint"] == "The arguments of get_price_for_quantity are: part, quantity, customer."


@pytest.mark.parametrize("quantity", [float("nan"), float("inf"), float("-inf"), 1e308 * 10])
async def test_a_quantity_beyond_all_numbers_is_refused(hosted: Hosted, mode: str, quantity: float) -> None:
    """What reaches the server of these depends on the transport; the raw ones are in test_server.py."""
    async with hosted(mode) as client:
        error = await refusal(client, "get_price_for_quantity", {"part": "WIDGET-001", "quantity": quantity})
    assert error["message"].startswith("quantity: must be a ")


@pytest.mark.parametrize("quantity", ["250", 250, 250.0, " 250 ", "250.000000", "+250"])
async def test_a_quantity_may_be_spelt_as_a_number_or_as_text(client: Client, quantity: object) -> None:
    result = await client.call_tool("get_price_for_quantity", {"part": "WIDGET-001", "quantity": quantity})
    data = result.structured_content or {}
    assert (data["quantity"], data["prices"][0]["line_total"]) == ("250", "2500.00")


async def test_a_decimal_that_a_float_cannot_hold_stays_exact(client: Client) -> None:
    arguments = {"part": "WIDGET-001", "quantity": 0.1}
    assert ((await client.call_tool("get_price_for_quantity", arguments)).structured_content or {})["quantity"] == "0.1"
    arguments = {"part": "WIDGET-001", "quantity": "123456789012.123456"}
    data = (await client.call_tool("get_price_for_quantity", arguments)).structured_content or {}
    assert (data["quantity"], data["prices"][0]["line_total"]) == ("123456789012.123456", "1049382706603.05")


# ------------------------------------------------------------------------------------------------------ ids and numbers


@pytest.mark.parametrize("part", ["19", 19])
async def test_an_id_may_be_spelt_as_a_number(client: Client, part: object) -> None:
    data = (await client.call_tool("get_part", {"part": part})).structured_content or {}
    assert data["summary"].startswith("19 was taken as the part number, not as an id. Part '19' (id 26)")
    data = (await client.call_tool("get_customer", {"customer": 52})).structured_content or {}
    assert data["customer"]["name"] == "Acme Corp"


@pytest.mark.parametrize("limit", [3, 3.0])
async def test_a_whole_number_may_come_as_a_float(client: Client, limit: object) -> None:
    data = (await client.call_tool("search_parts", {"limit": limit})).structured_content or {}
    assert data["coverage"]["returned"] == 3


# -------------------------------------------------------------------------------------------------- names and structure


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("get_price_for_quantity", {**WIDGET, "qantity": 1}, "qantity: is not a known name; did you mean quantity?"),
        (
            "get_price_for_quantity",
            {**WIDGET, "Customer": "x"},
            "Customer: is not a known name; did you mean customer?",
        ),
        ("get_price_for_quantity", {**WIDGET, "zzz": 1}, "zzz: is not a known name"),
        ("get_price_for_quantity", {"quantity": 1}, "part: is required"),
        ("get_price_for_quantity", {}, "part: is required; quantity: is required"),
        ("get_price_for_quantity", {**WIDGET, "part": ""}, "part: must not be empty"),
        ("get_price_for_quantity", {**WIDGET, "part": "  "}, "part: must not be empty"),
        ("get_price_for_quantity", {**WIDGET, "part": None}, "part: must be text, not null"),
        ("get_price_for_quantity", {**WIDGET, "part": True}, "part: must be text, not true"),
        ("get_price_for_quantity", {**WIDGET, "part": 19.5}, "part: must be text, not 19.5"),
        ("get_price_for_quantity", {**WIDGET, "part": ["A"]}, "part: must be text, not a list"),
        ("get_price_for_quantity", {**WIDGET, "part": {}}, "part: must be text, not a JSON object"),
        ("get_price_for_quantity", {**WIDGET, "part": "x" * 201}, "part: must hold at most 200 characters"),
        ("search_parts", {"limit": 0}, "limit: must be 1 or more, not 0"),
        ("search_parts", {"limit": 101}, "limit: must be 100 or less, not 101"),
        ("search_parts", {"limit": "ten"}, "limit: must be a whole number, not 'ten'"),
        ("search_parts", {"limit": 2.5}, "limit: must be a whole number, not 2.5"),
        ("search_parts", {"limit": True}, "limit: must be a whole number, not true"),
        ("search_parts", {"limit": 10**5000}, "limit: must be 100 or less, not so large a number"),
        ("search_parts", {"page": -1}, "page: must be 1 or more, not -1"),
        ("search_parts", {"order": "up"}, "order: must be one of 'none', 'asc', 'desc', not 'up'"),
        ("list_records", {"kind": "quotes"}, "kind: must be one of 'customers', 'parts', 'contracts', 'boms'"),
        ("list_records", {"kind": "boms", "fields": "status"}, "fields: must be a list, not 'status'"),
        ("list_records", {"kind": "boms", "fields": ["id", 3]}, "fields[1]: must be text, not 3"),
        ("get_record", {"kind": "boms", "id": " "}, "id: must not be empty"),
        (
            "summarise_records",
            {"kind": "boms", "share": ["qty"]},
            "share: goes with count or a field of sum, which qty",
        ),
        ("price_order_lines", {"customer": "x", "lines": []}, "lines: must hold at least 1"),
        ("price_order_lines", {"customer": "x", "lines": [WIDGET] * 101}, "lines: must hold at most 100"),
        ("price_order_lines", {"customer": "x", "lines": ["WIDGET-001"]}, "lines[0]: must be an object"),
        (
            "price_order_lines",
            {"customer": "x", "lines": [WIDGET, {"part": "y", "qty": 1}]},
            "lines[1].quantity: is required; lines[1].qty: is not a known name; did you mean quantity?",
        ),
        (
            "price_order_lines",
            {"customer": "x", "lines": [{**WIDGET, "quantity": 0}]},
            "lines[0].quantity: must be greater than 0, not 0",
        ),
        (
            "get_connection_status",
            {"system": "sap"},
            "system: must be one of 'all', 'fractionerp', 'fracttal', not 'sap'",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_by_path_and_reason(
    client: Client, tool: str, arguments: dict[str, Any], message: str
) -> None:
    error = await refusal(client, tool, arguments)
    assert error["code"] == "INVALID_INPUT"
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("list_records", {"kind": "contract"}, "not 'contract'; did you mean 'contracts'?"),
        ("list_records", {"kind": "Quotes"}, "not 'Quotes'; did you mean 'contracts'?"),
        ("list_records", {"kind": "WorkOrder"}, "did you mean 'work_orders'?"),
        ("list_records", {"kind": "purchase-orders"}, "did you mean 'purchase_orders'?"),
        ("list_records", {"kind": "xyz"}, "not 'xyz'"),
        ("list_records", {"kind": "boms", "order": "descending"}, "did you mean 'desc'?"),
        ("describe_records", {"kind": "invoice"}, "did you mean 'invoices'?"),
        ("get_connection_status", {"system": "FractionERP"}, "did you mean 'fractionerp'?"),
        ("list_records", {"kind": "boms", "fields": "status, id"}, """did you mean ["status", "id"]?"""),
        ("list_records", {"kind": "boms", "fields": '["id"]'}, "send the list itself, not its JSON as text"),
        ("list_records", {"kind": "boms", "filters": {"field": "id", "op": "="}}, "put it into one: [{…}]"),
        ("summarise_records", {"kind": "boms", "group_by": "status"}, """did you mean ["status"]?"""),
        ("summarise_records", {"kind": "boms", "group_by": 7}, "must be a list, not 7"),
        ("price_order_lines", {"customer": "x", "lines": "WIDGET-001"}, "each item is {part, quantity}"),
        ("price_order_lines", {"customer": "x", "lines": ["WIDGET-001"]}, "it holds {part, quantity}"),
        ("search_parts", {"limit": "5"}, "not '5'; did you mean 5?"),
        ("search_parts", {"page": "1,000"}, "not '1,000'; did you mean 1000?"),
        ("search_parts", {"limit": "2.5"}, "not '2.5'"),
    ],
)
async def test_a_refusal_names_the_nearest_right_spelling(
    client: Client, tool: str, arguments: dict[str, Any], message: str
) -> None:
    error = await refusal(client, tool, arguments)
    assert error["message"].endswith(message)
    assert error["written"] is None


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("1,000", "; did you mean 1000 or 1.000?"),
        ("12,5", "; did you mean 12.5?"),
        ("1,234,567", "; did you mean 1234567?"),
        ("1,234.50", "; did you mean 1234.50?"),
        ("1.234,50", "; did you mean 1234.50?"),
        ("1.234.567", "; did you mean 1234567?"),
        ("1 000", "; did you mean 1000?"),
        ("1\u202f000,25", "; did you mean 1000.25?"),
        ("1'000", "; did you mean 1000?"),
        ("£12.50", "; did you mean 12.50?"),
        ("EUR 7", "; did you mean 7?"),
        ("250 EA", "; did you mean 250?"),
        ("1e3", "; did you mean 1000?"),
        ("1e99", ""),
        ("1k", ""),
        ("2 m", ""),
        ("10 x 5", ""),
        ("abc", ""),
        ("", ""),
        ("5/8", ""),
        ("1" * 30, ""),
    ],
)
async def test_a_number_written_for_people_is_refused_with_every_number_that_it_may_be(
    client: Client, said: str, near: str
) -> None:
    error = await refusal(client, "get_price_for_quantity", {"part": "WIDGET-001", "quantity": said})
    assert error["message"].partition("6 behind it")[2] == near


async def test_an_object_given_as_text_that_is_nested_without_end_is_refused(client: Client) -> None:
    """Found by `python -m torture fuzz`."""
    write = {"tool": "create_part", "arguments": '{"x":' * 100_000}
    result = await client.call_tool("submit_writes", {"writes": [write]})
    error = (result.structured_content or {})["error"]
    assert (error["code"], error["written"]) == ("INVALID_INPUT", "no")
    assert error["message"].startswith("writes[0].arguments: must be an object")


async def test_a_text_that_is_nested_without_end_in_place_of_a_list_is_refused(client: Client) -> None:
    error = await refusal(client, "price_order_lines", {"customer": "52", "lines": "[" * 100_000})
    assert error["message"].startswith("lines: must be a list")


async def test_every_problem_is_told_at_once(client: Client) -> None:
    error = await refusal(client, "get_price_for_quantity", {"quantity": -1, "prat": "x"})
    assert error["message"] == (
        "part: is required; quantity: must be greater than 0, not -1; prat: is not a known name; did you mean part?"
    )


async def test_what_was_sent_is_cleaned_and_cut_before_it_is_told_back(client: Client) -> None:
    error = await refusal(client, "search_parts", {"order": "\u202e" + "x" * 500, "a\nb" + "c" * 100: 1})
    assert len(error["message"]) < 250
    assert "\u202e" not in error["message"]
    assert "\n" not in error["message"]


async def test_a_field_that_no_record_has_is_the_assistants_to_mend(client: Client) -> None:
    error = await refusal(client, "list_records", {"kind": "contracts", "fields": ["colour"]})
    assert error["code"] == "INVALID_INPUT"
    assert error["message"].startswith("fields: no record shown here has ")
    assert "colour" in error["message"]
    assert "quote_number" in error["message"] + error["hint"]


async def test_refused_arguments_cost_no_request(client: Client, app: Any) -> None:
    app.state.requests.clear()
    await refusal(client, "get_price_for_quantity", {"part": "WIDGET-001", "quantity": 0})
    assert len(app.state.requests) == 0


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("name", ["get_prices", "", "get_price_for_quantity ", "GET_PART"])
async def test_an_unknown_tool_is_a_protocol_error(hosted: Hosted, mode: str, name: str) -> None:
    async with hosted(mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool(name, {})
    assert caught.value.error.code == INVALID_PARAMS == -32602


async def test_the_erps_refusal_is_told_in_the_contracts_form(client: Client) -> None:
    error = await refusal(client, "get_record", {"kind": "contracts", "id": 999999})
    assert (error["code"], error["retryable"], error["written"]) == ("NOT_FOUND", False, None)


async def test_an_error_that_a_second_try_may_mend_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object, **__: object) -> None:
        raise ErpTimedOut("no answer in time", system="fractionerp", operation="list parts", hint="Try again.")

    monkeypatch.setattr(listing, "list_kind", slow)
    error = await refusal(client, "search_parts", {})
    assert (error["code"], error["retryable"], error["hint"]) == ("UPSTREAM_ERROR", True, "Try again.")


async def test_a_fault_of_our_own_is_opaque_to_the_assistant_and_told_on_stderr(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("secret-of-ours")

    monkeypatch.setattr(listing, "list_kind", broken)
    result: CallToolResult = await client.call_tool("search_parts", {})
    assert result.is_error
    assert "secret-of-ours" not in json.dumps(result.model_dump(mode="json"))
    assert "secret-of-ours" in caplog.text


# ------------------------------------------------------------------------------------------------------- not given


@pytest.mark.parametrize(
    ("tool", "arguments", "left_out"),
    [
        ("search_parts", {"query": None, "limit": None, "sort": None, "order": None}, {}),
        ("get_price_for_quantity", {**WIDGET, "customer": None}, WIDGET),
        (
            "list_records",
            {"kind": "parts", "filters": [{"field": "id", "op": "=", "value": "1", "values": None}], "fields": None},
            {"kind": "parts", "filters": [{"field": "id", "op": "=", "value": "1"}]},
        ),
        ("summarise_records", {"kind": "parts", "group_by": None, "date_bucket": "day"}, {"kind": "parts"}),
        ("search_parts", {"order": "none"}, {}),
        ("summarise_records", {"kind": "parts", "date_bucket": "none", "date_field": ""}, {"kind": "parts"}),
    ],
)
async def test_null_at_any_depth_and_the_word_for_it_mean_not_given(
    hosted: Hosted, tool: str, arguments: dict[str, Any], left_out: dict[str, Any]
) -> None:
    async with hosted() as client:
        given, without = [await client.call_tool(tool, what) for what in (arguments, left_out)]
    assert not given.is_error, given.content
    facts = [{k: v for k, v in (one.structured_content or {}).items() if k != "as_of"} for one in (given, without)]
    assert facts[0] == facts[1]


async def test_null_for_what_is_required_or_unknown_is_refused(hosted: Hosted) -> None:
    async with hosted() as client:
        assert (
            "part: must be text, not null"
            in (await refusal(client, "get_price_for_quantity", {"part": None, "quantity": 1}))["message"]
        )
        assert "nonsense: is not a known name" in (await refusal(client, "search_parts", {"nonsense": None}))["message"]
