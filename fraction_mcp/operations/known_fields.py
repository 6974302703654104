"""Which fields the records of each kind were seen to have, and what was made of a look at them.

No document states the fields of most kinds. What has been seen is remembered for an hour, so that a guessed name is
refused before pages are read for it: of a kind that was seen whole, since a page may lack what only few records have.
Nothing here reads.
"""

import difflib
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar, cast

from fraction_mcp.erp import Erp, freshness
from fraction_mcp.erp.endpoints import KINDS
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import InputError
from fraction_mcp.operations.naming import bare_or_quoted, words_of
from fraction_mcp.operations.results import ToolResult
from fraction_mcp.values.text import quoted

__all__ = ["FieldNames", "KnownFields", "Recalled", "field_paths", "nearest", "refuse_unknown"]

ResultT = TypeVar("ResultT", bound=ToolResult)

_HOUR_S = 3_600
_MOST = 1_000  # names of one kind; where there are more, a name that is not among them may be one all the same
_NAMED = 80  # field paths that an error names
_ALIKE = 100  # records of one shape that are looked at for their fields
_NEAR = 3
_DEPTH = 2
_CLOSE = 0.6


def field_paths(record: Record, depth: int = _DEPTH) -> Iterable[str]:
    """The paths that a record offers, as deep as one reads: `status`, `customer.name`, `lines[].part.part_number`."""
    for name, value in record.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and inner and depth:
            each = "[]" if isinstance(value, list) else ""
            yield from (f"{name}{each}.{path}" for path in field_paths(inner, depth - 1))
        else:
            yield name


class FieldNames:
    """The field paths that records offer, of however many records."""

    def __init__(self) -> None:
        self._whole_at: int | None = None
        self._names: dict[str, None] = {}
        self._shapes: dict[tuple[str, ...], int] = {}
        self._skipped = False

    def look(self, records: Iterable[Record]) -> None:
        for record in records:
            shape = tuple(record)
            seen = self._shapes.get(shape, 0)
            if seen < _ALIKE and len(self._names) < _MOST:  # more of the same would cost more than folding them
                self._shapes[shape] = seen + 1
                self._names.update(dict.fromkeys(field_paths(record)))
            else:
                self._skipped = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def may_hold(self, path: str) -> bool:
        """Whether a path is one of these, leads to one, or goes deeper than was looked."""
        if not self._names or len(self._names) >= _MOST or path in self._names:
            return True
        return any(
            name.startswith((f"{path}.", f"{path}[", path if path.endswith("]") else f"{path}."))
            or path.startswith((f"{name}.", f"{name}["))
            for name in self._names
        )

    def seen_whole(self, writes: int) -> None:
        """Every record that there is was looked at, after so many writes (`Erp.writes`): another may bring a field."""
        self._whole_at = writes

    def rules_out(self, path: str, writes: int) -> bool:
        """Whether no record of the kind has it. What lies deeper was not looked for in each of very many records."""
        if self._whole_at != writes or self.may_hold(path):
            return False
        top = re.split(r"[.\[]", path)[0]
        return not self._skipped or not any(re.split(r"[.\[]", name)[0] == top for name in self._names)


class KnownFields:
    """The fields of each kind, as they were seen within the last hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[str, tuple[float, FieldNames]] = {}

    def of(self, kind: str) -> FieldNames:
        since, names = self._kinds.get(kind, (self._clock(), FieldNames()))
        if self._clock() - since > _HOUR_S:
            since, names = self._clock(), FieldNames()
        self._kinds[kind] = (since, names)
        return names

    def check(self, kind: str, paths_by_argument: Mapping[str, Sequence[str]], *, writes: int) -> None:
        """Raises InputError for paths (by argument) that no record has, of a kind that was seen whole after so many
        writes."""
        names = self.of(kind)
        unknown = {
            argument: [path for path in paths if names.rules_out(path, writes)]
            for argument, paths in paths_by_argument.items()
        }
        refuse_unknown(unknown, names, noun=KINDS[kind].noun)


class Recalled:
    """What was made of reads, for an hour, and no longer than until the next write. It is as old as those reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[str, tuple[float, int, datetime, ToolResult]] = {}

    async def recall(self, what: str, erp: Erp, make: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """What `make` answered within the hour, or answers now. Only whole answers are kept: a failure is raised."""
        made = self._made.get(what)
        if made is None or self._clock() - made[0] > _HOUR_S or made[1] != erp.writes:
            began, writes = self._clock(), erp.writes
            with freshness.gathered() as reads:
                answer = await make()
            made = self._made[what] = (began, writes, reads.oldest or datetime.now(UTC), answer)
        freshness.read(made[2])
        return cast(ResultT, made[3])


def refuse_unknown(
    paths_by_argument: Mapping[str, Sequence[str]], fields: Iterable[str], *, noun: str = "record", among: str = ""
) -> None:
    """Raises InputError for the paths (by argument) that no record had, naming the nearest and all fields that exist.
    `among` says which records were looked at, where it was not all."""
    names = list(fields)
    problems = {
        argument: f"no {noun}{among} has {', '.join(quoted(path) for path in paths)}{_meant(paths, names)}"
        for argument, paths in paths_by_argument.items()
        if paths
    }
    if problems:
        raise InputError(problems, hint=f"The fields here are: {_listed(names[:_NAMED])}.")


def _meant(paths: Sequence[str], names: Sequence[str]) -> str:
    near = list(dict.fromkeys(name for path in paths for name in nearest(path, names)))
    return f"; did you mean {_listed(near, ' or ')}?" if near else ""


def _listed(names: Sequence[str], between: str = ", ") -> str:
    """The ERP's own words: bare only where they can be nothing but a name."""
    return between.join(bare_or_quoted(name) for name in names)


def nearest(path: str, names: Iterable[str]) -> list[str]:
    """The names that may have been meant: those that share its words, or are spelt alike; the nearest first."""
    words = words_of(path)

    def closeness(name: str) -> float:
        return len(words & words_of(name)) + difflib.SequenceMatcher(None, path.casefold(), name.casefold()).ratio()

    close = {name: closeness(name) for name in names}
    return sorted((name for name in close if close[name] >= _CLOSE), key=lambda name: -close[name])[:_NEAR]
