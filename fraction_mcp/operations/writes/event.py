"""What happened to a write, step by step, as the journal keeps it: the one place that names what an event may hold.

Kept as JSON, under a hash: a name that is changed here is another name in every journal that there is. An older journal
says less, so each may be missing. Knows nothing of databases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from fraction_mcp.operations.writes.states import Step

__all__ = ["Event", "EventDetail", "decided_by"]


_With = TypedDict("_With", {"with": str}, total=False)  # a keyword of Python's


class EventDetail(_With, total=False):
    """What an event says beside its step, grouped by the steps that say it."""

    # proposed, replanned: what the row of the write is held against
    key: str
    identity: str
    digest: str  # approved and token_given, too: of what was shown
    plan: Mapping[str, Any]
    asker: str
    asked_by: str
    expires_at: float
    approvers: Sequence[str]
    batch: str
    position: int
    # asked; of a batch, the words stand with the first write, and each other one has that one's id (`with`)
    nonce: str  # answered, too
    how: str
    client: str
    message: str
    # answered: what the client sent, after how many seconds, and the choice that it counts as
    sent: Mapping[str, Any]
    after_s: float
    counts_as: str
    # token_given
    sha256: str
    # approved, declined, cancelled, settled: who; `subject` of a sign-in; of a batch, the item's own digest, and the id
    # of the write that must be done before it
    by: str
    subject: str
    item: str
    after: str
    # claimed: the attempt, and the hash of the bytes that were to go out
    owner: str
    content_sha256: str
    # stopped: the id of the write that was not done
    because: str
    # looked: what was seen; `why`, below, where it could not be looked
    found: str
    # late_answer: as which step it came
    kind: str
    # of every step that tells (`Move.tells`), of a late answer, and of a no with its reason: what a `WriteOutcome` says
    result: Any
    differs: list[str]
    found_by: str
    look: Mapping[str, Any]
    error: Mapping[str, Any]
    conflict: str
    why: str
    preview: list[dict[str, Any]]
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a write's life, chained to the one before by its hash."""

    seq: int
    write_id: str
    at: float
    kind: Step
    detail: EventDetail
    hash: str


def decided_by(event: Event) -> str:
    return str(event.detail.get("by") or "somebody")
