"""How a unit of measure reads in a sentence about prices: each, per KG; and whether it is a pack.

A unit is anyone's text, as every field of a record: a sentence of ours holds none of it bare that could be more.
"""

import re

from fraction_mcp.values.text import quoted

__all__ = ["bare_unit", "is_pack", "pack_question", "pack_warning", "per_unit"]

_LONGEST = 10
_PIECES = frozenset({"ea", "each", "pc", "pcs", "pce", "piece", "pieces", "no", "nos", "off", "st", "stk"})
_HOLDS_A_NUMBER = re.compile(r"[0-9]")
_AREA_OR_VOLUME = re.compile(r"(?i)(mm|cm|dm|km|m|in|ft|yd)[.^ ]?[23]")


def bare_unit(uom: str) -> str:
    """The unit where it can be nothing but one, else an empty text."""
    return uom if uom.isalnum() and len(uom) <= _LONGEST else ""


def per_unit(uom: str) -> str:
    """What a unit price is for: `each` for a piece, `per KG` for whatever else is measured."""
    if uom.casefold() in _PIECES:
        return "each"
    return f"per {bare_unit(uom) or 'unit'}"


def is_pack(uom: str) -> bool:
    """Whether a unit holds a number, as `100PK` does: then quantity and price count packs, and not what is in them."""
    return bool(_HOLDS_A_NUMBER.search(uom)) and not _AREA_OR_VOLUME.fullmatch(uom)


def pack_warning(uom: str) -> str:
    return f"quantity and price count units of {quoted(uom, 20)}, not single pieces"


def pack_question(uom: str) -> str:
    return f"Ask the user whether packs ({quoted(uom, 20)}) or single pieces are meant."
