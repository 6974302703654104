"""Every write's durable life: proposed, decided, claimed, sent, and what came of it.

SQLite by default, the same code on PostgreSQL for replicas (`journal_database`). A change of state is one
compare-and-set in one serialised transaction, which also appends an event with the hash of the one before. No plan
holds a secret.
"""

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fraction_mcp.errors import ConsentError, JournalError
from fraction_mcp.operations.writes import journal_audit as audit
from fraction_mcp.operations.writes import journal_batches as batches
from fraction_mcp.operations.writes import journal_file, migrations
from fraction_mcp.operations.writes import journal_questions as questions
from fraction_mcp.operations.writes import journal_tables as tables
from fraction_mcp.operations.writes.approvers import Approvers, Decider, Viewer
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.event import Event, EventDetail
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.journal_changes import Changes
from fraction_mcp.operations.writes.journal_database import JournalDatabase, brought_up
from fraction_mcp.operations.writes.journal_history import History
from fraction_mcp.operations.writes.journal_rows import dumped, read_event, read_write
from fraction_mcp.operations.writes.journal_tables import EVERYTHING, Seen, Transaction
from fraction_mcp.operations.writes.states import MOVES, OPEN, State, Step
from fraction_mcp.operations.writes.write import Answer, Draft, Write, WriteOutcome

__all__ = ["Journal"]

logger = logging.getLogger(__name__)

_WHOLE_S = 60.0  # for reading every event there is
NO_RULES = Approvers()


class Journal:
    """Use from one event loop. Every method is atomic among all processes on the same `database`, which is also for
    whoever keeps something beside it.

    Any of them raises JournalError where the database fails. To one that shows only what somebody may see (`seen_by`),
    the write of another is as absent as one that never was.
    """

    def __init__(
        self,
        database: JournalDatabase,
        clock: Callable[[], float] = time.time,
        seen: Seen = EVERYTHING,
        changes: Changes | None = None,
    ) -> None:
        self.database = database
        self._clock = clock
        self._seen = seen
        self._changes = changes or Changes(database)
        self._spoilt = set[str]()

    @classmethod
    async def open(cls, url: str, folder: Path, *, clock: Callable[[], float] = time.time) -> "Journal":
        """Open the database at `url`, or `journal.sqlite3` in `folder` where it is empty; make it where it is new.

        An older schema on SQLite is brought up. On a database that servers share, an operator does that, once
        (`migrate`): the first of several to be upgraded would shut the others out at their next start. Raises
        ConfigError where there is no journal to be had, and JournalError where there may be one in a while.
        """
        database = JournalDatabase(url, folder)
        try:
            async with database.reading(opening=True) as connection:
                version = await connection.run_sync(migrations.version_of)
            migrations.refuse_newer(version)
            if version and database.shared:
                migrations.refuse_older(version)
            if version < migrations.VERSION:
                await brought_up(database)
        except BaseException:
            await database.aclose()
            raise
        return cls(database, clock)

    @staticmethod
    async def migrate(url: str, folder: Path) -> tuple[int, int]:
        """Bring the schema up, wherever it lives: the version that it had (0 where it is new), and the one it has."""
        database = JournalDatabase(url, folder)
        try:
            return await brought_up(database), migrations.VERSION
        finally:
            await database.aclose()

    def now(self) -> float:
        """Unix seconds by the journal's clock, by which everything about its writes is counted."""
        return self._clock()

    @staticmethod
    def is_there(url: str, folder: Path) -> bool:
        """Whether there is one to open, for whoever only wants to look: a database that is named counts as one."""
        return journal_file.is_there(url, folder)

    def seen_by(self, viewer: Viewer) -> "Journal":
        """The same journal, of which everything concerns only what this person asked for or may be the one to approve.

        The end of the chain and its verification are of the whole. It is closed by closing what it was made of.
        """
        return Journal(self.database, self._clock, Seen(viewer), self._changes)

    async def aclose(self) -> None:
        if self._seen.viewer is None:
            await self._changes.aclose()
            await self.database.aclose()

    # ------------------------------------------------------------------------------------------------------- reading

    async def get(self, write_id: str) -> Write | None:
        """One write, with what time has done to it since: an expired wait, a lease that has run out."""
        if not (write_id.isascii() and write_id.isalnum()):  # none of ours, and perhaps nothing that a database takes
            return None
        async with self.database.query() as connection:
            query = sa.select(tables.writes).where(tables.writes.c.id == write_id, self._seen.writes)
            row = (await connection.execute(query)).first()
        if row is None or not (write := read_write(row)).is_due(self._clock()):
            return None if row is None else write
        async with self._transaction() as transaction:
            with suppress(KeyError):
                return await transaction.write(write_id)
        return None

    async def latest(
        self, states: Sequence[State] = (), *, identity: ErpIdentity | None = None, limit: int | None = 50
    ) -> list[Write]:
        """The newest writes first, of these states (all where none are named) and this ERP identity (any if None)."""
        table = tables.writes.c
        query = sa.select(tables.writes).where(self._seen.writes)
        query = query.order_by(table.created_at.desc(), table.id).limit(limit)
        query = query if identity is None else query.where(table.identity == identity.text)
        query = query.where(table.state.in_(states)) if states else query
        async with self.database.reading() as connection:
            due = [row.id for row in (await connection.execute(tables.due(self._clock(), self._seen))).all()]
            rows = (await connection.execute(query)).all()
        if due:
            await self._lapse(due)
            async with self.database.query() as connection:
                rows = (await connection.execute(query)).all()
        return [write for row in rows if (write := self._readable(row))]

    async def _lapse(self, due: Sequence[str], at_once: int = 50) -> None:
        """A few at a time: all else waits for a change."""
        for start in range(0, len(due), at_once):
            async with self._transaction() as transaction:
                for write_id in due[start : start + at_once]:
                    with suppress(KeyError, JournalError):  # what somebody spoilt keeps no other from it
                        await transaction.write(write_id)

    async def batch(self, write_id: str) -> Batch:
        """What a write was asked for within, or it alone. Raises KeyError for an id that is not there."""
        write = await self.get(write_id)
        if write is not None and not write.batch:
            return Batch((write,))
        async with self._transaction() as transaction:
            return Batch(tuple(await transaction.members(write_id)))

    @property
    def history(self) -> History:
        return History(self.database, self._readable, self._seen)

    def _readable(self, row: sa.Row[Any]) -> Write | None:
        """One that somebody spoilt must not keep the others from being seen; it is said once, and `verify` names it."""
        try:
            return read_write(row)
        except JournalError as error:
            if row.id not in self._spoilt:
                logger.warning("%s", error.message)
            self._spoilt.add(row.id)
            return None

    async def events(self, write_id: str = "") -> list[Event]:
        query = tables.in_order().where(self._seen.events)
        query = query.where(tables.events.c.write_id == write_id) if write_id else query
        async with self.database.query(within_s=None if write_id else _WHOLE_S) as connection:
            return [read_event(row) for row in (await connection.execute(query)).all()]

    async def landed_before(self, key: str, since: float) -> Write | None:
        """The latest write of this key that is done, and was not long before `since`."""
        table = tables.writes.c
        landed = sa.and_(table.key == key, table.state == State.DONE, table.updated_at >= since, self._seen.writes)
        query = sa.select(tables.writes).where(landed).order_by(table.updated_at.desc())
        async with self.database.query() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else read_write(row)

    # ------------------------------------------------------------------------------------------------------- writing

    async def propose(self, draft: Draft) -> Write:
        """The write of this key that is still open, or a new one that waits for approval.

        One that waits and was shown with another state of the ERP takes on the new plan, under its id, unless it waits
        with others of its batch, which were shown together. Raises TooManyWaiting where the same asker has very many
        open: nobody would read them.
        """
        self._must_be_own([draft])
        table = tables.writes.c
        query = sa.select(tables.writes).where(table.key == draft.key, table.state.in_(OPEN)).order_by(table.created_at)
        async with self.database.query() as connection:  # asked for again, as it is: nothing is to be changed
            row = (await connection.execute(query)).first()
        if row is not None and batches.stands(there := read_write(row), draft, self._clock()):
            return there
        async with self._transaction() as transaction:
            for row in (await transaction.execute(query)).all():
                write = await transaction.lapsed(read_write(row))
                if write.state is State.AWAITING and batches.differs(write, draft):
                    together = Batch(tuple(await transaction.members(write.id))).is_together
                    return write if together else await transaction.replan(write, draft)
                if write.state in OPEN:
                    return write
            await batches.must_have_room(transaction, [draft])
            return await transaction.add(draft)

    async def propose_batch(self, drafts: Sequence[Draft], refused: Collection[int] = ()) -> Batch | None:
        """The batch of exactly these writes of which something is still open, or a new one that waits for approval.

        None, and nothing is entered, where one of those at `refused` would have to be asked about. Raises BatchRefused
        where one is open otherwise, and TooManyWaiting as `propose` does.
        """
        self._must_be_own(drafts)
        async with self._transaction() as transaction:
            there = await batches.same_batch(transaction, drafts)
            if there is None:
                await batches.must_have_room(transaction, drafts)
            if refused and (there is None or any(there[index].state is State.AWAITING for index in refused)):
                return None
            return Batch(tuple(await batches.enter(transaction, drafts, there)))

    def _must_be_own(self, drafts: Sequence[Draft]) -> None:
        if self._seen.viewer is not None and {draft.asker for draft in drafts} != {self._seen.viewer.asker}:
            raise ValueError("nobody asks for a write in the name of somebody else")

    async def approve(self, write_id: str, *, digest: str, by: Decider, rules: Approvers = NO_RULES) -> Write:
        """A person's yes, bound to what they were shown: all that waits of the write's batch (`Batch.digest`). The
        state that it returns tells whether it counted. Raises NotTheApprover where it needs the yes of somebody else,
        by what it was asked for with or by these `rules`.

        It uses a two-step token up: a write that was not sent is asked about anew.
        """
        async with self._transaction() as transaction:
            await batches.approve(transaction, write_id, digest=digest, by=by, rules=rules)
            return await transaction.write(write_id)

    async def decline(self, write_id: str, *, by: str, reason: str = "") -> Write:
        """A no to all of the write's batch that is not on its way; `reason` is what the asker is told."""
        async with self._transaction() as transaction:
            await batches.decline(transaction, write_id, by=by, reason=reason)
            return await transaction.write(write_id)

    async def is_its_turn(self, write_id: str) -> bool:
        """Whether an approved write may be claimed as far as the others of its batch are concerned."""
        async with self._transaction() as transaction:
            return await transaction.is_its_turn(await transaction.write(write_id))

    async def claim(
        self,
        write_id: str,
        *,
        planned: Draft,
        owner: str,
        lease_s: float,
        outcome: WriteOutcome | None = None,
        rules: Approvers = NO_RULES,
    ) -> bool:
        """Single use: true for exactly one caller, before it sends what it has planned anew (`planned`).

        False: expired, decided otherwise, claimed, of another ERP, or behind one of its batch that is not done. Raises
        ConsentError where the write as it is kept is not what was proposed, approved or would be sent: its row was
        changed behind the journal's back; or where whoever approved it may not, by what was asked for or these `rules`.
        `owner` must be new for each attempt: it is how a caller knows its own claim. `outcome` is what whoever comes
        after a caller that died must know.
        """
        async with self._transaction() as transaction:
            write = await transaction.write(write_id)
            if write.state is not State.APPROVED or write.identity != planned.identity:
                return False
            if not await transaction.is_its_turn(write):
                return False
            if flaw := await transaction.flaw(write, planned, rules):
                raise ConsentError(flaw)
            known = outcome.to_json() if outcome else {}
            content = hashlib.sha256(planned.plan.content.encode()).hexdigest()
            await transaction.change(
                write,
                Step.CLAIMED,
                {"owner": owner, "content_sha256": content, **known},
                owner=owner,
                lease_until=self._clock() + lease_s,
                outcome=dumped(known),
            )
            return True

    async def hold(self, write_id: str, *, owner: str, lease_s: float) -> bool:
        """Whether a claim still holds; its lease then begins anew."""
        async with self._transaction() as transaction:
            write = await transaction.write(write_id)
            if write.state is not State.SENDING or write.owner != owner:
                return False
            lease = sa.update(tables.writes).where(tables.writes.c.id == write_id)
            await transaction.execute(lease.values(lease_until=self._clock() + lease_s))
            return True

    async def finish(self, write_id: str, step: Step, outcome: WriteOutcome, *, owner: str = "") -> Write:
        """What came of it, by a step that tells (`Move.tells`). `owner` binds it to a claim."""
        where = tables.writes.c.owner == owner if owner else None
        outcome_json = outcome.to_json()
        return await self._move(write_id, step, outcome_json, where=where, outcome=dumped(outcome_json))

    async def settle(self, write_id: str, *, landed: bool, by: str, outcome: WriteOutcome) -> Write:
        """A person says what became of an unknown write."""
        step, outcome_json = Step.SETTLED_LANDED if landed else Step.SETTLED_ABSENT, outcome.to_json()
        return await self._move(write_id, step, {"by": by, **outcome_json}, outcome=dumped(outcome_json))

    async def note(self, write_id: str, step: Step, detail: EventDetail) -> None:
        """An event that changes no state: what was shown to whom, what was looked for."""
        async with self._transaction() as transaction:
            await transaction.must_see([write_id])
            await transaction.append(write_id, step, detail)

    async def asked(self, write_ids: Sequence[str], facts: EventDetail, message: str) -> None:
        """A question about these writes; its words stand with the first."""
        async with self._transaction() as transaction:
            await transaction.must_see(write_ids)
            await questions.asked(transaction, write_ids, facts, message)

    async def answer(
        self, write_ids: Sequence[str], *, nonce: str, sent: Mapping[str, Any], choice: str, least_s: float
    ) -> Answer | None:
        """What a client sent to the question `nonce` about these writes: its first answer uses it up, whatever it is.

        A `choice` counts only where it came `least_s` after the question, by this clock. None where the first
        was asked no such question, or it has been answered.
        """
        async with self._transaction() as transaction:
            await transaction.must_see(write_ids)
            return await questions.answer(
                transaction, write_ids, at=self._clock(), nonce=nonce, sent=sent, choice=choice, least_s=least_s
            )

    async def set_token(self, write_id: str, token_hash: str) -> None:
        """The hash of the two-step token that now counts for all that waits of a write's batch: its first keeps it."""
        async with self._transaction() as transaction:
            await questions.set_token(transaction, write_id, token_hash)

    async def gave_token(self, batch: Batch) -> bool:
        """Whether the token that the row of what waits first holds was given by this journal, and not put there, and
        for what waits now. Older journals do not say for what."""
        async with self._transaction() as transaction:
            await transaction.must_see([batch.waiting[0].id])
            return await questions.gave_token(transaction, batch)

    async def _move(self, write_id: str, step: Step, detail: EventDetail, *, where: Any = None, **values: Any) -> Write:
        """One compare-and-set; the write as it then is, moved or not. Raises KeyError for an id that is not there."""
        async with self._transaction() as transaction:
            write = await transaction.write(write_id)
            sources = MOVES[step].sources
            query = sa.select(tables.writes.c.id).where(
                tables.writes.c.id == write_id, tables.writes.c.state.in_(sources)
            )
            if where is not None:
                query = query.where(where)
            if (await transaction.execute(query)).first() is None:
                return write
            return await transaction.change(write, step, detail, **values)

    # ------------------------------------------------------------------------------------------------------- auditing

    async def head(self) -> str:
        """The hash at the end of the chain: kept elsewhere, it shows later whether the tail was cut or rewritten."""
        return await self._changes.look()

    async def changed(self, seen: str, *, within_s: float) -> str:
        """Wait until the end of the chain (`head`) is another than `seen`, or for so long; the one that it is then.

        On PostgreSQL that is told at once; a SQLite file is looked at every second.
        """
        return await self._changes.wait(seen, within_s)

    async def verify(self, anchor: str = "") -> str:
        """Empty where the chain is whole (and holds `anchor`), and the table of writes is what its events say; else
        what is wrong, and where."""
        async with self.database.reading(within_s=_WHOLE_S) as connection:
            return await audit.flaw(connection, anchor)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator["Transaction"]:
        """One serialised transaction, finished even if its caller is cancelled meanwhile."""
        async with self.database.transaction() as connection:
            transaction = Transaction(connection, self._clock, self._seen)
            await transaction.lock()
            yield transaction
