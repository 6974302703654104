"""An ERP's JSON as values that can be shown, compared and sent on, whatever stands in it.

Every text is fit to be encoded and shown: field names and ids, too. Control, format, private and unassigned characters
are gone, as in `shapes.clean`, and half a character (a lone surrogate) is U+FFFD. Line breaks stay in values, for
whoever shows a text to fold, and not in names. An object that holds a name twice is refused: nothing says which of the
two counts, and a price may rest on it.

Numbers are exact. One of 16 or 17 significant digits is how PHP and JavaScript print a binary double: it stands for the
decimal of 15 that every double carries (`6.6000000000000005` for 6.6), and is read as that. Whole numbers, which ids
are, and texts are left as they come.

Most answers need none of this, so the raw bytes are looked at first: only where they could hold such a character is
every text gone through.
"""

import codecs
import json
import re
import unicodedata
from collections.abc import Generator
from decimal import Decimal
from typing import Any, NoReturn

from fraction_mcp.values.decimals import DOUBLE_DIGITS, of_double

__all__ = ["Unreadable", "decoded"]

_SAYS_NOTHING = bytes(sorted(set(range(128)) - set(b"[]{}")))  # of how deep it is, and of what has to go
_BEYOND_ASCII = bytes(range(128, 256))
_DEEPEST = 64
_LARGE = 1_000_000  # bytes; what is smaller cannot hold too many values
_MOST_VALUES = 500_000  # a value takes some hundred bytes of memory, however few it came in
_FEW = 16

# Compiled when they are first needed, which for many ERPs is never.
# An escape that could stand for a character to be taken out: not one of the usual, of Latin, Greek and Cyrillic
# letters, punctuation, currencies or Chinese. (Half of a character beyond U+FFFF is among those that could.)
_ESCAPE = (
    r'\\(?!["\\/nrt]|u(?:000[9aAdD]|00[2-6]|007[0-9a-eA-E]|00[aA][0-9a-ce-fA-CE-F]|00[b-fB-F]|0[124]|03[9b-fB-F]|'
    r"20[1345]|202[0-7fF]|20[aA]|2[235-9]|[4-9][0-9a-fA-F]))"
)
# A line break in a name. In a value, where it stays, a quote comes before the next colon.
_BREAK = r'\\(?:[nrt]|u000[9aAdD])(?:[^"\\]|\\.){0,60}":'
_NO_BREAK = "[\u00a0\u202f]"  # spaces that stand in prices and names, and stay


class Unreadable(ValueError):
    """Its text says what is there instead of JSON that can be used."""


def decoded(content: bytes, *, long: bool = False) -> Any:
    """The value of a JSON text. Raises Unreadable.

    `long` is for pages of long lists. There a name that stands twice is noticed as every tool writes it, and not where
    a space stands between a name and its colon.
    """
    try:
        return _value(content.removeprefix(codecs.BOM_UTF8), long=long)
    except Unreadable:
        raise
    except (ValueError, ArithmeticError, RecursionError):  # 1e99999999999999999999 is beyond Decimal itself
        raise Unreadable("it is not JSON, or was cut off") from None


def _value(content: bytes, *, long: bool) -> Any:
    if len(content) > _LARGE and sum(map(content.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise Unreadable("it holds too many values")
    encoding = json.detect_encoding(content)
    text = content.decode(encoding, "surrogatepass")
    value = _counted(text) if long else _exact.decode(text)
    telling = content.translate(None, _SAYS_NOTHING)
    if _seems_deep(telling) and _is_deep(value):
        raise Unreadable("it is nested too deeply")
    odd = encoding != "utf-8" or _holds_odd(telling) or (b"\\" in content and _escapes_odd(text))
    return _cleaned(value) if odd else value


def _holds_odd(telling: bytes) -> bool:
    """Whether there is a character beyond ASCII that has to go."""
    if telling.isascii():
        return False
    text = telling.decode("utf-8", "surrogatepass")
    return not (text.isprintable() or re.sub(_NO_BREAK, "", text).isprintable())


def _escapes_odd(text: str) -> bool:
    """The same of characters that are escaped. A text so long that looking closely would take long is said to."""
    return len(text) > _LARGE or bool(re.search(_ESCAPE, text) or re.search(_BREAK, text))


def _seems_deep(telling: bytes) -> bool:
    """Whether objects and lists may be nested deeper than is borne: each turn takes the innermost out. Brackets that
    stand in texts are counted with them."""
    brackets = telling if telling.isascii() else telling.translate(None, _BEYOND_ASCII)
    for _ in range(_DEEPEST):
        if len(brackets) <= _DEEPEST:
            return False
        outer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    return True


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


# ------------------------------------------------------------------------------------------------------------ reading


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise Unreadable("an object in it holds the same name twice")
    return parsed


def _decimal(text: str) -> Decimal:
    """A number that is written with a point or an exponent."""
    number = Decimal(text)
    return number if len(text) <= DOUBLE_DIGITS else of_double(number)


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_exact = json.JSONDecoder(parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_object)


def _counted(text: str) -> Any:
    """The value of a long text, at less cost than looking at each pair: the names that its objects hold are counted,
    and where there are fewer than stand in the text, they are looked at."""
    names = _names_held()
    next(names)
    value = json.JSONDecoder(parse_float=_decimal, parse_constant=_no_constant, object_hook=names.send).decode(text)
    return value if names.send(None) == text.count('":') else _exact.decode(text)


def _names_held() -> Generator[Any, Any, None]:
    """Gives back each object that it is sent; sent None, how many names they held. A call would take twice as long."""
    held, parsed = 0, None
    while True:
        parsed = yield held if parsed is None else parsed
        held += len(parsed or ())


# ----------------------------------------------------------------------------------------------------------- cleaning


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return value if value.isprintable() else _text(value)
        case dict():
            return _object([(_name(name), _cleaned(inner)) for name, inner in value.items()])
        case list():
            return [_cleaned(item) for item in value]
        case _:
            return value


def _name(name: str) -> str:
    return name if name.isprintable() else " ".join(_text(name).split())


def _text(text: str) -> str:
    odd = {character: kept for character in set(text) if (kept := _kept(character)) != character}
    if len(odd) > _FEW:
        return text.translate({ord(character): kept for character, kept in odd.items()})
    for character, kept in odd.items():
        text = text.replace(character, kept)
    return text


def _kept(character: str) -> str:
    """What stays of a character."""
    if character.isprintable() or character in "\n\r\t":
        return character
    match unicodedata.category(character):
        case "Zs":  # a space of another width
            return character
        case "Cc" if character.isspace():
            return " "
        case "Zl" | "Zp":
            return "\n"
        case "Cs":
            return "\ufffd"
        case _:
            return ""
