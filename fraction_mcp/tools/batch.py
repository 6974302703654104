"""Several writes under one question. Which tools it may hold follows from their effect, and from the ERPs that are
configured."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import anyio
from pydantic import BeforeValidator, Field

from fraction_mcp.erp.cache import read_once
from fraction_mcp.errors import AmbiguousReference, Duplicate, FractionMcpError, InputError, NotFound
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.progress import report
from fraction_mcp.operations.writes.batch import MOST, PlannedBatch, PlannedWrite
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.fields import ToolInput
from fraction_mcp.tools.spec import Effect, ToolSpec, registry, tool
from fraction_mcp.values.text import quoted

__all__: list[str] = []

_AT_ONCE = 4
_OF_THE_ITEM = (AmbiguousReference, Duplicate, InputError, NotFound)


def _from_text(value: object) -> object:
    """Where a host cannot declare an object that may hold anything, it is given as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # refused as what it is
        return value


class OneWrite(ToolInput):
    tool: str = Field(max_length=80, description="Its name")
    arguments: Annotated[dict[str, Any], BeforeValidator(_from_text)] = Field(description="That tool's own")


class SubmitWrites(ToolInput):
    writes: list[OneWrite] = Field(min_length=1, max_length=MOST, description="Calls of tools that write, in order")


@tool(effect=Effect.BATCH)
async def submit_writes(context: ErpContext, ask: SubmitWrites) -> PlannedBatch:
    """Submit several writes for one approval; they are sent in order, up to the first that is not done.

    Use when a person should decide about several writes at once.
    Not for writes that build on one another: submit those after one another.
    """
    planned = PlannedBatch([item.tool for item in ask.writes])
    may_hold = _may_hold(context)
    turn = anyio.CapacityLimiter(_AT_ONCE)

    async def plan(index: int, item: OneWrite, others: anyio.CancelScope) -> None:
        """What is wrong with the item is kept; what is wrong with its ERP would be with the others', which are left."""
        async with turn:
            try:
                planned.planned[index] = await _planned(context, item, may_hold)
            except FractionMcpError as error:
                planned.failed[index] = error
                if not isinstance(error, _OF_THE_ITEM):
                    others.cancel()
            await report(len(planned.planned) + len(planned.failed), len(ask.writes), "writes planned")

    with read_once():  # their previews are of one moment; each is read anew before it is sent
        async with anyio.create_task_group() as group:
            for index, item in enumerate(ask.writes):
                group.start_soon(plan, index, item, group.cancel_scope)
    return planned


def _may_hold(context: ErpContext) -> Mapping[str, ToolSpec]:
    """The tools that plan one write in an ERP that is configured here."""
    there = set(context.erps)
    return {name: spec for name, spec in registry().items() if spec.effect.plans and spec.systems <= there}


async def _planned(context: ErpContext, item: OneWrite, may_hold: Mapping[str, ToolSpec]) -> PlannedWrite:
    """Raises any FractionMcpError; the paths of an InputError are those of the item."""
    spec = may_hold.get(item.tool)
    if spec is None:
        problem = f"{quoted(item.tool)} is no tool that it may hold"
        raise InputError({"tool": problem}, hint=f"It may hold {', '.join(may_hold)}.")
    try:
        plan = await spec.plan(context, read_arguments(spec, item.arguments))
    except InputError as error:
        raise InputError({f"arguments.{path}": why for path, why in error.problems.items()}, hint=error.hint) from None
    return PlannedWrite(item.tool, item.arguments, plan)
