"""What a tool is: a value, declared once, from which everything that the protocol needs follows.

The input schema comes from the model it is asked with, the output schema from what it returns, the description from
its docstring, the annotations from its effect.
"""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Answer, Ask, input_schema, output_schema

__all__ = ["Effect", "ToolSpec", "registry", "tool"]


class Effect(Enum):
    """What calling a tool does to the ERP, and so what a host is told of it.

    Anything but READ implies a person's consent; the author of a tool cannot opt out.
    """

    READ = "read"

    @property
    def reads(self) -> bool:
        return self is Effect.READ


Run = Callable[[Desk, Any], Awaitable[Answer]]


@dataclass(frozen=True)
class ToolSpec:
    """One tool. `systems` are the ERPs it needs: it is listed only where all of them are configured."""

    name: str
    description: str
    effect: Effect
    ask: type[Ask]
    answer: type[Answer]
    run: Run
    systems: frozenset[System]

    @property
    def title(self) -> str:
        return (self.name[0].upper() + self.name[1:]).replace("_", " ").replace("fracttal", "Fracttal")

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.ask)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.answer)


_registry: dict[str, ToolSpec] = {}


def registry() -> Mapping[str, ToolSpec]:
    """Every tool, in the order in which it is listed: the order of declaration."""
    from fraction_mcp import tools  # noqa: F401, PLC0415 - declaring is a side effect of the import

    return _registry


def tool(*, effect: Effect, calls: tuple[Endpoint, ...] = ()) -> Callable[[Run], Run]:
    """Declare a tool: `async def name(desk: Desk, ask: SomeAsk) -> SomeAnswer` with a docstring for the model.

    `calls` are the endpoints that it needs, and by them the ERPs.
    """

    def declare(run: Run) -> Run:
        hints = typing.get_type_hints(run)
        _registry[run.__name__] = ToolSpec(
            name=run.__name__,
            description=inspect.cleandoc(run.__doc__ or ""),
            effect=effect,
            ask=hints["ask"],
            answer=hints["return"],
            run=run,
            systems=frozenset(endpoint.system for endpoint in calls),
        )
        return run

    return declare
