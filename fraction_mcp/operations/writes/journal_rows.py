"""What the journal's rows say: read into writes and events, spelt for the database, and held against the chain.

Knows rows and JSON; asks no database anything.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, cast

import sqlalchemy as sa

from fraction_mcp.errors import JournalError
from fraction_mcp.operations.writes.event import Event, EventDetail
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.states import MOVES, State, Step
from fraction_mcp.operations.writes.write import Write, WriteOutcome

__all__ = [
    "chained",
    "dumped",
    "is_chained",
    "joined",
    "read_event",
    "read_write",
    "readable",
    "row_flaw",
    "table_flaw",
]


def joined(approvers: Sequence[str]) -> str:
    """People in one column, each between commas, so that one is found by a text; empty where there are none."""
    return f",{','.join(approvers)}," if approvers else ""


def row_flaw(row: sa.Row[Any], events: Sequence[Event]) -> str:
    """Which column of a write its events do not bear out; empty where they bear out all. An event of an older journal
    says less. Raises ValueError for a row that is not JSON where it should be."""
    kept = {**row._asdict(), "plan": _loaded(row.plan), "outcome": _loaded(row.outcome)}
    plans = [event.detail for event in events if MOVES[event.kind].plans]
    if not plans:
        return "it was never proposed"
    if differs := [name for name, value in plans[-1].items() if name in _COMPARED and kept[name] != value]:
        return f"its {differs[0]} is not the one of its events"
    # Older journals know no batches, and what is planned anew stays where it is.
    if (kept["batch"], kept["position"]) != (plans[0].get("batch", ""), plans[0].get("position", 0)):
        return "its place in a batch is not the one of its events"
    if kept["approvers"] != joined(plans[-1].get("approvers", ())):
        return "who must approve it is not what its events say"
    states = [state for event in events if (state := MOVES[event.kind].to) is not None]
    if kept["state"] != states[-1]:
        return f"it is called {kept['state']}, and its events make it {states[-1]}"
    ends = [event.detail for event in events if MOVES[event.kind].tells or _has_reason(event)]
    outcome = {name: value for name, value in (ends[-1] if ends else {}).items() if name not in _OF_THE_EVENT}
    return "" if kept["outcome"] == outcome else "its outcome is not the one of its events"


def _has_reason(event: Event) -> bool:
    """A no tells something where a reason was given with it."""
    return event.kind in {Step.DECLINED, Step.CANCELLED} and "reason" in event.detail


def table_flaw(rows: Sequence[sa.Row[Any]], events: Sequence[Event]) -> str:
    """The first write whose row is not what its events say, and why; empty where there is none."""
    by_write: dict[str, list[Event]] = {}
    for event in events:
        by_write.setdefault(event.write_id, []).append(event)
    for row in rows:
        try:
            if not (flaw := row_flaw(row, by_write.pop(row.id, []))):
                read_write(row)
        except (JournalError, ValueError):
            flaw = "it cannot be read"
        if flaw:
            return f"the write {row.id} was changed: {flaw}"
    return f"the write {next(iter(by_write))} is missing" if by_write else ""


def chained(before: str, *facts: object) -> str:
    """The hash of an event: over the one before it and all that it says."""
    return hashlib.sha256("\n".join((before, *map(str, facts))).encode()).hexdigest()


def is_chained(row: sa.Row[Any], before: str) -> bool:
    """Whether an event's hash is that of its text, as it is stored, behind the hash of the one before."""
    return str(row.hash) == chained(before, row.seq, row.write_id, row.at, row.kind, row.detail)


def dumped(value: Mapping[str, Any]) -> str:
    """JSON, always spelt the same way. What an ERP sent may hold anything: what a database cannot keep is replaced."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return _HALVES.sub("\ufffd", text)


def read_write(row: sa.Row[Any]) -> Write:
    """Raises JournalError for a row that no journal wrote."""
    held = row._asdict()
    try:
        held["state"] = State(held["state"])
        held["approvers"] = tuple(filter(None, held["approvers"].split(",")))
        held["identity"] = ErpIdentity.parse(held["identity"])
        held["plan"] = FrozenPlan.from_json(_loaded(held["plan"]))
        held["outcome"] = WriteOutcome.from_json(_loaded(held["outcome"]))
        held["expires_at"] = min(float(held["expires_at"]), _FAR)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _changed(f"the write {held['id']}") from error
    return Write(**{name: held[name] for name in _FIELDS})


def readable(rows: Sequence[sa.Row[Any]]) -> list[Write]:
    writes = []
    for row in rows:
        with suppress(JournalError):
            writes.append(read_write(row))
    return writes


def read_event(row: sa.Row[Any]) -> Event:
    """Raises JournalError as `read_write` does."""
    try:
        return Event(row.seq, row.write_id, row.at, Step(row.kind), cast("EventDetail", _loaded(row.detail)), row.hash)
    except ValueError as error:
        raise _changed(f"event {row.seq}") from error


_OF_THE_EVENT = frozenset({"by", "owner", "content_sha256"})
_FAR = 32_503_680_000.0  # the year 3000: beyond the calendar, nothing could say when it is
_COMPARED = frozenset({"key", "identity", "digest", "plan", "asker", "expires_at", "asked_by"})
_FIELDS = tuple(field.name for field in fields(Write))  # the table may hold more, for queries
_HALVES = re.compile("[\ud800-\udfff]")  # of a character outside the basic plane: UTF-8 has no way to write one alone


def _loaded(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        value = None
    if not isinstance(value, dict):
        raise ValueError("a journal holds objects")  # noqa: TRY004 - the value's trouble, whatever is wrong with it
    return value


def _changed(what: str) -> JournalError:
    return JournalError(f"{what} in the journal cannot be read: something else than this program changed it")
