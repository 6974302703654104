"""What a person may decide about a write, and when: once, for the page and the command.

Knows which decision fits which state, and who would send what is approved. What it does is the write service's.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import MOVES, WAITING, State, Step
from fraction_mcp.operations.writes.write import Write

__all__ = ["ABSENT", "APPROVE", "DECISIONS", "DECLINE", "LANDED", "LOOK", "Decision", "Said", "cannot_send_here"]

Act = Callable[[WriteService, Write, "Said"], Awaitable[Write]]


@dataclass(frozen=True, slots=True)
class Said:
    """Who decides, what they were shown (its digest), and why, where they say so: a reason counts for a no only."""

    by: Decider
    digest: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """`sources` are the states in which it may be made, `good` those that say afterwards that it worked."""

    name: str
    sources: tuple[State, ...]
    good: tuple[State, ...]
    act: Act

    def fits(self, write: Write) -> bool:
        return write.state in self.sources


async def _approve(service: WriteService, write: Write, verdict: Said) -> Write:
    return await service.approve(write, by=verdict.by, digest=verdict.digest)


async def _decline(service: WriteService, write: Write, verdict: Said) -> Write:
    return await service.decline(write, by=verdict.by.name, reason=verdict.reason)


async def _landed(service: WriteService, write: Write, verdict: Said) -> Write:
    return await service.settle(write, landed=True, by=verdict.by.name)


async def _absent(service: WriteService, write: Write, verdict: Said) -> Write:
    return await service.settle(write, landed=False, by=verdict.by.name)


async def _look(service: WriteService, write: Write, _said: Said) -> Write:
    return await service.look_again(write)


_ON_ITS_WAY = (State.DONE, State.APPROVED, State.SENDING)

APPROVE = Decision("approve", MOVES[Step.APPROVED].sources, _ON_ITS_WAY, _approve)
DECLINE = Decision("decline", WAITING, (State.DECLINED, State.CANCELLED), _decline)
LANDED = Decision("landed", MOVES[Step.SETTLED_LANDED].sources, (State.DONE,), _landed)
ABSENT = Decision("absent", MOVES[Step.SETTLED_ABSENT].sources, (State.FAILED,), _absent)
LOOK = Decision("look", MOVES[Step.LOOKED].sources, (State.DONE,), _look)

DECISIONS: Mapping[str, Decision] = {decision.name: decision for decision in (APPROVE, DECLINE, LANDED, ABSENT, LOOK)}


def cannot_send_here(service: WriteService, write: Write) -> str:
    """Why this process cannot send the write; empty where it can."""
    label = write.plan.system.label
    if write.plan.system not in service.context.erps:
        return f"no account of {label} is configured here"
    if not service.reaches(write):
        return f"another {label} or another account is configured here"
    if service.context.read_only:
        return "writes are switched off here (FRACTION_MCP_READ_ONLY)"
    return ""
