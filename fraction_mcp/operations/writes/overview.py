"""What waits for a person and what was written lately, for whoever has lost a write's id.

Knows the writes of this asker in the ERPs and accounts of this process; those of others it does not tell.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fraction_mcp.operations.results import ToolResult
from fraction_mcp.operations.writes.states import OPEN, State
from fraction_mcp.operations.writes.wording import outcome_word, reference_of, what_next
from fraction_mcp.values.text import clean

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.write import Write

__all__ = ["WriteList", "writes_lately"]

_MOST_OPEN, _MOST_DECIDED = 50, 10
_LOOKED_THROUGH = 500  # of those that were decided: others' writes may stand between this asker's
_COLUMNS = ("id", "outcome", "title", "reference", "at")


class WriteList(ToolResult):
    """Writes, those that are open before those that were decided, the newest first. `at` is the last change of each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return tuple(row[_COLUMNS.index("outcome")] for row in self.rows)


async def writes_lately(service: "WriteService") -> WriteList:
    decided = tuple(state for state in State if state not in OPEN)
    there = await service.journal.latest(OPEN, limit=None)
    open_ones = [write for write in there if service.is_own(write)]
    lately = [write for write in await service.journal.latest(decided, limit=_LOOKED_THROUGH) if service.is_own(write)]
    lately.sort(key=lambda write: -write.updated_at)
    states = [write.state for write in open_ones]
    more_open, more_decided = len(open_ones) > _MOST_OPEN, len(lately) > _MOST_DECIDED
    waiting, unsure = states.count(State.AWAITING), states.count(State.UNKNOWN)
    sentences = [
        *(_count_phrase(waiting, "waits for a person", "wait for a person") or ["Nothing waits for a person"]),
        *_count_phrase(len(states) - waiting - unsure, "is being sent", "are being sent"),
        *_count_phrase(unsure, "has an unknown outcome", "have an unknown outcome"),
        *([f"The newest {_MOST_OPEN} of these {len(open_ones)} are shown"] if more_open else []),
        *([f"Of those that were decided, the last {_MOST_DECIDED} are shown"] if more_decided else []),
    ]
    worst = next((state for state in (State.AWAITING, State.UNKNOWN) if state in states), None)
    return WriteList(
        summary=". ".join(sentences) + ".",
        next=what_next(worst, service.place) if worst else "",
        columns=_COLUMNS,
        rows=tuple(_row(write) for write in (*open_ones[:_MOST_OPEN], *lately[:_MOST_DECIDED])),
    )


def _count_phrase(count: int, singular: str, plural: str) -> list[str]:
    return [f"1 write {singular}" if count == 1 else f"{count} writes {plural}"] if count else []


def _row(write: "Write") -> tuple[str, ...]:
    at = datetime.fromtimestamp(write.updated_at, UTC).isoformat(timespec="seconds")
    return write.id, outcome_word(write), clean(write.plan.title, 120), clean(reference_of(write), 60), at
