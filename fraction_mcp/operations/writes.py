"""What a write is before it is one: the exact request, what a person judges it by, and how to look for it afterwards.

A plan is frozen into plain JSON for the journal (`frozen`). Its *digest* covers the request, the before and after, and
the facts it was based on, not what moves by itself; its *key* says when two requests are the same write: ERP, account,
asker and canonical request. Nothing here sends anything.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import NAMED, Endpoint
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.wire import build, encode
from fraction_mcp.errors import FractionMcpError
from fraction_mcp.operations.lifecycle import Draft
from fraction_mcp.operations.lookup import Candidate, fold
from fraction_mcp.operations.present import ABSENT, at_path
from fraction_mcp.shapes import Answer, Piece, clean

__all__ = ["Change", "LookFor", "Outcome", "Plan", "Sighting", "WriteAnswer", "drafted", "identity_of", "look_for"]

Outcome = Literal[
    "done",
    "awaiting_approval",
    "confirmation_required",
    "declined",
    "cancelled",
    "expired",
    "in_progress",
    "failed",
    "unknown",
    "ambiguous",
    "not_found",
]


class Change(Piece):
    """One line of a preview. `before` is null for what is new, `after` for what disappears."""

    field: str
    before: str | None
    after: str | None


class Trouble(Piece):
    """What went wrong, in the form that every error has (contract, Errors)."""

    code: str
    message: str
    hint: str
    retryable: bool
    written: Literal["no", "maybe"] | None


class WriteAnswer(Answer):
    """Where a write stands."""

    outcome: Outcome
    write_id: str | None = None
    system: str | None = None
    operation: str
    preview: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    result: dict[str, Any] | None = None
    candidates: tuple[Candidate, ...] = ()
    confirmation_token: str | None = None
    expires_at: str | None = None
    error: Trouble | None = None

    def to_wire(self) -> dict[str, Any]:
        data = super().to_wire()
        for name in ("confirmation_token", "error"):
            if data[name] is None:
                del data[name]
        return data


@dataclass(frozen=True, slots=True)
class LookFor:
    """How to find afterwards what a write made: a list, the fields that must match, and the ids that were there before.

    `match` maps field paths to values; numbers match as numbers, texts as texts, and a list whatever its order.
    `unlike` are values that a record may leave out, but must not contradict.
    `known` is None where the ids before could not be read: then nothing that is seen afterwards proves anything.
    """

    endpoint: Endpoint
    match: Mapping[str, Any]
    unlike: Mapping[str, Any] = field(default_factory=dict)
    path: Mapping[str, str | int] = field(default_factory=dict)
    query: Mapping[str, str | int] = field(default_factory=dict)
    known: Sequence[Any] | None = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A write that could be sent, and all that a person needs to judge it.

    `notes` are further preview lines that only inform (a supplier's name): they may be missing when they cannot be
    read, and are not part of what the approval is bound to. `basis` is: facts that the preview does not show. `refusal`
    says why the ERP is known to refuse it: nobody is asked about such a write.
    """

    title: str
    endpoint: Endpoint
    body: Mapping[str, Any]
    preview: Sequence[Change]
    look: LookFor
    path: Mapping[str, str | int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    notes: Sequence[Change] = ()
    basis: Mapping[str, Any] = field(default_factory=dict)
    refusal: FractionMcpError | None = None


def identity_of(erp: Erp) -> str:
    """Which ERP, company and account: a write planned for one is never sent to another."""
    connection = erp.connection()
    company = connection.company or {}
    told = [str(company.get(name) or "") for name in ("id", "company", "name")]
    return encode([erp.system, connection.base_url, "/".join(filter(None, told)), connection.account])


def drafted(  # one place where everything that a write is bound to comes together
    plan: Plan, *, tool: str, arguments: Mapping[str, Any], identity: str, asker: str, asked_by: str, expires_at: float
) -> Draft:
    """The plan as the journal keeps it. `asker` is who asks (part of the key), `asked_by` is how to name them."""
    content = encode(plan.body)
    target = build(plan.endpoint, plan.path).target
    request = [plan.endpoint.method, target, content]
    judged = [request, [change.model_dump() for change in plan.preview], _plain(plan.basis)]
    frozen = {
        "tool": tool,
        "arguments": json.loads(json.dumps(arguments, default=str)),
        "title": plan.title,
        "system": plan.endpoint.system,
        "endpoint": plan.endpoint.key,
        "path": dict(plan.path),
        "method": plan.endpoint.method,
        "target": target,
        "content": content,
        "preview": [change.model_dump() for change in (*plan.preview, *plan.notes)],
        "warnings": [clean(warning, 300) for warning in plan.warnings],
        "look": _frozen_look(plan.look),
    }
    return Draft(
        key=_hash([identity, asker, *request]),
        identity=identity,
        digest=_hash([identity, judged]),
        plan=frozen,
        asked_by=asked_by,
        expires_at=expires_at,
    )


def _hash(value: object) -> str:
    return hashlib.sha256(encode(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return json.loads(encode(value), parse_float=str)


def _frozen_look(look: LookFor) -> dict[str, Any]:
    return {
        "endpoint": look.endpoint.key,
        "match": encode(look.match),  # as text: its numbers must come back as decimals
        "unlike": encode(look.unlike),
        "path": dict(look.path),
        "query": dict(look.query),
        "known": None if look.known is None else list(look.known),
    }


# ------------------------------------------------------------------------------------------------------- reading back


@dataclass(frozen=True, slots=True)
class Sighting:
    """What looking for a write found: one record, several, or none; unsure where what was there before is not known."""

    found: Literal["one", "several", "none", "unsure"]
    record: Record | None = None


async def look_for(erp: Erp, look: Mapping[str, Any], taken: Collection[Any] = ()) -> Sighting:
    """Look for what a write made (a frozen `LookFor`). Raises ErpError. None seen is no proof that nothing landed.

    `taken` are ids that other writes are known to have made.
    """
    if look["known"] is None:
        return Sighting("unsure")
    answer = await erp.call(NAMED[look["endpoint"]], path=look["path"], query=look["query"], fresh=True)
    match, unlike = (json.loads(look[name], parse_float=Decimal) for name in ("match", "unlike"))
    hits = [
        record
        for record in answer.records()
        if record.get("id", record.get("customer_id")) not in {*look["known"], *taken}
        and all(_same(at_path(record, path), wanted) for path, wanted in match.items())
        and all(
            at_path(record, path) is ABSENT or _same(at_path(record, path), value) for path, value in unlike.items()
        )
    ]
    if len(hits) == 1:
        return Sighting("one", hits[0])
    return Sighting("several" if hits else "none")


def _same(found: Any, wanted: Any) -> bool:
    """Whether a field holds what was sent, however the ERP spells it."""
    match wanted:
        case dict():
            return isinstance(found, dict) and all(_same(found.get(name), value) for name, value in wanted.items())
        case list():
            if not isinstance(found, list) or len(found) != len(wanted):
                return False
            left = list(found)
            return all(_taken(left, value) for value in wanted)
        case bool() | None:
            return found is wanted or (wanted is None and found in (ABSENT, ""))
        case int() | Decimal():
            return _number(found) == wanted
        case _:
            return found is not ABSENT and fold(found) == fold(wanted)


def _taken(left: list[Any], wanted: Any) -> bool:
    for index, item in enumerate(left):
        if _same(item, wanted):
            del left[index]
            return True
    return False


def _number(value: Any) -> Decimal | None:
    try:
        return None if isinstance(value, bool) else Decimal(str(value))
    except ArithmeticError:
        return None
