"""The inbox's list: which writes stand on it, in which order, and which of them share a card.

Knows the journal; what a card says is `cards`', and what is looked at `view`'s.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fraction_mcp.approvals.cards import BADGES, Alive, Card, card_of, nobody, sentence, together, with_version
from fraction_mcp.approvals.searching import found_in, looked_back
from fraction_mcp.approvals.view import BUSY, DECIDED, SECTIONS, View
from fraction_mcp.errors import WriteNotFound
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import WAITING, State
from fraction_mcp.operations.writes.wording import result_for_batch
from fraction_mcp.operations.writes.write import Write

__all__ = ["Board", "Result", "read_board", "result_of", "write_of"]

_SHOWN_DECIDED, _PAGE = 10, 50
_MARK = 60  # characters


@dataclass(frozen=True, slots=True)
class Result:
    """What a button did, at the top of the page that it leads to: on the write's own card, where it has one."""

    prefix: str
    words: str
    tone: str
    card: Card | None


@dataclass(frozen=True, slots=True)
class Section:
    """Some of the cards of one kind: those after the first `before`, of `total`. `looked` is how many writes a search
    looked through, where that were not all."""

    name: str
    heading: str
    cards: tuple[Card, ...]
    before: int
    total: int
    looked: int = 0

    @property
    def after(self) -> int:
        return self.total - self.before - len(self.cards)

    @property
    def page(self) -> int:
        return self.before // _PAGE + 1

    @property
    def is_begun(self) -> bool:
        """Whether a whole page has more than is shown, so that the next one begins where this one did."""
        return not self.before and len(self.cards) < min(_PAGE, self.total)


@dataclass(frozen=True, slots=True)
class Board:
    """The list, in its order: what is unsure, what waits (the oldest first, so that a new one moves nothing that is
    being read), what is on its way, what was decided lately. What is counted is counted in full."""

    sections: tuple[Section, ...]
    waiting: int
    unsure: int

    @property
    def headline(self) -> str:
        count = self.waiting
        text = f"{count} {'write waits' if count == 1 else 'writes wait'} for you" if count else "Nothing waits for you"
        return text + (f", and {self.unsure} must be settled" if self.unsure else "")

    @property
    def needing(self) -> int:
        return self.waiting + self.unsure

    @property
    def is_quiet(self) -> bool:
        return all(section.name == "decided" for section in self.sections)


async def write_of(service: WriteService, write_id: str) -> Write | None:
    """The write that an address names, which anybody may have typed."""
    try:
        return await service.write(write_id)
    except WriteNotFound:
        return None


async def result_of(service: WriteService, write: Write, prefix: str, alive: Alive = nobody) -> Result:
    """How a write stands now, or all of its batch, whose writes then have their cards on the list."""
    batch = await service.batch(write)
    write = batch.of(write)  # somebody may have decided about them since it was read
    tone = BADGES[batch.tells.state][1]
    if len(batch.writes) > 1 and write.state is not State.AWAITING:
        return Result(prefix, sentence(result_for_batch(batch).summary), tone, None)
    card = await _entry(service, _beside(write, batch.writes), service.journal.now(), alive)
    return Result(prefix, "", card.tone, card)


async def read_board(service: WriteService, view: View, alive: Alive = nobody) -> Board:
    """The list as the journal has it now, as much of it as is looked at."""
    journal, now = service.journal, service.journal.now()
    there = await journal.latest((*BUSY, State.AWAITING, State.UNKNOWN), limit=None)
    counts = Counter(write.state for write in there)
    looked_at = await _beside_one(service, view.write) if view.write else await found_in(journal, view.search, there)
    sections = []
    for name, heading, states in SECTIONS:
        if view.of not in {name, ""}:
            continue
        if name == "decided" and not view.write:
            sections.append(await _looked_back(service, view, now))
        else:
            kind = [write for write in looked_at if write.state in states]
            sections.append(await _section(service, name, heading, kind, now, alive=alive, view=view))
    distinguished = _distinguished([section for section in sections if section.cards])
    return Board(tuple(distinguished), counts[State.AWAITING], counts[State.UNKNOWN])


async def _looked_back(service: WriteService, view: View, now: float) -> Section:
    """What was decided: the last few, or a page of all that there is."""
    states = tuple(state for state in DECIDED if state in (view.search.states or DECIDED))
    whole = view.of == "decided" or view.searches
    before = (view.page - 1) * _PAGE if view.of else 0
    decided = await looked_back(service.journal, view, states, skip=before, limit=_PAGE if whole else _SHOWN_DECIDED)
    if before and not decided.writes:  # beyond the last page is the first
        return await _looked_back(service, replace(view, page=1), now)
    decisions = await service.journal.history.decisions([write.id for write in decided.writes])
    cards = tuple(card_of(service, write, decisions[write.id], now) for write in decided.writes)
    return Section("decided", "Decided" if whole else "Decided lately", cards, before, decided.total, decided.looked)


async def _section(
    service: WriteService, name: str, heading: str, writes: Sequence[Write], now: float, *, alive: Alive, view: View
) -> Section:
    ordered = sorted(writes, key=lambda write: (write.created_at, write.batch, write.position, write.id))
    groups: dict[str, list[Write]] = {}
    for write in ordered:
        groups.setdefault(f"{write.batch} {write.state}" if _is_with_others(write) else write.id, []).append(write)
    entries = [group for group in groups.values() if view.without not in {write.id for write in group}]
    page = view.page if view.of else 1
    before = min(page - 1, max(0, len(entries) - 1) // _PAGE) * _PAGE
    cards = [await _entry(service, entry, now, alive) for entry in entries[before : before + _PAGE]]
    return Section(name, heading, tuple(cards), before, len(entries))


async def _beside_one(service: WriteService, write_id: str) -> list[Write]:
    write = await write_of(service, write_id)
    if write is None:
        return []
    batch = await service.batch(write)
    return _beside(batch.of(write), batch.writes)


def _is_with_others(write: Write) -> bool:
    """What waits of a batch is approved together, and what is approved of it withdrawn together."""
    return bool(write.batch) and write.state in WAITING


def _beside(write: Write, batch: Sequence[Write]) -> list[Write]:
    """The write, and those that are decided with it."""
    return [member for member in batch if member.state is write.state] if _is_with_others(write) else [write]


async def _entry(service: WriteService, writes: Sequence[Write], now: float, alive: Alive) -> Card:
    first = writes[0]
    if first.state is State.UNKNOWN:
        events = {first.id: await service.journal.events(first.id)}
    else:
        events = await service.journal.history.decisions([write.id for write in writes])
    cards = tuple(card_of(service, write, events[write.id], now, alive) for write in writes)
    before = ""
    if first.state is State.AWAITING and first.batch:
        batch = await service.batch(first)
        before = "" if len(batch.waiting) == len(batch.writes) else sentence(result_for_batch(batch).summary)
    card = together(writes, cards) if len(cards) > 1 else cards[0]
    return with_version(replace(card, notice=" ".join(filter(None, (before, card.notice)))))


def _distinguished(sections: Sequence[Section]) -> list[Section]:
    """Cards to decide about that have one title each say what sets them apart, be it their id."""
    open_cards = [card for section in sections if section.name != "decided" for card in section.cards]
    titles = Counter(card.title for card in open_cards)
    marks = Counter((card.title, mark) for card in open_cards for mark in _marks(card))

    def marked(card: Card) -> Card:
        if titles[card.title] < 2 or card.decided:
            return card
        mark = next((mark for mark in _marks(card) if marks[card.title, mark] == 1), f"write {card.id}")
        return with_version(replace(card, apart=mark))

    return [replace(section, cards=tuple(map(marked, section.cards))) for section in sections]


def _marks(card: Card) -> list[str]:
    """What might set a card apart from others of its title."""
    about = [f"{name} {value}" for name, value in card.about]
    return about + [f"{row.field} {row.after}" for row in card.changes.rows if row.after and len(row.after) <= _MARK]
