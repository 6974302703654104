"""A write's life: its states, and which may follow which. `MOVES` is the only place that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["MOVES", "OPEN", "WAITING", "Answer", "Draft", "Event", "State", "Write"]


class State(StrEnum):
    AWAITING = "awaiting_approval"
    APPROVED = "approved"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


WAITING = (State.AWAITING, State.APPROVED)
OPEN = (*WAITING, State.SENDING, State.UNKNOWN)

# Event -> the states that it may start from, and the one that it leads to.
MOVES: Mapping[str, tuple[tuple[State, ...], State]] = {
    "approved": ((State.AWAITING,), State.APPROVED),
    "declined": (WAITING, State.DECLINED),
    "cancelled": ((State.AWAITING,), State.CANCELLED),
    "expired": (WAITING, State.EXPIRED),
    "claimed": ((State.APPROVED,), State.SENDING),
    "refused": (WAITING, State.FAILED),  # what it was based on had changed: never sent
    "put_back": ((State.APPROVED,), State.AWAITING),  # what it was based on could not be read: asked anew
    "not_sent": ((State.SENDING, State.UNKNOWN), State.AWAITING),  # nothing left this machine: asked anew
    "done": ((State.SENDING, State.UNKNOWN), State.DONE),
    "failed": ((State.SENDING, State.UNKNOWN), State.FAILED),
    "unknown": ((State.SENDING,), State.UNKNOWN),
    "settled_landed": ((State.UNKNOWN,), State.DONE),
    "settled_absent": ((State.UNKNOWN,), State.FAILED),
    "late_done": ((State.FAILED,), State.DONE),  # its own process brings the ERP's proof after a person had settled it
    "late_refusal": ((State.DONE,), State.DONE),  # the same with a refusal: a conflict for a person to look at
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned write, before it is in the journal. `plan` is plain JSON; `key` says when two are the same write;
    `asker` is who asks, `asked_by` how to name the client that did."""

    key: str
    identity: str
    digest: str
    plan: Mapping[str, Any]
    asker: str
    asked_by: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Write:
    """A write as the journal holds it. Times are unix seconds. `outcome` holds what came back, once something did."""

    id: str
    key: str
    identity: str
    state: State
    created_at: float
    updated_at: float
    expires_at: float
    digest: str
    plan: Mapping[str, Any]
    asker: str
    asked_by: str
    owner: str
    lease_until: float
    token_hash: str
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a write's life, chained to the one before by its hash."""

    seq: int
    write_id: str
    at: float
    kind: str
    detail: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first answer to a question counts as: its choice, or an empty text where nobody chose, and how many
    seconds after the question it came."""

    choice: str
    after_s: float
