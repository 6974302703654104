"""What a write is before it is one: the exact request, what a person judges it by, and what it will look like.

A plan is frozen for the journal: from then on it is bytes and sentences. Nothing here sends anything.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.erp.request import build, encode
from fraction_mcp.errors import ErpError, FractionMcpError
from fraction_mcp.operations.results import ResultPart
from fraction_mcp.operations.writes.readback import FrozenLook, LookFor
from fraction_mcp.values.text import clean, normalised

__all__ = ["Change", "FrozenPlan", "Plan", "Thing", "thing"]

Thing = tuple[str, ...]
"""Something in an ERP that a plan rests on or changes: its kind, and what it is called by, as `thing` spells it."""


def thing(kind: str, *names: object) -> Thing:
    """Two that an ERP might take for one are one: case and spaces aside."""
    return kind, *("".join(normalised(name).split()) for name in names)


_ONCE_UNKNOWN = ("note", "repeats")  # to the first journals; kept where they say something


class Change(ResultPart):
    """One line of a preview. `before` is null for what is new, `after` for what disappears."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A write that could be sent, and all that a person needs to judge it.

    `notes` are further preview lines that only inform (a supplier's name): they may be missing when they cannot be
    read, and are not part of what the approval is bound to. `basis` is: facts that the preview does not show; `unread`
    is why one of them could not be read, and so says nothing of what is there. `note` is why, in the words of the
    assistant that asked: people read it as such, and nothing is bound to it.
    `replaces` follows from the tool's effect, and is set where the tool is run. `refusal` says why the ERP is known to
    refuse it: nobody is asked about such a write. `repeats` says what is done again where the same is asked twice,
    for a write whose bytes follow from what is there: by them the second would be another one. Empty for all others.

    `reads` are the things that it rests on and `writes` those that it changes, by which two writes of one batch are
    told to be in each other's way. Customers stand in neither: nothing here changes one.
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
    unread: ErpError | None = None
    replaces: bool = False
    refusal: FractionMcpError | None = None
    note: str = ""
    repeats: str = ""
    reads: Collection[Thing] = ()
    writes: Collection[Thing] = ()

    def judged(self) -> list[Any]:
        """What a person judges it by besides the request: before and after, and the facts that it is based on; not
        what moves by itself."""
        return [[change.model_dump() for change in self.preview], json.loads(encode(self.basis), parse_float=str)]


@dataclass(frozen=True, slots=True)
class FrozenPlan:
    """A plan as the journal keeps it, and as it is sent: `method`, `target` and `content` byte for byte."""

    tool: str
    arguments: Mapping[str, Any]
    title: str
    system: System
    endpoint: str
    path: Mapping[str, str | int]
    method: str
    target: str
    content: str
    preview: tuple[Change, ...]
    warnings: tuple[str, ...]
    look: FrozenLook
    note: str = ""
    repeats: str = ""

    @classmethod
    def of(cls, plan: Plan, *, tool: str, arguments: Mapping[str, Any]) -> "FrozenPlan":
        return cls(
            tool=tool,
            arguments=json.loads(json.dumps(arguments, default=str)),
            title=plan.title,
            system=plan.endpoint.system,
            endpoint=plan.endpoint.key,
            path=dict(plan.path),
            method=plan.endpoint.method,
            target=build(plan.endpoint, plan.path).target,
            content=encode(plan.body),
            preview=(*plan.preview, *plan.notes),
            warnings=tuple(clean(warning, 300) for warning in plan.warnings),
            look=FrozenLook.of(plan.look, replaces=plan.replaces),
            note=clean(plan.note, 300),
            repeats=plan.repeats,
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "FrozenPlan":
        """Raises KeyError, TypeError or ValueError for what is no plan."""
        texts = {name: kept[name] for name in ("tool", "title", "endpoint", "method", "target", "content")}
        texts |= {name: kept.get(name, "") for name in _ONCE_UNKNOWN}
        if not all(isinstance(text, str) for text in (*texts.values(), *kept["warnings"])):
            raise ValueError("a plan's words are texts")
        return cls(
            **texts,
            arguments={**kept["arguments"]},
            system=System(kept["system"]),
            path={**kept["path"]},
            preview=tuple(Change.model_validate(row) for row in kept["preview"]),
            warnings=tuple(kept["warnings"]),
            look=FrozenLook.from_json(kept["look"]),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "tool": self.tool,
            "arguments": dict(self.arguments),
            "title": self.title,
            "system": self.system,
            "endpoint": self.endpoint,
            "path": dict(self.path),
            "method": self.method,
            "target": self.target,
            "content": self.content,
            "preview": [change.model_dump() for change in self.preview],
            "warnings": list(self.warnings),
            "look": self.look.to_json(),
            **{name: text for name in _ONCE_UNKNOWN if (text := getattr(self, name))},
        }

    @property
    def request(self) -> list[str]:
        """The canonical request: method, target and content."""
        return [self.method, self.target, self.content]

    def sends_what(self, other: "FrozenPlan") -> bool:
        """Whether both send the same bytes to the same place."""
        return (self.system, self.endpoint, dict(self.path), *self.request) == (
            other.system,
            other.endpoint,
            dict(other.path),
            *other.request,
        )
