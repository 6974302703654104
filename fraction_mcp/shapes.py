"""Numbers, texts and models as they pass through every floor: exact decimals, cleaned text, strict arguments.

Nothing here knows HTTP, MCP or either ERP. The rule that everything else leans on: a price or a quantity is a
`Decimal` from the wire to the wire, and no float is ever made of one.
"""

import json
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

from fraction_mcp.characters import flaw_in_code, flaw_in_line, flaw_in_text, spelt_out, unseen

__all__ = [
    "Amount",
    "Answer",
    "Ask",
    "IdText",
    "MoneyIn",
    "OptionalMoneyIn",
    "Piece",
    "Quantity",
    "QuantityIn",
    "UnitPrice",
    "WireDecimal",
    "clean",
    "exact_product",
    "exact_total",
    "exactly",
    "input_schema",
    "output_schema",
    "plain",
    "quoted",
    "to_decimal",
    "visible_code",
    "visible_line",
    "visible_text",
    "whole_number",
]

# Quantities and prices have at most 12 digits before the point and 6 behind it (contract); a product of two and a sum
# of many stay exact within 80 digits.
_EXACT = Context(prec=80)
_CENT = Decimal("0.01")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_PLAIN = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
_WIRE_DIGITS = 40  # a product of two is exact within _EXACT
_FLOAT_DIGITS = 15  # what an IEEE double carries through a decimal text unchanged


# ---------------------------------------------------------------------------------------------------------- decimals


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
        if isinstance(value, float) and len(number.normalize(_EXACT).as_tuple().digits) > _FLOAT_DIGITS:
            raise ValueError('has more digits than a JSON number carries exactly; send it as text, such as "0.125"')
        text = format(number, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
    if not _PLAIN.fullmatch(text):
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise ValueError("must be a finite number")
        raise ValueError(
            "must be a plain decimal number such as 250 or 12.5, without thousands separators, currency signs or "
            "exponents, with at most 12 digits before the point and 6 behind it"
        )
    return Decimal(text)


def plain(number: Decimal, places: int = 0) -> str:
    """Plain notation with at least `places` decimals and no trailing zeros beyond them: 10.50, 0.03125, 250."""
    text = format(number, "f")
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(places, "0")
    text = f"{whole}.{decimals}" if decimals else whole
    return text.removeprefix("-") if number == 0 else text


def exact_product(left: Decimal, right: Decimal) -> Decimal:
    """The product of two figures of the contract's size, unrounded."""
    return _EXACT.multiply(left, right)


def exact_total(unit_price: Decimal, quantity: Decimal) -> Decimal:
    """Quantity times unit price, exactly, then rounded half up to 2 places (contract, Pricing)."""
    return exact_product(unit_price, quantity).quantize(_CENT, rounding=ROUND_HALF_UP, context=_EXACT)


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

_TEXT: Any = {"type": "string"}
Quantity = Annotated[Decimal, PlainSerializer(plain, return_type=str), WithJsonSchema(_TEXT)]
UnitPrice = Annotated[Decimal, PlainSerializer(lambda n: plain(n, 2), return_type=str), WithJsonSchema(_TEXT)]
Amount = Annotated[
    Decimal,
    PlainSerializer(lambda n: plain(n.quantize(_CENT, ROUND_HALF_UP, _EXACT), 2), return_type=str),
    WithJsonSchema(_TEXT),
]


# --------------------------------------------------------------------------------------------------------- arguments


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


def _id_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


QuantityIn = Annotated[Decimal, BeforeValidator(_positive), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
MoneyIn = Annotated[Decimal, BeforeValidator(_not_negative), WithJsonSchema(_TEXT)]
OptionalMoneyIn = Annotated[
    Decimal | None,
    BeforeValidator(lambda value: None if value == "" else _not_negative(value)),
    WithJsonSchema(_TEXT),
]
"""Money that may be left out: the default is an empty text, which becomes None (`validate_default=True`)."""
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


class Ask(BaseModel):
    """What a tool is asked with. Unknown names and wrong types are refused, never dropped or bent."""

    # Validators are built at the first use (`defer_build`, here and below): a session uses few of the models.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True, defer_build=True)


class Piece(BaseModel):
    """A piece of an answer: closed and frozen, like the answer itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Answer(Piece):
    """What a tool answers: one sentence first; `next` only where something is left to do; `as_of` when it was read."""

    summary: str
    next: str = ""
    as_of: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The structured result: decimals as text, unknown figures as null, `next` only if it says something."""
        data = self.model_dump(mode="json", by_alias=True)
        for name in ("next", "as_of"):
            if not data[name]:
                del data[name]
        return data


# -------------------------------------------------------------------------------------------------------------- text

_SPACES = re.compile(r"[\s\u2800]+")


def clean(text: str, limit: int = 200) -> str:
    """Text that anyone may have typed into an ERP, fit for a sentence of ours: no control, bidirectional or other
    unseen characters, cut. For what is sent, see `characters.spelt_out`, which leaves nothing out."""
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:  # most are
        return text.strip()
    text = _SPACES.sub(" ", text)
    if not (text.isascii() and text.isprintable()):
        text = _SPACES.sub(" ", "".join(c for c in text if not unseen(c)))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def quoted(text: str, limit: int = 60) -> str:
    """A foreign name inside a sentence of ours: cleaned, cut, in quotes that it cannot close."""
    return "'" + clean(text, limit).replace("'", "’") + "'"


def exactly(text: str) -> str:
    """A one-line text that is sent, inside a sentence of ours: whole, spelt out, in quotes that it cannot close."""
    text = spelt_out(text)
    return json.dumps(text, ensure_ascii=False) if "'" in text or "\\" in text else f"'{text}'"


# ------------------------------------------------------------------------------------------------------ JSON schemas


_UNSAID = {"minLength", "maxLength", "maxItems", "minimum"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: flat, closed, without $ref, unions or titles.

    Every client pays for it in tokens at every session, so bounds that no honest caller meets are enforced without
    being stated, and an empty default is left out: what is not required may be left out.
    """
    return cast(dict[str, Any], _lean(_rendered(model, "validation")))


def _lean(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in _UNSAID and not _goes_without(key, value)}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value != ""]
    if "properties" in kept:
        kept["properties"] = {name: _lean(value) for name, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _lean(kept["items"])
    return kept


def _goes_without(key: str, value: object) -> bool:
    return (key == "default" and value in ("", [], 1)) or (key == "maximum" and isinstance(value, int) and value > 200)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a tool's result, without $ref or titles; `null` stands in a type list."""
    schema = _rendered(model, "serialization")
    schema["required"] = [name for name in schema.get("required", []) if name not in {"next", "as_of"}]
    return schema


class _Bare(GenerateJsonSchema):
    """Pydantic's generator without the titles that it makes up, and with null folded into the type."""

    def get_title_from_name(self, name: str) -> str:  # noqa: ARG002 - pydantic's signature
        return ""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if isinstance(kind := inner.get("type"), str):
            return {**inner, "type": [kind, "null"]}
        return {"anyOf": [inner, {"type": "null"}]}


def _rendered(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Bare, mode=mode)
    definitions = schema.pop("$defs", {})
    return cast(dict[str, Any], _inlined(schema, definitions, top=True))


def _inlined(node: Any, definitions: Mapping[str, Any], *, top: bool = False) -> Any:
    """Every $ref replaced by what it names. A docstring of ours is not a description of the wire: dropped."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = dict(definitions[node["$ref"].rpartition("/")[2]])
        target.pop("description", None)
        return _inlined({**target, **{k: v for k, v in node.items() if k != "$ref"}}, definitions)
    if nullable := _nullable_reference(node, definitions):
        return _inlined(nullable, definitions)
    drop = {"title", "description"} if top else {"title"}
    return {
        key: {name: _inlined(value, definitions) for name, value in item.items()}
        if key == "properties"
        else _inlined(item, definitions)
        for key, item in node.items()
        if key not in drop
    }


def _nullable_reference(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any] | None:
    """`anyOf [$ref, null]` as one object schema whose type is [object, null]."""
    match node.get("anyOf"):
        case [{"$ref": str(ref)}, {"type": "null"}]:
            target = {k: v for k, v in definitions[ref.rpartition("/")[2]].items() if k != "description"}
            return {**target, "type": [target["type"], "null"]}
    return None
