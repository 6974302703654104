"""The inbox's list: which writes stand on it, in which order, and which of them share a card.

Knows the journal; what a card says is `cards`'.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fraction_mcp.approvals.cards import (
    BADGES,
    BUSY,
    DECIDED,
    Alive,
    Card,
    card_of,
    nobody,
    sentence,
    together,
    with_version,
)
from fraction_mcp.errors import WriteNotFound
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import WAITING, State
from fraction_mcp.operations.writes.wording import result_for_batch
from fraction_mcp.operations.writes.write import Write

__all__ = ["Board", "Notice", "View", "notice_of", "read_board", "write_of"]

_SHOWN_DECIDED, _PAGE = 10, 50
_EVERY = 2**31 - 1  # whatever waits is counted, and can be reached
_SECTIONS = (
    ("waiting", "Waiting for you", (State.AWAITING,)),
    ("busy", "On their way", BUSY),
    ("unsure", "To be settled", (State.UNKNOWN,)),
    ("decided", "Decided lately", DECIDED),
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a button did, said at the top of the page that it leads to."""

    prefix: str
    title: str
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: the whole list, a further page of one of its sections, or one write alone."""

    of: str = ""
    page: int = 1
    write: str = ""

    @classmethod
    def read(cls, said: Mapping[str, str]) -> "View":
        """From an address or a form; whatever else stands there is the whole list."""
        of, page = said.get("of", ""), said.get("page", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        return cls(of if of in {name for name, _, _ in _SECTIONS} else "", max(1, number), said.get("write", ""))

    def query(self) -> dict[str, str]:
        told = {"of": self.of, "page": str(self.page) if self.of else "", "write": self.write}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Section:
    """Some of the cards of one kind: those after the first `before`, of `total`."""

    name: str
    heading: str
    cards: tuple[Card, ...]
    before: int
    total: int

    @property
    def after(self) -> int:
        return self.total - self.before - len(self.cards)

    @property
    def page(self) -> int:
        return self.before // _PAGE + 1


@dataclass(frozen=True, slots=True)
class Board:
    """The list, in its order: what waits (the oldest first, so that a new one moves nothing that is being read), what
    is on its way, what is unsure, what was decided lately. What is counted is counted in full."""

    sections: tuple[Section, ...]
    waiting: int
    unsure: int

    @property
    def headline(self) -> str:
        count = self.waiting
        told = f"{count} {'write waits' if count == 1 else 'writes wait'} for you" if count else "Nothing waits for you"
        return told + (f", and {self.unsure} must be settled" if self.unsure else "")

    @property
    def needing(self) -> int:
        return self.waiting + self.unsure


async def write_of(service: WriteService, said: str) -> Write | None:
    """The write that an address names, which anybody may have typed."""
    try:
        return await service.write(said)
    except WriteNotFound:
        return None


async def notice_of(service: WriteService, write: Write, prefix: str) -> Notice:
    """How a write stands now, or all of its batch: the same words as on its card."""
    card = card_of(service, write, await service.journal.events(write.id), time.time())
    batch = await service.batch(write)
    if len(batch.writes) == 1:
        return Notice(prefix, card.title, card.outcome or card.notice or "it waits for you.", card.tone)
    tells = BADGES[batch.tells.state]
    return Notice(prefix, f"{len(batch.writes)} writes", sentence(result_for_batch(batch).summary), tells[1])


async def read_board(service: WriteService, view: View, alive: Alive = nobody) -> Board:
    """The list as the journal has it now, as much of it as is looked at."""
    journal = service.journal
    there = await journal.latest((*BUSY, State.AWAITING, State.UNKNOWN), limit=_EVERY)
    kinds = {name: [write for write in there if write.state in states] for name, _, states in _SECTIONS}
    counts = {name: len(writes) for name, writes in kinds.items()}
    if view.write:
        found = await write_of(service, view.write)
        beside = [] if found is None else _beside(found, (await service.batch(found)).writes)
        kinds = {name: [write for write in beside if write.state in states] for name, _, states in _SECTIONS}
    else:
        kinds["decided"] = await journal.latest(DECIDED, limit=_SHOWN_DECIDED)
    now = time.time()
    sections = [
        await _section(service, name, heading, kinds[name], now, alive=alive, page=view.page if view.of else 1)
        for name, heading, _ in _SECTIONS
        if view.of in {name, ""}
    ]
    return Board(tuple(section for section in sections if section.cards), counts["waiting"], counts["unsure"])


async def _section(
    service: WriteService, name: str, heading: str, writes: Sequence[Write], now: float, *, alive: Alive, page: int
) -> Section:
    if name == "decided":
        ordered = sorted(writes, key=lambda write: (-write.updated_at, write.id))
    else:
        ordered = sorted(writes, key=lambda write: (write.created_at, write.batch, write.position, write.id))
    groups: dict[str, list[Write]] = {}
    for write in ordered:
        groups.setdefault(f"{write.batch} {write.state}" if _is_with_others(write) else write.id, []).append(write)
    entries = list(groups.values())
    before = min(page - 1, max(0, len(entries) - 1) // _PAGE) * _PAGE
    cards = [await _entry(service, entry, now, alive) for entry in entries[before : before + _PAGE]]
    return Section(name, heading, tuple(cards), before, len(entries))


def _is_with_others(write: Write) -> bool:
    """What waits of a batch is approved together, and what is approved of it withdrawn together."""
    return bool(write.batch) and write.state in WAITING


def _beside(write: Write, batch: Sequence[Write]) -> list[Write]:
    """The write, and those that are decided with it."""
    return [one for one in batch if one.state is write.state] if _is_with_others(write) else [write]


async def _entry(service: WriteService, writes: Sequence[Write], now: float, alive: Alive) -> Card:
    first = writes[0]
    events = await service.journal.events(first.id) if first.state is State.UNKNOWN else ()
    cards = tuple(card_of(service, write, events, now, alive) for write in writes)
    before = ""
    if first.state is State.AWAITING and first.batch:
        batch = await service.batch(first)
        before = "" if len(batch.waiting) == len(batch.writes) else sentence(result_for_batch(batch).summary)
    card = together(writes, cards) if len(cards) > 1 else cards[0]
    return with_version(replace(card, notice=" ".join(filter(None, (before, card.notice)))))
