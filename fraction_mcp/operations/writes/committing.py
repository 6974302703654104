"""One approved write on its way into its ERP: read anew, claimed, sent once, and what came of it written down.

Knows one write. Which of several may go, and who may approve them, is the write service's.
"""

import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from fraction_mcp import errors
from fraction_mcp.erp import Erp
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import presented
from fraction_mcp.operations.writes.approvers import Approvers
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import Change, FrozenPlan, Plan
from fraction_mcp.operations.writes.readback import look_for, record_id
from fraction_mcp.operations.writes.sending import nothing_written, provable, send
from fraction_mcp.operations.writes.states import MOVES, State, Step
from fraction_mcp.operations.writes.write import Draft, Write, WriteOutcome

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.journal import Journal

__all__ = ["Committer", "Replan", "reaches"]

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_RESTARTS_S, _AGAIN_S = 8.0, 0.5  # so long a database that restarts is waited for, and asked again so often

Replan = Callable[[ErpContext, str, Mapping[str, Any]], Awaitable[Plan]]
"""Plans the write of a tool from its arguments again: (context, tool, arguments)."""


def reaches(context: ErpContext, write: Write) -> bool:
    """Whether this process works in the ERP and account of the write, as far as it knows."""
    erp = context.erps.get(write.plan.system)
    return erp is not None and write.identity.is_reached_by(erp)


class Committer:
    """Commits writes of one process's ERPs. `lease_s` is how long a process that sends one may be silent."""

    def __init__(
        self,
        context: ErpContext,
        journal: "Journal",
        replan: Replan,
        *,
        asker: str,
        lease_s: float,
        rules: Approvers,
    ) -> None:
        self._rules = rules
        self._context = context
        self._journal = journal
        self._replan = replan
        self._asker = asker
        self._lease_s = lease_s

    async def commit(self, write: Write) -> Write:
        erp = self._context.erp(write.plan.system)
        again = await self._planned_again(write, erp)
        if again is None:
            return await self._again(write)
        look = await provable(erp, again.plan.look)
        taken = await self._made_by_others(write)
        owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            claimed = await self._journal.claim(
                write.id,
                planned=again,
                owner=owner,
                lease_s=self._lease_s,
                rules=self._rules,
                outcome=WriteOutcome(look=look),  # with the ids that were there just before the send
            )
        except errors.ConsentError as error:
            await self._refuse(write, error.message)
            claimed = False
        except errors.JournalError as error:  # the claim may stand, though nobody could say so
            with suppress(errors.JournalError):
                await self._journal.finish(write.id, Step.NOT_SENT, nothing_written(error), owner=owner)
            raise
        if not claimed:
            return await self._again(write)

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
            held = await self._journal.hold(write_id, owner=owner, lease_s=self._lease_s)
        except Exception as error:
            logger.exception("the claim on %s could not be checked", write_id)
            raise errors.ConsentError("the journal failed just before it was sent; nothing was sent") from error
        if not held:
            raise errors.ConsentError("it could not be sent before its claim ran out; nothing was sent")

    async def _written_down(self, write: Write, step: Step, outcome: WriteOutcome, owner: str) -> Write:
        finished = await self._finished(write.id, step, outcome, owner)
        if finished.state is MOVES[step].to and finished.outcome == outcome:
            return await self.look_again(finished) if finished.state is State.UNKNOWN else finished
        # The lease had run out meanwhile, and somebody else, or a person, has said what became of it.
        if step is Step.DONE and finished.state is State.FAILED:
            conflicting = replace(outcome, conflict=_DONE_AFTER_ALL)
            return await self._journal.finish(write.id, Step.LATE_DONE, conflicting, owner=owner)
        if step is Step.FAILED and finished.state is State.DONE and outcome.error is not None:
            conflicting = replace(finished.outcome, conflict=f"{_REFUSED_AFTER_ALL}: {outcome.error.message}.")
            return await self._journal.finish(write.id, Step.LATE_REFUSAL, conflicting, owner=owner)
        await self._journal.note(write.id, Step.LATE_ANSWER, {"kind": step, **outcome.to_json()})
        return finished

    async def _finished(self, write_id: str, step: Step, outcome: WriteOutcome, owner: str) -> Write:
        """What nobody but this process knows is not lost by a database that restarts. To say it twice does no harm: the
        second time finds it as the first has left it."""
        until = anyio.current_time() + _RESTARTS_S
        while True:
            try:
                return await self._journal.finish(write_id, step, outcome, owner=owner)
            except errors.JournalUnreachable:
                if anyio.current_time() >= until:
                    raise
            await anyio.sleep(_AGAIN_S)

    async def _planned_again(self, write: Write, erp: Erp) -> Draft | None:
        """The write as it would be planned now; None where it must not be sent: the journal then says why."""
        try:
            plan = await self._replan(self._context, write.plan.tool, write.plan.arguments)
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
            if not reaches(self._context, write):  # what could not be read is not the ERP that it was planned for
                return None
            if isinstance(error, errors.NotFound):
                await self._refuse(write, f"what it was based on can no longer be read: {error.message}")
            elif isinstance(error, errors.ErpError):
                await self._journal.finish(write.id, Step.PUT_BACK, nothing_written(error))
            else:
                await self._refuse(write, error.message)
            return None
        if now.identity != write.identity:
            logger.info("%s was planned for another ERP or account; it is left to its own process", write.id)
            return None
        if now.digest != write.digest and plan.unread:
            await self._journal.finish(write.id, Step.PUT_BACK, _unread(plan.unread))
            return None
        if now.digest != write.digest:
            await self._refuse(write, "what it was based on has changed since it was shown", now.plan.preview)
            return None
        return now

    async def _again(self, write: Write) -> Write:
        return await self._journal.get(write.id) or write

    async def _refuse(self, write: Write, why: str, preview: tuple[Change, ...] = ()) -> None:
        hint = "Call the tool again: the new state is shown, and a person is asked anew."
        refusal = errors.ConsentError(f"{why.removesuffix('.')}; nothing was written", hint=hint)
        await self._journal.finish(write.id, Step.REFUSED, replace(nothing_written(refusal), preview=preview))

    async def look_again(self, write: Write) -> Write:
        """Look in the ERP for a write whose outcome is unknown. Seen once: done. Otherwise it stays unknown.

        However often it is asked about, the ERP is asked every few seconds at most.
        """
        erp = self._context.erps.get(write.plan.system)
        if write.state is not State.UNKNOWN or erp is None or not reaches(self._context, write):
            return write
        looks = [event.at for event in await self._journal.events(write.id) if event.kind == Step.LOOKED]
        if looks and self._journal.now() - looks[-1] < _LOOK_EVERY_S:
            return write
        try:
            look = write.outcome.look or write.plan.look
            sighting = await look_for(erp, look, await self._made_by_others(write))
            if ErpIdentity.of(erp) != write.identity:
                return write
        except errors.ErpError as error:
            await self._journal.note(write.id, Step.LOOKED, {"found": "could not look", "why": error.message})
            return write
        if sighting.found != "one":
            await self._journal.note(write.id, Step.LOOKED, {"found": sighting.found})
            return await self._again(write)
        outcome = WriteOutcome(
            result=presented(sighting.record), differs=sighting.told, found_by="reading back", look=look
        )
        return await self._journal.finish(write.id, Step.DONE, outcome)

    async def _made_by_others(self, write: Write) -> set[str]:
        """The ids of records that other writes of the same kind are known to have made: none of them is this one's."""
        done = await self._journal.latest((State.DONE,), identity=write.identity, limit=500)
        results = [other.outcome.result for other in done if other.plan.endpoint == write.plan.endpoint]
        return {number for result in results if isinstance(result, dict) and (number := record_id(result))}


def _unread(error: errors.ErpError) -> WriteOutcome:
    """Of a fact that only informs, and that the approval is bound to: whether it has changed, nobody knows."""
    outcome = nothing_written(error)
    message = f"what it was based on could not be read, and nothing was written: {error.message}"
    return replace(outcome, error=outcome.error and outcome.error.model_copy(update={"message": message}))


_DONE_AFTER_ALL = (
    "A person had settled this as not written before the ERP's answer came, which proves that it was. If it was asked "
    "for again meanwhile, the ERP holds it twice."
)
_REFUSED_AFTER_ALL = "This had been called written before the ERP's answer came, which refuses it"
