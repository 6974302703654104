"""Which characters a person cannot see or tell apart, and how they are written so that they can.

What people approve they judge by eye: a character that shows as nothing, as a blank, or that turns its neighbours round
would make two texts look the same. Here is the one list of them. Refuses to know which text may hold which.

Letters of different scripts that look alike (a Cyrillic and a Latin A) are not told apart: no table of the standard
library knows them.
"""

import json
import re
import unicodedata
from functools import lru_cache
from itertools import groupby

__all__ = ["escaped", "flaw_in_code", "flaw_in_line", "flaw_in_text", "named", "spelt_out", "unseen"]

_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt): what a font need not show at all. Python's
# unicodedata does not know the property. Most of them are of a category above, too.
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
# Blanks that are letters or symbols by category: a braille cell without dots, fillers, an empty note head.
_BLANK = {0x2800, 0xFFFC, 0x13441, 0x13442, 0x16FE4, 0x1D159}
_CONTROLS = {0x00: "NULL", 0x09: "TAB", 0x0A: "LINE FEED", 0x0D: "CARRIAGE RETURN", 0x1B: "ESCAPE", 0x7F: "DELETE",
             0x85: "NEXT LINE"}  # fmt: skip
_NAMELESS = {"Cc": "a control character", "Cn": "an unassigned character", "Co": "a private-use character",
             "Cs": "half of a surrogate pair"}  # fmt: skip
_MOST_MARKS = 4  # on one letter: UTS #39, Optional Detection; more of them cover the lines above
# What prose may hold although it is not seen: other spaces, joiners of scripts and emoji, emoji's variation selectors.
_OF_PROSE = {0x200C, 0x200D, 0xFE0E, 0xFE0F}


@lru_cache(maxsize=4096)
def unseen(character: str) -> bool:
    """Whether a character shows as nothing or as a blank, or changes how others show. The plain space does not."""
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return False
    category = unicodedata.category(character)
    return (
        category in _CATEGORIES
        or category == "Zs"
        or code in _BLANK
        or any(first <= code <= last for first, last in _IGNORABLE)
    )


def named(character: str) -> str:
    """`U+00A0 NO-BREAK SPACE`."""
    code = ord(character)
    name = _CONTROLS.get(code) or unicodedata.name(character, "") or _NAMELESS[unicodedata.category(character)]
    return f"U+{code:04X} {name}"


def flaw_in_line(text: str) -> str:
    """What a one-line text holds that nobody could see or tell apart in a preview, and what to do; empty where there is
    nothing."""
    for character in text:
        if unicodedata.category(character) == "Zs" and character != " ":
            return f"holds {named(character)}; use a plain space"
    if "  " in text:
        return "holds several spaces in a row, which nobody can count; use one"
    return flaw_in_code(text) or _flaw_of_form(text)


def flaw_in_code(text: str) -> str:
    """The same for a code of something that the ERP holds, which must be spelt as it is there: whatever spaces it has,
    and whichever of two forms that look the same, a preview shows them by name."""
    for character in text:
        if unseen(character) and unicodedata.category(character) != "Zs":
            return f"must not hold invisible characters; it holds {named(character)}"
    return _flaw_of_marks(text)


def flaw_in_text(text: str) -> str:
    """The same for prose, which may have lines, tabs, other spaces and emoji: a preview shows those by name."""
    return flaw_in_code(
        "".join(
            " " if character in "\n\t" or ord(character) in _OF_PROSE else character
            for character in text.replace("\r\n", "\n")
        )
    )


def _flaw_of_marks(text: str) -> str:
    marks = 0
    for index, character in enumerate(text):
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks and index == 0:
            return f"begins with {named(character)}, which belongs to a letter before it"
        if marks > _MOST_MARKS:
            return f"piles more than {_MOST_MARKS} marks on one letter; the last is {named(character)}"
    return ""


def _flaw_of_form(text: str) -> str:
    if unicodedata.is_normalized("NFC", text):
        return ""
    character = text[_shown(text).index(False)]
    return f"holds {named(character)} in a form that looks like another one; use the composed form (Unicode's NFC)"


def _shown(text: str) -> list[bool]:
    """For each character whether a reader sees it, and sees what it is: not where Unicode calls it the same as some
    other spelling (a letter with its mark behind it, the sign for ohm), since the two look the same."""
    seen = [not unseen(character) for character in text]
    if unicodedata.is_normalized("NFC", text):
        return seen
    letter = ""  # with the marks on it so far
    for index, character in enumerate(text):
        if not seen[index] or not unicodedata.is_normalized("NFC", letter + character):
            seen[index], letter = False, ""
        else:
            letter = letter + character if unicodedata.combining(character) else character
    return seen


def spelt_out(text: str) -> str:
    """The whole text in one line, for a preview: nothing is left out or cut, and what is not seen stands there by its
    name, in brackets. A line's end is shown as a pilcrow. What it gives is unchanged when it is given it again."""
    text = text.replace("\r\n", "\n").replace("\n", "¶")
    shown, at = "", 0
    runs = [(key, len(list(same))) for key, same in groupby(zip(text, _shown(text), strict=True))]
    for (character, seen), count in runs:
        outermost = at == 0 or at + count == len(text)
        if character == " " and (count > 1 or outermost):
            shown += f"[{count} spaces]" if count > 1 else "[space]"
        elif not seen or (at == 0 and unicodedata.category(character).startswith("M")):
            shown += f"[{count} × {named(character)}]" if count > 1 else f"[{named(character)}]"
        else:
            shown += character * count
        at += count
    return shown


_BLANKS_IN_JSON = re.compile(r'(?<=") +| +(?=")|  +')


def escaped(content: str) -> str:
    """JSON without indents as the same JSON, in which a reader sees everything: what is not seen stands there as JSON's
    own escape, and so does each space of a run and at either end of a text."""
    content = _BLANKS_IN_JSON.sub(lambda run: "\\u0020" * len(run[0]), content)
    return "".join(
        character if seen else _escape(character) for character, seen in zip(content, _shown(content), strict=True)
    )


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
