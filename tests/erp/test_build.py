"""Requests: nothing in a name changes the path, nothing in a number changes its value."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.request import Request, build, encode
from fraction_mcp.errors import InputError

AWKWARD = [
    "A B", "A/1", "a\\b", 'say "hi"', "it's", "R&D", "50%", "%2F", "a+b", "a?b", "a#b", "a;b=c", "a:b@c", "Ü-LAGER",
    "部品", "🔩", "..a", ".htaccess", "a..", "line\nbreak", "nul\0", "~",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/")


@pytest.mark.parametrize("code", AWKWARD)
def test_a_code_stays_one_segment_of_the_path(code: str) -> None:
    target = build(e.CREATE_WAREHOUSE_ORDER, {"code": code}).target
    assert set(target) <= SAFE
    _, family, segment = target.split("/")
    assert (family, unquote(segment)) == ("warehouse_purchase_orders", code)


@pytest.mark.parametrize("text", AWKWARD)
def test_a_search_comes_back_out_of_the_query_as_it_went_in(text: str) -> None:
    target = build(e.PARTS, query={"search": text, "page": 2}).target
    path, _, query = target.partition("?")
    assert path == "/parts"
    assert parse_qsl(query, strict_parsing=True) == [("search", text), ("page", "2")]
    assert "+" not in query, "a plus is a space to some servers and a plus to others"


@given(TEXT.filter(lambda text: text.strip(".")))
def test_any_text_is_one_segment(text: str) -> None:
    target = build(e.CREATE_WAREHOUSE_ORDER, {"code": text}).target
    assert unquote(target.removeprefix("/warehouse_purchase_orders/")) == text
    assert target.count("/") == 2
    assert set(target) <= SAFE


@pytest.mark.parametrize("code", ["", ".", "..", "..."])
def test_dots_and_nothing_are_refused_since_they_are_steps_in_a_path(code: str) -> None:
    with pytest.raises(InputError) as caught:
        build(e.CREATE_WAREHOUSE_ORDER, {"code": code})
    assert list(caught.value.problems) == ["code"]


def test_an_integer_id_is_its_digits() -> None:
    request = build(e.PART_PRICE_LISTS, {"id": 17}, {"customer_id": 52})
    assert request == Request("GET", "/parts/17/price-lists?customer_id=52", None)


def test_a_body_is_encoded_and_nothing_is_sent_where_there_is_none() -> None:
    assert build(e.CREATE_PART, body={"part_number": "Ø1"}).content == '{"part_number":"Ø1"}'.encode()
    assert build(e.PARTS, query={}) == Request("GET", "/parts", None)


def test_a_body_of_bytes_goes_out_as_it_is() -> None:
    frozen = b'{ "b":1, "a":2.50 }'
    assert build(e.CREATE_PART, body=frozen).content == frozen


def test_a_request_does_not_show_its_body_when_it_is_printed() -> None:
    assert "canary" not in repr(build(e.LOGIN, body={"password": "canary"}))


# ----------------------------------------------------------------------------------------------------------- encoding

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | DECIMALS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_is_encoded_decodes_to_the_same_value(value: Any) -> None:
    assert json.loads(encode(value), parse_float=Decimal) == value


@given(st.dictionaries(TEXT, st.integers() | DECIMALS, min_size=2))
def test_one_value_has_one_spelling(value: dict[str, Any]) -> None:
    assert encode(dict(reversed(value.items()))) == encode(value)


def test_the_canonical_form_is_sorted_tight_and_readable() -> None:
    body = {"qty": 100, "b": [Decimal("10.10"), True, None], "a": {"z": "é", "y": ("x",)}}
    assert encode(body) == '{"a":{"y":["x"],"z":"é"},"b":[10.1,true,null],"qty":100}'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("10.10", "10.1"), ("0.1", "0.1"), ("12.50", "12.5"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("-0.00", "0"),
        ("0.30000000000000000000000000000000004", "0.30000000000000000000000000000000004"), ("-2.5", "-2.5"),
    ],
)  # fmt: skip
def test_a_decimal_is_a_plain_number_and_keeps_its_value(number: str, text: str) -> None:
    assert encode(Decimal(number)) == text


@pytest.mark.parametrize("number", [0.1, 1.0, float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_not_exact_is_never_sent(number: Decimal | float) -> None:
    with pytest.raises(TypeError):
        encode({"price": [number]})
