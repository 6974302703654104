"""Whether a write that is asked for was done before, or may have been: by its bytes, or by what its plan says it
repeats. Knows the journal; decides nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import called_by
from fraction_mcp.operations.writes.write import Draft, Write
from fraction_mcp.values.text import quoted

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.journal import Journal

__all__ = ["UNDER_WAY", "all_asked_before", "asked_before", "repeats"]

UNDER_WAY = (State.APPROVED, State.SENDING, State.UNKNOWN)
_JUST_LANDED_S = 900
_MANY = 1_000


async def asked_before(journal: "Journal", draft: Draft) -> Write | None:
    """The latest write that is this one, and is under way, unsure, or landed a while ago."""
    return (await all_asked_before(journal, [draft]))[0]


async def all_asked_before(journal: "Journal", drafts: Sequence[Draft]) -> list[Write | None]:
    """The same for each of several.

    One whose bytes follow from what is there has other bytes once it has landed: it is known by what it `repeats`.
    """
    since = journal.now() - _JUST_LANDED_S
    repeated: dict[tuple[ErpIdentity, str], Write] = {}
    for identity in {draft.identity for draft in drafts if draft.plan.repeats}:
        for write in await journal.latest((*UNDER_WAY, State.DONE), identity=identity, limit=_MANY):
            if write.state is not State.DONE or write.updated_at >= since:
                repeated.setdefault((identity, write.plan.repeats), write)
    return [
        repeated.get((draft.identity, draft.plan.repeats))
        if draft.plan.repeats
        else await journal.landed_before(draft.key, since)
        for draft in drafts
    ]


def repeats(landed: Write, now: float) -> str:
    """The warning that it landed already."""
    minutes = int((now - landed.updated_at) // 60)
    when = f"{minutes} minutes ago" if minutes > 1 else "a moment ago"
    number = called_by(landed.outcome.result)
    return f"An identical write landed {when}{f' as {quoted(number)}' if number else ''}; this repeats it."
