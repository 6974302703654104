"""Where a write stands, in words: as a tool's result."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from fraction_mcp.errors import ErpOutcomeUnknown
from fraction_mcp.operations.lookup import Candidate
from fraction_mcp.operations.results import ToolError, ToolResult
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.text import clean, quoted

__all__ = [
    "Outcome",
    "WriteResult",
    "called_by",
    "in_its_own_words",
    "outcome_word",
    "reference_of",
    "result_for",
    "used_before",
    "what_next",
]

Outcome = Literal[
    "done",
    "awaiting_approval",
    "confirmation_required",
    "declined",
    "cancelled",
    "expired",
    "in_progress",
    "failed",
    "unknown",
    "ambiguous",
    "not_found",
]


class WriteResult(ToolResult):
    """Where a write stands."""

    outcome: Outcome
    write_id: str | None = None
    system: str | None = None
    operation: str
    preview: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    result: dict[str, Any] | None = None
    candidates: tuple[Candidate, ...] = ()
    confirmation_token: str | None = None
    expires_at: str | None = None
    error: ToolError | None = None

    def to_wire(self) -> dict[str, Any]:
        data = super().to_wire()
        for name in ("confirmation_token", "error"):
            if data[name] is None:
                del data[name]
        return data


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
    "awaiting_approval": "Ask the user to decide {place}, then call get_write_status.",
    "approved": "Call get_write_status in a few seconds.",
    "sending": "Call get_write_status in a few seconds.",
    "unknown": "Tell the user to look in the ERP and to settle it in the approval inbox. Do not ask for it again.",
}


_SOMEWHERE = "in the approval inbox"


def what_next(state: State, place: str) -> str:
    """What is left to do for a write in this state; `place` says where a person decides."""
    return _NEXT.get(state, "").format(place=place or _SOMEWHERE)


def outcome_word(write: Write) -> str:
    """A state as results name it."""
    return _OUTCOMES.get(write.state, str(write.state))


def result_for(write: Write, *, token: str = "", place: str = "") -> WriteResult:
    """Where a write stands, as a tool result; `place` says where a person decides, as far as that is known."""
    state, outcome = str(write.state), write.outcome
    number = called_by(outcome.result)
    title = write.plan.title
    words = f"{title}: it {_WORDS[state]}" + (f", as {quoted(number)}" if state == "done" and number else "")
    if outcome.differs:
        words += f". The ERP holds something else than was sent: {'; '.join(outcome.differs)}"
    conflict = [outcome.conflict] if outcome.conflict else []
    if conflict:
        words += f". {conflict[0].removesuffix('.')}"
    told = outcome.error if state in {"failed", "unknown"} else None
    if state == "unknown" and told is None:
        told = ToolError(
            code="OUTCOME_UNKNOWN", message=_WORDS[state], hint=ErpOutcomeUnknown.mend, retryable=False, written="maybe"
        )
    if state == "awaiting_approval" and outcome.error:
        words += f". Sending it was tried: {outcome.error.message}"
    step = what_next(write.state, place) or (told.hint if told else "")
    if token:
        words = f"{title}: it waits for a confirmation; nothing was written yet"
        step = "Show the preview to the user; only if they agree, call confirm_write with the token."
    # What a write that was refused would be now. One that waits is judged by its plan, and by nothing else.
    preview = (outcome.preview if state == "failed" else ()) or write.plan.preview
    return WriteResult(
        summary=words + ".",
        next=step,
        outcome="confirmation_required" if token else outcome_word(write),  # type: ignore[arg-type]
        write_id=write.id,
        system=write.plan.system,
        operation=write.plan.tool,
        preview=preview,
        warnings=(*conflict, *write.plan.warnings),
        result=outcome.result,
        confirmation_token=token or None,
        expires_at=_iso(write.expires_at) if state == "awaiting_approval" else None,
        error=told,
    )


def in_its_own_words(note: str) -> str:
    """A note as people read it: whose words they are, in quotes that they cannot close. Empty where there is none."""
    return "The assistant's own words: “" + note.replace("“", '"').replace("”", '"') + "”" if note else ""


def used_before(write: Write) -> WriteResult:
    """The answer to a confirmation of a write that no longer waits: an error, and how the write stands."""
    answer = result_for(write)
    told = ToolError(
        code="CONFIRMATION_INVALID",
        message="this write no longer waits for a confirmation; nothing more was sent",
        hint="Its outcome stands beside this.",
        retryable=False,
        written=answer.error.written if answer.error else None,
    )
    return answer.model_copy(update={"error": told})


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def reference_of(write: Write) -> str:
    """What people call the record by that came of it; else what they called the request by."""
    if number := called_by(write.outcome.result):
        return number
    names = ("customer_ref", "document", "part_number")
    fields = {row.field: row.after for row in write.plan.preview}
    return next((str(fields[name]) for name in names if fields.get(name)), "")


def called_by(result: object) -> str:
    """What people call a record by."""
    if not isinstance(result, Mapping):
        return ""
    names = ("quote_number", "part_number", "document", "name", "id")
    return next((clean(str(result[name]), 60) for name in names if result.get(name)), "")
