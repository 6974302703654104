"""Answers: what is documented is read strictly, what is not leniently, and the rest is one error that shows nothing."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.decipher import decipher
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.records import Part, PriceList, Token, id_key
from fraction_mcp.erp.request import encode
from fraction_mcp.erp.response import ErpAnswer, Page, Response

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CANARY = "c4n4ry"


def answer(content: Any, endpoint: Endpoint = e.PARTS, status: int = 200, start: int = 0, **headers: Any) -> ErpAnswer:
    raw = json.dumps(content) if isinstance(content, dict) else content
    raw = raw if isinstance(raw, bytes) else raw.encode()
    return decipher(endpoint, Response(status, headers, raw, NOW, start))


# -------------------------------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("number", ["10.10", "0.1", "12.50", "0.30000000000000000000000000000000000004", "1E+2"])
def test_a_number_of_the_wire_is_never_a_float(number: str) -> None:
    (record,) = answer(f'{{"success":true,"data":[{{"price":{number},"n":{{"qty":3}}}}]}}').records()
    assert record == {"price": Decimal(number), "n": {"qty": 3}}
    assert type(record["price"]) is Decimal
    assert type(record["n"]["qty"]) is int


PRICES = st.decimals(min_value=0, max_value=10**9, places=5)


@given(st.lists(st.tuples(st.integers(1, 10**6), PRICES), max_size=5), PRICES)
def test_prices_decode_to_what_was_encoded_in_either_spelling(breaks: list[Any], selling: Decimal) -> None:
    sent = {
        "customer_id": 52,
        "selling_price": f"{selling:f}",
        "price_breaks": [{"id": n, "qty": str(qty) if n % 2 else qty, "price": p} for n, (qty, p) in enumerate(breaks)],
    }
    (read,) = answer(encode({"data": [sent]}), e.PART_PRICE_LISTS).read_all(PriceList)
    assert read.selling_price == selling
    assert [(b.quantity, b.unit_price) for b in read.price_breaks] == breaks


# ------------------------------------------------------------------------------------------------------- the envelope


@pytest.mark.parametrize("extra", [{}, {"success": True}, {"errors": None}, {"meta": None}, {"surprise": [1]}])
def test_every_key_but_data_may_be_missing_and_unknown_ones_do_not_hurt(extra: dict[str, Any]) -> None:
    assert answer({"data": [{"id": 1, "new": "kept"}], **extra}).records() == [{"id": 1, "new": "kept"}]


def test_one_object_is_a_list_of_one_and_the_other_way_round() -> None:
    assert answer({"data": {"id": 1}}, e.WAREHOUSES).records() == [{"id": 1}]
    assert answer({"data": [{"id": 1}]}, e.PART).record() == {"id": 1}


def test_an_answer_says_when_it_was_read_and_does_not_print_its_data() -> None:
    read = answer({"data": [{"id": CANARY}]})
    assert read.read_at == NOW
    assert CANARY not in repr(read)


def test_a_typed_record_keeps_what_no_document_states() -> None:
    part = answer({"data": {"id": "7", "part_number": 1001, "colour": "blue"}}, e.PART).read(Part)
    assert (part.id, part.part_number, part.uom) == (7, "1001", "")
    assert part.model_extra == {"colour": "blue"}


@pytest.mark.parametrize("spelt", ["7", '"7"', '" 7 "', "7.0", "7e0"])
def test_an_id_is_the_same_in_every_spelling(spelt: str) -> None:
    assert answer(f'{{"data":{{"id":{spelt},"part_number":"A"}}}}', e.PART).read(Part).id == 7
    assert answer(f'{{"data":{{"customer_id":{spelt}}}}}', e.PART).read(PriceList).customer_id == 7


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (7, 7), ("7", 7), (" 7", 7), (Decimal("7.00"), 7), (Decimal("7E+1"), 70), ("-5", -5), ("0", 0), (0, 0),
        ("007", "007"), ("7.0", "7.0"), ("A-1", "A-1"), ("9" * 30, "9" * 30), (10**30, 10**30),
        (None, None), (True, None), (False, None), ("", None), ("  ", None), ([7], None), ({"id": 7}, None),
        (Decimal("7.5"), None), (Decimal("1E+400"), None), ("x" * 201, None),
    ],
)  # fmt: skip
def test_ids_are_compared_by_what_they_say_and_what_can_be_none_is_none(value: Any, key: int | str | None) -> None:
    assert (id_key(value), type(id_key(value))) == (key, type(key))


def test_the_token_of_oauth_has_no_envelope() -> None:
    token = answer({"access_token": "t", "expires_in": "7200"}, e.TOKEN).read(Token)
    assert (token.access_token, token.expires_in) == ("t", 7200)


def test_a_token_does_not_print_its_secrets() -> None:
    token = answer({"access_token": CANARY, "refresh_token": CANARY}, e.TOKEN).read(Token)
    assert CANARY not in repr(token)


# -------------------------------------------------------------------------------------------------------- the foreign

FOREIGN = {
    "HTML": f"<!DOCTYPE html><p>{CANARY}",
    "HTML after white space": f"\n\n  <html>{CANARY}",
    "nothing": b"",
    "white space": b" \r\n ",
    "cut": f'{{"success":true,"data":[{{"name":"{CANARY}',
    "cut in a character": f'{{"data":"{CANARY}é'.encode()[:-1],
    "not UTF-8": CANARY.encode() + b"\xff\xfe\xfa",
    "text": f"Error: {CANARY}",
    "a string": f'"{CANARY}"',
    "a list": f'["{CANARY}"]',
    "a number": b"404",
    "null": b"null",
    "NaN": f'{{"data":[{{"{CANARY}":NaN}}]}}',
    "Infinity": f'{{"data":[{{"{CANARY}":-Infinity}}]}}',
    "a number beyond all": f'{{"data":[{{"{CANARY}":1e99999999999999999999}}]}}',
    "an integer beyond all": f'{{"data":[{{"{CANARY}":' + "9" * 5000 + "}]}",
    "too deep": b"[" * 100_000,
    "no data": f'{{"success":true,"meta":"{CANARY}"}}',
    "success is false": f'{{"success":false,"data":["{CANARY}"]}}',
    "success is a word": f'{{"success":"{CANARY}","data":[]}}',
}


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("status", [200, 302, 403, 404, 418, 422])
def test_what_cannot_be_read_is_one_error_that_names_system_operation_and_status(
    body: bytes | str, status: int
) -> None:
    with pytest.raises(errors.ErpContractBroken) as caught:
        answer(body, status=status, **cast("dict[str, Any]", {"x-request-id": "req-1"}))
    error = caught.value
    assert (error.system, error.operation, error.status, error.request_id) == (
        "fractionerp",
        "list parts",
        status,
        "req-1",
    )
    assert "FractionERP" in error.message
    assert f"status {status}" in error.message
    assert "list parts" in error.message
    assert CANARY not in f"{error} {error.hint} {error!r}"


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("HTML", "HTML or XML"), ("white space", "empty"), ("cut", "cut off"), ("a list", "not an object"),
        ("no data", "documented envelope of a success"),
    ],
)  # fmt: skip
def test_what_stands_there_instead_is_named(which: str, words: str) -> None:
    with pytest.raises(errors.ErpContractBroken, match=words):
        answer(FOREIGN[which])


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503, 504])
def test_what_cannot_be_read_after_a_write_may_have_been_written(body: bytes | str, status: int) -> None:
    with pytest.raises(errors.ErpOutcomeUnknown) as caught:
        answer(body, e.CREATE_PART, status)
    error = caught.value
    assert (error.system, error.operation, error.status) == ("fractionerp", "create a part", status)
    assert error.message.endswith("it may have been written")
    assert CANARY not in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_failure_is_broken_whatever_it_says(status: int) -> None:
    envelope = {"success": False, "errors": [{"code": "SERVER_ERROR", "message": CANARY}]}
    with pytest.raises(errors.ErpBroken, match=f"status {status}") as caught:
        answer(envelope, status=status)
    assert caught.value.retryable
    assert CANARY not in str(caught.value)
    with pytest.raises(errors.ErpOutcomeUnknown):
        answer(envelope, e.SET_PRICE_LIST, status)


@pytest.mark.parametrize("data", [5, "rows", None, [1], [[]], [{"id": 1}, None], True])
def test_data_that_is_no_list_of_records_cannot_be_read(data: Any) -> None:
    with pytest.raises(errors.ErpContractBroken, match="list of records"):
        answer({"data": data}).records()


@pytest.mark.parametrize("data", [5, "row", None, [], [{"id": 1}, {"id": 2}]])
def test_data_that_is_not_one_record_cannot_be_read(data: int | list[Any] | str | None) -> None:
    with pytest.raises(errors.ErpContractBroken, match="one record"):
        answer({"data": data}, e.PART).record()


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"part_number": "A"}, "id"),
        ({"id": CANARY, "part_number": "A"}, "id"),
        ({"id": 1, "part_number": {CANARY: 1}}, "part_number"),
        ({"id": 1}, "part_number"),
        *(({"id": value, "part_number": "A"}, "id") for value in (None, True, "", "07", "7a", [7], {"id": 7}, 7.5)),
    ],
)
def test_a_documented_field_of_another_type_is_named_and_not_shown(record: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.ErpContractBroken, match=f"the field {field} is missing or of another type") as caught:
        answer({"data": record}, e.PART).read(Part)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("price", [True, None, "", "1,50", CANARY, "NaN", [], {}, "1e400", 10**60])
def test_a_price_that_is_no_exact_number_is_named_by_its_place(price: Any) -> None:
    record = {"customer_id": 1, "price_breaks": [{"qty": 1, "price": "1"}, {"qty": 2, "price": price}]}
    with pytest.raises(errors.ErpContractBroken, match=r"price_breaks\.1\.price") as caught:
        answer({"data": [record]}, e.PART_PRICE_LISTS).read_all(PriceList)
    assert CANARY not in str(caught.value)


def test_a_price_too_large_to_be_one_is_refused_as_a_json_number_too() -> None:
    with pytest.raises(errors.ErpContractBroken, match="selling_price"):
        answer('{"data":{"customer_id":1,"selling_price":1e400}}', e.PART_PRICE_LISTS).read_all(PriceList)


@pytest.mark.parametrize("sent", [{}, {"price_breaks": None}, {"price_breaks": []}, {"selling_price": None}])
def test_a_price_list_may_hold_no_price(sent: dict[str, Any]) -> None:
    (read,) = answer({"data": [{"customer_id": "9", **sent}]}, e.PART_PRICE_LISTS).read_all(PriceList)
    assert (read.customer_id, read.selling_price, read.price_breaks) == (9, None, ())


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén", None, ["t"]])
def test_a_token_that_no_header_can_carry_is_refused(token: list[str] | str | None) -> None:
    with pytest.raises(errors.ErpContractBroken, match="access_token"):
        answer({"access_token": token}, e.TOKEN).read(Token)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(200, 599))
def test_no_bytes_at_all_make_anything_but_an_answer_or_an_erp_error(body: bytes, status: int) -> None:
    for endpoint in (e.PARTS, e.CREATE_PART, e.WAREHOUSES, e.TOKEN):
        with suppress(errors.ErpError):
            decipher(endpoint, Response(status, {}, body, NOW))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["success", "data", "meta", "errors", "message", "error", "total"]


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)), st.sampled_from([200, 401, 404, 406, 408, 422, 429])
)
def test_no_types_in_the_envelope_make_anything_but_an_answer_or_an_erp_error(
    envelope: dict[str, Any], status: int
) -> None:
    for endpoint in (e.PARTS, e.CREATE_PART, e.WAREHOUSES, e.CREATE_WAREHOUSE_ORDER):
        with suppress(errors.ErpError):
            answer(envelope, endpoint, status).records()


# ---------------------------------------------------------------------------------------------------------- the pages


def page(pagination: object, **more: Any) -> Page | None:
    return answer({"data": [], "meta": {"pagination": pagination}, **more}).page


def test_a_page_is_read_as_the_document_shows_it() -> None:
    told = {"total": 100, "per_page": 25, "current_page": 1, "last_page": 4, "from": 1, "to": 25, "has_more": True}
    assert page(told) == Page(100, 25, 1, 4, 1, 25, True)
    assert page({name: str(value) for name, value in told.items()}) == Page(100, 25, 1, 4, 1, 25, True)


@pytest.mark.parametrize(("value", "more"), [(1, True), (0, False), ("true", True), ("false", False), ("1", True)])
def test_whether_there_is_more_is_read_in_either_spelling(value: int | str, more: bool) -> None:
    assert page({"has_more": value}) == Page(has_more=more)


@pytest.mark.parametrize("value", [None, 2, "yes", [], {}, [True], "", 1.0])
def test_what_is_neither_yes_nor_no_is_not_known(value: Any) -> None:
    assert page({"has_more": value}).has_more is None


@pytest.mark.parametrize("value", [None, -1, "-1", "1.5", "many", True, [1], "9" * 5000, "１"])
def test_a_figure_that_is_no_count_is_not_known(value: int | list[int] | str | None) -> None:
    assert page({"total": value, "per_page": 25}) == Page(per_page=25)


@pytest.mark.parametrize("meta", [{}, {"meta": None}, {"meta": []}, {"meta": {"pagination": [1]}}, {"meta": {}}])
def test_a_missing_page_is_an_unknown_one(meta: dict[str, Any]) -> None:
    assert answer({"data": [], **meta}).page == Page()


def test_a_single_record_is_no_page() -> None:
    assert answer({"data": {}}, e.PART).page is None


@pytest.mark.parametrize(
    ("data", "total", "start", "expected"),
    [
        ([{}, {}], 5, 0, Page(total=5, first_row=1, last_row=2, has_more=True)),
        ([{}], "5", 4, Page(total=5, first_row=5, last_row=5, has_more=False)),
        ({"id": 1}, 1, 0, Page(total=1, first_row=1, last_row=1, has_more=False)),
        ([], 5, 5, Page(total=5, has_more=False)),
        ([{}], None, 0, Page(first_row=1, last_row=1)),
    ],
)
def test_fracttal_tells_a_total_and_the_rest_follows_from_what_was_asked(
    data: dict[str, Any] | list[Any], total: int | str | None, start: int, expected: Page
) -> None:
    assert answer({"success": True, "data": data, "total": total}, e.WAREHOUSES, start=start).page == expected
