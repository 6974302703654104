"""Conditions on records of undocumented fields: numbers as numbers, dates as dates, texts without regard to case.

A date stands for its whole day, as the record writes it; a time is compared as an instant, in UTC where it names no
zone, and a record that has a date only then counts as the beginning of that day.

A path that runs through a list (`lines[].part_number`) holds if it holds for any element.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.naming import bare_or_quoted
from fraction_mcp.operations.records.figures import currency_of
from fraction_mcp.operations.records.table import AMOUNTS, called
from fraction_mcp.values.text import clean

__all__ = ["Condition", "Filters", "as_date", "as_number", "is_amount", "several_currencies"]

Condition = tuple[str, str, str, Sequence[str]]
"""A field path, an operator, a value, and for `in` the values."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# What somebody wrote as a number. A part number such as 00042 or 1E5 is none, whatever Python makes of it.
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]{0,29})(\.[0-9]{0,60})?|\.[0-9]{1,60})")
_FEW = 12  # values of a field that are named
_AMOUNT = re.compile(f"(?i){AMOUNTS}")
_DAY = len("2026-12-31")
_DECADES = 30
_LARGE = 10**_DECADES
_DIGITS = 90  # of a number that is counted with; more were never meant


@dataclass(slots=True)
class _Test:
    path: str
    holds: Callable[[Any], bool]
    said: str = ""
    met: bool = False  # whether any record had the field
    held: bool = False  # whether it held for any
    values: "Counter[str] | None" = None  # of a field that is asked for by its whole value, while they are few
    currencies: "set[str] | None" = None  # of the records whose amount was compared

    def look(self, record: Record, value: Any) -> None:
        """Notice what an answer is owed: which values there are, in how many currencies amounts were compared."""
        self.met = self.met or value is not ABSENT
        if self.values is not None:
            self.values.update(filter(None, map(called, _each(value))))
            if len(self.values) > _FEW:
                self.values = None
        if self.currencies is not None and len(self.currencies) < _FEW:
            self.currencies.add(currency_of(record))


class Filters:
    """All conditions together. Raises InputError for one that cannot mean anything."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._tests = [_made(index, condition) for index, condition in enumerate(conditions)]

    def __bool__(self) -> bool:
        return bool(self._tests)

    def match(self, record: Record) -> bool:
        """Whether every condition holds. Each is looked at, so that an unknown field is noticed."""
        holds = True
        for test in self._tests:
            value = at_path(record, test.path)
            test.look(record, value)
            held = test.holds(value)
            test.held = test.held or held
            holds = held and holds
        return holds

    def unknown(self) -> list[str]:
        """The paths that no record had so far."""
        return [test.path for test in self._tests if not test.met]

    def values_there(self) -> str:
        """For whoever asked for a value that no record has: the few values there are, with their counts."""
        return " ".join(
            f"No record has {_shown(test.path)} {_shown(test.said)}: there are "
            f"{', '.join(f'{_shown(value)} ({count})' for value, count in test.values.most_common())}."
            for test in self._tests
            if test.values and not test.held
        )

    def warnings(self) -> list[str]:
        return [warning for test in self._tests for warning in several_currencies(test.path, test.currencies or ())]


def several_currencies(path: str, currencies: Iterable[str]) -> list[str]:
    """A warning where amounts of several currencies were compared, as numbers."""
    named = sorted(filter(None, currencies))
    if len(named) < 2:
        return []
    among = ", ".join(map(_shown, named[:5]))
    return [f"Amounts of several currencies ({among}) were compared by {_shown(path)} as numbers: filter by currency."]


def is_amount(path: str) -> bool:
    """Whether a field is called as amounts of money are."""
    return bool(_AMOUNT.search(path.rpartition(".")[2]))


def _shown(text: str) -> str:
    return bare_or_quoted(clean(text, 40))


def _made(index: int, condition: Condition) -> _Test:
    path, op, value, values = condition
    test = _Test(path, _test(index, op, value, values), said=value or ", ".join(values))
    if op in {"=", "in"}:
        test.values = Counter()
    if op in {"<", "<=", ">", ">="} and as_number(value) is not None and is_amount(path):
        test.currencies = set()
    return test


def _test(index: int, op: str, value: str, values: Sequence[str]) -> Callable[[Any], bool]:
    where = f"filters[{index}]"
    if op == "is_empty":
        if value.lower() not in {"", "true", "false"}:
            raise InputError({f"{where}.value": 'must be left out, "true" or "false" with is_empty'})
        wanted = value.lower() != "false"
        return lambda held: _is_empty(held) is wanted
    if op == "in":
        if not values:
            raise InputError({f"{where}.values": "must hold at least one value with in"})
        options = [_compared("=", option) for option in values]
        return lambda held: any(option(item) for item in _each(held) for option in options)
    if values:
        raise InputError({f"{where}.values": f"goes with in, not with {op}; use value"})
    if op == "contains":
        wanted_text = _folded(value)
        return lambda held: any(wanted_text in _folded(called(item)) for item in _each(held))
    test = _compared(op, value)
    if op == "!=":
        return lambda held: all(test(item) for item in _each(held)) or _is_empty(held)
    return lambda held: any(test(item) for item in _each(held))


def _compared(op: str, value: str) -> Callable[[Any], bool]:
    """A comparison by what the value is: a number, a date, or a text (which knows `=`, `!=` and alphabetical order)."""
    compare = _COMPARE[op]
    number, day, text = as_number(value), as_date(value), _folded(value)
    instant = _instant(value) if day is not None and len(value.strip()) > _DAY else None

    def test(item: Any) -> bool:
        if number is not None and (figure := as_number(item)) is not None:
            return compare(figure, number)
        if day is not None and (dated := as_date(item)) is not None:
            return compare(dated, day) if instant is None else compare(_instant(item), instant)
        if op not in {"=", "!="} and (number is not None or day is not None):
            return False  # a text is neither above nor below a number
        return compare(_folded(called(item)), text)

    return test


def _folded(text: str) -> str:
    """How texts are compared: case and surrounding space aside, and uncut."""
    return clean(text, len(text) + 1).casefold()


def _each(held: Any) -> list[Any]:
    if held is ABSENT or held is None:
        return []
    return held if isinstance(held, list) else [held]


def _is_empty(held: Any) -> bool:
    if isinstance(held, list):
        return all(_is_empty(item) for item in held)
    return held is ABSENT or held is None or held == {} or (isinstance(held, str) and not held.strip())


def as_number(value: Any) -> Decimal | None:
    """A number in either spelling; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    if type(value) is int and -_LARGE < value < _LARGE:
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    believable = number.is_finite() and abs(number.adjusted()) < _DECADES
    return number if believable and len(number.as_tuple().digits) < _DIGITS else None


def as_date(value: Any) -> date | None:
    """The day of an ISO date or time; None for anything else."""
    if not isinstance(value, str) or not _DATE.match(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip()).date()
    except ValueError:
        return None


def _instant(text: str) -> datetime:
    """The moment of what `as_date` takes for a date or time."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
