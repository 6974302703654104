"""From a plan to a write that landed once: who may approve what, for how long, bound to which bytes.

`WriteService` is the only path: propose (the journal has the write before anybody is asked), decide, commit. A commit
reads anew what the plan was based on, claims the write in one compare-and-set, sends the frozen bytes once, and writes
down what came of it; what is unsure stays `unknown` until reading back, or a person, settles it.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from fraction_mcp import errors
from fraction_mcp.erp import Erp
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import presented
from fraction_mcp.operations.results import ToolError
from fraction_mcp.operations.writes.failing import logged_once
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import Change, FrozenPlan, Plan
from fraction_mcp.operations.writes.readback import look_for, record_id
from fraction_mcp.operations.writes.repeated import UNDER_WAY, asked_before, repeats
from fraction_mcp.operations.writes.sending import nothing_written, provable, send
from fraction_mcp.operations.writes.states import MOVES, State, Step
from fraction_mcp.operations.writes.write import Draft, Write, WriteOutcome
from fraction_mcp.values.text import clean, quoted

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.journal import Journal

__all__ = ["Replan", "Terms", "ToItsEnd", "WriteService"]


logger = logging.getLogger(__name__)

_ID = re.compile(r"w[0-9a-f]{12}")
_LOOK_EVERY_S = 5.0
_WATCH_S = 1.0
_MANY = 1_000
_TROUBLED_S = 10.0

Replan = Callable[[ErpContext, str, Mapping[str, Any]], Awaitable[Plan]]
"""Plans the write of a tool from its arguments again: (context, tool, arguments)."""

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
    a person decides, as far as that is known."""

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
    ) -> None:
        self.context = context
        self.journal = journal
        self._replan = replan
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
        draft = Draft.of(
            plan,
            FrozenPlan.of(plan, tool=tool, arguments=arguments),
            identity=ErpIdentity.of(self.context.erp(plan.endpoint.system)),
            asker=self._asker,
            asked_by=clean(asked_by, 120),
            expires_at=self.journal.now() + self._terms.wait_s,
        )
        if plan.refusal is not None:
            under_way = await self.journal.latest(UNDER_WAY, identity=draft.identity, limit=_MANY)
            for write in under_way:
                if write.key == draft.key:
                    return write
            raise plan.refusal
        before = await asked_before(self.journal, draft)
        if before is not None and before.state is not State.DONE:
            return before
        if before is not None:
            again = repeats(before, self.journal.now())
            draft = replace(draft, plan=replace(draft.plan, warnings=(again, *draft.plan.warnings)))
        return await self.journal.propose(draft)

    async def new_token(self, write: Write) -> str:
        """A single-use token for a waiting write (policy two_step); the journal keeps its hash alone."""
        token = secrets.token_urlsafe(18)
        await self.journal.set_token(write.id, _token_hash(token))
        return token

    async def confirm(self, write_id: str, token: str) -> tuple[Write, bool]:
        """Commit the waiting write that this token confirms, and whether it counted.

        One that no longer waits is only followed up. Raises ConsentError for a token that is not its own, which does
        not use the write up.
        """
        write = await self.write(write_id)
        if write.state is not State.AWAITING:  # a host that asks twice is told what became of the first
            return await self.follow_up(write), False
        given = write.token_hash and await self.journal.gave_token(write)
        if not given or not hmac.compare_digest(write.token_hash, _token_hash(token)):
            raise errors.ConsentError(
                "the confirmation token is not the one of this write; nothing was written",
                hint="Call the write's tool again for a new token.",
            )
        return await self.approve(write, digest=write.digest, by="confirmation token (two_step)"), True

    async def write(self, write_id: str) -> Write:
        """Raises WriteNotFound."""
        found = await self.journal.get(write_id) if _ID.fullmatch(write_id) else None
        if found is None:
            raise errors.WriteNotFound(
                f"there is no write {quoted(write_id)} in the journal",
                hint="get_write_status without an id lists what waits and the latest.",
            )
        return found

    # -------------------------------------------------------------------------------------------------------- deciding

    async def approve(self, write: Write, *, digest: str, by: str) -> Write:
        """A person's yes to what they were shown (`digest`), and the commit if this process may make it."""

        async def approved() -> Write:
            with anyio.CancelScope(shield=True):
                decided = await self.journal.approve(write.id, digest=digest, by=by)
                if self.may_commit(decided):
                    decided = await self._commit_in_turn(decided)
            return decided

        return await self._to_its_end(approved)

    async def decline(self, write: Write, *, by: str, cancelled: bool = False) -> Write:
        return await self.journal.decline(write.id, by=by, cancelled=cancelled)

    def may_commit(self, write: Write) -> bool:
        """Whether the write is approved, and this process may write in the ERP that it was planned for."""
        return write.state is State.APPROVED and not self.context.read_only and self.reaches(write)

    def reaches(self, write: Write) -> bool:
        """Whether this process works in the ERP and account of the write, as far as it knows."""
        erp = self.context.erps.get(write.plan.system)
        return erp is not None and write.identity.is_reached_by(erp)

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
            told = "a person found that it was not written"
            hint = "Ask the user whether it is wanted still; if so, call its tool again."
            outcome = replace(
                outcome, error=ToolError(code="UPSTREAM_ERROR", message=told, hint=hint, retryable=False, written="no")
            )
        return await self.journal.settle(write.id, landed=landed, by=by, outcome=outcome)

    # ------------------------------------------------------------------------------------------------------ committing

    async def commit(self, write: Write) -> Write:
        """Send an approved write, once; the write as it then is. Nothing that the caller does stops it half way."""
        return await self._to_its_end(lambda: self._commit_in_turn(write))

    async def _commit_in_turn(self, write: Write) -> Write:
        with anyio.CancelScope(shield=True):
            async with self._committing:
                write = await self.write(write.id)
                if self.may_commit(write):
                    write = await self._commit(write)
        return write

    async def _commit(self, write: Write) -> Write:
        erp = self.context.erp(write.plan.system)
        again = await self._planned_again(write, erp)
        if again is None:
            return await self.write(write.id)
        look = await provable(erp, again.plan.look)
        taken = await self._made_by_others(write)
        owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            claimed = await self.journal.claim(
                write.id,
                planned=again,
                owner=owner,
                lease_s=self._terms.lease_s,
                outcome=WriteOutcome(look=look),  # with the ids that were there just before the send
            )
        except errors.ConsentError as error:
            await self._refuse(write, error.message)
            claimed = False
        except errors.JournalError as error:  # the claim may stand, though nobody could say so
            with suppress(errors.JournalError):
                await self.journal.finish(write.id, Step.NOT_SENT, nothing_written(error), owner=owner)
            raise
        if not claimed:
            return await self.write(write.id)

        async def hold() -> None:
            await self._hold(write.id, owner)

        step, outcome = await send(erp, again.plan, look, taken, hold)
        try:
            return await self._written_down(write, step, replace(outcome, look=look), owner)
        except Exception as error:
            logger.exception("what came of %s could not be written down", write.id)
            if step is Step.NOT_SENT:
                raise
            raise errors.ErpOutcomeUnknown(
                f"the write {write.id} was sent, and the journal failed after it; it may have been written",
                system=erp.system,
                operation=write.plan.tool,
                hint=f"get_write_status({write.id}) tells what is known. Do not ask for it again.",
            ) from error

    async def _hold(self, write_id: str, owner: str) -> None:
        """The last thing before a byte leaves: the claim is still ours, for as long as the exchange may take.

        Raises ConsentError where it is not, or where that cannot be found out.
        """
        try:
            held = await self.journal.hold(write_id, owner=owner, lease_s=self._terms.lease_s)
        except Exception as error:
            logger.exception("the claim on %s could not be checked", write_id)
            raise errors.ConsentError("the journal failed just before it was sent; nothing was sent") from error
        if not held:
            raise errors.ConsentError("it could not be sent before its claim ran out; nothing was sent")

    async def _written_down(self, write: Write, step: Step, outcome: WriteOutcome, owner: str) -> Write:
        finished = await self.journal.finish(write.id, step, outcome, owner=owner)
        if finished.state is MOVES[step].to and finished.outcome == outcome:
            return await self.look_again(finished) if finished.state is State.UNKNOWN else finished
        # The lease had run out meanwhile, and somebody else, or a person, has said what became of it.
        if step is Step.DONE and finished.state is State.FAILED:
            told = replace(outcome, conflict=_DONE_AFTER_ALL)
            return await self.journal.finish(write.id, Step.LATE_DONE, told, owner=owner)
        if step is Step.FAILED and finished.state is State.DONE and outcome.error is not None:
            told = replace(finished.outcome, conflict=f"{_REFUSED_AFTER_ALL}: {outcome.error.message}.")
            return await self.journal.finish(write.id, Step.LATE_REFUSAL, told, owner=owner)
        await self.journal.note(write.id, Step.LATE_ANSWER, {"kind": step, **outcome.to_json()})
        return finished

    async def _planned_again(self, write: Write, erp: Erp) -> Draft | None:
        """The write as it would be planned now; None where it must not be sent: the journal then says why."""
        try:
            plan = await self._replan(self.context, write.plan.tool, write.plan.arguments)
            now = Draft.of(
                plan,
                FrozenPlan.of(plan, tool=write.plan.tool, arguments=write.plan.arguments),
                identity=ErpIdentity.of(erp),
                asker=self._asker,
                asked_by=write.asked_by,
                expires_at=write.expires_at,
            )
            await erp.ready()  # before the claim, whose time it would cost
        except errors.FractionMcpError as error:
            if not self.reaches(write):  # what could not be read is not the ERP that the write was planned for
                return None
            if isinstance(error, errors.NotFound):
                await self._refuse(write, f"what it was based on can no longer be read: {error.message}")
            elif isinstance(error, errors.ErpError):
                await self.journal.finish(write.id, Step.PUT_BACK, nothing_written(error))
            else:
                await self._refuse(write, error.message)
            return None
        if now.identity != write.identity:
            logger.info("%s was planned for another ERP or account; it is left to its own process", write.id)
            return None
        if now.digest != write.digest:
            await self._refuse(write, "what it was based on has changed since it was shown", now.plan.preview)
            return None
        return now

    async def _refuse(self, write: Write, why: str, preview: tuple[Change, ...] = ()) -> None:
        hint = "Call the tool again: the new state is shown, and a person is asked anew."
        refusal = errors.ConsentError(f"{why.removesuffix('.')}; nothing was written", hint=hint)
        await self.journal.finish(write.id, Step.REFUSED, replace(nothing_written(refusal), preview=preview))

    async def look_again(self, write: Write) -> Write:
        """Look in the ERP for a write whose outcome is unknown. Seen once: done. Otherwise it stays unknown.

        However often it is asked about, the ERP is asked every few seconds at most.
        """
        erp = self.context.erps.get(write.plan.system)
        if write.state is not State.UNKNOWN or erp is None or not self.reaches(write):
            return write
        looks = [event.at for event in await self.journal.events(write.id) if event.kind == Step.LOOKED]
        if looks and self.journal.now() - looks[-1] < _LOOK_EVERY_S:
            return write
        try:
            look = write.outcome.look or write.plan.look
            sighting = await look_for(erp, look, await self._made_by_others(write))
            if ErpIdentity.of(erp) != write.identity:
                return write
        except errors.ErpError as error:
            await self.journal.note(write.id, Step.LOOKED, {"found": "could not look", "why": error.message})
            return write
        if sighting.found != "one":
            await self.journal.note(write.id, Step.LOOKED, {"found": sighting.found})
            return await self.write(write.id)
        outcome = WriteOutcome(
            result=presented(sighting.record), differs=sighting.told, found_by="reading back", look=look
        )
        return await self.journal.finish(write.id, Step.DONE, outcome)

    async def _made_by_others(self, write: Write) -> set[str]:
        """The ids of records that other writes of the same kind are known to have made: none of them is this one's."""
        done = await self.journal.latest((State.DONE,), identity=write.identity, limit=500)
        results = [other.outcome.result for other in done if other.plan.endpoint == write.plan.endpoint]
        return {number for result in results if isinstance(result, dict) and (number := record_id(result))}

    async def follow_up(self, write: Write) -> Write:
        """What can be done for a write that is asked about: commit it if approved, look for it if unsure."""
        if self.may_commit(write):
            write = await self.commit(write)
        return await self.look_again(write)

    async def watch(self) -> None:
        """While writes wait, commit those that were approved elsewhere and belong to this process's ERPs."""
        waiting, told = True, ""
        while waiting:
            try:
                waiting, told = await self._seen_to(), ""
            except Exception as error:  # noqa: BLE001 - whatever fails for a while, nothing approved is forgotten
                told = logged_once(logger, error, told)
                await anyio.sleep(_TROUBLED_S)
            await anyio.sleep(_WATCH_S)

    async def watch_for_ever(self) -> None:
        """The same until it is cancelled, as for an inbox, to which writes come that others have asked for."""
        while True:
            await self.watch()

    async def _seen_to(self) -> bool:
        """Commit what may be committed, however much there is; whether anything waits."""
        for write in await self.journal.latest((State.APPROVED,), limit=None):
            if self.may_commit(write):
                await self.commit(write)
        return bool(await self.journal.latest((State.AWAITING, State.APPROVED), limit=1))


_DONE_AFTER_ALL = (
    "A person had settled this as not written before the ERP's answer came, which proves that it was. If it was asked "
    "for again meanwhile, the ERP holds it twice."
)
_REFUSED_AFTER_ALL = "This had been called written before the ERP's answer came, which refuses it"


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
