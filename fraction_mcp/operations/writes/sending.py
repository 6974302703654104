"""One send of the frozen bytes, and the step that it is (house.md, What happened)."""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from fraction_mcp import errors
from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import NAMED
from fraction_mcp.operations.fitting import presented
from fraction_mcp.operations.results import ToolError, Written
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.readback import FrozenLook, look_for, proof_of
from fraction_mcp.operations.writes.states import Step
from fraction_mcp.operations.writes.write import WriteOutcome

__all__ = ["nothing_written", "provable", "send"]

logger = logging.getLogger(__name__)

Sent = tuple[Step, WriteOutcome]


async def send(
    erp: Erp, plan: FrozenPlan, look: FrozenLook, taken: Collection[str], hold: Callable[[], Awaitable[None]]
) -> Sent:
    """Send the frozen bytes once. `hold` is asked just before the first byte; `taken` are ids that other writes are
    known to have made."""
    endpoint, content = NAMED[plan.endpoint], plan.content.encode()
    try:
        answer = await erp.call(endpoint, path=plan.path, body=content, before_send=hold)
    except errors.Duplicate as error:
        return await _duplicate(erp, look, taken, error)
    except errors.ErpRejected as error:
        return Step.FAILED, _because(error, "no")
    except errors.ErpOutcomeUnknown as error:
        return Step.UNKNOWN, _because(error, "maybe")
    except (errors.ErpError, errors.ConsentError) as error:
        # Of a sign-in before it, or of the claim: the write's own request raises none of these.
        return Step.NOT_SENT, _because(error, "no")
    except Exception:
        logger.exception("sending failed inside this server")
        return Step.UNKNOWN, _unclear(erp, "something went wrong while it was sent")
    proof = proof_of(answer, look, taken)
    if proof.record is None:
        return Step.UNKNOWN, _unclear(erp, f"{erp.system.label} said that it was done, but {proof.flaw}")
    return Step.DONE, WriteOutcome(result=presented(proof.record), differs=proof.told)


async def _duplicate(erp: Erp, look: FrozenLook, taken: Collection[str], error: errors.Duplicate) -> Sent:
    """Refused as a duplicate of what was absent a moment ago: it may be the write itself, which something on the way
    to the ERP has sent twice. Only a record that is provably another's shows that nothing was written."""
    try:
        sighting = await look_for(erp, look, taken)
    except errors.ErpError:
        return Step.UNKNOWN, _because(error, "maybe")
    if sighting.found == "none" and sighting.others:
        return Step.FAILED, _because(error, "no")
    return Step.UNKNOWN, _because(error, "maybe")


async def provable(erp: Erp, look: FrozenLook) -> FrozenLook:
    """What to look for afterwards, where seeing it would prove something.

    A record that is there already, just before the send, and looks like what is about to be written would be taken for
    it: then nothing that is seen afterwards counts (`telling` is false).
    """
    try:
        unproved = (await look_for(erp, look)).found != "none"
    except errors.ErpError:
        unproved = True
    return replace(look, telling=False) if unproved else look


def nothing_written(error: errors.FractionMcpError) -> WriteOutcome:
    return _because(error, "no")


def _because(error: errors.FractionMcpError, written: Written) -> WriteOutcome:
    tool_error = ToolError.from_exception(error, written=written)
    if written == "maybe":
        tool_error = tool_error.model_copy(update={"code": errors.ErpOutcomeUnknown.code})
    return WriteOutcome(error=tool_error)


def _unclear(erp: Erp, message: str) -> WriteOutcome:
    return _because(errors.ErpOutcomeUnknown(message, system=erp.system, operation="write"), "maybe")
