"""How to know a write's record: in the answer to it, and in the ERP afterwards.

A record is the write's own where it was not there before and contradicts nothing that was sent. That is the proof of a
success, whoever says so, and what reading back looks for. Numbers are compared as numbers, and a price that the ERP
rounded is still the price that was sent, with the difference told. What replaces something changes a record that was
there before: it is known by its content alone.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import NAMED, Endpoint
from fraction_mcp.erp.paths import ABSENT, at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.request import encode
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.values.decimals import plain
from fraction_mcp.values.text import normalised

__all__ = ["FrozenLook", "Leeway", "LookFor", "Sighting", "differences", "look_for", "proof_of", "record_id"]

_LEAST_PLACES = 2  # an ERP rounds a price to cents or finer; anything coarser is another price


@dataclass(frozen=True, slots=True)
class Leeway:
    """Names of figures that a record may hold otherwise than they were sent, which is then said: `rounded` ones by
    their last decimals, `told` ones by anything."""

    rounded: Sequence[str] = ()
    told: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LookFor:
    """What a write's record looks like, and where it would be found.

    `match` maps field paths to values that it must hold, `unlike` to values that it may leave out and must not
    contradict. `known` are the ids that were there before, None where they could not be read. `telling`: whether
    `match` tells it from another record at all. `id_field` holds what tells records of the list apart.
    """

    endpoint: Endpoint
    match: Mapping[str, Any]
    unlike: Mapping[str, Any] = field(default_factory=dict)
    leeway: Leeway = Leeway()
    path: Mapping[str, str | int] = field(default_factory=dict)
    query: Mapping[str, str | int] = field(default_factory=dict)
    known: Sequence[Any] | None = ()
    telling: bool = True
    id_field: str = "id"


@dataclass(frozen=True, slots=True)
class FrozenLook:
    """A look as the journal keeps it. `replaces`: whether the record was there before by nature."""

    endpoint: str
    match: str  # as text: its numbers must come back as decimals
    unlike: str
    leeway: Leeway
    path: Mapping[str, str | int]
    query: Mapping[str, str | int]
    known: tuple[str, ...] | None
    telling: bool
    replaces: bool
    id_field: str

    @classmethod
    def of(cls, look: LookFor, *, replaces: bool) -> "FrozenLook":
        return cls(
            endpoint=look.endpoint.key,
            match=encode(look.match),
            unlike=encode(look.unlike),
            leeway=look.leeway,
            path=dict(look.path),
            query=dict(look.query),
            known=None if look.known is None else tuple(str(known_id) for known_id in look.known),
            telling=look.telling,
            replaces=replaces,
            id_field=look.id_field,
        )

    @classmethod
    def from_json(cls, look: Mapping[str, Any]) -> "FrozenLook":
        """One of a journal of version 1 says less. Raises KeyError, TypeError or ValueError for what is no look."""
        replaces = look.get("replaces", NAMED[look["endpoint"]].method == "PUT")
        return cls(
            endpoint=look["endpoint"],
            match=look["match"],
            unlike=look["unlike"],
            leeway=Leeway(*(tuple(names) for names in look.get("leeway", ()))),
            path=look["path"],
            query=look["query"],
            known=None if look["known"] is None else tuple(map(str, look["known"])),
            telling=look.get("telling", True),
            replaces=replaces,
            id_field=look.get("id_field", "customer_id" if replaces else "id"),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint,
            "match": self.match,
            "unlike": self.unlike,
            "leeway": [list(self.leeway.rounded), list(self.leeway.told)],
            "path": dict(self.path),
            "query": dict(self.query),
            "known": None if self.known is None else list(self.known),
            "telling": self.telling,
            "replaces": self.replaces,
            "id_field": self.id_field,
        }

    def is_old(self, record: Mapping[str, Any], taken: Collection[str]) -> bool:
        """Whether a record cannot be what the write made, since it was there before or another write has made it."""
        return not self.replaces and record_id(record, self.id_field) in {*(self.known or ()), *taken}


def record_id(record: Mapping[str, Any], name: str = "id") -> str:
    """A record's id as text, however the ERP spells it; empty where it has none."""
    value = record.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


# ------------------------------------------------------------------------------------------------ the answer to a write


@dataclass(frozen=True, slots=True)
class Proof:
    """The write's record in the answer to it, and what the ERP keeps otherwise than it was sent; or why it is none."""

    record: Record | None
    told: tuple[str, ...] = ()
    flaw: str = ""


def proof_of(answer: ErpAnswer, look: FrozenLook, taken: Collection[str]) -> Proof:
    """Whether an answer in the form of a success proves one. `taken` are ids that other writes are known to have
    made."""
    match, unlike = _thawed(look.match), _thawed(look.unlike)
    rows = answer.data if isinstance(answer.data, list) else [answer.data]
    if look.replaces and len(rows) > 1:  # the answer may list what else there is beside it
        own = str(match.get(look.id_field))
        rows = [row for row in rows if isinstance(row, dict) and record_id(row, look.id_field) == own]
    if len(rows) != 1 or not isinstance(rows[0], dict):
        return Proof(None, flaw="its answer is not one record")
    record: Record = rows[0]
    if not record_id(record, look.id_field):
        return Proof(None, flaw="the record in its answer has no id")
    if look.is_old(record, taken):
        return Proof(None, flaw="the record in its answer was there before")
    deviations: list[str] = []
    for path, wanted in {**match, **unlike}.items():
        held = at_path(record, path)
        if held is ABSENT or wanted is None:  # what was not sent, the ERP may have filled in
            continue
        different = differences(held, wanted, look.leeway, path)
        if different is None:
            return Proof(None, flaw=f"the record in its answer has another {path.replace('_', ' ')} than was sent")
        deviations += different
    return Proof(record, tuple(deviations))


# --------------------------------------------------------------------------------------------------------- reading back


@dataclass(frozen=True, slots=True)
class Sighting:
    """What looking for a write found: one record, several, or none; `unsure` where seeing it would prove nothing.

    `others` are those that stand in its place and were there before, or are another write's.
    """

    found: Literal["one", "several", "none", "unsure"]
    record: Record | None = None
    told: tuple[str, ...] = ()
    others: int = 0


async def look_for(erp: Erp, look: FrozenLook, taken: Collection[str] = ()) -> Sighting:
    """Look for what a write made. Raises ErpError. None seen is no proof that nothing landed."""
    if look.known is None or not look.telling:
        return Sighting("unsure")
    answer = await erp.call(NAMED[look.endpoint], path=look.path, query=look.query, fresh=True)
    match, unlike = _thawed(look.match), _thawed(look.unlike)
    hits: list[tuple[Record, tuple[str, ...]]] = []
    others = 0
    for record in answer.records():
        deviations = _agrees(record, match, look.leeway, may_lack=False)
        if deviations is None:
            continue
        more = _agrees(record, unlike, look.leeway, may_lack=True)
        if look.is_old(record, taken):
            others += 1
        elif more is not None:
            hits.append((record, (*deviations, *more)))
    if len(hits) == 1:
        return Sighting("one", *hits[0], others)
    return Sighting("several" if hits else "none", others=others)


def _agrees(record: Record, wanted: Mapping[str, Any], leeway: Leeway, *, may_lack: bool) -> list[str] | None:
    """What differs without contradicting; None where the record contradicts, or lacks what it must hold."""
    deviations: list[str] = []
    for path, value in wanted.items():
        held = at_path(record, path)
        if held is ABSENT and may_lack:
            continue
        different = differences(held, value, leeway, path)
        if different is None:
            return None
        deviations += different
    return deviations


def _thawed(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return value


# ------------------------------------------------------------------------------------------------------------ comparing


def differences(held: Any, wanted: Any, leeway: Leeway, name: str = "") -> list[str] | None:
    """What a field holds otherwise than it was sent, in words; empty where it is the same however the ERP spells it.

    None where it contradicts.
    """
    match wanted:
        case dict():
            if not isinstance(held, dict):
                return None
            return _joined(differences(held.get(key, ABSENT), value, leeway, key) for key, value in wanted.items())
        case list():
            return _lists(held, wanted, leeway, name) if isinstance(held, list) else None
        case bool():
            return [] if held is wanted else None
        case None:
            return [] if held is None or held is ABSENT or held == "" else None
        case int() | Decimal():
            return _numbers(_number(held), Decimal(wanted), leeway, name)
        case _:
            return [] if isinstance(held, str | int | Decimal) and normalised(held) == normalised(wanted) else None


def _joined(parts: Iterable[list[str] | None]) -> list[str] | None:
    words: list[str] = []
    for part in parts:
        if part is None:
            return None
        words += part
    return words


def _lists(held: list[Any], wanted: list[Any], leeway: Leeway, name: str) -> list[str] | None:
    """The same entries in any order, each paired with the one that it differs least from."""
    if len(held) != len(wanted):
        return None
    left, words = list(held), list[str]()
    for value in wanted:
        compared = [(differences(item, value, leeway, name), index) for index, item in enumerate(left)]
        near = min(((different, index) for different, index in compared if different is not None),
                   key=lambda pair: len(pair[0]), default=None)  # fmt: skip
        if near is None:
            return None
        words += near[0]
        del left[near[1]]
    return words


def _numbers(held: Decimal | None, wanted: Decimal, leeway: Leeway, name: str) -> list[str] | None:
    if held is None:
        return None
    if held == wanted:
        return []
    if name in leeway.told or (name in leeway.rounded and _is_rounded(held, wanted)):
        return [f"{plain(held, 2)} is kept where {plain(wanted, 2)} was sent ({name.replace('_', ' ')})"]
    return None


def _is_rounded(held: Decimal, wanted: Decimal) -> bool:
    """Whether `held` is `wanted` with fewer decimals, rounded or cut off."""
    places = max(-int(held.normalize().as_tuple().exponent), _LEAST_PLACES)
    return -int(wanted.as_tuple().exponent) > places and abs(held - wanted) < Decimal(1).scaleb(-places)


def _number(value: Any) -> Decimal | None:
    try:
        number = None if isinstance(value, bool) else Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number is not None and number.is_finite() else None
