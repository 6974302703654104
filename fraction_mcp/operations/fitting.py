"""A record, whole as far as a result has room: texts cleaned, decimals exact, nothing endless, and what is cut is told.

What is left out is marked where it was (`… 140 more`), and named by its path in `left_out`. Single values come first,
since a long list must not take the room of a status; lists share what is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from fraction_mcp.operations.results import ResultPart
from fraction_mcp.values.decimals import plain
from fraction_mcp.values.text import clean

__all__ = ["ROOM", "Shown", "pieces_fitting", "presented", "shown_number", "whole"]

ROOM = 20_000  # characters of a result: some 6,000 tokens
_TEXT = 2_000
_NAME = 80
_DEPTH = 6
_ITEMS = 200
_FIELDS = 1_000
_MORE = "…"
_LEAST = 40  # characters of a text, however little room there is


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as a result holds it. `left_out` names what is missing: `lines (60 of 200)`."""

    value: Any
    left_out: Sequence[str]


def presented(value: Any) -> Any:
    """A value of a record as JSON that is safe to show, within the room of a result."""
    return whole(value).value


def whole(value: Any, room: int = ROOM) -> Shown:
    """The same, with the names of what was left out."""
    fit = _Fit(room)
    return Shown(fit.value(value, "", 0), tuple(fit.left_out))


def pieces_fitting(pieces: Iterable[ResultPart], room: int = ROOM) -> int:
    """How many pieces of an answer, whole ones, there is room for."""
    count = 0
    for piece in pieces:
        room -= len(piece.model_dump_json())
        if room < 0:
            break
        count += 1
    return count


def shown_number(value: Decimal) -> str:
    return plain(value) if abs(value.adjusted()) < 40 else "unreadable number"


@dataclass(slots=True, eq=False, repr=False)
class _Fit:
    """Room that is used up as a value is gone through. `short` is whether something was left out for want of it."""

    room: int
    left_out: list[str] = field(default_factory=list)
    short: bool = False

    def value(self, value: Any, path: str, depth: int) -> Any:
        if not isinstance(value, dict | list):
            shown = self._single(value, path)
            self.room -= len(str(shown)) + 3
            return shown
        if depth >= _DEPTH and value:
            self.left_out.append(f"{path} (what is in it)")
            return _MORE if isinstance(value, dict) else [_MORE]
        return self._object(value, path, depth) if isinstance(value, dict) else self._list(value, path, depth)

    def _single(self, value: Any, path: str) -> Any:
        if isinstance(value, Decimal):
            return shown_number(value)
        if not isinstance(value, str):
            return value
        limit = max(min(_TEXT, self.room), _LEAST)
        shown = clean(value, limit)
        if len(shown) == limit and shown.endswith(_MORE) and len(value) > limit:
            self.left_out.append(f"{path or 'the text'} ({limit - 1:,} of {len(value):,} characters)")
            self.short = self.short or limit < _TEXT
        return shown

    def _object(self, value: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        names = _names(value)
        shown: dict[str, Any] = dict.fromkeys(names.values())  # in the order in which they came
        held = [name for name in names if isinstance(value[name], dict | list)]
        single = [name for name in names if not isinstance(value[name], dict | list)]
        for turn, name in enumerate((*single, *held)):
            self.room -= len(names[name]) + 4
            if self.room <= 0 and name != "id":
                del shown[names[name]]
                continue
            inner = _Fit(self.room if turn < len(single) else self.room // (len(names) - turn))
            before = inner.room
            shown[names[name]] = inner.value(value[name], f"{path}.{names[name]}" if path else names[name], depth + 1)
            self._took(inner, before - inner.room)
        if len(shown) < len(value):
            self.left_out.append(f"{path or 'the record'} ({len(shown):,} of {len(value):,} fields)")
            shown[_MORE] = f"{len(value) - len(shown):,} more fields"
            self.short = True
        return shown

    def _list(self, value: Sequence[Any], path: str, depth: int) -> list[Any]:
        shown: list[Any] = []
        for item in value[:_ITEMS]:
            inner = _Fit(self.room)
            each = inner.value(item, f"{path}[]", depth + 1)
            # Whole ones, but for a first one that is too long by itself.
            if self.room <= 0 or (shown and (inner.short or inner.room < 0)):
                self.short = True
                break
            shown.append(each)
            self._took(inner, self.room - inner.room)
        if len(shown) < len(value):
            self.left_out.append(f"{path or 'the list'} ({len(shown):,} of {len(value):,})")
            shown.append(f"{_MORE} {len(value) - len(shown):,} more")
        return shown

    def _took(self, inner: "_Fit", room: int) -> None:
        self.room -= room
        self.short = self.short or inner.short
        self.left_out += inner.left_out


def _names(value: Mapping[str, Any]) -> dict[str, str]:
    """The first fields' names, each as it is shown. Two that are the same once they are cut stay two."""
    names: dict[str, str] = {}
    taken = dict[str, int]()
    for name in (*islice(value, _FIELDS), *(["id"] if "id" in value else [])):
        if name in names:
            continue
        short = shown = clean(name, _NAME)
        while shown in taken:
            taken[short] += 1
            shown = f"{short} ({taken[short]})"
        taken[shown] = 1
        names[name] = shown
    return names
