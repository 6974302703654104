"""From a plan to a write that landed once: who may approve what, for how long, bound to which bytes.

`WriteService` is the only path: propose (the journal has the write before anybody is asked), decide, commit. Writes
that were proposed together are decided together, and sent in order, each once the one before it is done; how one is
sent is `committing`'s. What is unsure stays `unknown` until reading back, or a person, settles it.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from fraction_mcp import errors
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.progress import report
from fraction_mcp.operations.results import ToolError
from fraction_mcp.operations.writes.approvers import Approvers, Decider, Viewer, subject_of
from fraction_mcp.operations.writes.batch import Batch, PlannedWrite, conflicts, is_open
from fraction_mcp.operations.writes.committing import Committer, Replan, reaches
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.failing import logged_once
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import FrozenPlan, Plan
from fraction_mcp.operations.writes.repeated import UNDER_WAY, all_asked_before, asked_before, repeats
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Draft, Write
from fraction_mcp.values.text import clean, quoted

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.journal import Journal

__all__ = ["Replan", "Terms", "ToItsEnd", "WriteService"]


logger = logging.getLogger(__name__)

_ID = re.compile(r"w[0-9a-f]{12}")
_WATCH_S = 5.0
_MANY = 1_000
_TROUBLED_S = 10.0
_LONGEST_REASON = 300

ToItsEnd = Callable[[Callable[[], Awaitable[Write]]], Awaitable[Write]]
"""Runs what sends a write out of reach of whatever cancels those who asked for it: a server's time-out, a signal."""


async def _here(work: Callable[[], Awaitable[Write]]) -> Write:
    return await work()


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a write may wait for a person, and how long a process that sends one may be silent."""

    wait_s: float
    lease_s: float


class WriteService:
    """One process's hand in the writes. Give it the ERPs' context and the journal; `replan` comes from the tools,
    `asker` is who asks: the account that this process runs under, or whoever has signed in. `place` says in words where
    a person decides, as far as that is known; `rules` who must approve what. With a `viewer`, the others' writes are
    not there for anybody who asks here; what is sent, and what is a duplicate, rests on all of them."""

    def __init__(
        self,
        context: ErpContext,
        journal: "Journal",
        *,
        replan: Replan,
        terms: Terms,
        asker: str,
        to_its_end: "ToItsEnd | None" = None,
        place: str = "",
        rules: Approvers | None = None,
        viewer: Viewer | None = None,
    ) -> None:
        self.context = context
        self.journal = journal.seen_by(viewer) if viewer else journal
        self._whole = journal
        self._rules = rules or Approvers()
        self._committer = Committer(context, journal, replan, asker=asker, lease_s=terms.lease_s, rules=self._rules)
        self._terms = terms
        self._asker = asker
        self.place = place
        self._to_its_end = to_its_end or _here
        self._committing = anyio.Lock()

    # ------------------------------------------------------------------------------------------------------- proposing

    async def propose(self, plan: Plan, *, tool: str, arguments: Mapping[str, Any], asked_by: str) -> Write:
        """The write in the journal, waiting; or the one of the same key that is still open.

        Raises the plan's refusal, unless a write of the same key is on its way or unsure: then that one is looked at.
        """
        draft = self._draft(PlannedWrite(tool, arguments, plan), asked_by)
        if plan.refusal is not None:
            under_way = await self.journal.latest(UNDER_WAY, identity=draft.identity, limit=_MANY)
            for write in under_way:
                if write.key == draft.key:
                    return write
            raise plan.refusal
        before = await asked_before(self._whole, draft)
        if before is not None and before.state is not State.DONE:
            return await self._seen(before)
        approvers = self._rules.asked_for([draft.plan], asker=self._asker, accounts=[draft.identity.account])
        return await self.journal.propose(replace(self._warned(draft, before), approvers=approvers))

    async def propose_batch(self, writes: Sequence[PlannedWrite], *, asked_by: str) -> Batch:
        """All of them in the journal, waiting for one decision; or the batch of just these, if some of it is open.

        Raises BatchRefused, and nothing is entered, where one cannot be asked about or stand beside another.
        """
        drafts = [self._draft(write, asked_by) for write in writes]
        tools = [write.tool for write in writes]
        before = await all_asked_before(self._whole, drafts)
        reasons = conflicts(dict(enumerate(writes)), tools, [draft.key for draft in drafts])
        for index, (draft, there) in enumerate(zip(drafts, before, strict=True)):
            # What has other bytes now, and is under way or unsure with those from before.
            if there is not None and there.state is not State.DONE and there.key != draft.key:
                reasons[index] = is_open(there) if await self.journal.get(there.id) else _elsewhere()
        if reasons:
            raise errors.BatchRefused(tools, reasons)
        refused = {index: write.plan.refusal for index, write in enumerate(writes) if write.plan.refusal is not None}
        accounts = [draft.identity.account for draft in drafts]
        approvers = self._rules.asked_for([draft.plan for draft in drafts], asker=self._asker, accounts=accounts)
        warned = [
            replace(self._warned(draft, before[index]), approvers=approvers) for index, draft in enumerate(drafts)
        ]
        batch = await self.journal.propose_batch(warned, tuple(refused))
        if batch is None:
            raise errors.BatchRefused(tools, refused)
        for write in batch.writes:
            await self.look_again(write)
        return await self.batch(batch.writes[0])

    def _draft(self, planned: PlannedWrite, asked_by: str) -> Draft:
        plan = planned.plan
        return Draft.of(
            plan,
            FrozenPlan.of(plan, tool=planned.tool, arguments=planned.arguments),
            identity=ErpIdentity.of(self.context.erp(plan.endpoint.system)),
            asker=self._asker,
            asked_by=clean(asked_by, 120),
            expires_at=self.journal.now() + self._terms.wait_s,
        )

    async def _seen(self, write: Write) -> Write:
        """A write that was found among all of them. Raises ConsentError where it is not for this person to see."""
        visible = await self.journal.get(write.id)
        if visible is None:
            raise _elsewhere()
        return visible

    def _warned(self, draft: Draft, landed: Write | None) -> Draft:
        """With a warning, first of all, where the same landed a moment ago."""
        if landed is None:
            return draft
        again = repeats(landed, self.journal.now())
        return replace(draft, plan=replace(draft.plan, warnings=(again, *draft.plan.warnings)))

    async def new_token(self, write: Write) -> str:
        """A single-use token for a waiting write and all that waits with it (policy two_step); the journal keeps its
        hash alone."""
        token = secrets.token_urlsafe(18)
        await self.journal.set_token(write.id, _token_hash(token))
        return token

    async def confirm(self, write_id: str, token: str) -> tuple[Write, bool]:
        """Commit the waiting write that this token confirms, with all that waits of its batch; and whether it counted.

        One that no longer waits is only followed up. Raises ConsentError for a token that is not its own, which does
        not use the write up.
        """
        write = await self.write(write_id)
        if write.state is not State.AWAITING:  # a host that asks twice is told what became of the first
            return await self.follow_up(write), False
        batch = await self.batch(write)
        kept = batch.waiting[0].token_hash if batch.waiting else ""
        if not kept or not await self.journal.gave_token(batch) or not hmac.compare_digest(kept, _token_hash(token)):
            raise errors.ConsentError(
                "the confirmation token is not the one of this write; nothing was written",
                hint="Call the write's tool again for a new token.",
            )
        by = self.decider("confirmation token (two_step)")
        return await self.approve(write, digest=batch.digest, by=by), True

    async def write(self, write_id: str) -> Write:
        """Raises WriteNotFound."""
        write = await self.journal.get(write_id) if _ID.fullmatch(write_id) else None
        if write is None:
            raise errors.WriteNotFound(
                f"there is no write {quoted(write_id)} in the journal",
                hint="get_write_status without an id lists what waits and the latest.",
            )
        return write

    async def batch(self, write: Write) -> Batch:
        """What it was asked for within, as it now stands, or it alone."""
        return await self.journal.batch(write.id)

    async def count_waiting(self) -> int:
        """How many writes wait for a person, whoever asked for them."""
        return await self.journal.history.count((State.AWAITING,))

    # -------------------------------------------------------------------------------------------------------- deciding

    def decider(self, name: str) -> Decider:
        """Whoever this process asks for, deciding by a way that `name` says: a form, a token, a page of their own."""
        return Decider(name, subject_of(self._asker))

    def awaits(self, batch: Batch) -> str:
        """Who must approve what waits of a batch, in words; empty where anybody may who sees it."""
        return self._rules.who_must(batch.waiting)

    def why_not(self, batch: Batch, by: Decider) -> str:
        """Why this person's yes to what waits of a batch would not count; empty where it would."""
        return self._rules.why_not(batch.waiting, by)

    async def approve(self, write: Write, *, digest: str, by: Decider) -> Write:
        """A person's yes to what they were shown (`digest`, of all that waits of the write's batch), and the commit if
        this process may make it. Raises NotTheApprover where it needs the yes of somebody else."""

        async def approved() -> Write:
            with anyio.CancelScope(shield=True):
                decided = await self.journal.approve(write.id, digest=digest, by=by, rules=self._rules)
                if self.may_commit(decided):
                    decided = await self._commit_in_turn(decided)
            return decided

        decided = await self._to_its_end(approved)
        return await self.commit(decided) if decided.batch else decided

    async def decline(self, write: Write, *, by: str, reason: str = "") -> Write:
        """A person's no to it, and to all of its batch that is not on its way. The assistant is told the `reason`."""
        return await self.journal.decline(write.id, by=by, reason=clean(reason, _LONGEST_REASON))

    def may_commit(self, write: Write) -> bool:
        """Whether the write is approved, and this process may write in the ERP that it was planned for."""
        return write.state is State.APPROVED and not self.context.read_only and self.reaches(write)

    def reaches(self, write: Write) -> bool:
        """Whether this process works in the ERP and account of the write, as far as it knows."""
        return reaches(self.context, write)

    def is_own(self, write: Write) -> bool:
        """Whether the same account asked for it, in an ERP that this process works in."""
        return write.asker == self._asker and self.reaches(write)

    def identities(self) -> list[ErpIdentity]:
        """The ERPs and accounts that this process works in, as far as it knows."""
        return [ErpIdentity.of(erp) for erp in self.context.erps.values()]

    async def settle(self, write: Write, *, landed: bool, by: str) -> Write:
        """A person says what became of a write whose outcome is unknown."""
        outcome = write.outcome
        if not landed:
            text = "a person found that it was not written"
            hint = "Ask the user whether it is wanted still; if so, call its tool again."
            outcome = replace(
                outcome, error=ToolError(code="UPSTREAM_ERROR", message=text, hint=hint, retryable=False, written="no")
            )
        return await self.journal.settle(write.id, landed=landed, by=by, outcome=outcome)

    # ------------------------------------------------------------------------------------------------------ committing

    async def commit(self, write: Write) -> Write:
        """Send an approved write, once; the write as it then is. Nothing that the caller does stops it half way.

        Of a batch all that is approved is sent, in order, for as long as each is done. Between two of them the caller
        may leave: whoever looks next goes on.
        """
        if not write.batch:
            return await self._committed(write)
        while True:
            await anyio.lowlevel.checkpoint()  # all else here is out of reach of who cancels
            batch = await self._whole.batch(write.id)
            await report(sum(member.state is State.DONE for member in batch.writes), len(batch.writes), "writes done")
            due = batch.to_send[:1]
            if not due or not self.may_commit(due[0]) or (await self._committed(due[0])).state is not State.DONE:
                return (await self._whole.batch(write.id)).of(write)

    async def _committed(self, write: Write) -> Write:
        return await self._to_its_end(lambda: self._commit_in_turn(write))

    async def _commit_in_turn(self, write: Write) -> Write:
        with anyio.CancelScope(shield=True):
            async with self._committing:
                write = await self._whole.get(write.id) or write
                if self.may_commit(write) and (not write.batch or await self._whole.is_its_turn(write.id)):
                    write = await self._committer.commit(write)
        return write

    async def look_again(self, write: Write) -> Write:
        """Look in the ERP for a write whose outcome is unknown. Seen once: done. Otherwise it stays unknown."""
        return await self._committer.look_again(write)

    async def looked(self, write: Write) -> EventDetail | None:
        """What came of the last look in the ERP for a write of which nobody knows; None where none was."""
        if write.state is not State.UNKNOWN:
            return None
        looks = [event.detail for event in await self.journal.events(write.id) if event.kind == Step.LOOKED]
        return looks[-1] if looks else None

    async def follow_up(self, write: Write) -> Write:
        """What can be done for a write that is asked about: commit what is approved of its batch, look for it if
        unsure."""
        due = (await self.batch(write)).to_send[:1] if write.batch else (write,)
        if due and self.may_commit(due[0]):
            await self.commit(due[0])
            write = await self.write(write.id)
        return await self.look_again(write)

    async def watch(self) -> None:
        """While writes wait, commit those that were approved elsewhere and belong to this process's ERPs."""
        await self._watch(for_ever=False)

    async def watch_for_ever(self) -> None:
        """The same until it is cancelled, as for an inbox, to which writes come that others have asked for."""
        await self._watch(for_ever=True)

    async def _watch(self, *, for_ever: bool) -> None:
        waiting, logged, end = True, "", ""
        while waiting or for_ever:
            try:
                waiting = await self._seen_to()
                if waiting or for_ever:
                    end = await self._whole.changed(end, within_s=_WATCH_S)
                logged = ""
            except Exception as error:  # noqa: BLE001 - whatever fails for a while, nothing approved is forgotten
                logged, waiting = logged_once(logger, error, logged), True
                await anyio.sleep(_TROUBLED_S)

    async def _seen_to(self) -> bool:
        """Commit what may be committed, however much there is; whether anything waits."""
        for write in await self._whole.latest((State.APPROVED,), limit=None):
            if self.may_commit(write):
                await self.commit(write)
        return bool(await self._whole.latest((State.AWAITING, State.APPROVED), limit=1))


def _elsewhere() -> errors.ConsentError:
    """Of what is under way, but not for this person to see."""
    return errors.ConsentError(
        "the same is being written already, as somebody else asked; nothing was written",
        hint="Ask again in a while: what it is based on changes with it.",
    )


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
