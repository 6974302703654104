"""Where a write stands, in words: as a tool's result."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fraction_mcp.errors import AmbiguousReference, BatchRefused, ErpOutcomeUnknown, InputError
from fraction_mcp.operations.candidates import Candidate
from fraction_mcp.operations.results import ToolError, ToolResult
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write, names
from fraction_mcp.values.text import clean, quoted

__all__ = [
    "SOUGHT",
    "Outcome",
    "WriteResult",
    "WritesResult",
    "called_by",
    "in_its_own_words",
    "of_several",
    "outcome_word",
    "reference_of",
    "refused_batch",
    "result_for",
    "result_for_batch",
    "result_within",
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


class WritesResult(WriteResult):
    """Where several writes stand that were asked for under one question; `writes` has each, in their order. The
    outcome is that of the first that is not done."""

    writes: tuple[WriteResult, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        data = super().to_wire()
        data["writes"] = [write.to_wire() for write in self.writes]
        if not data["writes"]:
            del data["writes"]
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


_ASKED_IN_VAIN = "could not look"
SOUGHT = {
    "none": "It was not seen there. That is no proof that it was not written.",
    "several": "Several records look like it: which of them is this one, only a person can tell.",
    _ASKED_IN_VAIN: "The ERP could not be asked.",
}
"""What came of looking in the ERP for a write of which nobody knows, by how the journal names it."""
_LOOK_AGAIN = (
    "Call get_write_status again in a few seconds: it looks in the ERP. If that cannot be asked for long, tell the "
    "user to look there. Do not ask for the write again."
)

_TOGETHER = "submit_writes"
_SOMEWHERE = "in the approval inbox"


def what_next(state: State, place: str, approvers: Sequence[str] = ()) -> str:
    """What is left to do for a write in this state; `place` says where a person decides, `approvers` who may."""
    if state is State.AWAITING and approvers:
        return (
            f"Tell the user that {names(approvers)} must approve it, in the approval inbox; then call get_write_status."
        )
    return _NEXT.get(state, "").format(place=place or _SOMEWHERE)


def outcome_word(write: Write) -> str:
    """A state as results name it."""
    return _OUTCOMES.get(write.state, str(write.state))


def result_for(write: Write, *, token: str = "", place: str = "", looked: EventDetail | None = None) -> WriteResult:
    """Where a write stands, as a tool result; `place` says where a person decides, as far as that is known, and
    `looked` what came of the last look for it in the ERP."""
    state, outcome = str(write.state), write.outcome
    number = called_by(outcome.result)
    title = write.plan.title
    words = f"{title}: it {_WORDS[state]}" + (f", as {quoted(number)}" if state == "done" and number else "")
    if outcome.differs:
        words += f". The ERP holds something else than was sent: {'; '.join(outcome.differs)}"
    if outcome.reason:
        words += f". {_reason(write)}"
    conflict = [outcome.conflict] if outcome.conflict else []
    if conflict:
        words += f". {conflict[0].removesuffix('.')}"
    error = outcome.error if state in {"failed", "unknown"} else None
    if state == "unknown" and error is None:
        error = ToolError(
            code="OUTCOME_UNKNOWN", message=_WORDS[state], hint=ErpOutcomeUnknown.mend, retryable=False, written="maybe"
        )
    step = what_next(write.state, place, write.approvers) or (error.hint if error else "")
    if token:
        words = f"{title}: it waits for a confirmation; nothing was written yet"
        step = "Show the preview to the user; only if they agree, call confirm_write with the token."
    if tried := _tried(write):
        words += f". {tried}"
    if looked:
        found = str(looked.get("found"))
        words += f". {SOUGHT.get(found, '').removesuffix('.')}"
        if found == _ASKED_IN_VAIN:
            words, step = f"{words}: {str(looked.get('why', '')).removesuffix('.')}", _LOOK_AGAIN
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
        warnings=(*conflict, *write.warnings),
        result=outcome.result,
        confirmation_token=token or None,
        expires_at=_iso(write.expires_at) if state == "awaiting_approval" else None,
        error=error,
    )


def result_for_batch(
    batch: Batch, *, token: str = "", place: str = "", looked: EventDetail | None = None
) -> WritesResult:
    """Where all of a batch stands: its outcome is that of the first that is not done, for which it was `looked`."""
    result = result_for(batch.tells, token=token, place=place, looked=looked)
    return WritesResult(
        **{**dict(result), **_of_all(batch), "summary": _summary(batch, result, token=token)},
        writes=tuple(result_for(write).model_copy(update={"next": ""}) for write in batch.writes),
    )


def result_within(write: Write, batch: Batch, *, place: str = "", looked: EventDetail | None = None) -> WritesResult:
    """Where one write stands; and, where it is not decided alone, everything that is decided with it."""
    fields = dict(result_for(write, place=place, looked=looked))
    if write.state is not State.AWAITING or not batch.is_together:
        return WritesResult(**fields)
    waiting = tuple(result_for(member).model_copy(update={"next": ""}) for member in batch.waiting)
    fields["summary"] += f" {of_several(batch)}"
    return WritesResult(**fields, writes=waiting)


def of_several(batch: Batch) -> str:
    """What is to be said of a write that is not decided alone."""
    return f"It is one of {len(batch.waiting)} writes that are approved or declined together."


def refused_batch(refused: BatchRefused) -> WritesResult:
    """Why nothing of a batch was asked for. Names that are not one record are an outcome with candidates, as for one
    write; anything else is an error."""
    whys = list(refused.reasons.values())
    unclear = [why for why in whys if isinstance(why, AmbiguousReference)]
    codes = {why.code for why in whys}
    error = ToolError(
        code=codes.pop() if len(codes) == 1 else InputError.code,
        message=f"{refused.message}; nothing was written",
        hint=refused.hint,
        retryable=all(why.retryable for why in whys),
        written="no",
    )
    only_unclear = len(unclear) == len(whys)
    candidates = [
        candidate.model_copy(update={"argument": f"writes[{index}].arguments.{candidate.argument}"})
        for index, why in refused.reasons.items()
        if isinstance(why, AmbiguousReference)
        for candidate in why.candidates
        if isinstance(candidate, Candidate)
    ]
    return WritesResult(
        summary=f"{refused.message}. None of these writes was entered, and nothing was written.",
        next=refused.hint if only_unclear else "",
        outcome="failed" if not only_unclear else "ambiguous" if unclear[0].status == "ambiguous" else "not_found",
        operation=_TOGETHER,
        candidates=tuple(candidates),
        error=None if only_unclear else error,
    )


def _of_all(batch: Batch) -> dict[str, Any]:
    """The facts of a result that are those of a batch rather than of its first write that is not done."""
    systems = {write.plan.system for write in batch.writes}
    return {
        "write_id": (batch.waiting or (batch.tells,))[0].id,
        "operation": _TOGETHER,
        "system": systems.pop() if len(systems) == 1 else None,
        "preview": (),
        "warnings": (),
        "result": None,
    }


def _summary(batch: Batch, result: WriteResult, *, token: str) -> str:
    """How many stand how, and the sentence of the first that is not done (`result`) where that is no decision to
    come."""
    count, tells = len(batch.writes), batch.tells
    if count == 1:
        return result.summary
    if all(write.state is State.AWAITING for write in batch.writes):
        waits = "wait for a confirmation; nothing was written yet" if token else "wait for a person's approval"
        tried = _tried(tells)
        return f"{count} writes {waits}, all of them together." + (f" {tried.removesuffix('.')}." if tried else "")
    if len({write.state for write in batch.writes}) == 1 and tells.state is not State.DONE:
        reasons = {write.outcome.reason for write in batch.writes}
        why = f". {_reason(tells)}" if len(reasons) == 1 and tells.outcome.reason else ""
        return f"{count} writes: each {_WORDS[str(tells.state)]}{why}."
    done = sum(write.state is State.DONE for write in batch.writes)
    words = [f"All {count} writes are done." if done == count else f"{done} of {count} writes are done."]
    if tells.state not in {State.DONE, State.AWAITING}:
        words.append(result.summary)
    if left := len(batch.waiting):
        were, wait = ("was", "waits") if left == 1 else ("were", "wait")
        words.append(f"{left} {were} not sent, and {wait} for a new approval.")
    return " ".join(words)


def _tried(write: Write) -> str:
    """Why what waits, and had its yes, was not sent."""
    error = write.outcome.error if write.state is State.AWAITING else None
    return f"Sending it was tried: {error.message}" if error else ""


def _reason(write: Write) -> str:
    """Why a person declined it, in their words."""
    return f"The reason given: {quoted(write.outcome.reason, 300)}"


def in_its_own_words(note: str) -> str:
    """A note as people read it: whose words they are, in quotes that they cannot close. Empty where there is none."""
    return "The assistant's own words: “" + note.replace("“", '"').replace("”", '"') + "”" if note else ""


def used_before(answer: WritesResult) -> WritesResult:
    """The answer to a confirmation of a write that no longer waits: an error, and how the write stands."""
    error = ToolError(
        code="CONFIRMATION_INVALID",
        message="this write no longer waits for a confirmation; nothing more was sent",
        hint="Its outcome stands beside this.",
        retryable=False,
        written=answer.error.written if answer.error else None,
    )
    return answer.model_copy(update={"error": error})


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
