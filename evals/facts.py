"""Whether an answer holds a fact, however it is written: 1,312.50 is 1312.5, and **ACME corp** is Acme Corp.

Refuses to judge wording: it looks for numbers and names, and for nothing between them.
"""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

__all__ = ["holds"]

# A number of its own: no part of a date, of a part number or of a word that begins with letters.
_NUMBER = re.compile(r"(?<![\w.,])(?<!\w[-/#])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d]|,\d{3}\b)")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "−": "-", "\N{NO-BREAK SPACE}": " "})


def holds(answer: str, fact: object) -> bool:
    """Whether the number, or else the name, stands in the answer."""
    text = _plain(answer)
    number = _number(str(fact))
    if number is not None:
        return number in _numbers(text)
    return re.search(rf"(?<!\w){re.escape(_plain(str(fact)))}(?!\w)", text) is not None


def _plain(text: str) -> str:
    """Without what Markdown adds, in one kind of quotes, dashes and spaces, and in small letters."""
    return re.sub(r"\s+", " ", re.sub(r"[*`\\]", "", text.translate(_PLAIN))).strip().casefold()


def _number(text: str) -> Decimal | None:
    try:
        return abs(Decimal(text.replace(",", "")))
    except InvalidOperation:
        return None


def _numbers(text: str) -> Iterator[Decimal]:
    for found in _NUMBER.findall(_DATE.sub(" ", text)):
        yield Decimal(found.replace(",", ""))
