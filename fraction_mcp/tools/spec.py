"""What a tool is: a value, declared once, from which everything that the protocol needs follows.

The input schema comes from the model it is asked with, the output schema from what it returns, the description from
its docstring, the annotations from its effect.
"""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, cached_property
from typing import Any

from pydantic import create_model

from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.results import ToolError, ToolResult
from fraction_mcp.operations.writes.batch import PlannedBatch
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.operations.writes.wording import WriteResult, WritesResult
from fraction_mcp.tools.fields import Noted, ToolInput
from fraction_mcp.tools.schema import input_schema, output_schema

__all__ = ["Effect", "ToolSpec", "registry", "tool"]


class Effect(Enum):
    """What calling a tool does to the ERP, and so what a host is told of it.

    CREATE, REPLACE and BATCH imply a person's consent, and their author cannot opt out: such a tool returns a plan (a
    planned batch), and only `server` knows how to obtain consent and have it committed.
    """

    READ = "read"
    CREATE = "create"
    REPLACE = "replace"
    BATCH = "batch"  # several of these two under one question
    STATUS = "status"  # looks a write up, and looks in the ERP for one whose outcome is unknown
    CONFIRM = "confirm"  # commits a write that waits, under the policy two_step

    @property
    def plans(self) -> bool:
        return self in {Effect.CREATE, Effect.REPLACE}

    @property
    def reads(self) -> bool:
        return self in {Effect.READ, Effect.STATUS}

    @property
    def destroys(self) -> bool:
        """What it replaces is gone. A confirmation counts, so that hosts ask before it, and whatever may hold one."""
        return self in {Effect.REPLACE, Effect.BATCH, Effect.CONFIRM}

    @property
    def repeats(self) -> bool:
        """Doing it twice leaves what doing it once does."""
        return self is Effect.REPLACE


Run = Callable[[Any, Any], Awaitable[Any]]
"""`(context, ask)` -> a ToolResult; of CREATE and REPLACE a Plan, of BATCH a PlannedBatch; of STATUS and CONFIRM
`(service, ask)`."""


@dataclass(frozen=True)
class ToolSpec:
    """One tool. `calls` are the endpoints that it needs; `answer` is the forms that its answer may have."""

    name: str
    description: str
    effect: Effect
    ask: type[ToolInput]
    answer: tuple[type[ToolResult], ...]
    run: Run
    calls: tuple[Endpoint, ...]

    async def plan(self, context: ErpContext, ask: ToolInput) -> Plan:
        """What a tool that creates or replaces would write. Which of the two, its effect says."""
        plan: Plan = await self.run(context, ask)
        return replace(plan, replaces=self.effect is Effect.REPLACE, note=ask.note if isinstance(ask, Noted) else "")

    @property
    def systems(self) -> frozenset[System]:
        """The ERPs it needs: it is listed only where all of them are configured."""
        return frozenset(endpoint.system for endpoint in self.calls)

    @property
    def title(self) -> str:
        return (self.name[0].upper() + self.name[1:]).replace("_", " ").replace("fracttal", "Fracttal")

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.ask)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return _result_schema(self.answer)


@cache  # several tools answer in the same form, and rendering one takes milliseconds of the start
def _result_schema(answers: tuple[type[ToolResult], ...]) -> dict[str, Any]:
    """One of the answers, or `error`: hosts hold a tool's error against its output schema, too, and drop it."""
    schemas = [output_schema(answer) for answer in answers]
    properties = {name: node for schema in schemas for name, node in schema["properties"].items()}
    required = [[name for name in schema["required"] if name != "error"] for schema in schemas]
    return {
        **{key: value for key, value in schemas[0].items() if key != "required"},
        "properties": {**properties, "error": output_schema(ToolError)},
        "anyOf": [*({"required": names} for names in required), {"required": ["error"]}],
    }


_registry: dict[str, ToolSpec] = {}


def registry() -> Mapping[str, ToolSpec]:
    """The tools that have been declared so far; `catalogue` has them all."""
    return _registry


_ANSWERS: Mapping[type, tuple[type[ToolResult], ...]] = {Plan: (WriteResult,), PlannedBatch: (WritesResult,)}


def tool(*, effect: Effect, calls: tuple[Endpoint, ...] = ()) -> Callable[[Run], Run]:
    """Declare a tool: `async def name(context: ErpContext, ask: SomeInput) -> SomeResult` with a docstring for the
    model.

    `calls` are the endpoints that it needs, and by them the ERPs. A tool that creates or replaces returns a Plan, and
    is given a `note` besides what it declares.
    """

    def declare(run: Run) -> Run:
        hints = typing.get_type_hints(run)
        if (hints["return"] is Plan) is not effect.plans:
            raise TypeError(f"{run.__name__}: a tool that creates or replaces returns a Plan, and no other does")
        if (hints["return"] is PlannedBatch) is not (effect is Effect.BATCH):
            raise TypeError(f"{run.__name__}: a tool that holds others returns a PlannedBatch, and no other does")
        _registry[run.__name__] = ToolSpec(
            name=run.__name__,
            description=inspect.cleandoc(run.__doc__ or "").replace("\n\n", "\n"),
            effect=effect,
            ask=create_model(hints["ask"].__name__, __base__=(Noted, hints["ask"])) if effect.plans else hints["ask"],
            answer=_ANSWERS.get(hints["return"]) or typing.get_args(hints["return"]) or (hints["return"],),
            run=run,
            calls=calls,
        )
        return run

    return declare
