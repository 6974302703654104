"""The journal's tables, and one transaction on them: changes to writes, and the chain of events."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.errors import JournalError
from fraction_mcp.operations.lifecycle import MOVES, WAITING, Draft, Event, State, Write
from fraction_mcp.operations.migrations import GENESIS

__all__ = ["GENESIS", "Book", "chained", "dumped", "read_event", "read_write"]

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


class Book:
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

    async def lapsed(self, write: Write) -> Write:
        """What time alone has done."""
        if write.state in WAITING and write.expires_at <= self._now:
            return await self.change(write, "expired", {})
        if write.state is State.SENDING and write.lease_until <= self._now:
            why = {"why": "the process that sent it has not said what came of it"}
            return await self.change(write, "unknown", why, outcome=dumped({**write.outcome, **why}))
        return write

    async def add(self, draft: Draft) -> Write:
        write_id = "w" + secrets.token_hex(6)
        await self.execute(
            sa.insert(writes).values(
                id=write_id,
                key=draft.key,
                identity=draft.identity,
                state=State.AWAITING,
                created_at=self._now,
                updated_at=self._now,
                expires_at=draft.expires_at,
                digest=draft.digest,
                plan=dumped(draft.plan),
                asked_by=draft.asked_by,
                owner="",
                lease_until=0.0,
                token_hash="",
                outcome="{}",
            )
        )
        detail = {"digest": draft.digest, "plan": draft.plan, "asked_by": draft.asked_by, "identity": draft.identity}
        await self.append(write_id, "proposed", detail)
        return await self._again(write_id)

    async def change(
        self, write: Write, kind: str, detail: Mapping[str, Any], *, plan: Draft | None = None, **values: Any
    ) -> Write:
        """A new state (or a new plan in the same one), and its event."""
        if plan is not None:
            values |= {"digest": plan.digest, "plan": dumped(plan.plan), "expires_at": plan.expires_at}
            values["token_hash"] = ""  # it was given for what was shown before
        else:
            values["state"] = MOVES[kind][1]
        values["updated_at"] = self._now
        await self.execute(sa.update(writes).where(writes.c.id == write.id).values(**values))
        await self.append(write.id, kind, detail)
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


def chained(before: str, *facts: object) -> str:
    """The hash of an event: over the one before it and all that it says."""
    return hashlib.sha256("\n".join((before, *map(str, facts))).encode()).hexdigest()


def dumped(value: Mapping[str, Any]) -> str:
    """JSON, always spelt the same way. What an ERP sent may hold anything: what a database cannot keep is replaced."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return _HALVES.sub("\ufffd", text)


def read_write(row: sa.Row[Any]) -> Write:
    """Raises JournalError for a row that no journal wrote."""
    held = row._asdict()
    try:
        held["state"] = State(held["state"])
        held["plan"], held["outcome"] = _loaded(held["plan"]), _loaded(held["outcome"])
    except ValueError as error:
        raise _changed(f"the write {held['id']}") from error
    held["expires_at"] = min(held["expires_at"], _FAR)
    return Write(**{name: held[name] for name in _FIELDS})


def read_event(row: sa.Row[Any]) -> Event:
    """Raises JournalError as `read_write` does."""
    try:
        return Event(row.seq, row.write_id, row.at, row.kind, _loaded(row.detail), row.hash)
    except ValueError as error:
        raise _changed(f"event {row.seq}") from error


_FAR = 32_503_680_000.0  # the year 3000: beyond the calendar, nothing could say when it is
_FIELDS = tuple(field.name for field in fields(Write))  # the table may hold more, for queries
_HALVES = re.compile("[\ud800-\udfff]")  # of a character outside the basic plane: UTF-8 has no way to write one alone


def _loaded(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a journal holds objects")  # noqa: TRY004 - the value's trouble, whatever is wrong with it
    return value


def _changed(what: str) -> JournalError:
    return JournalError(f"{what} in the journal cannot be read: something else than this program changed it")
