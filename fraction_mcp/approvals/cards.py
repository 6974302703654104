"""Writes as cards show them: plain texts and what may be done, in the order in which a person needs them.

What is decided together stands on one card. Knows what a write says. Refuses to know HTML, which the templates are for,
and what a decision does, which is the write service's.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from fraction_mcp.approvals.payload import readable
from fraction_mcp.config import is_embedded
from fraction_mcp.operations.plans.repricing import PAYS
from fraction_mcp.operations.writes.batch import Batch, digest_of, gravest_first
from fraction_mcp.operations.writes.decisions import APPROVE, DECLINE, LANDED, LOOK
from fraction_mcp.operations.writes.event import Event, decided_by
from fraction_mcp.operations.writes.journal_history import DECIDING
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import OPEN, State, Step
from fraction_mcp.operations.writes.wording import SOUGHT, WriteResult, result_for
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.moments import Moment, moment
from fraction_mcp.values.text import clean

__all__ = ["BADGES", "Alive", "Card", "card_of", "nobody", "sentence", "together", "with_version"]

BADGES = {
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
_DECIDED = {
    Step.APPROVED: "Approved",
    Step.DECLINED: "Declined",
    Step.CANCELLED: "Cancelled",
    Step.SETTLED_LANDED: "Settled: it is there",
    Step.SETTLED_ABSENT: "Settled: it is not there",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `kind` says how `before` and `after` differ."""

    field: str
    before: str
    after: str
    kind: Literal["same", "new", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Changes:
    """A preview as tables: what a customer pays at each quantity, and everything else that is written."""

    prices: tuple[Row, ...]
    rows: tuple[Row, ...]

    @property
    def has_before(self) -> bool:
        return any(row.before for row in (*self.prices, *self.rows))


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody has decided: `Approved`, by whom, when."""

    what: str
    by: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Card:
    """One write; or, where it has `items`, several that are decided together, and go `elsewhere` than to one place."""

    id: str
    digest: str
    state: str
    badge: str
    tone: str
    title: str
    about: tuple[tuple[str, str], ...]
    changes: Changes
    was: Changes | None
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
    sent: Moment | None
    unclear: str
    said: tuple[Said, ...]
    method: str
    target: str
    payload: str
    can_decide: bool
    can_withdraw: bool
    can_settle: bool
    can_look: bool
    sender: str = ""
    why_not: str = ""
    version: str = ""
    items: tuple["Card", ...] = ()
    elsewhere: bool = False
    more_warnings: int = 0
    apart: str = ""

    @property
    def all(self) -> str:
        """What a button adds, so that nobody takes it for one write's: ` all 3`."""
        return f" all {len(self.items)}" if self.items else ""


Alive = Callable[[Write], bool]
"""Whether some running server would send a write."""


def nobody(_write: Write) -> bool:
    return False


def together(writes: Sequence[Write], cards: Sequence[Card]) -> Card:
    """One card of several writes: the gravest warning of each stands above them all, the others with their write."""
    ranked = [f"{number}. {warning}" for number, warning in gravest_first(writes)]
    gravest = sum(bool(write.warnings) for write in writes)
    waits = writes[0].state is State.AWAITING
    places = {(card.system, card.host, card.company, card.account) for card in cards}
    return replace(
        cards[0],
        digest=digest_of(writes),
        title=f"{len(cards)} writes, {'approved or declined' if waits else 'approved'} together",
        warnings=tuple(ranked[:gravest]),
        more_warnings=len(ranked) - gravest,
        notice="" if waits else cards[0].notice,
        sender=" ".join(dict.fromkeys(card.sender for card in cards if card.sender)),
        why_not=next((card.why_not for card in cards if card.why_not), ""),
        items=tuple(cards) if waits else tuple(replace(card, notice="") for card in cards),
        elsewhere=len(places) > 1,
    )


def card_of(service: WriteService, write: Write, events: Sequence[Event], now: float, alive: Alive = nobody) -> Card:
    plan, erp, answer = write.plan, write.identity, result_for(write)
    about, changes = _split(answer.preview)
    refused = write.state is State.FAILED and bool(write.outcome.preview)  # it had changed: the preview is of now
    reaches = service.reaches(write)
    badge, tone = BADGES[write.state]
    over = write.state not in OPEN
    card = Card(
        id=write.id,
        digest=write.digest,
        state=str(write.state),
        badge=badge,
        tone=tone,
        title=plan.title,
        about=about,
        changes=changes,
        was=_split(plan.preview)[1] if refused else None,
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
        sent=_sent(events, now) if write.state is State.UNKNOWN else None,
        unclear=_unclear(write) if write.state is State.UNKNOWN else "",
        said=tuple(_decision(event, now) for event in events if event.kind in DECIDING),
        method=plan.method,
        target=plan.target,
        payload=readable(plan.content),
        can_decide=APPROVE.fits(write),
        can_withdraw=DECLINE.fits(write) and not APPROVE.fits(write),
        can_settle=LANDED.fits(write),
        can_look=LOOK.fits(write) and reaches,
        sender=_sender(service, write, alive, now) if write.state is State.AWAITING else "",
        why_not=sentence(service.why_not(Batch((write,)), service.decider(""))),
    )
    return with_version(card)


def with_version(card: Card) -> Card:
    """A card's version changes with whatever it shows except the passing of time."""
    shown = asdict(card)
    for name in ("asked", "expires", "decided", "sent"):
        shown[name] = shown[name] and shown[name]["iso"]
    shown["said"] = [(decision.what, decision.by, decision.at.iso) for decision in card.said]
    shown["items"] = [item.version for item in card.items]
    return replace(card, version=hashlib.sha256(repr(sorted(shown.items())).encode()).hexdigest()[:16])


def _outcome(answer: WriteResult, title: str) -> str:
    words = sentence(answer.summary.removeprefix(f"{title}: "))
    if answer.error is None:
        return words
    reason = sentence(answer.error.message.removesuffix("; nothing was written"))  # which the words say
    return f"{words} {reason}" + ("" if reason.rstrip("'’").endswith((".", "!", "?")) else ".")


def _split(preview: Sequence[Change]) -> tuple[tuple[tuple[str, str], ...], Changes]:
    """What it is about, and what it changes."""
    about, prices, rows = [], [], []
    for change in preview:
        name, before, after = change.field, change.before, change.after
        if name in _ABOUT and after is not None and before in {None, after}:
            about.append((_label(name), after))
        elif name.startswith(PAYS):
            prices.append(Row(sentence(name.removeprefix(PAYS)), before or "", after or "", _kind(before, after)))
        else:
            rows.append(Row(_label(name), before or "", after or "", _kind(before, after)))
    return tuple(about), Changes(tuple(prices), tuple(rows))


def _kind(before: str | None, after: str | None) -> Literal["same", "new", "changed", "removed"]:
    if before is None:
        return "new"
    if after is None:
        return "removed"
    return "same" if before == after else "changed"


def _label(name: str) -> str:
    return sentence(name.replace("_", " "))


def sentence(text: str) -> str:
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
            search_result = SOUGHT.get(str(looked[-1].detail.get("found")), "") if looked else ""
            return f"It was sent, and no clear answer came back: it may have been written. {search_result}".strip()
    return ""


def _unclear(write: Write) -> str:
    """Why nobody knows what became of it."""
    why = write.outcome.error.message if write.outcome.error else write.outcome.why
    return f"{sentence(why).removesuffix('.').removesuffix('; it may have been written')}." if why else ""


def _sent(events: Sequence[Event], now: float) -> Moment | None:
    claims = [event.at for event in events if event.kind == Step.CLAIMED]
    return moment(claims[-1], now) if claims else None


def _decision(event: Event, now: float) -> Said:
    return Said(_DECIDED[event.kind], clean(decided_by(event), 160), moment(event.at, now))
