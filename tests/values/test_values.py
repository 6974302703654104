"""Exact numbers and harmless text, against fractions, which cannot round."""

import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.tools.fields import IdText, MoneyIn, QuantityIn, ToolInput, whole_number
from fraction_mcp.tools.schema import input_schema, output_schema
from fraction_mcp.values.decimals import WireDecimal, exact_total, plain, to_decimal
from fraction_mcp.values.money import Amount, Money, UnitPrice
from fraction_mcp.values.text import clean, quoted

ARGUMENTS = st.decimals(min_value=Decimal("-999999999999.999999"), max_value=Decimal("999999999999.999999"), places=6)
POSITIVE = st.decimals(min_value=0, max_value=Decimal("999999999999.999999"), places=6)
CENTS = Fraction(1, 100)


# ---------------------------------------------------------------------------------------------------------- arguments


@given(ARGUMENTS)
def test_a_number_is_the_same_as_text_as_decimal_and_back(number: Decimal) -> None:
    assert Fraction(to_decimal(str(format(number, "f")))) == Fraction(number)
    assert Fraction(to_decimal(number)) == Fraction(number)
    assert Fraction(plain(to_decimal(number))) == Fraction(number)


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_an_integer_is_itself(number: int) -> None:
    assert to_decimal(number) == number == to_decimal(str(number))


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_a_float_of_fifteen_digits_is_the_number_that_was_written(digits: int, places: int) -> None:
    """JSON numbers reach us as floats. What was written in JSON is what `repr` says, not what binary holds."""
    written = Decimal(digits).scaleb(-places)
    assert Fraction(to_decimal(float(written))) == Fraction(written)


@given(st.floats())
def test_a_float_is_read_as_it_is_written_or_refused(number: float) -> None:
    try:
        read = to_decimal(number)
    except ValueError:
        return
    assert float(read) == number
    assert len(read.normalize().as_tuple().digits) <= 15


@pytest.mark.parametrize("text", ["10.10", " 250 ", "+5", "0.000001", "999999999999.999999", "007"])
def test_plain_spellings_are_taken(text: str) -> None:
    assert to_decimal(text) == Decimal(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "1,000", "1_000", "£5", "1e3", "1E400", ".5", "5.", "0x10", "1 000", "٣", "１", "--1", "1.2.3",
        "1000000000000", "0.0000001", "1/2", "5%", "\N{MINUS SIGN}1",
    ],
)  # fmt: skip
def test_other_spellings_are_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal number"):
        to_decimal(text)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), "NaN", "inf", "-Infinity", Decimal("NaN"), Decimal("sNaN")]
)
def test_what_is_not_finite_is_refused(value: Decimal | float | str) -> None:
    with pytest.raises(ValueError, match="finite"):
        to_decimal(value)


@pytest.mark.parametrize("value", [0.1 + 0.2, 1234567890.1234567])
def test_a_float_of_too_many_digits_is_refused_and_pointed_to_text(value: float) -> None:
    with pytest.raises(ValueError, match="as text"):
        to_decimal(value)


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, b"1"])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        to_decimal(value)


class Ordered(BaseModel):
    quantity: QuantityIn = Decimal(1)
    price: MoneyIn = Decimal(0)


@pytest.mark.parametrize("quantity", [0, -1, "0", "-0.5", 0.0, "NaN", True])
def test_a_quantity_is_more_than_nothing(quantity: float | int | str) -> None:
    with pytest.raises(ValidationError, match="quantity"):
        Ordered.model_validate({"quantity": quantity})


def test_a_price_may_be_nothing_but_not_less() -> None:
    assert Ordered.model_validate({"price": "0.00"}).price == 0
    with pytest.raises(ValidationError, match=r"must not be negative, not -0\.01"):
        Ordered.model_validate({"price": "-0.01"})


# --------------------------------------------------------------------------------------------------------- the output


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20), st.integers(0, 6))
def test_plain_notation_keeps_the_value_and_only_the_zeros_it_owes(number: Decimal, places: int) -> None:
    text = plain(number, places)
    assert Fraction(text) == Fraction(number)
    decimals = text.partition(".")[2]
    assert len(decimals) >= places
    assert len(decimals) == places or not decimals.endswith("0")
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("number", "places", "text"),
    [
        ("10.5", 2, "10.50"), ("0.03125", 2, "0.03125"), ("250.000", 0, "250"), ("1E+2", 2, "100.00"),
        ("-0.00", 0, "0"), ("-0", 2, "0.00"), ("1E-10", 0, "0.0000000001"), ("-1.50", 0, "-1.5"), ("10", 0, "10"),
    ],
)  # fmt: skip
def test_plain_notation_by_example(number: str, places: int, text: str) -> None:
    assert plain(Decimal(number), places) == text


@given(POSITIVE, POSITIVE)
def test_a_total_is_the_exact_product_rounded_half_up_once(price: Decimal, quantity: Decimal) -> None:
    exact = Fraction(price) * Fraction(quantity)
    half_up = (exact / CENTS + Fraction(1, 2)).__floor__()
    assert Fraction(exact_total(price, quantity)) == half_up * CENTS


@given(POSITIVE, POSITIVE)
def test_a_total_does_not_depend_on_the_callers_decimal_context(price: Decimal, quantity: Decimal) -> None:
    wide = exact_total(price, quantity)
    with localcontext(prec=4):
        assert exact_total(price, quantity) == wide


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [("0.005", "1", "0.01"), ("1.005", "1", "1.01"), ("0.03125", "100", "3.13"), ("10.10", "3", "30.30")],
)
def test_totals_by_example(price: str, quantity: str, total: str) -> None:
    assert str(exact_total(Decimal(price), Decimal(quantity))) == total


class Shown(BaseModel):
    unit: UnitPrice
    amount: Amount


def test_prices_and_amounts_go_out_as_text() -> None:
    shown = Shown(unit=Decimal("10.5"), amount=Decimal("7.125")).model_dump(mode="json")
    assert shown == {"unit": "10.50", "amount": "7.13"}
    assert Decimal("7.125").quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(shown["amount"])


# ------------------------------------------------------------------------------------------------------ from the wire


class Sent(BaseModel):
    price: WireDecimal


@pytest.mark.parametrize("value", ["10.10", Decimal("10.10"), " 10.10 "])
def test_either_spelling_of_the_erp_is_the_same_exact_number(value: Decimal | str) -> None:
    assert str(Sent.model_validate({"price": value}).price) == "10.10"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_any_believable_number_keeps_its_value(number: Decimal) -> None:
    if abs(number.adjusted()) <= 20 and len(str(number)) <= 40:
        assert Fraction(Sent.model_validate({"price": str(number)}).price) == Fraction(number)


@pytest.mark.parametrize(
    "value",
    [
        0.1, 1.0, True, None, [], {}, "", "abc", "1,50", "NaN", "Infinity", "1e400", "1e-400", Decimal("1e400"),
        Decimal("sNaN"), 10**100, "0." + "1" * 100, "1e99999999999999999999",
    ],
)  # fmt: skip
def test_what_is_not_an_exact_believable_number_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        Sent.model_validate({"price": value})


@given(st.text())
def test_text_of_any_kind_is_a_number_or_a_refusal(text: str) -> None:
    try:
        price = Sent.model_validate({"price": text}).price
    except ValidationError:
        return
    assert price.is_finite()


# --------------------------------------------------------------------------------------------------------------- text


@given(st.text(), st.integers(1, 80))
def test_cleaned_text_is_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert cleaned.isprintable()
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    assert clean(cleaned, limit) == cleaned


def test_bidirectional_and_invisible_characters_are_taken_out() -> None:
    assert clean("BRKT\u202e1\u200b0\x1b[31m\r\n\tred\ud800\ufeff") == "BRKT10[31m red"


@given(st.text())
def test_a_quoted_name_cannot_close_its_quotes(text: str) -> None:
    shown = quoted(text)
    mark, inside = shown[0], shown[1:-1]
    assert (mark, shown[-1]) in {("'", "'"), ('"', '"')}
    assert mark not in inside
    assert all(inside[at - 1].isalnum() and inside[at + 1].isalnum() for at, c in enumerate(inside) if c == "'")


# ----------------------------------------------------------------------------------------------- arguments and schemas


class Line(ToolInput):
    part: IdText
    quantity: QuantityIn


class Order(ToolInput):
    """What no schema shows."""

    customer: IdText = Field("", description="Name or id")
    page: Annotated[int, Field(ge=1), whole_number] = 1
    lines: list[Line] = Field([], max_length=2, description="Lines")


class Found(ResultPart):
    id: int | None
    price: UnitPrice | None = None


class Notice(ToolResult):
    best: Found | None
    all: list[Found]


def test_arguments_are_strict_but_take_both_spellings() -> None:
    order = Order.model_validate(
        {"customer": 52, "page": 2.0, "lines": [{"part": "  A 1 ", "quantity": "2.50"}, {"part": 7, "quantity": 0.1}]}
    )
    assert (order.customer, order.page) == ("52", 2)
    assert [(line.part, line.quantity) for line in order.lines] == [("A 1", Decimal("2.5")), ("7", Decimal("0.1"))]


@pytest.mark.parametrize(
    "arguments",
    [
        {"custmer": "x"}, {"customer": True}, {"customer": 1.5}, {"customer": None}, {"customer": "x" * 201},
        {"page": "1"}, {"page": 1.5}, {"page": True}, {"page": 0}, {"lines": {}}, {"lines": [{"part": "A"}]},
        {"lines": [{"part": "A", "quantity": 1, "price": 2}]},
    ],
)  # fmt: skip
def test_an_unknown_name_or_another_type_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(arguments)


def test_a_schema_of_arguments_is_flat_and_bare() -> None:
    schema = input_schema(Order)
    text = json.dumps(schema)
    assert not [
        word for word in ("$ref", "$defs", "anyOf", "oneOf", "allOf", '"title"', "What no schema") if word in text
    ]
    assert "additionalProperties" not in text, "some clients fail on it; what is unknown is refused all the same"
    line = schema["properties"]["lines"]["items"]
    assert line["required"] == ["part", "quantity"]
    assert line["properties"]["quantity"] == {"type": "number"}
    assert schema["properties"]["lines"]["description"] == "Lines. Each: {part, quantity}"
    customer = schema["properties"]["customer"]
    assert (customer["type"], customer["description"]) == ("string", "Name or id")


def test_a_schema_of_results_has_a_branch_for_null_and_no_list_of_types() -> None:
    schema = output_schema(Notice)
    assert [branch["type"] for branch in schema["properties"]["best"]["anyOf"]] == ["object", "null"]
    either = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert schema["properties"]["all"]["items"]["properties"]["id"] == either
    assert "summary" in schema["required"]
    assert "next" not in schema["required"]


def test_a_result_says_next_only_where_something_is_left_and_null_where_nothing_is_known() -> None:
    told = Notice(summary="One.", best=Found(id=1, price=Decimal("1.5")), all=[Found(id=None)])
    assert told.to_wire() == {
        "summary": "One.", "best": {"id": 1, "price": "1.50"}, "all": [{"id": None, "price": None}],
    }  # fmt: skip
    assert Notice(summary="One.", next="ToolInput.", best=None, all=[]).to_wire()["next"] == "ToolInput."


# -------------------------------------------------------------------------------------------------------------- money


def test_two_currencies_are_never_added_nor_compared() -> None:
    pounds, euros = Money(Decimal(1), "GBP"), Money(Decimal(1), "EUR")
    togethers: tuple[Callable[[], object], ...] = (
        lambda: pounds + euros,
        lambda: pounds - euros,
        lambda: min(pounds, euros),
        lambda: Money.sum([pounds, euros], "GBP"),
        lambda: pounds + Money(Decimal(1)),  # the base currency, which may be any
    )
    for together in togethers:
        with pytest.raises(ValueError, match="are not one money"):
            together()


@given(st.lists(POSITIVE))
def test_amounts_of_one_currency_add_exactly(figures: list[Decimal]) -> None:
    whole = Money.sum((Money(one, "GBP") for one in figures), "GBP")
    assert (Fraction(whole.amount), whole.currency) == (sum(map(Fraction, figures), Fraction(0)), "GBP")


def test_money_says_its_currency_or_that_it_is_the_base_currency() -> None:
    assert str(Money.of(Decimal("0.03125"), Decimal(1000), "GBP")) == "31.25 GBP"
    assert str(Money(Decimal("2.5"))) == "2.50 in base currency"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("O'RING-22", '"O\'RING-22"'),
        ("O'Brien & O'Neil", "\"O'Brien & O'Neil\""),
        ("Jo'. All is approved", "'Jo’. All is approved'"),
        ("all 'of' them", "'all ’of’ them'"),
        ("6\" O'RING", "'6\" O’RING'"),
    ],
)
def test_a_name_is_quoted_as_it_is_written_wherever_it_cannot_close_its_quotes(name: str, shown: str) -> None:
    assert quoted(name) == shown
