"""A write as the journal holds it: what was planned, where it stands, and what came of it.

Its *digest* covers the request, the before and after, and the facts it was based on, not what moves by itself; its
*key* says when two requests are the same write: ERP, account, asker and canonical request.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from fraction_mcp.erp.request import encode
from fraction_mcp.operations.results import ToolError
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import Change, FrozenPlan, Plan
from fraction_mcp.operations.writes.readback import FrozenLook
from fraction_mcp.operations.writes.states import WAITING, State

__all__ = ["Answer", "Draft", "Write", "WriteOutcome", "hash_of", "names"]


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What came of a write, as far as something did.

    `result` is the ERP's record and `differs` what it keeps otherwise than was sent; `found_by` how it was found where
    the answer did not say it; `look` what to look for, with the ids that were there just before the send; `conflict`
    what a person must look at; `why` a reason that is no error; `preview` what a refused write would change now;
    `reason` why a person declined it, in their words.
    """

    result: Any = None
    differs: tuple[str, ...] = ()
    found_by: str = ""
    look: FrozenLook | None = None
    error: ToolError | None = None
    conflict: str = ""
    why: str = ""
    preview: tuple[Change, ...] = ()
    reason: str = ""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "WriteOutcome":
        """Raises KeyError, TypeError or ValueError for what is none."""
        return cls(
            result=kept.get("result"),
            differs=tuple(kept.get("differs", ())),
            found_by=kept.get("found_by", ""),
            look=FrozenLook.from_json(kept["look"]) if kept.get("look") else None,
            error=ToolError.model_validate(kept["error"]) if kept.get("error") else None,
            conflict=kept.get("conflict", ""),
            why=kept.get("why", ""),
            preview=tuple(Change.model_validate(row) for row in kept.get("preview", ())),
            reason=kept.get("reason", ""),
        )

    def to_json(self) -> EventDetail:
        """What is there, and nothing of what is not."""
        fields = {
            "result": self.result,
            "differs": list(self.differs),
            "found_by": self.found_by,
            "look": self.look and self.look.to_json(),
            "error": self.error and self.error.model_dump(),
            "conflict": self.conflict,
            "why": self.why,
            "preview": [change.model_dump() for change in self.preview],
            "reason": self.reason,
        }
        return cast("EventDetail", {name: value for name, value in fields.items() if value not in (None, "", [])})


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned write, before it is in the journal. `key` says when two are the same write; `asker` is who asks,
    `asked_by` how to name the client that did. One of the `approvers` must say yes, where there are any."""

    key: str
    identity: ErpIdentity
    digest: str
    plan: FrozenPlan
    asker: str
    asked_by: str
    expires_at: float
    approvers: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, plan: Plan, frozen: FrozenPlan, *, identity: ErpIdentity, asker: str, asked_by: str, expires_at: float
    ) -> "Draft":
        """The one place where everything that a write is bound to comes together."""
        return cls(
            key=hash_of([identity.text, asker, *frozen.request]),
            identity=identity,
            digest=hash_of([identity.text, [frozen.request, *plan.judged()]]),
            plan=frozen,
            asker=asker,
            asked_by=asked_by,
            expires_at=expires_at,
        )


@dataclass(frozen=True, slots=True)
class Write:
    """A write as the journal holds it. Times are unix seconds.

    `batch` is what it was asked for within, empty where it was asked for alone; `position` its place there, from 1.
    One of the `approvers` must say yes to it, where there are any.
    """

    id: str
    key: str
    identity: ErpIdentity
    state: State
    created_at: float
    updated_at: float
    expires_at: float
    digest: str
    plan: FrozenPlan
    asker: str
    asked_by: str
    owner: str
    lease_until: float
    token_hash: str
    outcome: WriteOutcome = field(default_factory=WriteOutcome)
    batch: str = ""
    position: int = 0
    approvers: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know first, the gravest first: whose yes it needs, and what its plan warns of."""
        if not self.approvers:
            return self.plan.warnings
        return (f"It needs the approval of {names(self.approvers)}, and never of who asked.", *self.plan.warnings)

    def is_due(self, now: float) -> bool:
        """Whether time alone has done something to it since: its wait is over, or its lease has run out."""
        if self.state is State.SENDING:
            return self.lease_until <= now
        return self.state in WAITING and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first answer to a question counts as: its choice, or an empty text where nobody chose, and how many
    seconds after the question it came."""

    choice: str
    after_s: float


def names(people: Iterable[str]) -> str:
    """People as a sentence has them: `a@x.example or b@x.example`."""
    listed = sorted(people)
    more = [f"{len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
    listed = listed[:_SHOWN] + more
    return " or ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:]))) or "nobody"


_SHOWN = 5


def hash_of(value: object) -> str:
    return hashlib.sha256(encode(value).encode()).hexdigest()
