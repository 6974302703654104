"""Every tool under every fault of the wire: what a cell says comes from the run, and no cell may hang, raise or lie.

A cell is only counted where its fault struck and changed something: what is "not met" has shown nothing.
"""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Set
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
from torture.certificates import certificates
from torture.clock import READS_S, Clock
from torture.host import YES
from torture.status import lies_about_the_connection
from torture.wire import FAULTS, Exchange, Fault, Wire
from torture.wire_faults import NUMBER
from torture.worlds import BATCH, SUBJECTS, World, items

__all__ = ["NOT_WRITTEN", "READS", "Cell", "asked", "cannot_meet", "cell", "cells"]

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
_NOT_MET = "not met"
_OF_THE_MOMENT = {"as_of", "requests_remaining", "is_error"}
_COUNTS = {"summary", "last_page"}
NOT_WRITTEN = {"failed", "declined", "awaiting_approval", "confirmation_required"}
_TIMEOUT_S, _SOON_S = 10.0, 1.0  # a busy machine answers within it; and where no answer comes
_LATER_S = 10.0  # when the ERP may be asked again for what was looked for in vain
_MOST_S = 40.0
_NEARLY_AN_HOUR_S = 3_590.0


@dataclass(frozen=True, slots=True)
class Cell:
    """`said` is the outcome or the error's code; `wrong` is empty where all is well; `met` is whether the fault changed
    anything."""

    tool: str
    fault: str
    said: str
    seconds: float
    wrong: str
    met: bool = True


def settings_of(world: World, url: str, timeout_s: float) -> Any:
    return world.settings().model_copy(
        update={
            "fraction_base_url": url + sandbox.FRACTION_PATH,
            "fracttal_base_url": url + sandbox.FRACTTAL_PATH,
            "fracttal_token_url": url + sandbox.FRACTTAL_TOKEN_PATH,
            "timeout_s": timeout_s,
            "elicitation": "full",
            "cache_s": 0,
            "secret_key": SecretStr("k" * 48),
        }
    )


async def asked(
    world: World, wire: Wire, tool: str, arguments: Mapping[str, Any], *, later_s: float = 0.0, **settings: object
) -> dict[str, Any]:
    """What the tool answers, in a process of its own as it were, to somebody who approves what they are asked."""
    clock, timeout_s = Clock(later_s), _SOON_S if wire.fault and wire.fault.waits else _TIMEOUT_S

    async def approves(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
        clock.ahead_s += READS_S
        if wire.fault and wire.fault.shuts:
            wire.shut()
        return YES

    async with (
        Runtime(settings_of(world, wire.url, timeout_s).model_copy(update=settings), clock=clock) as runtime,
        Client(create_server(runtime), elicitation_callback=cast(ElicitationFnT, approves)) as client,
    ):
        if wire.fault and wire.fault.ages:  # a sign-in that has only just been had would be taken for a wrong clock
            await client.call_tool("get_connection_status", {})
            clock.ahead_s += _NEARLY_AN_HOUR_S
        result = await client.call_tool(tool, dict(arguments))
        return {**(result.structured_content or {}), "is_error": bool(result.is_error)}


async def _lost(world: World, wire: Wire) -> Mapping[str, Any]:
    """A write that landed, and whose process heard nothing of it and could not look."""

    async def lands(exchange: Exchange) -> None:
        await exchange.answered()
        wire.arm(unheard, frozenset({"GET"}))
        exchange.reset()

    async def resets(exchange: Exchange) -> None:
        exchange.reset()

    unheard = Fault("nothing is heard", resets, times=1_000)
    wire.arm(Fault("it lands", lands), frozenset({_FOLLOWED.method}))
    result = await asked(world, wire, _FOLLOWED.tool, _FOLLOWED.arguments)
    assert result["outcome"] == "unknown", result
    return {"write_id": result["write_id"]}


async def _previewed(world: World, wire: Wire) -> Mapping[str, Any]:
    """A write under the policy two_step, which waits for its second step."""
    result = await asked(world, wire, _FOLLOWED.tool, _FOLLOWED.arguments, **_TWO_STEP)
    return {name: result[name] for name in ("write_id", "confirmation_token")}


@dataclass(frozen=True, slots=True)
class _After:
    """A tool that is about a write which was asked for before. `sends` is whether it is what sends it; the `facts` are
    those of how it is asked."""

    before: Callable[[World, Wire], Awaitable[Mapping[str, Any]]]
    sends: bool
    facts: Mapping[str, Any]


_FOLLOWED = SUBJECTS["create_enquiry"]
_TWO_STEP: Mapping[str, Any] = {"confirm": "two_step", "elicitation": "off"}
_AFTER = {
    "get_write_status": _After(_lost, False, {"later_s": _LATER_S}),
    "confirm_write": _After(_previewed, True, _TWO_STEP),
}


async def cell(folder: Path, seeded: Path, tool: str, fault: Fault, truth: Mapping[str, Any] | None = None) -> Cell:
    """One tool under one fault, in a world of its own. `truth` is what it answers without a fault."""
    world = World.made(folder / f"m{time.monotonic_ns()}", seeded)
    began = time.monotonic()
    said, wrong, wire = "hangs", "it hangs", Wire(world.erps())
    with anyio.move_on_after(_MOST_S), certificates(wanted=fault.untrusted) as wire.certificates:
        async with wire.served():
            try:
                result = await _under(world, wire, tool, fault)
            except Exception as error:  # noqa: BLE001 - whatever gets through is what this looks for
                said, wrong = "raises", repr(error)[:300]
            else:
                said, wrong = _said(result), _wrong(result, world, tool, wire, truth)
    met = wire.met > 0
    world.remove()
    if not wrong and met == cannot_meet(tool, fault):
        wrong = "its fault is met, and was held to be none of it" if met else "its fault was not met: nothing is shown"
    return Cell(tool, fault.name, said if met or wrong else _NOT_MET, time.monotonic() - began, wrong, met)


async def _under(world: World, wire: Wire, tool: str, fault: Fault) -> dict[str, Any]:
    """The fault begins with the sign-in, or where it is of the connection, with the write or behind the sign-in."""
    subject, after = _WRITES.get(tool), _AFTER.get(tool)
    arguments = await after.before(world, wire) if after else subject.arguments if subject else READS[tool]
    sends = subject or (after and after.sends and _FOLLOWED)
    wire.arm(fault, frozenset({sends.method if sends else "GET"}), shut_after_sign_in=not subject)
    return await asked(world, wire, tool, arguments, **(after.facts if after else {}))


def _wrong(result: Mapping[str, Any], world: World, tool: str, wire: Wire, truth: Mapping[str, Any] | None) -> str:
    fault = wire.fault
    assert fault is not None
    if wire.leaked:
        return f"another host was told {wire.leaked}"
    if tool == "get_connection_status":
        return lies_about_the_connection(result, truth, wire.exchanges, fault.codes)
    if tool in READS:
        return _untrue(result, truth, () if fault.passes else fault.codes)
    return _lies(result, world, tool, fault, wire)


_READS_ON = {"summarise_records"}
_OF_MANY = {*_READS_ON, "list_records", "describe_records"}
_ONE_RECORD = {*_FRACTTAL, *_WRITES, "confirm_write", "get_record"}  # or no count of pages
_MEETS = {
    "a record that is added while pages are read": _READS_ON,
    "a record that is removed while pages are read": _READS_ON,
    "a last page that lies": _OF_MANY,
    "more pages for ever": {*READS, *_AFTER} - _ONE_RECORD,
}


def cannot_meet(tool: str, fault: Fault) -> bool:
    """Whether nothing of the fault can be in what the tool asks for: a run that finds otherwise is wrong."""
    if fault.name in _MEETS:
        return tool not in _MEETS[fault.name]
    # Fracttal's sign-in is not renewed but had again, and its records have no number of their own.
    return tool in _FRACTTAL and (fault.ages or fault.changes)


def _said(result: Mapping[str, Any]) -> str:
    error = (result.get("error") or {}).get("code", "")
    part = "" if error or (result.get("coverage") or {}).get("complete", True) else "(partial)"
    words = [result.get("outcome", "") or ("" if error else result.get("status", "") or "ok"), error, part]
    return " ".join(filter(None, words))


def _lies(result: Mapping[str, Any], world: World, tool: str, fault: Fault, wire: Wire) -> str:
    """What is untrue of the answer to a write: held against the ERP's own file, and what came over the wire."""
    subject = _WRITES.get(tool, _FOLLOWED)
    outcome, error = result.get("outcome", ""), result.get("error") or {}
    looks = tool in _AFTER and not _AFTER[tool].sends
    each = items(subject.tool, subject.arguments)
    all_held = [item.held(world, asked) for item, asked in each]
    told = [one["outcome"] for one in result.get("writes") or [result] if one.get("outcome")] or [""] * len(each)
    held = all_held[0] if tool != BATCH.tool else max(all_held)
    missing = len(told) != len(each)
    pairs = list(zip(told, all_held, strict=False))
    proves = fault.proves and (tool not in _FRACTTAL or fault.only == "fracttal" or fault.name.startswith("40"))
    sent = [request for request in wire.requests if request.startswith(subject.method)]
    most = 0 if looks else len(each) + (fault.name in {"401 once", "401 always"})
    codes = {*fault.codes, "OUTCOME_UNKNOWN"}
    faults = (
        (looks and held != 1, f"written {held} times"),
        (looks and outcome != "done" and _was_told(wire), f"the ERP told of it, and it is told {outcome}"),
        (looks and outcome == "unknown" and "could not be asked" not in result["summary"], "not told that none looked"),
        (fault.is_got_over and not looks and outcome != "done", f"it gets over this, and is told {outcome}"),
        (any(there and said == "unknown" for said, there in pairs) and not looks, "it is there, and nobody looked"),
        (held > 1, f"written {held} times"),
        (missing and (held > 0 or error.get("written") != "no"), f"told of {len(told)} of {len(each)} writes"),
        (any(said == "done" and not there for said, there in pairs), f"told {told}, and {all_held} are there"),
        (bool(held) and not outcome and error.get("written") == "no", "told not written, and it is"),
        (any(there and said in NOT_WRITTEN for said, there in pairs), f"told {told}, and {all_held} are there"),
        (len(sent) > most, f"sent {len(sent)} times"),
        (proves and not held and outcome not in {"failed", "done"}, f"refused, and told {outcome}"),
        (bool(error) and error.get("code") not in codes, f"an error called {error.get('code')}"),
        (not outcome and not error, "neither an outcome nor an error"),
    )
    return next((what for is_so, what in faults if is_so), "")


def _was_told(wire: Wire) -> bool:
    """Whether the ERP's list of what was to be made came, at last."""
    looks = [each for each in wire.exchanges if each.method == "GET" and each.path.endswith(_FOLLOWED.path)]
    return bool(looks) and looks[-1].usable


def _untrue(result: Mapping[str, Any], truth: Mapping[str, Any] | None, codes: Collection[str] = ()) -> str:
    """An answer to a read is the truth, or one of these errors, or says that it is not the whole."""
    if result["is_error"]:
        code = (result.get("error") or {}).get("code")
        return "" if code in codes else f"an error called {code}, and not of {list(codes)}"
    if truth is None or _is_as(_facts(result), _facts(truth)):
        return ""
    if codes and _is_unsorted(result, truth):
        return ""
    whole, was_whole = (_coverage(told).get("complete", "looked_at" not in told) for told in (result, truth))
    if whole < was_whole or set(result.get("warnings") or ()) - set(truth.get("warnings") or ()):
        return ""
    if not whole and _facts(result, but=_COUNTS) == _facts(truth, but=_COUNTS):
        return ""  # of a part, how many there are in all is the ERP's own word
    if result.get("status") in {"not_found", "ambiguous"}:
        return f"told {result['status']}, and it is there"
    return "another answer than without the fault, and it says nothing of that"


def _is_as(now: object, then: object) -> bool:
    """Whether it is told as without the fault; a number that the fault has made another one of may be that."""
    if isinstance(now, dict) and isinstance(then, dict):
        types = {"type"} if now.get("example") == NUMBER else set()  # a field's, which is told from its values
        return now.keys() == then.keys() and all(_is_as(now[name], then[name]) for name in now.keys() - types)
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(_is_as, now, then))
    if NUMBER not in str(now):
        return now == then
    return bool(re.fullmatch(re.escape(str(now)).replace(NUMBER, r"\d+"), str(then)))


def _is_unsorted(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether it is told that the ERP refused to sort: as many records are described, others, with the same fields."""
    if "the first" not in now.get("summary", "") or now.get("looked_at") != then.get("looked_at"):
        return False
    return [field["name"] for field in now["fields"]] == [field["name"] for field in then["fields"]]


def _coverage(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return result.get("coverage") or {}


def _facts(result: Mapping[str, Any], but: Set[str] = frozenset()) -> dict[str, Any]:
    facts = {name: value for name, value in result.items() if name not in _OF_THE_MOMENT | but}
    return {**facts, "coverage": {name: value for name, value in _coverage(result).items() if name not in but}}


def cells() -> list[tuple[str, Fault]]:
    """Every tool with every fault that its ERP may have."""
    tools = (*READS, *_WRITES, *_AFTER)
    return [(tool, fault) for tool in tools for fault in FAULTS.values() if fault.only in {"", _system(tool)}]


def _system(tool: str) -> str:
    return "fracttal" if tool in _FRACTTAL else "fractionerp"
