"""Which characters a person cannot see or tell apart, and how they are written so that they can.

What people approve they judge by eye: a character that shows as nothing, as a blank, or that turns its neighbours round
would make two texts look the same. Here is the one list of them. Refuses to know which text may hold which.

Letters of different scripts that look alike (a Cyrillic and a Latin A) and composed against decomposed letters are not
told apart: no table of the standard library knows them.
"""

import json
import re
import unicodedata
from functools import lru_cache
from itertools import groupby

__all__ = ["escaped", "flaw_in_line", "flaw_in_text", "named", "spelt_out", "unseen"]

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
    """What a one-line text holds that nobody could see in a preview, and what to do; empty where there is nothing."""
    for character in text:
        if unseen(character):
            if unicodedata.category(character) == "Zs":
                return f"holds {named(character)}; use a plain space"
            return f"must not hold invisible characters; it holds {named(character)}"
    if "  " in text:
        return "holds several spaces in a row, which nobody can count; use one"
    return _flaw_of_marks(text)


def flaw_in_text(text: str) -> str:
    """The same for prose, which may have lines, tabs, other spaces and emoji: a preview shows those by name."""
    for character in text.replace("\r\n", "\n"):
        spaced = character in "\n\t" or ord(character) in _OF_PROSE or unicodedata.category(character) == "Zs"
        if unseen(character) and not spaced:
            return f"must not hold invisible characters; it holds {named(character)}"
    return _flaw_of_marks(text)


def _flaw_of_marks(text: str) -> str:
    marks = 0
    for index, character in enumerate(text):
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks and index == 0:
            return f"begins with {named(character)}, which belongs to a letter before it"
        if marks > _MOST_MARKS and not unseen(character):
            return f"piles more than {_MOST_MARKS} marks on one letter; the last is {named(character)}"
    return ""


def spelt_out(text: str) -> str:
    """The whole text in one line, for a preview: nothing is left out or cut, and what is not seen stands there by its
    name, in brackets. A line's end is shown as a pilcrow. What it gives is unchanged when it is given it again."""
    text = text.replace("\r\n", "\n").replace("\n", "¶")
    told = ""
    runs = [(character, len(list(same))) for character, same in groupby(text)]
    for index, (character, count) in enumerate(runs):
        outermost = index in {0, len(runs) - 1}
        if character == " " and (count > 1 or outermost):
            told += f"[{count} spaces]" if count > 1 else "[space]"
        elif unseen(character) or (index == 0 and unicodedata.category(character).startswith("M")):
            told += f"[{count} × {named(character)}]" if count > 1 else f"[{named(character)}]"
        else:
            told += character * count
    return told


_BLANKS_IN_JSON = re.compile(r'(?<=") +| +(?=")|  +')


def escaped(content: str) -> str:
    """JSON without indents as the same JSON, in which a reader sees everything: what is not seen stands there as JSON's
    own escape, and so does each space of a run and at either end of a text."""
    content = _BLANKS_IN_JSON.sub(lambda run: "\\u0020" * len(run[0]), content)
    return "".join(_escape(character) if unseen(character) else character for character in content)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
