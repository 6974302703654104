"""Exact decimals: a price or a quantity is a `Decimal` from the wire to the wire, and no float is ever made of one.

Nothing here knows HTTP, MCP or either ERP.
"""

import math
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

__all__ = [
    "CENT",
    "DOUBLE_DIGITS",
    "EXACT",
    "NO_DECIMAL",
    "WireDecimal",
    "exact_product",
    "exact_sum",
    "exact_total",
    "of_double",
    "per_cent",
    "plain",
    "to_cents",
    "to_decimal",
]


EXACT = Context(prec=200)
"""The one context that is counted in. Quantities and prices have at most 12 digits before the point and 6 behind it
(contract), and figures of a record some 90: a product of two and a sum of many stay exact within these digits."""
DOUBLE_DIGITS = 15
"""Significant digits that a binary double carries through a decimal text unchanged."""
_DOUBLE = Context(prec=DOUBLE_DIGITS)  # to read one, not to count in
CENT = Decimal("0.01")
_WHOLE = Decimal(1)
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_PLAIN = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
_WIRE_DIGITS = 40


NO_DECIMAL = "must be a plain decimal number"
"""How the reason begins for a text that is no number as it stands."""


def to_decimal(value: object) -> Decimal:
    """An argument as an exact decimal: a JSON number, or its plain decimal spelling as text.

    Raises ValueError with a reason that its sender can act on. The SDK hands numbers over as floats; one that needs
    more than 15 digits may already have lost some, and is refused rather than guessed at.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number such as 250 or 12.5")  # noqa: TRY004 - pydantic turns ValueError into a reason
    text = value.strip() if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, float | Decimal):
        number = Decimal(text)
        if not number.is_finite():
            raise ValueError("must be a finite number")
        if isinstance(value, float) and len(number.normalize(EXACT).as_tuple().digits) > DOUBLE_DIGITS:
            raise ValueError('has more digits than a JSON number carries exactly; send it as text, such as "0.125"')
        text = format(number, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
    if not _PLAIN.fullmatch(text):
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise ValueError("must be a finite number")
        raise ValueError(
            f"{NO_DECIMAL} such as 250 or 12.5, without thousands separators, currency signs or "
            "exponents, with at most 12 digits before the point and 6 behind it"
        )
    return Decimal(text)


def of_double(number: Decimal) -> Decimal:
    """The decimal that a binary double of this spelling stands for: 6.6 for 6.6000000000000005.

    Only a number of 16 or 17 digits, not all of them before the point, was spelt from a double; any other is meant.
    """
    if len(number.as_tuple().digits) not in {16, 17} or number == number.to_integral_value():
        return number
    stands_for = _DOUBLE.plus(number).normalize(_DOUBLE)
    return stands_for.quantize(_WHOLE) if stands_for.as_tuple().exponent in range(1, DOUBLE_DIGITS) else stands_for


def plain(number: Decimal, places: int = 0) -> str:
    """Plain notation with at least `places` decimals and no trailing zeros beyond them: 10.50, 0.03125, 250."""
    text = format(number, "f")
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(places, "0")
    text = f"{whole}.{decimals}" if decimals else whole
    return text.removeprefix("-") if number == 0 else text


def exact_product(left: Decimal, right: Decimal) -> Decimal:
    """The product of two figures of the contract's size, unrounded."""
    return EXACT.multiply(left, right)


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts, without the rounding to 28 digits that Python's decimals have by default."""
    with localcontext(EXACT):
        return sum(amounts, Decimal(0))


def exact_total(unit_price: Decimal, quantity: Decimal) -> Decimal:
    """Quantity times unit price, exactly, then rounded half up to 2 places (docs/contract.md, Tools)."""
    return to_cents(exact_product(unit_price, quantity))


def per_cent(amounts: Sequence[Decimal]) -> list[Decimal] | None:
    """Each amount's share of their sum in per cent, to one decimal, adding to exactly 100.0: what rounding leaves over
    goes to the largest remainders, the first of equal ones first. None where the sum is 0."""
    whole = sum(map(Fraction, amounts), Fraction(0))
    if not whole:
        return None
    tenths = [Fraction(amount) * 1000 / whole for amount in amounts]
    floors = [math.floor(tenth) for tenth in tenths]
    left_over = sorted(range(len(tenths)), key=lambda index: floors[index] - tenths[index])[: 1000 - sum(floors)]
    return [Decimal(floor + (index in left_over)).scaleb(-1) for index, floor in enumerate(floors)]


def to_cents(amount: Decimal) -> Decimal:
    """An amount rounded half up to 2 places: the one place where an amount of ours is rounded."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP, context=EXACT)


def _wire_decimal(value: object) -> object:
    """A decimal of the ERP's, in either spelling; pydantic checks what is left."""
    if isinstance(value, float | bool):
        raise ValueError("not an exact decimal")  # noqa: TRY004 - see to_decimal
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError("not a decimal")
        value = Decimal(value.strip())
    if isinstance(value, int):
        value = Decimal(value)
    if isinstance(value, Decimal) and (
        not value.is_finite() or abs(value.adjusted()) > 20 or len(value.as_tuple().digits) > _WIRE_DIGITS
    ):
        raise ValueError("not a decimal of a believable size")
    return value


WireDecimal = Annotated[Decimal, BeforeValidator(_wire_decimal)]
"""A number in an ERP's answer, whether it came as text or as a JSON number."""
