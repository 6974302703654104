"""What a write is before it is one: the exact request, what a person judges it by, and what it will look like.

A plan is frozen into plain JSON for the journal (`frozen`). Its *digest* covers the request, the before and after, and
the facts it was based on, not what moves by itself; its *key* says when two requests are the same write: ERP, account,
asker and canonical request. Nothing here sends anything.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.request import build, encode
from fraction_mcp.errors import FractionMcpError
from fraction_mcp.operations.lookup import Candidate
from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.operations.writes.readback import LookFor, frozen_look
from fraction_mcp.operations.writes.states import Draft
from fraction_mcp.values.text import clean

__all__ = ["Change", "Outcome", "Plan", "WriteResult", "drafted", "identity_of"]

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


class Change(ResultPart):
    """One line of a preview. `before` is null for what is new, `after` for what disappears."""

    field: str
    before: str | None
    after: str | None


class Trouble(ResultPart):
    """What went wrong, in the form that every error has (contract, Errors)."""

    code: str
    message: str
    hint: str
    retryable: bool
    written: Literal["no", "maybe"] | None


class WriteResult(ToolResult):
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
class Plan:
    """A write that could be sent, and all that a person needs to judge it.

    `notes` are further preview lines that only inform (a supplier's name): they may be missing when they cannot be
    read, and are not part of what the approval is bound to. `basis` is: facts that the preview does not show.
    `replaces` follows from the tool's effect, and is set where the tool is run. `refusal` says why the ERP is known to
    refuse it: nobody is asked about such a write.
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
    replaces: bool = False
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
        "look": frozen_look(plan.look, replaces=plan.replaces),
    }
    return Draft(
        key=_hash([identity, asker, *request]),
        identity=identity,
        digest=_hash([identity, judged]),
        plan=frozen,
        asker=asker,
        asked_by=asked_by,
        expires_at=expires_at,
    )


def _hash(value: object) -> str:
    return hashlib.sha256(encode(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return json.loads(encode(value), parse_float=str)
