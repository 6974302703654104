"""What a person cannot see or tell apart: named in lines, spelt out in previews, escaped in payloads."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.approvals.payload import readable
from fraction_mcp.values.characters import escaped, flaw_in_code, flaw_in_line, flaw_in_text, named, spelt_out, unseen
from fraction_mcp.values.text import clean, exactly

BLANK = "\u3164\u115f\u1160\uffa0\u2800\u034f\ufe0f\U000e0100\U000e0041\u00ad\u200b\u180b\u17b4\u061c\ufeff\u2066\ufffc"
SPACES = "\u00a0\u1680\u2000\u2007\u200a\u202f\u205f\u3000"
ANY = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    "character", [*BLANK, *SPACES, "\x00", "\x7f", "\x85", "\u2028", "\ue000", "\ud800"], ids=ascii
)
def test_what_shows_as_nothing_or_as_a_blank_is_known_and_has_a_name(character: str) -> None:
    assert unseen(character)
    assert named(character).startswith(f"U+{ord(character):04X} ")
    assert named(character) in flaw_in_line(f"WIDGET{character}1")
    assert named(character) in spelt_out(f"WIDGET{character}1")
    assert character not in clean(f"WIDGET{character}1")


@pytest.mark.parametrize(
    "text", ["WIDGET-001", "Ø12 PIN", "株式会社 精密", "Zoë", "10 µm ± 5 %", "مرحبا", "हिन्दी", "🔩"]
)
def test_what_people_write_by_hand_is_no_flaw_and_shows_as_it_is(text: str) -> None:
    assert flaw_in_line(text) == flaw_in_text(text) == ""
    assert spelt_out(text) == clean(text) == text


@pytest.mark.parametrize("text", ["10\u00a0€", "Lots:\n\t100\r\n  400", "\u2764\ufe0f", "نمی\u200cخواهم"])
def test_prose_may_hold_what_a_line_may_not(text: str) -> None:
    assert flaw_in_line(text)
    assert flaw_in_text(text) == ""


def test_marks_that_would_cover_the_lines_above_are_refused() -> None:
    assert "piles more than 4 marks" in flaw_in_line("e" + "\u0301" * 5)
    assert "piles more than 4 marks" in flaw_in_text("e" + "\u0301" * 5)
    assert flaw_in_line("x" + "\u0332" * 2) == ""


@given(ANY)
def test_a_text_that_is_spelt_out_is_one_line_in_which_everything_is_seen(text: str) -> None:
    told = spelt_out(text)
    assert not any(unseen(character) for character in told)
    assert "  " not in told
    assert told == told.strip()
    assert spelt_out(told) == told


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("aeΩ\u2126é\u0301\u0323\u0327가각\u0958")))
def test_no_two_forms_of_one_character_look_the_same_in_a_preview_or_a_payload(text: str) -> None:
    """Unicode calls canonically equivalent texts the same, and they look it: only one of them is shown bare."""
    assert unicodedata.is_normalized("NFC", spelt_out(text))
    told = escaped(json.dumps(text, ensure_ascii=False))
    assert unicodedata.is_normalized("NFC", told)
    assert json.loads(told) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Zoe\u0308", "Zoe[U+0308 COMBINING DIAERESIS]"),
        ("10 k\u2126", "10 k[U+2126 OHM SIGN]"),
        ("a\u0327\u0301", "a\u0327[U+0301 COMBINING ACUTE ACCENT]"),
        ("\u1112\u1161\u11ab", "\u1112[U+1161 HANGUL JUNGSEONG A]\u11ab"),
    ],
    ids=ascii,
)
def test_a_form_that_looks_like_another_is_named_and_a_line_does_not_hold_it(text: str, told: str) -> None:
    assert spelt_out(text) == told
    assert "use the composed form (Unicode's NFC)" in flaw_in_line(text)
    assert flaw_in_code(text) == flaw_in_text(text) == ""


@pytest.mark.parametrize("code", ["BOLT  M8", "BOLT\u00a0M8"])
def test_a_code_of_what_the_erp_holds_may_have_its_spaces_which_are_named(code: str) -> None:
    assert flaw_in_code(code) == ""
    assert exactly(code) in {"'BOLT[2 spaces]M8'", "'BOLT[U+00A0 NO-BREAK SPACE]M8'"}
    assert "invisible" in flaw_in_code("BOLT\u200bM8")


@given(ANY, ANY)
def test_two_texts_that_differ_beyond_their_line_ends_are_spelt_out_differently(one: str, other: str) -> None:
    """But for texts that hold a bracket or a pilcrow themselves: the payload beside the preview tells those apart."""
    if not set(one + other) & set("[]¶\r\n"):
        assert (spelt_out(one) == spelt_out(other)) is (one == other)


@given(st.dictionaries(ANY, ANY | st.lists(ANY)))
def test_an_escaped_payload_is_the_same_json_and_hides_nothing(value: object) -> None:
    for told in (escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":"))),):
        assert json.loads(told) == value
        assert not any(unseen(character) for character in told)
        assert "  " not in told


@given(st.dictionaries(ANY, ANY | st.lists(ANY)))
def test_a_payload_set_for_reading_is_the_same_json_and_hides_nothing_but_its_own_indents(value: object) -> None:
    told = readable(json.dumps(value, ensure_ascii=False))
    assert json.loads(told) == value
    assert not any(unseen(character) for line in told.split("\n") for character in line)
    assert not any("  " in line.lstrip(" ") for line in told.split("\n"))


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1))
def test_a_text_in_exact_quotes_is_whole_and_cannot_close_them(text: str) -> None:
    told = exactly(text)
    assert (told[1:-1] if told.startswith("'") else json.loads(told)) == spelt_out(text)
    if told.startswith("'"):
        assert told.count("'") == 2


def test_the_table_of_ignorable_characters_agrees_with_their_names() -> None:
    """It was compared with Chromium's own Default_Ignorable_Code_Point when it was written; names show its decay."""
    for code in range(0x110000):
        name = unicodedata.name(chr(code), "")
        if name.startswith(("TAG ", "HANGUL FILLER", "HALFWIDTH HANGUL FILLER")) or "VARIATION SELECTOR" in name:
            assert unseen(chr(code)), name
