"""A write's life: its states and its steps. `MOVES` is the only place that says which may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MOVES", "OPEN", "WAITING", "Move", "State", "Step"]


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


class Step(StrEnum):
    """What may happen to a write: every kind of event that a journal holds."""

    PROPOSED = "proposed"
    REPLANNED = "replanned"
    ASKED = "asked"
    ANSWERED = "answered"
    TOKEN_GIVEN = "token_given"  # noqa: S105 - the name of a step
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CLAIMED = "claimed"
    REFUSED = "refused"
    PUT_BACK = "put_back"
    NOT_SENT = "not_sent"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    LOOKED = "looked"
    SETTLED_LANDED = "settled_landed"
    SETTLED_ABSENT = "settled_absent"
    LATE_DONE = "late_done"
    LATE_REFUSAL = "late_refusal"
    LATE_ANSWER = "late_answer"


@dataclass(frozen=True, slots=True)
class Move:
    """From which states a step may be taken, and where it leads. `to` is None for what changes no state.

    `plans`: its event holds the write's plan. `asks`: a person must decide (anew) after it, and no approval before it
    counts. `tells`: its event holds what came of the write.
    """

    sources: tuple[State, ...]
    to: State | None
    plans: bool = False
    asks: bool = False
    tells: bool = False


_SENT = (State.SENDING, State.UNKNOWN)

MOVES: Mapping[Step, Move] = {
    Step.PROPOSED: Move((), State.AWAITING, plans=True, asks=True),
    Step.REPLANNED: Move((State.AWAITING,), None, plans=True, asks=True),
    Step.ASKED: Move((State.AWAITING,), None),
    Step.ANSWERED: Move(tuple(State), None),  # it may have been decided elsewhere meanwhile
    Step.TOKEN_GIVEN: Move((State.AWAITING,), None),
    Step.APPROVED: Move((State.AWAITING,), State.APPROVED),
    Step.DECLINED: Move((State.AWAITING,), State.DECLINED),
    # An approval that was not used is withdrawn.
    Step.CANCELLED: Move((State.APPROVED,), State.CANCELLED),
    Step.EXPIRED: Move(WAITING, State.EXPIRED),
    Step.CLAIMED: Move((State.APPROVED,), State.SENDING, tells=True),
    # What it was based on had changed: never sent.
    Step.REFUSED: Move(WAITING, State.FAILED, tells=True),
    # What it was based on could not be read.
    Step.PUT_BACK: Move((State.APPROVED,), State.AWAITING, asks=True, tells=True),
    # Nothing left this machine.
    Step.NOT_SENT: Move(_SENT, State.AWAITING, asks=True, tells=True),
    # Another write of its batch, which was to be done before it, was not: what was approved was all of them.
    Step.STOPPED: Move((State.APPROVED,), State.AWAITING, asks=True),
    Step.DONE: Move(_SENT, State.DONE, tells=True),
    Step.FAILED: Move(_SENT, State.FAILED, tells=True),
    Step.UNKNOWN: Move((State.SENDING,), State.UNKNOWN, tells=True),
    Step.LOOKED: Move((State.UNKNOWN,), None),
    Step.SETTLED_LANDED: Move((State.UNKNOWN,), State.DONE, tells=True),
    Step.SETTLED_ABSENT: Move((State.UNKNOWN,), State.FAILED, tells=True),
    # Its own process brings the ERP's proof after a person had settled it.
    Step.LATE_DONE: Move((State.FAILED,), State.DONE, tells=True),
    # The same with a refusal: a conflict for a person to look at.
    Step.LATE_REFUSAL: Move((State.DONE,), State.DONE, tells=True),
    Step.LATE_ANSWER: Move(tuple(State), None),
}
