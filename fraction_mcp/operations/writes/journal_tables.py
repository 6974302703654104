"""The journal's tables, and one transaction on them: changes to writes, and the chain of events."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.operations.writes.approvers import Approvers, Decider, Viewer, spelt
from fraction_mcp.operations.writes.event import Event, EventDetail
from fraction_mcp.operations.writes.journal_rows import (
    chained,
    dumped,
    is_chained,
    joined,
    read_event,
    read_write,
    readable,
    row_flaw,
)
from fraction_mcp.operations.writes.migrations import GENESIS
from fraction_mcp.operations.writes.states import MOVES, WAITING, State, Step
from fraction_mcp.operations.writes.write import Draft, Write

__all__ = ["CHANNEL", "EVERYTHING", "GENESIS", "Seen", "Transaction", "due", "events", "head", "in_order", "writes"]

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
    sa.Column("approvers", sa.Text, nullable=False, server_default=""),
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


CHANNEL = "fraction_mcp_journal"
"""By which PostgreSQL tells that the journal has changed."""


def in_order() -> sa.Select[Any]:
    """All events, as they happened."""
    return sa.select(events).order_by(events.c.seq)


class Seen:
    """Which rows somebody may see, as conditions of a query: `writes` and `events`. All of them where nobody is named.

    Here alone it is decided: what they asked for, and what they may be the one to approve.
    """

    def __init__(self, viewer: Viewer | None = None) -> None:
        self.viewer = viewer
        self.writes: sa.ColumnElement[bool] = sa.true()
        self.events: sa.ColumnElement[bool] = sa.true()
        if viewer is None:
            return
        self.writes = writes.c.asker == viewer.asker
        subject = spelt(viewer.subject)
        if subject and "," not in subject:
            self.writes = sa.or_(self.writes, writes.c.approvers.contains(joined([subject]), autoescape=True))
        self.events = events.c.write_id.in_(sa.select(writes.c.id).where(self.writes))


EVERYTHING = Seen()


class Transaction:
    """One transaction: changes to writes, and their events. What is not `seen` is not there."""

    def __init__(self, connection: AsyncConnection, clock: Callable[[], float], seen: Seen = EVERYTHING) -> None:
        self.execute = connection.execute
        self._tells = connection.dialect.name == "postgresql"
        self._seen = seen
        self._clock = clock
        self.now = clock()
        self._hash = ""
        self._seq = 0

    async def lock(self) -> None:
        """Waits for whoever is changing something, and reads the end of the chain. The time is that of its turn."""
        at = (await self.execute(sa.select(head.c.seq, head.c.hash).with_for_update())).one()
        self._seq, self._hash = at.seq, at.hash
        self.now = self._clock()

    async def write(self, write_id: str) -> Write:
        """A write with what time has done to it since. Raises KeyError for an id that is not there."""
        row = (await self.execute(sa.select(writes).where(writes.c.id == write_id, self._seen.writes))).first()
        if row is None:
            raise KeyError(write_id)
        return await self.lapsed(read_write(row))

    async def must_see(self, write_ids: Sequence[str]) -> None:
        """Raises KeyError where somebody in particular looks, and one of these is not theirs to see."""
        if self._seen.viewer is None:
            return
        these = sa.select(writes.c.id).where(writes.c.id.in_(write_ids), self._seen.writes)
        there = set((await self.execute(these)).scalars())
        if missing := [each for each in write_ids if each not in there]:
            raise KeyError(missing[0])

    async def members(self, write_id: str) -> list[Write]:
        """All writes of its batch in order, or it alone. Raises KeyError for an id that is not there.

        One that cannot be read is left out: it keeps nothing from being seen, is not approved with the others, and
        `verify` names it.
        """
        write = await self.write(write_id)
        if not write.batch:
            return [write]
        query = sa.select(writes).where(writes.c.batch == write.batch).order_by(writes.c.position, writes.c.id)
        for member in readable((await self.execute(query)).all()):
            await self.lapsed(member)
        return readable((await self.execute(query)).all())

    async def flaw(self, write: Write, planned: Draft, rules: Approvers) -> str:
        """Why an approved write must not be sent as `planned`; empty where nothing stands against it.

        The row is what people were shown, and the events are what happened: both must say the same, and the approval
        must be of this very write, after it was last put before somebody, by somebody who may. The same holds for the
        write that had to be done before it: that one's was held against its own when it was claimed, and so
        back to the first.
        """
        changed = "what the journal holds of {} was changed behind its back"
        history = await self._sound_events(write.id)
        if history is None:
            return changed.format(write.id)
        if not write.plan.sends_what(planned.plan) or write.digest != planned.digest:
            return f"what the journal holds of {write.id} is not what would be sent"
        approval = _approval(history, write.digest)
        if approval is None:
            return f"no approval of {write.id} as it now stands is in the journal"
        if why := rules.why_not([write], Decider("", str(approval.get("subject", "")))):
            return f"the approval of {write.id} does not count: {why}"
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
        history = [read_event(row) for row in rows]
        kept = (await self.execute(sa.select(writes).where(writes.c.id == write_id))).first()
        if kept is None or not all(is_chained(row, row.before or GENESIS) for row in rows):
            return None
        return None if row_flaw(kept, history) else history

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
        if not write.is_due(self.now):
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
                created_at=self.now,
                updated_at=self.now,
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
                approvers=joined(draft.approvers),
            )
        )
        within: EventDetail = {"batch": batch, "position": position} if batch else {}
        await self.append(write_id, Step.PROPOSED, {**_facts(draft), "asked_by": draft.asked_by, **within})
        return await self._again(write_id)

    async def replan(self, write: Write, draft: Draft) -> Write:
        """A new plan in the same state; a token that was given for what was shown before no longer counts. Who must
        approve it stays who was asked for first: a process without rules takes nobody away."""
        draft = replace(draft, approvers=write.approvers or draft.approvers)
        values: dict[str, Any] = {
            "approvers": joined(draft.approvers),
            "digest": draft.digest,
            "plan": dumped(draft.plan.to_json()),
            "expires_at": draft.expires_at,
        }
        return await self._set(write, Step.REPLANNED, _facts(draft), token_hash="", **values)

    async def give_token(self, write: Write, token_hash: str, digest: str) -> None:
        await self.execute(sa.update(writes).where(writes.c.id == write.id).values(token_hash=token_hash))
        await self.append(write.id, Step.TOKEN_GIVEN, {"sha256": token_hash, "digest": digest})

    async def change(self, write: Write, step: Step, detail: EventDetail, **values: Any) -> Write:
        """A new state, and its event. Where a write of a batch was to be sent and is not done, the rest waits anew, in
        the same transaction: nobody can come between."""
        now = await self._set(write, step, detail, state=MOVES[step].to or write.state, **values)
        if write.batch and write.state in _ON_ITS_WAY and now.state in _STOPPING:
            await self._stop(write)
        return now

    async def _stop(self, write: Write) -> None:
        behind = sa.and_(writes.c.batch == write.batch, writes.c.state == State.APPROVED)
        for row in (await self.execute(sa.select(writes.c.id).where(behind).order_by(writes.c.position))).all():
            values = {"state": State.AWAITING, "updated_at": self.now}
            await self.execute(sa.update(writes).where(writes.c.id == row.id).values(**values))
            await self.append(row.id, Step.STOPPED, {"because": write.id})

    async def _set(self, write: Write, step: Step, detail: EventDetail, **values: Any) -> Write:
        values["updated_at"] = self.now
        await self.execute(sa.update(writes).where(writes.c.id == write.id).values(**values))
        await self.append(write.id, step, detail)
        return await self._again(write.id)

    async def append(self, write_id: str, kind: str, detail: EventDetail) -> None:
        text = dumped(detail)
        self._seq += 1
        self._hash = chained(self._hash, self._seq, write_id, self.now, kind, text)
        values = {"seq": self._seq, "write_id": write_id, "at": self.now, "kind": kind, "detail": text}
        await self.execute(sa.insert(events).values(**values, hash=self._hash))
        end = sa.update(head).values(seq=self._seq, hash=self._hash)
        # Whoever listens is told once the transaction is committed, however many events it has.
        await self.execute(end.returning(sa.func.pg_notify(CHANNEL, "")) if self._tells else end)

    async def _again(self, write_id: str) -> Write:
        return read_write((await self.execute(sa.select(writes).where(writes.c.id == write_id))).one())


def due(now: float, seen: Seen) -> sa.Select[Any]:
    """The writes that time alone has done something to since."""
    waits, sends = writes.c.state.in_(WAITING), writes.c.state == State.SENDING
    return sa.select(writes).where(
        seen.writes,
        sa.or_(sa.and_(waits, writes.c.expires_at <= now), sa.and_(sends, writes.c.lease_until <= now)),
    )


_ON_ITS_WAY = (State.APPROVED, State.SENDING)
_STOPPING = (State.AWAITING, State.FAILED, State.UNKNOWN)


def _approval(history: Sequence[Event], digest: str) -> EventDetail | None:
    """The approval of what has this digest, since it was last put before somebody. That of a batch has the item's
    digest beside the one of the whole."""
    last = max((index for index, event in enumerate(history) if MOVES[event.kind].asks), default=0)
    approvals = [event.detail for event in history[last:] if event.kind == Step.APPROVED]
    return next((approval for approval in approvals if approval.get("item", approval.get("digest")) == digest), None)


def _facts(draft: Draft) -> EventDetail:
    """What an event keeps of a plan, to hold the row against."""
    return {
        "key": draft.key,
        "identity": draft.identity.text,
        "digest": draft.digest,
        "plan": draft.plan.to_json(),
        "asker": draft.asker,
        "expires_at": draft.expires_at,
        **({"approvers": list(draft.approvers)} if draft.approvers else {}),
    }
