"""Writes that are asked for under one question: what is decided together, and which cannot stand beside one another.

A write that was asked for alone is a batch of itself, so whoever asks a person, shows a card or takes an answer knows
batches only. What waits of a batch is decided as a whole: an approval is bound to the digests of all of it, in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fraction_mcp.errors import AmbiguousReference, BatchRefused, FractionMcpError, InputError
from fraction_mcp.operations.writes.plan import Plan, Thing
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write, hash_of

__all__ = ["MOST", "Batch", "PlannedBatch", "PlannedWrite", "conflicts", "digest_of", "gravest_first", "is_open"]

MOST = 50
"""How many writes one question may be about: more, nobody would read."""

_UNDER_WAY = (State.APPROVED, State.SENDING)


def digest_of(writes: Sequence[Write]) -> str:
    """What an approval of these writes is bound to: over their digests, in order. A write alone is bound to its own."""
    return writes[0].digest if len(writes) == 1 else hash_of([write.digest for write in writes])


@dataclass(frozen=True, slots=True)
class Batch:
    """The writes of a batch in order, or one that was asked for alone."""

    writes: tuple[Write, ...]

    def of(self, write: Write) -> Write:
        """That write as it stood when its batch was read."""
        return next(member for member in self.writes if member.id == write.id)

    @property
    def waiting(self) -> tuple[Write, ...]:
        """What a person decides about, all of it together."""
        return tuple(write for write in self.writes if write.state is State.AWAITING)

    @property
    def is_together(self) -> bool:
        """Whether several wait, so that none of them is decided alone."""
        return len(self.waiting) > 1

    @property
    def digest(self) -> str:
        """Of what waits; empty where nothing does."""
        return digest_of(self.waiting) if self.waiting else ""

    @property
    def asked_anew_at(self) -> float:
        """When something last happened to what waits: a question from before is about something else."""
        return max((write.updated_at for write in self.waiting), default=0.0)

    @property
    def to_send(self) -> tuple[Write, ...]:
        return tuple(write for write in self.writes if write.state is State.APPROVED)

    @property
    def is_under_way(self) -> bool:
        return any(write.state in _UNDER_WAY for write in self.writes)

    @property
    def tells(self) -> Write:
        """The first that is not done, whose outcome is the batch's; the last where all are."""
        return next((write for write in self.writes if write.state is not State.DONE), self.writes[-1])


def gravest_first(writes: Sequence[Write]) -> list[tuple[int, str]]:
    """Every warning with the number of its write among these (0 for one alone): the gravest of each, then the second
    of each, since a plan has its own in this order."""
    ranked = [
        (rank, number, warning)
        for number, write in enumerate(writes, start=1)
        for rank, warning in enumerate(write.warnings)
    ]
    return [
        (number if len(writes) > 1 else 0, warning) for _, number, warning in sorted(ranked, key=lambda item: item[:2])
    ]


# ------------------------------------------------------------------------------------------------------------- planning


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One item of a batch: which tool with what, and what it would write."""

    tool: str
    arguments: Mapping[str, Any]
    plan: Plan


@dataclass(slots=True)
class PlannedBatch:
    """What came of planning each item, by its index: a plan, or what is wrong with it."""

    tools: Sequence[str]
    planned: dict[int, PlannedWrite] = field(default_factory=dict)
    failed: dict[int, FractionMcpError] = field(default_factory=dict)

    def writes(self) -> list[PlannedWrite]:
        """All of them, in order. Raises BatchRefused with everything that is wrong with any item, where one failed; one
        that needs what another item makes says so, since that is why it fails."""
        writes = [planned for _, planned in sorted(self.planned.items())]
        if not self.failed:
            return writes
        made = {each: index for index, planned in self.planned.items() for each in planned.plan.writes}
        reasons = {
            index: planned.plan.refusal for index, planned in self.planned.items() if planned.plan.refusal is not None
        }
        reasons |= conflicts(self.planned, self.tools)
        for index, error in self.failed.items():
            sought = error.sought if isinstance(error, AmbiguousReference) else ()
            reasons[index] = _needs(BatchRefused.called(made[sought], self.tools)) if sought in made else error
        raise BatchRefused(self.tools, reasons)


def conflicts(
    planned: Mapping[int, PlannedWrite], tools: Sequence[str], keys: Sequence[str] = ()
) -> dict[int, FractionMcpError]:
    """The items that repeat an earlier one (by `keys`), or rest on or change what an earlier one changes: their preview
    would not be what is there when their turn comes."""
    first: dict[str, int] = {}
    changed: dict[Thing, int] = {}
    reasons: dict[int, FractionMcpError] = {}
    for index, write in sorted(planned.items()):
        same = first.setdefault(keys[index], index) if keys else index
        met = [changed[each] for each in (*write.plan.reads, *write.plan.writes) if each in changed]
        if same != index:
            again = f"is the same write as {BatchRefused.called(same, tools)}"
            reasons[index] = InputError({"": again}, hint="Leave it out.")
        elif met:
            reasons[index] = _needs(BatchRefused.called(min(met), tools))
        for each in write.plan.writes:
            changed.setdefault(each, index)
    return reasons


def _needs(earlier: str) -> InputError:
    return InputError(
        {"": f"rests on what {earlier} writes, so nobody could be shown what it would change"},
        hint="Ask for it again when the earlier one is done.",
    )


def is_open(write: Write) -> InputError:
    """Why an item that is open already is not asked for within a batch."""
    state = str(write.state).replace("_", " ")
    return InputError(
        {"": f"is the same write as {write.id}, which is {state}"},
        hint="What is open already is not asked for twice: get_write_status tells where it stands.",
    )
