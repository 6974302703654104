"""`writes` and `audit`: what the journal holds, to read; `migrate`: its schema. None makes a journal's file where there
is none."""

import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import anyio

from fraction_mcp.cli.finding import found_write
from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.serve import settings_for_writes
from fraction_mcp.cli.showing import Teller, outcome_of
from fraction_mcp.cli.tables import print_csv, print_table
from fraction_mcp.config import Settings, is_embedded
from fraction_mcp.errors import ConfigError, FractionMcpError, WriteNotFound
from fraction_mcp.operations.writes.event import Event
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.listing import COLUMNS, SHORT, row_of
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.states import MOVES, WAITING, State, Step
from fraction_mcp.operations.writes.wording import in_its_own_words, reference_of
from fraction_mcp.operations.writes.write import Write, WriteOutcome, names
from fraction_mcp.values.text import quoted

__all__ = ["audit", "migrate", "writes"]

_NONE = "No writes yet."
_LISTED = 50


def writes(*, id: str, states: Sequence[str], sandbox: bool, profile: str, as_json: bool, as_csv: bool) -> int:  # noqa: A002 - as it is called where it is typed
    """The newest writes (of these states), or the whole life of one."""
    settings = settings_for_writes(sandbox=sandbox, profile=profile)
    if id:
        return _in_journal(settings, lambda journal: _life(journal, id, as_json=as_json), missing=id)
    shape = "json" if as_json else "csv" if as_csv or not sys.stdout.isatty() else "table"
    return _in_journal(settings, lambda journal: _list(journal, _states(states), shape), empty=_NOTHING[shape])


_NOTHING = {"json": "[]", "csv": _NONE, "table": _NONE}


def _states(names: Sequence[str]) -> list[State]:
    wanted = [WAITING if name == "waiting" else (State(name),) for name in names]
    return [state for states in wanted for state in states]


def audit(*, verify: bool, anchor: str | None, sandbox: bool, profile: str) -> int:
    """List every event; or check the chain (against an anchor, where one is given); or print its head."""
    if anchor and not verify:
        raise ConfigError("--anchor HASH is for --verify; --anchor alone prints the hash to keep")
    if anchor and not re.fullmatch(r"[0-9a-f]{64}", anchor):
        raise ConfigError("an anchor has 64 hexadecimal digits: `audit --anchor` prints it")
    settings = settings_for_writes(sandbox=sandbox, profile=profile)
    if verify:
        return _in_journal(settings, lambda journal: _verify(journal, anchor or ""), anchored=bool(anchor))
    return _in_journal(settings, _events if anchor is None else _head)


def migrate(*, sandbox: bool, profile: str) -> int:
    """Bring the journal's schema up to what this program needs, and say from which version to which."""
    settings = settings_for_writes(sandbox=sandbox, profile=profile)
    url, folder = settings.database_url.get_secret_value(), settings.state_folder()
    if not Journal.is_there(url, folder):
        print("There is no journal yet: the first write makes it.")
        return 0
    before, after = anyio.run(Journal.migrate, url, folder)
    if before == after:
        print(f"The journal's schema is version {after}, as it should be.")
    elif before:
        print(f"The journal's schema was version {before}, and is version {after} now.")
    else:
        print(f"The journal was made, with schema version {after}.")
    return 0


def _in_journal(
    settings: Settings,
    work: Callable[[Journal], Awaitable[int]],
    *,
    missing: str = "",
    anchored: bool = False,
    empty: str = _NONE,
) -> int:
    url, folder = settings.database_url.get_secret_value(), settings.state_folder()
    if not Journal.is_there(url, folder):
        if anchored:
            raise FractionMcpError("there is no journal, and the anchor is of one: it was removed, or lies elsewhere")
        if missing:
            raise WriteNotFound(f"there is no write {quoted(missing)}: no write was ever asked for here")
        print(empty)
        return 0

    async def run() -> int:
        journal = await Journal.open(url, folder)
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return anyio.run(run)


async def _list(journal: Journal, states: Sequence[State], shape: str) -> int:
    newest = await journal.latest(states, limit=_LISTED + 1)
    if not newest:
        print(_NOTHING[shape] if not states else "[]" if shape == "json" else "No such writes.")
        return 0
    shown = newest[:_LISTED]
    if shape == "json":
        print(as_json_text([_facts(write) for write in shown]))
        return 0
    decisions = await journal.history.decisions([write.id for write in shown])
    rows = [row_of(write, decisions[write.id], journal.now()) for write in shown]
    if shape == "csv":
        print_csv(COLUMNS, rows)
        return 0
    print_table(COLUMNS[:SHORT], [row[:SHORT] for row in rows])
    if len(newest) > _LISTED:
        Teller().say(f"The newest {_LISTED}; `audit` lists every event.", "dim")
    return 0


def _facts(write: Write) -> dict[str, Any]:
    erp = write.identity
    return {
        "id": write.id,
        "state": str(write.state),
        "title": write.plan.title,
        "reference": reference_of(write),
        "system": str(erp.system),
        "company": erp.company_name,
        "account": erp.account,
        "sandbox": is_embedded(erp.base_url),
        "asked_by": write.asked_by,
        **({"batch": write.batch, "position": write.position} if write.batch else {}),
        "created_at": datetime.fromtimestamp(write.created_at).astimezone().isoformat(timespec="seconds"),
        "expires_at": datetime.fromtimestamp(write.expires_at).astimezone().isoformat(timespec="seconds"),
    }


async def _life(journal: Journal, text: str, *, as_json: bool) -> int:
    write = await found_write(journal, text)
    write_id = write.id
    if as_json:
        events = [
            {"at": _when(event), "event": event.kind, "detail": event.detail, "hash": event.hash}
            for event in await journal.events(write_id)
        ]
        print(as_json_text({**_facts(write), "outcome": write.outcome.to_json(), "events": events}))
        return 0
    teller = Teller()
    teller.say(f"{write.id}  {outcome_of(write)}", "bold")
    badge = "SANDBOX  " if is_embedded(write.identity.base_url) else ""
    teller.say(f"{badge}{write.identity.system.label} of {write.identity.company_name or 'its company'}", "dim")
    if write.batch:
        others = (await journal.batch(write.id)).writes
        teller.say(
            f"{write.position} of {len(others)} asked for together: {', '.join(member.id for member in others)}", "dim"
        )
    plan = write.plan
    for event in await journal.events(write_id):
        if MOVES[event.kind].plans:
            plan = FrozenPlan.from_json(event.detail["plan"])
        teller.say()
        teller.rows([(_when(event), _sentence(event))])
        _detail(teller, event, plan)
    return 0


async def _events(journal: Journal) -> int:
    events = await journal.events()
    if not events:
        print(_NONE)
        return 0
    places = {event.write_id: _place(event) for event in events if event.kind is Step.PROPOSED}
    rows = [("SEQ", "WHEN", "WRITE", "ERP", "EVENT", "HASH")]
    rows += [
        (
            str(event.seq),
            _when(event),
            event.write_id,
            places.get(event.write_id, ""),
            _sentence(event),
            event.hash[:12],
        )
        for event in events
    ]
    Teller().rows(rows, heading=True, give=(4,))
    return 0


def _place(event: Event) -> str:
    """Which ERP a write was asked for in. A journal that was changed is still listed: `--verify` judges it."""
    try:
        erp = ErpIdentity.parse(event.detail["identity"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f"{'SANDBOX ' * is_embedded(erp.base_url)}{erp.system.label}"


async def _head(journal: Journal) -> int:
    print(await journal.head())
    return 0


async def _verify(journal: Journal, anchor: str) -> int:
    wrong = await journal.verify(anchor)
    if wrong:
        raise FractionMcpError(f"the journal's chain is broken: {wrong}")
    count = len(await journal.events())
    print(
        f"The chain of {count} event{'s' if count != 1 else ''} is whole"
        + (", and holds the anchor." if anchor else ".")
    )
    print(f"Its head: {await journal.head()}")
    return 0


# -------------------------------------------------------------------------------------------------------------- events

_WORDS = {
    Step.PROPOSED: "asked for by {asked_by}",
    Step.REPLANNED: "planned anew: what it is based on had changed",
    Step.APPROVED: "approved by {by}",
    Step.DECLINED: "declined by {by}{reason}",
    Step.CANCELLED: "cancelled by {by}{reason}",
    Step.EXPIRED: "expired: nobody had decided",
    Step.CLAIMED: "sent by process {owner}",
    Step.REFUSED: "not sent: {error}",
    Step.PUT_BACK: "not sent, and to be asked anew: {error}",
    Step.NOT_SENT: "nothing left this machine, and to be asked anew: {error}",
    Step.STOPPED: "not sent, and to be asked anew: {because}, which was to be done before it, was not",
    Step.DONE: "done",
    Step.FAILED: "failed: {error}",
    Step.UNKNOWN: "the outcome is unknown: {error}",
    Step.LOOKED: "looked for in the ERP: {found}",
    Step.LATE_ANSWER: "an answer came after it was settled: {kind}",
    Step.LATE_DONE: "done after all: the ERP's proof came after it was settled",
    Step.LATE_REFUSAL: "refused after all: the ERP's answer came after it was settled",
    Step.ASKED: "asked by {how} in {client}",
    Step.ANSWERED: "answered after {after_s} s: {sent}",
    Step.TOKEN_GIVEN: "a token that confirms it was given out",
    Step.SETTLED_LANDED: "settled by {by}: it is in the ERP",
    Step.SETTLED_ABSENT: "settled by {by}: it is not in the ERP",
}


def _sentence(event: Event) -> str:
    detail = event.detail
    error = detail.get("error")
    reason = error.get("message") if isinstance(error, Mapping) else error
    facts = {
        "by": detail.get("by", "somebody"),
        "reason": f": {quoted(detail['reason'], 300)}" if detail.get("reason") else "",
        "asked_by": detail.get("asked_by", "an MCP client"),
        "owner": detail.get("owner", "?"),
        "found": detail.get("found", "?"),
        "kind": detail.get("kind", "?"),
        "how": detail.get("how", "a question"),
        "client": detail.get("client", "an MCP client"),
        "because": detail.get("because", "another write"),
        "after_s": detail.get("after_s", "?"),
        "sent": json.dumps(detail.get("sent"), ensure_ascii=False),
        "error": reason or detail.get("why") or "no reason is known",
    }
    words = _WORDS[event.kind].format(**facts)
    return words + (f" ({detail['found_by']})" if detail.get("found_by") else "")


def _detail(teller: Teller, event: Event, plan: FrozenPlan) -> None:
    """What was shown, which bytes went out, and what came back, under the event that it belongs to."""
    detail = event.detail
    match event.kind:
        case Step.PROPOSED | Step.REPLANNED:
            teller.say(f"shown: {plan.title}", indent=2)
            teller.changes(plan.preview, indent=4)
            for warning in plan.warnings:
                teller.say(f"Warning: {warning}", "yellow", indent=4)
            if needs := detail.get("approvers"):
                teller.say(f"needs the approval of {names(needs)}", "yellow", indent=4)
            if plan.note:
                teller.say(in_its_own_words(plan.note), indent=2)
            teller.say(f"digest {detail.get('digest', '')}", "dim", indent=2)
        case Step.CLAIMED:
            teller.request(plan)
        case Step.REFUSED if detail.get("preview"):
            teller.say("it would now be:", indent=2)
            teller.changes(WriteOutcome.from_json(detail).preview, indent=4)
    if detail.get("result") is not None:
        teller.say(f"came back: {json.dumps(detail['result'], ensure_ascii=False)}", indent=2)
    if detail.get("why") and event.kind == Step.LOOKED:
        teller.say(str(detail["why"]), indent=2)


def _when(event: Event) -> str:
    return f"{datetime.fromtimestamp(event.at).astimezone():%Y-%m-%d %H:%M:%S %z}"
