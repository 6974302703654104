"""The journal's tables, and one transaction on them: changes to writes, and the chain of events."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.errors import JournalError
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.migrations import GENESIS
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.states import MOVES, WAITING, State, Step
from fraction_mcp.operations.writes.write import Draft, Event, Write, WriteOutcome

__all__ = ["GENESIS", "Transaction", "chain_flaw", "due", "dumped", "read_event", "read_write", "table_flaw"]

# What the newest schema holds, for queries; `migrations` alone makes it, and a test compares the two.
metadata = sa.MetaData()
writes = sa.Table(
    "writes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("state", sa.String(24), nullable=False, index=True),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("updated_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("owner", sa.String(80), nullable=False, default=""),
    sa.Column("lease_until", sa.Float(53), nullable=False, default=0.0),
    sa.Column("token_hash", sa.String(64), nullable=False, default=""),
    sa.Column("outcome", sa.Text, nullable=False, default="{}"),
    sa.Column("asker", sa.String(120), nullable=False, index=True, server_default=""),
    sa.Column("batch", sa.String(32), nullable=False, index=True, server_default=""),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("write_id", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
# One row: the end of the chain. Locking it first is what serialises every transaction (on SQLite, which has no row
# locks and leaves FOR UPDATE out, BEGIN IMMEDIATE does).
head = sa.Table(
    "head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)


class Transaction:
    """One transaction: changes to writes, and their events."""

    def __init__(self, connection: AsyncConnection, clock: Callable[[], float]) -> None:
        self.execute = connection.execute
        self._clock = clock
        self._now = clock()
        self._hash = ""
        self._seq = 0

    async def lock(self) -> None:
        """Waits for whoever is changing something, and reads the end of the chain. The time is that of its turn."""
        at = (await self.execute(sa.select(head.c.seq, head.c.hash).with_for_update())).one()
        self._seq, self._hash = at.seq, at.hash
        self._now = self._clock()

    async def write(self, write_id: str) -> Write:
        """A write with what time has done to it since. Raises KeyError for an id that is not there."""
        row = (await self.execute(sa.select(writes).where(writes.c.id == write_id))).first()
        if row is None:
            raise KeyError(write_id)
        return await self.lapsed(read_write(row))

    async def members(self, write_id: str) -> list[Write]:
        """All writes of its batch in order, or it alone. Raises KeyError for an id that is not there.

        One that cannot be read is left out: it keeps nothing from being seen, is not approved with the others, and
        `verify` names it.
        """
        write = await self.write(write_id)
        if not write.batch:
            return [write]
        query = sa.select(writes).where(writes.c.batch == write.batch).order_by(writes.c.position, writes.c.id)
        for one in _readable((await self.execute(query)).all()):
            await self.lapsed(one)
        return _readable((await self.execute(query)).all())

    async def flaw(self, write: Write, planned: Draft) -> str:
        """Why an approved write must not be sent as `planned`; empty where nothing stands against it.

        The row is what people were shown, and the events are what happened: both must say the same, and the approval
        must be of this very write, after it was last put before somebody. The same holds for the write that had to be
        done before it: that one's was held against its own when it was claimed, and so back to the first.
        """
        changed = "what the journal holds of {} was changed behind its back"
        told = await self._sound_events(write.id)
        if told is None:
            return changed.format(write.id)
        if not write.plan.sends_what(planned.plan) or write.digest != planned.digest:
            return f"what the journal holds of {write.id} is not what would be sent"
        approval = _approval(told, write.digest)
        if approval is None:
            return f"no approval of {write.id} as it now stands is in the journal"
        before = approval.get("after")
        return changed.format(before) if before and await self._sound_events(before) is None else ""

    async def _sound_events(self, write_id: str) -> list[Event] | None:
        """What happened to a write; None where its row or one of its events is not what this journal wrote."""
        before = events.alias()
        query = (
            sa.select(events, before.c.hash.label("before"))
            .outerjoin(before, before.c.seq == events.c.seq - 1)
            .where(events.c.write_id == write_id)
            .order_by(events.c.seq)
        )
        rows = (await self.execute(query)).all()
        told = [read_event(row) for row in rows]
        kept = (await self.execute(sa.select(writes).where(writes.c.id == write_id))).first()
        if kept is None or not all(is_chained(row, row.before or GENESIS) for row in rows):
            return None
        return None if _row_flaw(kept, told) else told

    async def is_its_turn(self, write: Write) -> bool:
        """Whether the write that its approval puts before it is done. Where that one has come to another end, what
        was approved behind it goes back to its person: an older version of this program may have left it so."""
        approval = _approval(await self.events_of(write.id), write.digest)
        after = approval.get("after") if approval else ""
        if not after or (await self.execute(sa.select(writes.c.id).where(writes.c.id == after))).first() is None:
            return True  # `flaw` tells
        before = await self.write(after)
        if before.state not in {State.DONE, State.APPROVED, State.SENDING}:
            await self._stop(before)
        return before.state is State.DONE

    async def events_of(self, write_id: str) -> list[Event]:
        query = sa.select(events).where(events.c.write_id == write_id).order_by(events.c.seq)
        return [read_event(row) for row in (await self.execute(query)).all()]

    async def lapsed(self, write: Write) -> Write:
        """What time alone has done."""
        if not write.is_due(self._now):
            return write
        if write.state in WAITING:
            return await self.change(write, Step.EXPIRED, {})
        if write.state is State.SENDING:
            outcome = replace(write.outcome, why="the process that sent it has not said what came of it").to_json()
            return await self.change(write, Step.UNKNOWN, outcome, outcome=dumped(outcome))
        return write

    async def add(self, draft: Draft, *, batch: str = "", position: int = 0) -> Write:
        write_id = "w" + secrets.token_hex(6)
        await self.execute(
            sa.insert(writes).values(
                id=write_id,
                key=draft.key,
                identity=draft.identity.text,
                state=State.AWAITING,
                created_at=self._now,
                updated_at=self._now,
                expires_at=draft.expires_at,
                digest=draft.digest,
                plan=dumped(draft.plan.to_json()),
                asker=draft.asker,
                asked_by=draft.asked_by,
                owner="",
                lease_until=0.0,
                token_hash="",
                outcome="{}",
                batch=batch,
                position=position,
            )
        )
        within = {"batch": batch, "position": position} if batch else {}
        await self.append(write_id, Step.PROPOSED, {**_facts(draft), "asked_by": draft.asked_by, **within})
        return await self._again(write_id)

    async def replan(self, write: Write, draft: Draft) -> Write:
        """A new plan in the same state; a token that was given for what was shown before no longer counts."""
        values: dict[str, Any] = {
            "digest": draft.digest,
            "plan": dumped(draft.plan.to_json()),
            "expires_at": draft.expires_at,
        }
        return await self._set(write, Step.REPLANNED, _facts(draft), token_hash="", **values)

    async def give_token(self, write: Write, token_hash: str, digest: str) -> None:
        await self.execute(sa.update(writes).where(writes.c.id == write.id).values(token_hash=token_hash))
        await self.append(write.id, Step.TOKEN_GIVEN, {"sha256": token_hash, "digest": digest})

    async def change(self, write: Write, step: Step, detail: Mapping[str, Any], **values: Any) -> Write:
        """A new state, and its event. Where a write of a batch was to be sent and is not done, the rest waits anew, in
        the same transaction: nobody can come between."""
        now = await self._set(write, step, detail, state=MOVES[step].to or write.state, **values)
        if write.batch and write.state in _ON_ITS_WAY and now.state in _STOPPING:
            await self._stop(write)
        return now

    async def _stop(self, write: Write) -> None:
        behind = sa.and_(writes.c.batch == write.batch, writes.c.state == State.APPROVED)
        for row in (await self.execute(sa.select(writes.c.id).where(behind).order_by(writes.c.position))).all():
            values = {"state": State.AWAITING, "updated_at": self._now}
            await self.execute(sa.update(writes).where(writes.c.id == row.id).values(**values))
            await self.append(row.id, Step.STOPPED, {"because": write.id})

    async def _set(self, write: Write, step: Step, detail: Mapping[str, Any], **values: Any) -> Write:
        values["updated_at"] = self._now
        await self.execute(sa.update(writes).where(writes.c.id == write.id).values(**values))
        await self.append(write.id, step, detail)
        return await self._again(write.id)

    async def append(self, write_id: str, kind: str, detail: Mapping[str, Any]) -> None:
        text = dumped(detail)
        self._seq += 1
        self._hash = chained(self._hash, self._seq, write_id, self._now, kind, text)
        values = {"seq": self._seq, "write_id": write_id, "at": self._now, "kind": kind, "detail": text}
        await self.execute(sa.insert(events).values(**values, hash=self._hash))
        await self.execute(sa.update(head).values(seq=self._seq, hash=self._hash))

    async def _again(self, write_id: str) -> Write:
        return read_write((await self.execute(sa.select(writes).where(writes.c.id == write_id))).one())


def due(now: float) -> sa.Select[Any]:
    """The writes that time alone has done something to since."""
    waits, sends = writes.c.state.in_(WAITING), writes.c.state == State.SENDING
    return sa.select(writes).where(
        sa.or_(sa.and_(waits, writes.c.expires_at <= now), sa.and_(sends, writes.c.lease_until <= now))
    )


_OF_THE_EVENT = frozenset({"by", "owner", "content_sha256"})
_ON_ITS_WAY = (State.APPROVED, State.SENDING)
_STOPPING = (State.AWAITING, State.FAILED, State.UNKNOWN)


def _approval(told: Sequence[Event], digest: str) -> Mapping[str, Any] | None:
    """The approval of what has this digest, since it was last put before somebody. That of a batch has the item's
    digest beside the one of the whole."""
    last = max((index for index, event in enumerate(told) if MOVES[event.kind].asks), default=0)
    given = [event.detail for event in told[last:] if event.kind == Step.APPROVED]
    return next((each for each in given if each.get("item", each.get("digest")) == digest), None)


def _facts(draft: Draft) -> dict[str, Any]:
    """What an event keeps of a plan, to hold the row against."""
    return {
        "key": draft.key,
        "identity": draft.identity.text,
        "digest": draft.digest,
        "plan": draft.plan.to_json(),
        "asker": draft.asker,
        "expires_at": draft.expires_at,
    }


def _row_flaw(row: sa.Row[Any], told: Sequence[Event]) -> str:
    """Which column of a write its events do not bear out; empty where they bear out all. An event of an older journal
    says less. Raises ValueError for a row that is not JSON where it should be."""
    kept = {**row._asdict(), "plan": _loaded(row.plan), "outcome": _loaded(row.outcome)}
    plans = [event.detail for event in told if MOVES[event.kind].plans]
    if not plans:
        return "it was never proposed"
    if differs := [name for name, value in plans[-1].items() if name in _COMPARED and kept[name] != value]:
        return f"its {differs[0]} is not the one of its events"
    # Older journals know no batches, and what is planned anew stays where it is.
    if (kept["batch"], kept["position"]) != (plans[0].get("batch", ""), plans[0].get("position", 0)):
        return "its place in a batch is not the one of its events"
    states = [state for event in told if (state := MOVES[event.kind].to) is not None]
    if kept["state"] != states[-1]:
        return f"it is called {kept['state']}, and its events make it {states[-1]}"
    ends = [event.detail for event in told if MOVES[event.kind].tells or _has_reason(event)]
    outcome = {name: value for name, value in (ends[-1] if ends else {}).items() if name not in _OF_THE_EVENT}
    return "" if kept["outcome"] == outcome else "its outcome is not the one of its events"


def _has_reason(event: Event) -> bool:
    """A no tells something where a reason was given with it."""
    return event.kind in {Step.DECLINED, Step.CANCELLED} and "reason" in event.detail


def chain_flaw(rows: Sequence[sa.Row[Any]], end: str, anchor: str) -> str:
    """Where these events, all of them in order, are no whole chain to `end` that holds `anchor` (empty: any)."""
    before, seen = GENESIS, not anchor or anchor == GENESIS
    for number, row in enumerate(rows, start=1):
        if row.seq != number:
            return f"event {number} is missing"
        if not is_chained(row, before):
            return f"event {number} ({row.kind} of {row.write_id}) was changed"
        before = row.hash
        seen = seen or before == anchor
    if before != end:
        return f"events after {len(rows)} are missing"
    return "" if seen else "the anchor is not in the chain: its tail was cut or rewritten"


def table_flaw(rows: Sequence[sa.Row[Any]], told: Sequence[Event]) -> str:
    """The first write whose row is not what its events say, and why; empty where there is none."""
    by_write: dict[str, list[Event]] = {}
    for event in told:
        by_write.setdefault(event.write_id, []).append(event)
    for row in rows:
        try:
            if not (flaw := _row_flaw(row, by_write.pop(row.id, []))):
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
        held["identity"] = ErpIdentity.parse(held["identity"])
        held["plan"] = FrozenPlan.from_json(_loaded(held["plan"]))
        held["outcome"] = WriteOutcome.from_json(_loaded(held["outcome"]))
        held["expires_at"] = min(float(held["expires_at"]), _FAR)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _changed(f"the write {held['id']}") from error
    return Write(**{name: held[name] for name in _FIELDS})


def _readable(rows: Sequence[sa.Row[Any]]) -> list[Write]:
    found = []
    for row in rows:
        with suppress(JournalError):
            found.append(read_write(row))
    return found


def read_event(row: sa.Row[Any]) -> Event:
    """Raises JournalError as `read_write` does."""
    try:
        return Event(row.seq, row.write_id, row.at, Step(row.kind), _loaded(row.detail), row.hash)
    except ValueError as error:
        raise _changed(f"event {row.seq}") from error


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
