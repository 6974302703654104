"""One send of the frozen bytes, and the journal's word for what happened (house.md, What happened)."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from fraction_mcp import errors
from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import NAMED
from fraction_mcp.operations.fitting import presented
from fraction_mcp.operations.writes.readback import look_for, proof_of
from fraction_mcp.operations.writes.wording import trouble

__all__ = ["done", "error_outcome", "provable", "sent", "unsent"]

logger = logging.getLogger(__name__)


async def sent(
    erp: Erp,
    plan: Mapping[str, Any],
    look: Mapping[str, Any],
    taken: Collection[str],
    hold: Callable[[], Awaitable[None]],
) -> tuple[str, dict[str, Any]]:
    """Send the frozen bytes, and the journal's word for what happened (house.md, What happened)."""
    endpoint, content = NAMED[plan["endpoint"]], plan["content"].encode()
    try:
        answer = await erp.call(endpoint, path=plan["path"], body=content, before_send=hold)
    except errors.Duplicate as error:
        return await _duplicate(erp, look, taken, error)
    except errors.ErpRejected as error:
        return "failed", error_outcome(error, written="no")
    except errors.ErpOutcomeUnknown as error:
        return "unknown", error_outcome(error, written="maybe")
    except errors.ErpError as error:  # of a sign-in before it: the write's own request raises none of these
        return "not_sent", error_outcome(error, written="no")
    except errors.ConsentError as error:
        return "not_sent", unsent(error)
    except Exception:
        logger.exception("sending failed inside this server")
        return "unknown", trouble("OUTCOME_UNKNOWN", "something went wrong while it was sent", "", written="maybe")
    proof = proof_of(answer, look, taken)
    if proof.record is None:
        message = f"{erp.system.label} said that it was done, but {proof.flaw}"
        return "unknown", trouble("OUTCOME_UNKNOWN", message, "", written="maybe")
    return "done", done(proof.record, proof.told)


async def _duplicate(
    erp: Erp, look: Mapping[str, Any], taken: Collection[str], error: errors.Duplicate
) -> tuple[str, dict[str, Any]]:
    """Refused as a duplicate of what was absent a moment ago: it may be the write itself, which something on the way
    to the ERP has sent twice. Only a record that is provably another's shows that nothing was written."""
    try:
        sighting = await look_for(erp, look, taken)
    except errors.ErpError:
        return "unknown", error_outcome(error, written="maybe")
    if sighting.found == "none" and sighting.others:
        return "failed", error_outcome(error, written="no")
    return "unknown", error_outcome(error, written="maybe")


def done(record: Mapping[str, Any] | None, told: Sequence[str], **more: Any) -> dict[str, Any]:
    """The outcome of a success: what the ERP holds, and what of it is not as it was sent."""
    return {"result": presented(record), **({"differs": list(told)} if told else {}), **more}


async def provable(erp: Erp, look: Mapping[str, Any]) -> Mapping[str, Any]:
    """What to look for afterwards, where seeing it would prove something.

    A record that is there already, just before the send, and looks like what is about to be written would be taken for
    it: then nothing that is seen afterwards counts (`telling` is false).
    """
    try:
        unproved = (await look_for(erp, look)).found != "none"
    except errors.ErpError:
        unproved = True
    return {**look, "telling": False} if unproved else look


def unsent(error: errors.FractionMcpError) -> dict[str, Any]:
    return trouble(error.code, error.message, error.hint, written="no", retryable=error.retryable)


def error_outcome(error: errors.ErpError, *, written: str) -> dict[str, Any]:
    code = errors.ErpOutcomeUnknown.code if written == "maybe" else error.code
    return trouble(code, error.message, error.hint, written=written, retryable=error.retryable and written == "no")
