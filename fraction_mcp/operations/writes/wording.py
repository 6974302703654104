"""Where a write stands, in words: as a tool's result."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fraction_mcp.operations.writes.plan import Change, Trouble, WriteResult
from fraction_mcp.operations.writes.states import Write
from fraction_mcp.values.text import clean, quoted

__all__ = ["called_by", "company_of", "identity_parts", "result_for", "trouble", "used_before"]

_WORDS = {
    "awaiting_approval": "waits for a person's approval",
    "approved": "is approved, and not sent yet",
    "sending": "is being sent",
    "done": "is done",
    "failed": "failed: nothing was written",
    "unknown": "was sent, and nobody knows what became of it: it may have been written",
    "declined": "was declined: nothing was written",
    "cancelled": "was cancelled: nothing was written",
    "expired": "expired without an approval: nothing was written",
}
_OUTCOMES = {"approved": "in_progress", "sending": "in_progress"}
_NEXT = {
    "awaiting_approval": "Ask the user to decide in the approval inbox, then call get_write_status.",
    "approved": "Call get_write_status in a few seconds.",
    "sending": "Call get_write_status in a few seconds.",
    "unknown": "Tell the user to look in the ERP and to settle it in the approval inbox. Do not ask for it again.",
}


def result_for(write: Write, *, token: str = "") -> WriteResult:
    """Where a write stands, as a tool result."""
    state, outcome = str(write.state), write.outcome
    number = called_by(outcome.get("result"))
    title = write.plan["title"]
    words = f"{title}: it {_WORDS[state]}" + (f", as {quoted(number)}" if state == "done" and number else "")
    if differs := outcome.get("differs"):
        words += f". The ERP holds something else than was sent: {'; '.join(differs)}"
    conflict = [outcome["conflict"]] if outcome.get("conflict") else []
    if conflict:
        words += f". {conflict[0].removesuffix('.')}"
    told = Trouble(**outcome["error"]) if state in {"failed", "unknown"} and outcome.get("error") else None
    if state == "unknown" and told is None:
        told = Trouble(**trouble("OUTCOME_UNKNOWN", _WORDS[state], "", written="maybe")["error"])
    if state == "awaiting_approval" and outcome.get("error"):
        words += f". Sending it was tried: {outcome['error']['message']}"
    step = _NEXT.get(state, "")
    if token:
        words = f"{title}: it waits for a confirmation; nothing was written yet"
        step = "Show the preview to the user; only if they agree, call confirm_write with the token."
    return WriteResult(
        summary=words + ".",
        next=step,
        outcome="confirmation_required" if token else _OUTCOMES.get(state, state),  # type: ignore[arg-type]
        write_id=write.id,
        system=write.plan["system"],
        operation=write.plan["tool"],
        preview=tuple(Change(**row) for row in outcome.get("preview") or write.plan["preview"]),
        warnings=(*conflict, *write.plan["warnings"]),
        result=outcome.get("result"),
        confirmation_token=token or None,
        expires_at=_iso(write.expires_at) if state == "awaiting_approval" else None,
        error=told,
    )


def used_before(write: Write) -> WriteResult:
    """The answer to a confirmation of a write that no longer waits: an error, and how the write stands."""
    answer = result_for(write)
    told = Trouble(
        code="CONFIRMATION_INVALID",
        message="this write no longer waits for a confirmation; nothing more was sent",
        hint="Its outcome stands beside this.",
        retryable=False,
        written=answer.error.written if answer.error else None,
    )
    return answer.model_copy(update={"error": told})


def company_of(write: Write) -> str:
    """The name of the company that a write goes to; empty where the ERP does not tell it."""
    company = identity_parts(write.identity)[2]
    return clean(company.partition("/")[2] or company, 120)


def identity_parts(identity: str) -> tuple[str, str, str, str]:
    system, base_url, company, account = json.loads(identity)
    return system, base_url, company, account


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def trouble(code: str, message: str, hint: str, *, written: str, retryable: bool = False) -> dict[str, Any]:
    return {
        "error": {"code": code, "message": message, "hint": hint, "retryable": retryable, "written": written},
    }


def called_by(result: object) -> str:
    """What people call a record by."""
    if not isinstance(result, Mapping):
        return ""
    names = ("quote_number", "part_number", "document", "name", "id")
    return next((clean(str(result[name]), 60) for name in names if result.get(name)), "")
