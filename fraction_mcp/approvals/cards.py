"""A write as a card shows it: plain texts and what may be done, in the order in which a person needs them.

Knows what a write says. Refuses to know HTML, which the templates are for, and what a decision does, which is the
write service's.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from fraction_mcp.approvals.payload import readable
from fraction_mcp.config import is_embedded
from fraction_mcp.errors import WriteNotFound
from fraction_mcp.operations.plans.repricing import PAYS
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.wording import WriteResult, result_for
from fraction_mcp.operations.writes.write import Event, Write
from fraction_mcp.values.moments import Moment, moment

__all__ = ["Board", "Card", "Notice", "View", "notice_of", "read_board", "write_of"]

_BUSY = (State.APPROVED, State.SENDING)
_DECIDED = (State.DONE, State.FAILED, State.DECLINED, State.CANCELLED, State.EXPIRED)
_SHOWN_DECIDED, _PAGE = 10, 50
_EVERY = 2**31 - 1  # whatever waits is counted, and can be reached
_SECTIONS = (
    ("waiting", "Waiting for you", (State.AWAITING,)),
    ("busy", "On their way", _BUSY),
    ("unsure", "To be settled", (State.UNKNOWN,)),
    ("decided", "Decided lately", _DECIDED),
)

_BADGES = {
    State.AWAITING: ("waits for you", "wait"),
    State.APPROVED: ("approved", "busy"),
    State.SENDING: ("being sent", "busy"),
    State.UNKNOWN: ("unknown", "unsure"),
    State.DONE: ("done", "done"),
    State.FAILED: ("failed", "bad"),
    State.DECLINED: ("declined", "off"),
    State.CANCELLED: ("cancelled", "off"),
    State.EXPIRED: ("expired", "off"),
}
# What a write is about, rather than what it changes: shown above the table.
_ABOUT = frozenset({"part", "customer", "contact", "warehouse", "supplier", "document", "currency", "change"})
_SOUGHT = {
    "none": "It was not seen there. That is no proof that it was not written.",
    "several": "Several records look like it: which of them is this one, only a person can tell.",
    "could not look": "The ERP could not be asked.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `kind` says how `before` and `after` differ."""

    field: str
    before: str
    after: str
    kind: Literal["same", "new", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    digest: str
    state: str
    badge: str
    tone: str
    title: str
    about: tuple[tuple[str, str], ...]
    prices: tuple[Row, ...]
    rows: tuple[Row, ...]
    has_before: bool
    warnings: tuple[str, ...]
    note: str
    notice: str
    outcome: str
    system: str
    host: str
    company: str
    account: str
    asked_by: str
    asked: Moment
    expires: Moment | None
    decided: Moment | None
    method: str
    target: str
    payload: str
    can_decide: bool
    can_withdraw: bool
    can_settle: bool
    can_look: bool
    sender: str = ""
    version: str = ""


Alive = Callable[[Write], bool]
"""Whether some running server would send a write."""


def _nobody(_write: Write) -> bool:
    return False


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
    """How a write stands now: the same words as on its card."""
    card = _card(service, write, await service.journal.events(write.id), time.time())
    return Notice(prefix, card.title, card.outcome or card.notice or "it waits for you.", card.tone)


async def read_board(service: WriteService, view: View, alive: Alive = _nobody) -> Board:
    """The list as the journal has it now, as much of it as is looked at."""
    journal = service.journal
    there = await journal.latest((*_BUSY, State.AWAITING, State.UNKNOWN), limit=_EVERY)
    kinds = {name: [write for write in there if write.state in states] for name, _, states in _SECTIONS}
    counts = {name: len(writes) for name, writes in kinds.items()}
    if view.write:
        found = await write_of(service, view.write)
        kinds = {name: [found] if found and found.state in states else [] for name, _, states in _SECTIONS}
    else:
        kinds["decided"] = await journal.latest(_DECIDED, limit=_SHOWN_DECIDED)
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
        ordered = sorted(writes, key=lambda write: (write.created_at, write.id))
    before = min(page - 1, max(0, len(ordered) - 1) // _PAGE) * _PAGE
    cards = []
    for write in ordered[before : before + _PAGE]:
        events = await service.journal.events(write.id) if write.state is State.UNKNOWN else ()
        cards.append(_card(service, write, events, now, alive))
    return Section(name, heading, tuple(cards), before, len(ordered))


def _card(service: WriteService, write: Write, events: Sequence[Event], now: float, alive: Alive = _nobody) -> Card:
    plan, erp, answer = write.plan, write.identity, result_for(write)
    about, prices, rows = _split(answer.preview)
    reaches = service.reaches(write)
    badge, tone = _BADGES[write.state]
    over = write.state in _DECIDED
    card = Card(
        id=write.id,
        digest=write.digest,
        state=str(write.state),
        badge=badge,
        tone=tone,
        title=plan.title,
        about=about,
        prices=prices,
        rows=rows,
        has_before=any(row.before for row in (*prices, *rows)),
        warnings=answer.warnings,
        note=plan.note,
        notice=_notice(write, events, reaches=reaches),
        outcome=_outcome(answer, plan.title) if over else "",
        system=f"SANDBOX {erp.system.label}" if is_embedded(erp.base_url) else erp.system.label,
        host=urlsplit(erp.base_url).hostname or erp.base_url,
        company=erp.company_name,
        account=erp.account,
        asked_by=write.asked_by,
        asked=moment(write.created_at, now),
        expires=moment(write.expires_at, now) if write.state is State.AWAITING else None,
        decided=moment(write.updated_at, now) if over else None,
        method=plan.method,
        target=plan.target,
        payload=readable(plan.content),
        can_decide=write.state is State.AWAITING,
        can_withdraw=write.state is State.APPROVED,
        can_settle=write.state is State.UNKNOWN,
        can_look=write.state is State.UNKNOWN and reaches,
        sender=_sender(service, write, alive, now) if write.state is State.AWAITING else "",
    )
    return _with_version(card)


def _with_version(card: Card) -> Card:
    """A card's version changes with whatever it shows except the passing of time."""
    shown = asdict(card)
    for name in ("asked", "expires", "decided"):
        shown[name] = shown[name] and shown[name]["iso"]
    return replace(card, version=hashlib.sha256(repr(sorted(shown.items())).encode()).hexdigest()[:16])


def _outcome(answer: WriteResult, title: str) -> str:
    words = _sentence(answer.summary.removeprefix(f"{title}: "))
    if answer.error is None:
        return words
    reason = _sentence(answer.error.message)
    return f"{words} {reason}" + ("" if reason.rstrip("'’").endswith((".", "!", "?")) else ".")


def _split(
    preview: Sequence[Change],
) -> tuple[tuple[tuple[str, str], ...], tuple[Row, ...], tuple[Row, ...]]:
    """What it is about, what a customer pays at each quantity, and everything else that is written."""
    about, prices, rows = [], [], []
    for change in preview:
        name, before, after = change.field, change.before, change.after
        if name in _ABOUT and after is not None and before in {None, after}:
            about.append((_label(name), after))
        elif name.startswith(PAYS):
            prices.append(Row(_sentence(name.removeprefix(PAYS)), before or "", after or "", _kind(before, after)))
        else:
            rows.append(Row(_label(name), before or "", after or "", _kind(before, after)))
    return tuple(about), tuple(prices), tuple(rows)


def _kind(before: str | None, after: str | None) -> Literal["same", "new", "changed", "removed"]:
    if before is None:
        return "new"
    if after is None:
        return "removed"
    return "same" if before == after else "changed"


def _label(name: str) -> str:
    return _sentence(name.replace("_", " "))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sender(service: WriteService, write: Write, alive: Alive, now: float) -> str:
    """Who sends it once it is approved; an approval that nobody carries out expires."""
    if service.reaches(write) and not service.context.read_only:
        return "This inbox sends it."
    if alive(write):
        return "A running server sends it."
    account, until = write.identity.account, moment(write.expires_at, now)
    return (
        f"Nobody can send it now: it is sent when a server for {account} runs, until {until.spoken}; else it expires."
    )


def _notice(write: Write, events: Sequence[Event], *, reaches: bool) -> str:
    """What a person should know before they press a button, or while they wait."""
    match write.state:
        case State.AWAITING if write.outcome.error:
            return f"Sending it was tried, and nothing was written: {write.outcome.error.message}"
        case State.AWAITING:
            return ""
        case State.APPROVED if not reaches:
            return "Approved, and not sent yet: a server that works in its ERP and account sends it."
        case State.APPROVED | State.SENDING:
            return "Approved; it is being sent."
        case State.UNKNOWN:
            looked = [event for event in events if event.kind == Step.LOOKED]
            told = _SOUGHT.get(str(looked[-1].detail.get("found")), "") if looked else ""
            return f"It was sent, and no clear answer came back: it may have been written. {told}".strip()
    return ""
