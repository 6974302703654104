"""What the ERPs send, typed where a document states the type and kept as it came where none does.

A documented field of the wrong type is an error (`wire.decode` makes one of it); an undocumented one is anybody's.
Ids are shown as they come (FractionERP sends integers, Fracttal text), and compared by `id_key`.
"""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fraction_mcp.values.decimals import WireDecimal

__all__ = ["Identity", "Part", "PriceBreak", "PriceList", "Record", "Token", "id_key", "shown_id"]

Record = dict[str, Any]
"""A record whose fields no document states: `id` is all that may be relied on."""


_DIGITS = re.compile(r"0|-?[1-9][0-9]{0,17}")  # no leading zeros: 007 is another id than 7
_MOST_DIGITS = 18  # of an id that was sent as 50.0
_LONGEST_ID = 200


def id_key(value: object) -> int | str | None:
    """An id as what it is compared by: `"50"` and 50 are one. None for what can be no id: null, a list, true,
    a text as long as a letter."""
    if type(value) is int:
        return value
    if isinstance(value, str):
        text = value.strip()
        return int(text) if _DIGITS.fullmatch(text) else text if 0 < len(text) <= _LONGEST_ID else None
    if isinstance(value, Decimal) and value.adjusted() < _MOST_DIGITS and value == value.to_integral_value():
        return int(value)
    return None


def shown_id(record: Record) -> int | str:
    """A record's id as an answer carries it; an empty text where it has none."""
    value, key = record.get("id"), id_key(record.get("id"))
    return "" if key is None else key if isinstance(key, int) and not isinstance(value, str) else str(key)


def _number(value: object) -> object:
    """A documented id, which is a number in either spelling; pydantic refuses what is left."""
    key = id_key(value)
    return key if isinstance(key, int) else None


RecordId = Annotated[int, BeforeValidator(_number)]


def _text(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int | Decimal) else value


OptionalText = Annotated[str, BeforeValidator(_text)]
"""A text that may be missing, null, or (a part number, say) sent as a number."""


class _Sent(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow", coerce_numbers_to_str=True)


class Part(_Sent):
    """A part. The document states these fields for creating one; reading one is taken to answer with the same."""

    id: RecordId
    part_number: OptionalText
    description: OptionalText = ""
    uom: OptionalText = ""


class PriceBreak(_Sent):
    quantity: WireDecimal = Field(validation_alias="qty")
    unit_price: WireDecimal = Field(validation_alias="price")


class PriceList(_Sent):
    """One customer's prices of one part. The breaks come in no promised order, and may hold a quantity twice."""

    customer_id: RecordId
    customer_name: OptionalText = ""
    customer_part_number: OptionalText = ""
    selling_price: WireDecimal | None = None
    price_breaks: Annotated[tuple[PriceBreak, ...], BeforeValidator(lambda sent: sent or ())] = ()


_LONGEST_S = 10**9


def _seconds(sent: object) -> int | None:
    key = id_key(sent)  # a whole number in any spelling
    return key if isinstance(key, int) and 0 <= key < _LONGEST_S else None


# What stands beside a token only informs: a wrong type there is no reason not to sign in.
Informs = Annotated[dict[str, Any] | None, BeforeValidator(lambda sent: sent if isinstance(sent, dict) else None)]
Moment = Annotated[str, BeforeValidator(lambda sent: sent if isinstance(sent, str) else "")]
Seconds = Annotated[int | None, BeforeValidator(_seconds)]


class Token(_Sent):
    model_config = ConfigDict(extra="ignore")  # a refresh_token that nobody uses is a secret to lose

    access_token: Annotated[str, Field(pattern="^[!-~]+$", max_length=8_192, repr=False)]
    expires_at: Moment = ""
    expires_in: Seconds = None
    user: Informs = None
    tenant: Informs = None


class Identity(_Sent):
    """Who is signed in, as login and `auth/me` answer."""

    user: Informs = None
    tenant: Informs = None
