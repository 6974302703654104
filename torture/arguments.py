"""Arguments made from the published schemas and mutated beyond them: what a validator of JSON Schema takes, and what
the server takes, are the same, but for the differences that stand in two tables with their reasons.

What the server takes beyond the schema must mean the same as the spelling that the schema takes; what it refuses within
the schema must be refused for what really is the matter with it.
"""

import copy
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from fraction_mcp.errors import InputError
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue
from fraction_mcp.tools.schema import NOT_GIVEN
from torture.spoiling import GONE, WAYS, Place, places, spoilt, unshowable

__all__ = ["REFUSED", "TAKEN", "Arguments"]

Schema = Mapping[str, Any]
_SCHEMAS = Path(__file__).parents[1] / "tool_schemas"


@dataclass(frozen=True, slots=True)
class Taken:
    """A spelling that the schema refuses and the server takes: `spelt` makes of a value at a node of the schema the
    one that the schema takes (GONE: left out), or gives it back as it is. `optional`: only where it may be left out."""

    reason: str
    spelt: Callable[[Any, Schema], Any]
    optional: bool = False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TAKEN: Mapping[str, Taken] = {
    "null is not given": Taken(
        "adapters send null for whatever their model leaves out",
        lambda value, _: GONE if value is None else value,
        optional=True,
    ),
    "an empty choice is not given": Taken(
        f"some clients refuse an empty text in an enum, so that the schema says '{NOT_GIVEN}'; models send it empty",
        lambda value, node: GONE if value == "" and NOT_GIVEN in node.get("enum", ()) else value,
        optional=True,
    ),
    "a number for a text": Taken(
        "ids and amounts are texts, so that none is rounded; a model's number is taken by its digits",
        lambda value, node: _digits(value) if _is_number(value) and _is(node, "string") else value,
    ),
    "an object as a text": Taken(
        "where a host cannot declare an object that may hold anything, its model gives it as JSON text",
        lambda value, node: _object(value) if isinstance(value, str) and _is(node, "object") else value,
    ),
    "a text for a number": Taken(
        "a quantity beyond 15 digits goes exactly only as text; some hosts send every number so",
        lambda value, node: _number(value) if isinstance(value, str) and _is(node, "number") else value,
    ),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """What the schema takes and the server refuses: how its reason begins, and whether it is so of this value."""

    reason: str
    told: str
    holds: Callable[[Any, re.Match[str]], bool]


REFUSED: Mapping[str, Refused] = {
    "an unknown name": Refused(
        "a misspelt argument must not be dropped; `additionalProperties` makes some clients refuse the whole schema",
        r"is not a known name",
        lambda _, __: True,  # the path itself is looked up
    ),
    "an empty text": Refused(
        "what is required must say something; the bound costs tokens in every session",
        r"must not be empty",
        lambda value, _: not str(value).strip(),
    ),
    "too long a text": Refused(
        "bounds that no honest caller meets are enforced without being stated",
        r"must hold at most (\d+) characters",
        lambda value, told: len(str(value)) > int(told[1]),
    ),
    "too long a list": Refused("as above", r"must hold at most (\d+)$", lambda value, told: len(value) > int(told[1])),
    "too small a number": Refused("as above", r"must be (\d+) or more", lambda value, told: value < int(told[1])),
    "too large a number": Refused("as above", r"must be (\d+) or less", lambda value, told: value > int(told[1])),
    "no quantity": Refused(
        "a quantity of nothing, or less, cannot be meant",
        r"must be greater than 0",
        lambda value, _: Decimal(str(value)) <= 0,
    ),
    "a negative price": Refused(
        "an amount is not negative", r"must not be negative", lambda value, _: Decimal(str(value).strip()) < 0
    ),
    "no change": Refused(
        "a change by -100 % leaves no price, one by 0 % changes none",
        r"must be above -100 and not 0",
        lambda value, _: (number := Decimal(str(value).strip(" %"))) <= -100 or number == 0,
    ),
    "no plain decimal": Refused(
        "a comma, a currency or an exponent would have to be guessed at; `pattern` is refused by some clients",
        r"must be a plain decimal number",
        lambda value, _: not re.fullmatch(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?", _digits(value).strip()),
    ),
    "no finite number": Refused(
        "JSON has none, and some hosts send it all the same",
        r"must be a finite number",
        lambda value, _: str(value).strip().lower().lstrip("+-") in {"nan", "inf", "infinity"},
    ),
    "too many digits": Refused(
        "a JSON number of more than 15 digits may have lost some on its way",
        r"has more digits than a JSON number",
        lambda value, _: isinstance(value, float) and len(Decimal(repr(value)).normalize().as_tuple().digits) > 15,
    ),
    "what nobody sees": Refused(
        "what cannot be seen, counted or told apart in a preview cannot be approved (values/characters.py)",
        r"must not hold|holds |begins with|piles more",
        lambda value, _: bool(unshowable([value])) or not value.isascii() or bool(re.search(r"  |[\t\n]", value)),
    ),
}  # fmt: skip


def _is(node: Schema, kind: str) -> bool:
    return node.get("type") == kind and "enum" not in node


def _digits(value: float | str) -> str:
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def _object(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _number(value: str) -> Any:
    try:
        return Decimal(value.strip())
    except ArithmeticError:
        return value


# ------------------------------------------------------------------------------------------------------------ made up

_TEXTS = (
    "", " ", "x", "52", "WIDGET-001", "Acme Corp", "2026-01-31", "2026-02-30", "10.00", "-2.5", "3 %", "-100", "0",
    "1,000", "£5", "1e3", "nan", "٢٥٠", "0.0000001", " 12.5 ", NOT_GIVEN, "contracts", "asc", "=", "is_empty", "*",
    "true", "null", "lines[].qty", "a  b", "a\tb", "a\u00a0b", "\u200bx", "\u202ex", "e\u0301", "\u0301x", "x" * 121,
    "x" * 300, "x" * 5_000, "[]", "{}", "[" * 100_000, "\U0001f600", "Jürgen", "=1+1", "w0123456789ab",
)  # fmt: skip
_NUMBERS = (
    1, 5, 101, 250, 0, -1, 10.0, 12.5, 0.125, 1e-7, 1e15, 10**12, 10**13, 10**40, 0.1 + 0.2, 123456789012.123456, 1e308,
    float("nan"), float("inf"),
)  # fmt: skip
# Half a character never comes this far: stdio replaces it, and over HTTP the request is refused (test_streams.py).
_WAYS = [way for way in WAYS if way is GONE or "\\ud800" not in repr(way)]


def _made(random_: random.Random, node: Schema) -> Any:
    """A value that the schema takes, most of the time."""
    if "enum" in node:
        return random_.choice(node["enum"])
    match node.get("type"):
        case "object":
            required = node.get("required", ())
            names = [name for name in node.get("properties", ()) if name in required or random_.random() < 0.4]
            return {name: _made(random_, node["properties"][name]) for name in names}
        case "array":
            return [_made(random_, node["items"]) for _ in range(random_.choice((0, 1, 1, 2, 3, 101)))]
        case "boolean":
            return random_.random() < 0.5
        case "integer":
            return random_.choice((1, 2, 10, 100, 10.0, 0, -3, 101, 10**7))
        case "number":
            return random_.choice(_NUMBERS)
    return random_.choice(_TEXTS)


def _mutated(random_: random.Random, arguments: dict[str, Any]) -> Any:
    """Something in it is gone, of another type, twice, or new."""
    known = list(places(arguments))[1:]
    match random_.randrange(5) if known else 0:
        case 0:
            return {**arguments, random_.choice(("nonsense", "Part", "", "a\nb", "x" * 300, "\u202e")): 1}
        case 1:
            return spoilt(arguments, random_.choice(known), random_.choice(_TEXTS + _NUMBERS))
        case 2:  # as models and adapters spell it
            return spoilt(arguments, place := random_.choice(known), _otherwise(random_, _value(arguments, place)))
    way = random_.choice(_WAYS)
    return spoilt(arguments, random_.choice(known), way if way is GONE else copy.deepcopy(way))


def _value(arguments: Any, place: Place) -> Any:
    for step in place:
        arguments = arguments[step]
    return arguments


def _otherwise(random_: random.Random, value: Any) -> Any:
    if _is_number(value):
        return str(value)
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return random_.choice((None, "", 52, 12.5, value))


# ---------------------------------------------------------------------------------------------------------- compared


@dataclass(slots=True)
class Arguments:
    """`tried` counts sets of arguments, `met` the differences that are meant, each by its name."""

    random: random.Random
    tried: int = 0
    met: Counter[str] = field(default_factory=Counter)
    _tools: list[tuple[str, Schema, Draft202012Validator]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path in sorted(_SCHEMAS.glob("*.json")):
            published = json.loads(path.read_text(encoding="utf-8"))
            schema = published["inputSchema"]
            self._tools.append((published["name"], schema, Draft202012Validator(schema)))

    def once(self) -> str:
        """One set of arguments, held against both. What is wrong, empty where nothing is."""
        name, schema, validator = self.random.choice(self._tools)
        arguments = _made(self.random, schema)
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            arguments = _mutated(self.random, arguments)
        self.tried += 1
        wrong = self._compared(name, schema, validator, arguments)
        return wrong and f"{name}({arguments!r:.600}): {wrong}"

    def _compared(self, name: str, schema: Schema, validator: Draft202012Validator, arguments: Any) -> str:
        spec = catalogue()[name]
        taken = validator.is_valid(arguments)
        try:
            read = read_arguments(spec, arguments)
        except InputError as error:
            if hidden := unshowable([error.message, error.hint]):
                return f"its refusal tells {hidden}"
            return self._why_refused(schema, arguments, error) if taken else ""
        except Exception as error:  # noqa: BLE001 - whatever gets through is what this looks for
            return f"raises {error!r:.200}"
        return "" if taken else self._why_taken(spec, schema, validator, arguments, read)

    def _why_taken(self, spec: Any, schema: Schema, validator: Draft202012Validator, arguments: Any, read: Any) -> str:
        names: set[str] = set()
        spelt = _spelt(arguments, schema, names)
        if not validator.is_valid(spelt):
            problem = next(validator.iter_errors(spelt))
            return f"taken, though the schema says {problem.message:.200}"
        if read_arguments(spec, spelt) != read:
            return f"taken in another meaning than {spelt!r:.300}"
        self.met.update(names)
        return ""

    def _why_refused(self, schema: Schema, arguments: Any, error: InputError) -> str:
        for path, reason in error.problems.items():
            kind = next((name for name, each in REFUSED.items() if re.match(each.told, reason)), "")
            if not kind:
                return f"refused for a reason that no table holds: {path}: {reason}"
            found = _at(arguments, path)
            told = re.match(REFUSED[kind].told, reason)
            assert told is not None
            if kind == "an unknown name":
                wrong = found is not GONE and _known(schema, path)
            else:
                wrong = found is GONE or not REFUSED[kind].holds(found, told)
            if wrong:
                return f"refused for what is not so: {path}: {reason}"
            self.met[kind] += 1
        return ""


def _spelt(value: Any, node: Schema, names: set[str], *, optional: bool = False) -> Any:
    """As the schema has it; `names` collects the differences that this took."""
    for name, taken in TAKEN.items():
        changed = value if taken.optional and not optional else taken.spelt(value, node)
        if changed is not value:
            names.add(name)
            return changed
    if isinstance(value, dict) and "properties" in node:
        inner = {
            key: _spelt(
                item, node["properties"].get(key, {}), names,
                optional=key in node["properties"] and key not in node.get("required", ()),
            )
            for key, item in value.items()
        }  # fmt: skip
        return {key: item for key, item in inner.items() if item is not GONE}
    if isinstance(value, list):
        return [_spelt(item, node.get("items", {}), names) for item in value]
    return value


def _steps(path: str) -> Iterator[str | int]:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        yield name or int(index)


def _at(arguments: Any, path: str) -> Any:
    """What stands at a path as a refusal spells it; GONE where nothing does, or the name was cut or cleaned."""
    value = arguments
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return GONE
    return value


def _known(schema: Schema, path: str) -> bool:
    node: Any = schema
    for step in _steps(path):
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step)
        if node is None:
            return False
    return True
