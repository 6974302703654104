"""Every tool under every fault of the wire: what a cell says comes from the run, and no cell may hang, raise or lie."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import ElicitRequestParams, ElicitResult
from pydantic import SecretStr

from fraction_mcp import sandbox
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.hosts import READS_S, YES, Clock
from torture.wire import FAULTS, Fault, Wire
from torture.worlds import BATCH, SUBJECTS, World, items

__all__ = ["READS", "Cell", "cell"]

READS: Mapping[str, Mapping[str, Any]] = {
    "search_parts": {"query": "WIDGET"},
    "get_part": {"part": "WIDGET-001"},
    "get_price_for_quantity": {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"},
    "price_order_lines": {"customer": "Acme Corp", "lines": [{"part": "WIDGET-001", "quantity": 40}]},
    "search_customers": {"query": "Acme"},
    "get_customer": {"customer": "Acme Corp"},
    "list_records": {"kind": "contracts", "limit": 5},
    "get_record": {"kind": "contracts", "id": "600"},
    "describe_records": {"kind": "contracts"},
    "summarise_records": {"kind": "contracts", "group_by": ["status"]},
    "get_connection_status": {},
    "list_fracttal_purchase_orders": {"warehouse_code": "1254"},
}
_FRACTTAL = {"list_fracttal_purchase_orders", "create_fracttal_purchase_order"}
_WRITES = {**SUBJECTS, BATCH.tool: BATCH}
_NOT_WRITTEN = {"failed", "declined", "awaiting_approval"}
_TIMEOUT_S = 1.0  # a busy machine answers within it
_MOST_S = 40.0
_NEARLY_AN_HOUR_S = 3_590.0
CODES = {
    "INVALID_INPUT", "NOT_FOUND", "NOT_AUTHENTICATED", "FORBIDDEN", "PLAN_RESTRICTED", "ACCOUNT_INACTIVE", "DUPLICATE",
    "VALIDATION_ERROR", "RATE_LIMITED", "UPSTREAM_ERROR", "UPSTREAM_UNREACHABLE", "UPSTREAM_UNREADABLE",
    "OUTCOME_UNKNOWN",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """`said` is the outcome or the error's code; `wrong` is empty where all is well."""

    tool: str
    fault: str
    said: str
    seconds: float
    wrong: str


def settings_of(world: World, url: str) -> Any:
    return world.settings().model_copy(
        update={
            "fraction_base_url": url + sandbox.FRACTION_PATH,
            "fracttal_base_url": url + sandbox.FRACTTAL_PATH,
            "fracttal_token_url": url + sandbox.FRACTTAL_TOKEN_PATH,
            "timeout_s": _TIMEOUT_S,
            "elicitation": "full",
            "cache_s": 0,
            "secret_key": SecretStr("k" * 48),
        }
    )


async def asked(world: World, wire: Wire, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool answers to somebody who approves what they are asked."""
    clock = Clock()

    async def approves(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
        clock.ahead_s += READS_S
        if wire.fault and wire.fault.refuses:
            wire.refuse()
        return YES

    def ages() -> None:
        clock.ahead_s += _NEARLY_AN_HOUR_S

    wire.aged = ages

    async with (
        Runtime(settings_of(world, wire.url), clock=clock) as runtime,
        Client(create_server(runtime), elicitation_callback=cast(ElicitationFnT, approves)) as client,
    ):
        result = await client.call_tool(tool, dict(arguments))
        return {**(result.structured_content or {}), "is_error": bool(result.is_error)}


async def cell(folder: Path, seeded: Path, tool: str, fault: Fault, truth: Mapping[str, Any] | None = None) -> Cell:
    """One tool under one fault, in a world of its own. `truth` is what it answers without a fault."""
    subject = _WRITES.get(tool)
    arguments = subject.arguments if subject else READS[tool]
    methods = frozenset({subject.method} if subject else {"GET"})
    world = World.made(folder / f"m{time.monotonic_ns()}", seeded)
    began = time.monotonic()
    said, wrong = "hangs", "it hangs"
    with anyio.move_on_after(_MOST_S):
        wire = Wire(world.erps())
        wire.arm(fault, methods)
        async with wire.served():
            try:
                result = await asked(world, wire, tool, arguments)
            except Exception as error:  # noqa: BLE001 - whatever gets through is what this looks for
                said, wrong = "raises", repr(error)[:300]
            else:
                said = _said(result)
                known = None if fault.changes else truth
                wrong = _lies(result, world, tool, fault, wire) if subject else _untrue(result, known)
    world.remove()
    return Cell(tool, fault.name, said, time.monotonic() - began, wrong)


def _said(result: Mapping[str, Any]) -> str:
    error = (result.get("error") or {}).get("code", "")
    part = "" if error or (result.get("coverage") or {}).get("complete", True) else "(partial)"
    words = [result.get("outcome", "") or ("" if error else result.get("status", "") or "ok"), error, part]
    return " ".join(filter(None, words))


def _lies(result: Mapping[str, Any], world: World, tool: str, fault: Fault, wire: Wire) -> str:
    """What is untrue of the answer to a write: held against the ERP's own file, and what came over the wire."""
    subject = _WRITES[tool]
    outcome, error = result.get("outcome", ""), result.get("error") or {}
    each = items(tool, subject.arguments)
    all_held = [item.held(world, asked) for item, asked in each]
    told = [one["outcome"] for one in result.get("writes") or [result] if one.get("outcome")] or [""] * len(each)
    held = all_held[0] if tool != BATCH.tool else max(all_held)
    missing = len(told) != len(each)
    pairs = list(zip(told, all_held, strict=False))
    proves = fault.proves and (tool not in _FRACTTAL or fault.only == "fracttal" or fault.name.startswith("40"))
    sent = [request for request in wire.requests if request.startswith(subject.method)]
    faults = (
        (held > 1, f"written {held} times"),
        (missing and (held > 0 or error.get("written") != "no"), f"told of {len(told)} of {len(each)} writes"),
        (any(said == "done" and not there for said, there in pairs), f"told {told}, and {all_held} are there"),
        (bool(held) and not outcome and error.get("written") == "no", "told not written, and it is"),
        (any(there and said in _NOT_WRITTEN for said, there in pairs), f"told {told}, and {all_held} are there"),
        (len(sent) > len(each) + (fault.name == "401 once") + (fault.name == "401 always"), f"sent {len(sent)} times"),
        (proves and not held and outcome not in {"failed", "done"}, f"refused, and told {outcome}"),
        (bool(error) and error.get("code") not in CODES, f"an error called {error.get('code')}"),
        (not outcome and not error, "neither an outcome nor an error"),
    )
    return next((what for is_so, what in faults if is_so), "")


def _untrue(result: Mapping[str, Any], truth: Mapping[str, Any] | None) -> str:
    """An answer to a read is the truth, or an error, or says that it is not the whole."""
    if result["is_error"]:
        code = (result.get("error") or {}).get("code")
        return "" if code in CODES else f"an error called {code}"
    if truth is None or _facts(result) == _facts(truth):
        return ""
    whole = (result.get("coverage") or {}).get("complete", "looked_at" not in result)
    if not whole or result.get("warnings"):
        return ""
    if result.get("status") in {"not_found", "ambiguous"}:
        return f"told {result['status']}, and it is there"
    if "systems" in result:  # the connection's own trouble is what the status tells
        return ""
    return "another answer than without the fault, and it calls it whole"


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in {"as_of", "requests_remaining", "is_error"}}


def cells() -> list[tuple[str, Fault]]:
    """Every tool with every fault that its ERP may have."""
    return [
        (tool, fault) for tool in (*READS, *_WRITES) for fault in FAULTS.values() if not fault.only or tool in _FRACTTAL
    ]
