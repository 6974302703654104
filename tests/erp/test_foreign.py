"""An ERP's JSON, whatever stands in it: every text can be encoded and shown, names and ids too; no number is bent."""

import json
import math
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraction_mcp.erp import foreign
from fraction_mcp.erp.foreign import Unreadable, decoded
from fraction_mcp.values.text import clean

ODD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
EVIL = {
    "half a character": "a\ud800b",
    "the other half": "\udc80",
    "ANSI": "\x1b[31mred\x1b[0m",
    "bidi": "abc\u202edef\u2066",
    "zero width": "pay\u200bload\ufeff",
    "null": "a\x00b",
    "C1": "a\x9bb",
    "private": "\ue000",
    "a tag": "\U000e0041",
    "unassigned": "\u0378",
    "line separator": "a\u2028b",
    "soft hyphen": "a\xadb",
}


def shown(value: Any) -> list[str]:
    """Every text in it, names too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in shown(item)]
    if isinstance(value, list):
        return [text for item in value for text in shown(item)]
    return [value] if isinstance(value, str) else []


def spellings(value: Any) -> list[bytes]:
    """A value as JSON: escaped, plain, and as other tools write it."""
    plain = json.dumps(value, ensure_ascii=False)
    return [
        json.dumps(value).encode(),
        plain.encode("utf-8", "surrogatepass"),
        json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        b"\xef\xbb\xbf" + plain.encode("utf-8", "surrogatepass"),
        json.dumps(value).upper().replace("\\U", "\\u").replace("\\N", "\\n").encode()
        if "\\u" in json.dumps(value) and not shown(value)[0].islower()
        else plain.encode("utf-16-le", "surrogatepass"),
    ]


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("where", ["a value", "a name", "an id", "deep down", "a list"])
def test_no_character_that_cannot_be_shown_or_sent_on_gets_through(text: str, where: str) -> None:
    value = {
        "a value": {"note": text},
        "a name": {text: 1},
        "an id": {"id": text},
        "deep down": {"x": [{"y": {"z": [[text]]}}]},
        "a list": [text],
    }[where]
    for spelt in spellings(value):
        found = decoded(spelt)
        json.dumps(found, ensure_ascii=False).encode()
        for one in shown(found):
            assert all(c in "\n\r\t" or unicodedata.category(c) not in ODD for c in one), spelt


@pytest.mark.parametrize(
    "text", ["plain", "Größe Ø12", "10\u00a0000 €", "Žluťoučký", "Ελληνικά", "部品 α", "a\nb\tc", "😀"]
)
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    for spelt in spellings({"id": 1, "note": text}):
        found = decoded(spelt)
        assert list(map(str.lower, found)) == ["id", "note"]
        assert str(list(found.values())[1]).lower() == text.lower()


def test_half_a_character_leaves_a_mark_so_that_an_id_of_it_is_not_empty() -> None:
    assert decoded(b'{"id":"\\ud800"}') == {"id": "\ufffd"}
    assert decoded(b'{"id":"\\ud83d\\ude00"}') == {"id": "😀"}


def test_a_name_is_a_line() -> None:
    for content in (b'{"a\\nb":1}', b'{"a\\u000ab":1}', '{"a\\nb":1,"ü":2}'.encode(), b'{"x":"a\\nb","a\\tb":1}'):
        assert "a b" in decoded(content)
    assert 'a b"c' in decoded(b'{"a\\nb\\"c":1}')


def _shown(text: str) -> str:
    """As a person reads it, what stands for a character that is none aside, and the space that it leaves."""
    return " ".join(clean(text, 500).replace("\ufffd", "").split())


@settings(max_examples=3 * settings().max_examples)
@given(st.text(st.characters(codec=None, exclude_categories=[]), max_size=20))
def test_what_gets_through_reads_as_it_would_be_shown(text: str) -> None:
    for spelt in spellings({"note": text}):
        if b'"note"' not in spelt:
            continue
        found = decoded(spelt)["note"]
        assert _shown(found) == _shown(text)


def test_every_escape_of_an_odd_character_is_noticed() -> None:
    for code in range(0x10000):
        odd = unicodedata.category(chr(code)) in ODD and chr(code) not in "\n\r\t"
        for spelt in (f"\\u{code:04x}", f"\\u{code:04X}"):
            content = f'{{"a":"x{spelt}y"}}'
            noticed = foreign._escapes_odd(content)
            assert noticed or not odd, spelt


def test_the_usual_escapes_cost_nothing_more() -> None:
    usual = b'{"a":"http:\\/\\/x \\"q\\" \\n \\u00e9\\u00df\\u0142\\u2013\\u20ac\\u4e2d"}'
    assert not foreign._escapes_odd(usual.decode())


# ----------------------------------------------------------------------------------------------------- the same twice


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        b'{"price":1,"price":2}',
        b'{\n  "price": 1,\n  "price": 2\n}',
        b'{"note":"a \\"b\\": c","price":1,"price":1}',
        b'{"data":[{"id":1},{"qty":1,"price":5,"price":5}]}',
        b'{"a":{"b":{"c":1,"c":1}}}',
        b'{"note":"a\\nb","a":1,"a":2}',
        b'{"price":1,"price\\u200b":2}',
        b'{"price":1,"price\\n":2}',
        '{"ü":1,"\u200bü":2}'.encode(),
    ],
)
def test_an_object_that_holds_a_name_twice_is_refused_and_not_taken_by_its_last(content: bytes, long: bool) -> None:
    with pytest.raises(Unreadable, match="an object in it holds the same name twice"):
        decoded(content, long=long)


def test_what_stands_in_a_text_is_no_name() -> None:
    content = b'{"note":"a \\"b\\": c","b" :1}'
    assert decoded(content) == decoded(content, long=True) == {"note": 'a "b": c', "b": 1}


@given(st.recursive(st.none() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=3), x)))
def test_a_long_list_is_read_as_any_other(value: Any) -> None:
    def outcome(content: bytes, *, long: bool) -> Any:
        try:
            return decoded(content, long=long)
        except Unreadable as why:
            return str(why)

    for spelt in spellings({"x": value}):
        assert outcome(spelt, long=False) == outcome(spelt, long=True)


# ------------------------------------------------------------------------------------------------------------- nesting


@pytest.mark.parametrize("made", [lambda x: [x], lambda x: {"x": x}, lambda x: [{}, [1], x, []]])
def test_what_is_nested_deeper_than_anything_is_meant_to_be_is_refused(made: Any) -> None:
    value: Any = "[[{]" * 100
    for depth in range(1, 200):
        value = made(value)
        content = json.dumps(value).encode()
        if depth <= 60:
            assert decoded(content) == value
        elif depth > 66:
            with pytest.raises(Unreadable, match="nested too deeply"):
                decoded(content)


# -------------------------------------------------------------------------------------------------------- what is none


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"a":NaN}',
        b'{"a":1e99999999999999999999}',
        b"9" * 5_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'["\\u200b",' * 900 + b"1" + b"]" * 900,
        b'"\xff"',
        b'{"a":"\x1b"}',
        b"\xff\xfe",
        b"\x00{",
    ],
)
def test_what_is_no_json_is_said_to_be_none_and_raises_nothing_else(content: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(content)


def test_numbers_are_exact() -> None:
    assert decoded(b'{"p":0.10,"n":12345678901234567890123}') == {"p": Decimal("0.10"), "n": 12345678901234567890123}


@pytest.mark.slow
def test_a_text_of_every_odd_character_there_is_is_cleaned_in_passing() -> None:
    """Not once for each of them through the whole text."""
    every = "".join(map(chr, range(0x10FFFF)))
    found = decoded(json.dumps({"a": every}, ensure_ascii=False).encode("utf-8", "surrogatepass"))["a"]
    assert all(unicodedata.category(c) not in ODD or c in "\n\r\t" for c in set(found))


# --------------------------------------------------------------------------------------------------------- binary dust

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("6.6000000000000005", "6.6"),
        ("0.30000000000000004", "0.3"),
        ("2.6749999999999998", "2.675"),
        ("-1.1000000000000001e2", "-110"),
        ("100.00000000000001", "100"),
        ("6.9999999999999996", "7"),
        ("1234567890.1234561", "1234567890.12346"),
    ],
)
@pytest.mark.parametrize("long", [False, True])
def test_a_double_printed_with_all_its_digits_is_the_decimal_that_it_stands_for(
    sent: str, read: str, long: bool
) -> None:
    assert str(decoded(f'{{"price": {sent}}}'.encode(), long=long)["price"]) == read


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 12), st.integers(-2, 2))
def test_whatever_double_is_printed_for_a_number_of_fifteen_digits_that_number_is_read(
    digits: int, places: int, steps: int
) -> None:
    """With 17 digits, as PHP prints it, and as JavaScript does; a double or two beside it, as after a calculation."""
    number = Decimal(digits).scaleb(-places)
    double = float(number)
    assert decoded(f"{double:.17g}".encode()) == number
    assert decoded(repr(double).encode()) == number
    for _ in range(abs(steps)):
        double = math.nextafter(double, math.copysign(math.inf, steps))
    if len(repr(double).strip("-0.").replace(".", "")) > 15 and "e" not in repr(double):
        assert abs(decoded(repr(double).encode()) - number) <= Decimal(10) ** (number.adjusted() - 14)


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-6, 30))
def test_no_number_of_fifteen_digits_or_fewer_is_changed(digits: int, places: int) -> None:
    number = Decimal(digits).scaleb(-places)
    for text in (str(number), format(number, "f"), f"{number:e}"):
        assert decoded(text.encode()) == number


@pytest.mark.parametrize(
    "text", ["1234567890123456", "12345678901234567", "1234567890123456.0", "1.2345678901234567e16"]
)
def test_a_whole_number_is_never_changed(text: str) -> None:
    """Ids are."""
    assert decoded(text.encode()) == Decimal(text)


@given(NUMBERS)
def test_a_decimal_text_is_never_touched(number: Decimal) -> None:
    text = str(number)
    assert decoded(json.dumps({"price": text}).encode())["price"] == text


def test_a_number_of_more_digits_than_a_double_prints_is_exact() -> None:
    assert decoded(b"0.123456789012345678") == Decimal("0.123456789012345678")
