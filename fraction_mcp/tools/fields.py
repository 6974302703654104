"""Types of arguments that several tools share: what is taken, in which spellings, and what is refused."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from fraction_mcp.operations.records import listing
from fraction_mcp.values.characters import flaw_in_code, flaw_in_line, flaw_in_text
from fraction_mcp.values.decimals import plain, to_decimal
from fraction_mcp.values.money import TEXT_SCHEMA

__all__ = [
    "IdText",
    "MoneyIn",
    "Noted",
    "OptionalMoneyIn",
    "PercentIn",
    "QuantityIn",
    "ToolInput",
    "visible_code",
    "visible_line",
    "visible_text",
    "whole_number",
]


def _positive(value: object) -> Decimal:
    number = to_decimal(value)
    if number <= 0:
        raise ValueError(f"must be greater than 0, not {plain(number)}")
    return number


def _not_negative(value: object) -> Decimal:
    number = to_decimal(value)
    if number < 0:
        raise ValueError(f"must not be negative, not {plain(number)}")
    return number


def _percent(value: object) -> Decimal | None:
    """`5`, `-2.5` or `3 %`; what leaves no price, or changes none, cannot be meant."""
    if value == "":
        return None
    number = to_decimal(value.strip().removesuffix("%").rstrip() if isinstance(value, str) else value)
    if number <= -100 or number == 0:
        raise ValueError(f"must be above -100 and not 0, not {plain(number)}")
    return number


def _id_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


QuantityIn = Annotated[Decimal, BeforeValidator(_positive), WithJsonSchema({"type": "number"})]
MoneyIn = Annotated[Decimal, BeforeValidator(_not_negative), WithJsonSchema(TEXT_SCHEMA)]
OptionalMoneyIn = Annotated[
    Decimal | None,
    BeforeValidator(lambda value: None if value == "" else _not_negative(value)),
    WithJsonSchema(TEXT_SCHEMA),
]
"""Money that may be left out: the default is an empty text, which becomes None (`validate_default=True`)."""
PercentIn = Annotated[Decimal | None, BeforeValidator(_percent), WithJsonSchema({"type": "string"})]
"""A change in per cent, which may be left out in the same way."""
IdText = Annotated[str, BeforeValidator(_id_text), Field(max_length=200)]
"""A name, number or id: text; an integer is taken as its digits."""
whole_number = BeforeValidator(_whole)
"""Takes 10.0 for 10, as JSON does; stands last in an Annotated, so that bounds show in the schema."""


def _visible_line(text: str) -> str:
    """What cannot be seen cannot be approved: a preview would show 'WIDGET-001', and something else would go out."""
    if flaw := flaw_in_line(text):
        raise ValueError(flaw)
    return text


def _visible_code(text: str) -> str:
    if flaw := flaw_in_code(text):
        raise ValueError(flaw)
    return text


def _visible_text(text: str) -> str:
    if flaw := flaw_in_text(text):
        raise ValueError(flaw)
    return text


visible_line = AfterValidator(_visible_line)
"""For every one-line text that a write sends: refuses what nobody can see, count or tell apart in a preview."""
visible_code = AfterValidator(_visible_code)
"""For a code by which the ERP knows something already: any spaces, which a preview names (`characters.spelt_out`)."""
visible_text = AfterValidator(_visible_text)
"""For long texts, which may have lines, tabs and other spaces: a preview names those, too."""


class ToolInput(BaseModel):
    """What a tool is asked with. Unknown names and wrong types are refused, never dropped or bent."""

    # Validators are built at the first use (`defer_build`, here and below): a session uses few of the models.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True, defer_build=True)


class Noted(ToolInput):
    """What every tool that writes takes besides its own: why, in the assistant's words, for whoever decides."""

    note: str = Field("", max_length=4_000, exclude=True, description="Why: shown, not sent")


# ----------------------------------------------------------------------------------------------------- what tools share


PartName = Annotated[IdText, Field(min_length=1, description="Number, e.g. WIDGET-001, or id")]
CustomerName = Annotated[IdText, Field(min_length=1, description="Name, e.g. Acme Corp, or id")]
OrderQuantity = Annotated[QuantityIn, Field(description="In the part's uom, e.g. 250")]
Limit = Annotated[int, Field(ge=1, le=100, description="Rows"), whole_number]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="Page"), whole_number]
Sort = Annotated[str, Field(max_length=80, description="Field, e.g. created_at")]
Order = Annotated[Literal["", "asc", "desc"], Field(description="Direction")]


class Paged(ToolInput):
    """Which rows of a list are wanted."""

    limit: Limit = 10
    page: PageNumber = 1
    sort: Sort = ""
    order: Order = ""

    def shown(self, fields: Sequence[str] = ()) -> listing.Shown:
        return listing.Shown(self.limit, self.page, self.sort, self.order, fields)


class Search(Paged):
    query: IdText = Field("", description="Text to find")


Line = Annotated[str, Field(max_length=200), visible_line]
Note = Annotated[str, Field(max_length=4_000), visible_text]
