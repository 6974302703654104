"""What of the inbox is looked at: a part of the list, a page of it, one write, or what a search finds.

Read from an address or a form, which anybody may have typed: whatever is no view is the whole list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fraction_mcp.operations.writes.event import Event, decided_by
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import reference_of
from fraction_mcp.operations.writes.write import Write

__all__ = ["BUSY", "DECIDED", "SECTIONS", "Search", "View"]

BUSY = (State.APPROVED, State.SENDING)
DECIDED = (State.DONE, State.FAILED, State.DECLINED, State.CANCELLED, State.EXPIRED)
SECTIONS = (
    ("unsure", "To be settled", (State.UNKNOWN,)),
    ("waiting", "Waiting for you", (State.AWAITING,)),
    ("busy", "On their way", BUSY),
    ("decided", "Decided lately", DECIDED),
)
"""The parts of the list in their order: name, heading, states."""

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Search:
    """What a write must have: each word of `text` somewhere, this state, this tool, and `customer` in its name."""

    text: str = ""
    state: str = ""
    tool: str = ""
    customer: str = ""

    @property
    def states(self) -> tuple[State, ...]:
        """The only ones that can be found; empty where any can."""
        return (State(self.state),) if self.state else ()

    def finds(self, write: Write, decisions: Sequence[Event]) -> bool:
        if self.state not in {"", write.state} or self.tool not in {"", write.plan.tool}:
            return False
        rows = write.plan.preview
        if self.customer:
            names = " ".join(row.after or "" for row in rows if row.field in {"customer", "name"})
            if self.customer.casefold() not in names.casefold():
                return False
        words = self.text.casefold().split()
        if not words:
            return True
        identity, outcome = write.identity, write.outcome
        texts = [write.id, write.plan.title, write.plan.tool, reference_of(write), write.plan.note, write.asked_by]
        texts += [identity.system.label, identity.company_name, identity.account, outcome.reason]
        texts += [text for row in rows for text in (row.before, row.after) if text]
        texts += [outcome.error.message] if outcome.error else []
        texts += map(decided_by, decisions)
        everything = "\n".join(texts).casefold()
        return all(word in everything for word in words)


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at. `without` is a write that stands elsewhere on the page."""

    of: str = ""
    page: int = 1
    write: str = ""
    search: Search = Search()
    without: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "View":
        of, page, state = params.get("of", ""), params.get("page", ""), params.get("state", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        text, tool, customer = (params.get(name, "").strip()[:_LONGEST] for name in ("q", "tool", "customer"))
        return cls(
            of if of in {name for name, _, _ in SECTIONS} else "",
            max(1, number),
            params.get("write", "")[:_LONGEST],
            Search(text, state if state in set(State) else "", tool, customer),
        )

    def query(self) -> dict[str, str]:
        search = self.search
        params: dict[str, Any] = {"of": self.of, "page": str(self.page) if self.of else "", "write": self.write}
        params |= {"q": search.text, "state": search.state, "tool": search.tool, "customer": search.customer}
        return {name: value for name, value in params.items() if value}

    @property
    def searches(self) -> bool:
        return self.search != Search()

    def at(self, of: str, page: int) -> str:
        """The query of a page of one part of the list, of what is found."""
        return urlencode(replace(self, of=of, page=page, write="").query())

    @property
    def export(self) -> str:
        """The query of a table of all that is found."""
        return urlencode(View(search=self.search).query())
