"""Fifty clients over HTTP, one server, the embedded ERPs over HTTP, a request in fifty of which fails: what grows, how
long an answer takes, what it costs the ERP, whether its budget is ever exceeded, and whether one client is served at
another's cost. A call in a hundred is a write that is confirmed; the ERP's own file must hold it once.
"""

import json
import random
import signal
import sqlite3
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx

from torture.soak_servers import LATE_S, TOLD, WINDOW_S, served

__all__ = ["CALLS", "CLIENTS", "Soaked", "soaked"]

CLIENTS, WRITERS, CALLS = 50, 16, 20_000
GREEDY = 2  # of the clients: they ask for nothing but sums over all pages
_TELLING = 10_000
"""Calls, from which on growth and turns tell something. What a call costs varies: its standard deviation is some twice
its mean, since a write waits for reads that nobody remembers. Of fifty who draw their calls, the unluckiest lies some
2.3 deviations below the middle: with 100 calls each chance alone makes that half, with 200 it does not."""
_WRITES = 30
_WRITES_EVERY = 100
_SMALL_PART = 10
_PATIENT_S = 1.0  # a client that is told to wait waits a while: else it would use its calls up on being told so
_LOOKS, _LOOK_EVERY_S = 5, 5.0
_PRICE = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
_HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call"}  # fmt: skip
_TRANSIENT = {"UPSTREAM_ERROR", "UPSTREAM_UNREACHABLE", "UPSTREAM_UNREADABLE", "NOT_AUTHENTICATED", "TOO_MANY_WAITING",
              "RATE_LIMITED", "OUTCOME_UNKNOWN"}  # fmt: skip
_DRIFT = "what it was based on has changed since it was shown"
"""A fault may keep from a write's preview what the ERP says when it is sent: it is then asked for again."""


def _call(chance: random.Random, *, greedy: bool) -> tuple[str, dict[str, Any]]:
    if greedy:
        kind = chance.choice(("contracts", "work_orders", "purchase_orders", "invoices"))
        return "summarise_records", {"kind": kind, "group_by": ["status"]}
    part = f"{chance.randrange(1, 600)}"
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("get_price_for_quantity", _PRICE),
        ("get_price_for_quantity", {"part": part, "quantity": chance.randrange(1, 500)}),
        ("price_order_lines", {"customer": "52", "lines": [{"part": "WIDGET-001", "quantity": 40}]}),
        ("search_parts", {"query": chance.choice(("widget", "shaft", "seal", "kit"))}),
        ("list_records", {"kind": chance.choice(("contracts", "invoices")), "page": chance.randrange(1, 9)}),
        ("get_customer", {"customer": "Acme Corp"}),
        ("list_fracttal_purchase_orders", {"since": "2026-01-01"}),
        ("create_enquiry", {"customer": "52", "customer_ref": f"SOAK-{chance.randrange(_WRITES)}"}),
        ("get_write_status", {}),
    )
    return chance.choice(calls)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process holds: memory in MB, files, sockets among them, tasks of its event loop."""

    memory: float
    files: int
    sockets: int
    tasks: int


@dataclass(slots=True)
class Soaked:
    """What came of it. `answers` counts outcomes, `each` the calls that a client was served, in its order. `spent` are
    the windows of the ERP's budget of which nothing was left, `untold` the faults that met a request near such an end:
    what answers none says nothing of what it took. `writes` has what was told of each, by its reference, `beside` how
    many of them were told of before the clients had ended, and `drifted` counts those whose preview was out of date."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    each: list[int] = field(default_factory=list)
    first: Seen = Seen(0, 0, 0, 0)
    last: Seen = Seen(0, 0, 0, 0)
    asked: int = 0
    refused: int = 0
    faults: int = 0
    spent: int = 0
    untold: int = 0
    writes: dict[str, str] = field(default_factory=dict)
    beside: int = 0
    drifted: int = 0
    wrong: list[str] = field(default_factory=list)

    def within(self, percent: int) -> float:
        """Milliseconds, within which so many of a hundred calls are answered."""
        return statistics.quantiles(self.times, n=100)[percent - 1] * 1000

    @property
    def failed(self) -> int:
        """Calls that ended with an error other than that they were too many."""
        return sum(self.answers[code] for code in _TRANSIENT - {"RATE_LIMITED"})

    def fairness(self) -> float:
        """Of the clients that ask alike, the least served one's calls by those of the one in the middle."""
        alike = self.each[GREEDY:]
        return min(alike) / statistics.median(alike)


async def soaked(folder: Path, *, calls: int = CALLS) -> Soaked:
    came = Soaked(each=[0] * CLIENTS)
    with served(folder) as (server, erps, url):
        async with httpx.AsyncClient(base_url=erps, timeout=LATE_S) as controls:
            (await controls.post("/_sandbox/settings", json={"fraction_limit_per_hour": calls})).raise_for_status()
            await _asked(came, url, calls, lambda: _seen(server, folder))
            told = (await controls.get("/_soak")).json()
        for name in TOLD:
            setattr(came, name, told[name])
        _judge_writes(came, folder / "erp.sqlite3")
        errors = (folder / "server.log").read_text("utf-8")
    _judge(came, errors)
    return came


async def _asked(came: Soaked, url: str, calls: int, seen: Any) -> None:
    left, began = iter(range(calls)), time.monotonic()
    wanted, writes = anyio.create_memory_object_stream[str](calls)

    async def client(number: int) -> None:
        chance = random.Random(number)
        async with httpx.AsyncClient(timeout=LATE_S) as http:
            for at in left:
                if at == calls // 4:
                    came.first = await seen()
                if at == calls - 1:
                    came.last = await seen()
                if at % _WRITES_EVERY == _WRITES_EVERY // 2:
                    wanted.send_nowait(f"WRITE-{at}.")
                    continue
                outcome = _outcome(await _one(came, http, url, *_call(chance, greedy=number < GREEDY)))
                came.answers[outcome] += 1
                came.each[number] += outcome != "RATE_LIMITED"
                if outcome == "RATE_LIMITED":
                    await anyio.sleep(_PATIENT_S)

    async def writer() -> None:
        """Beside the clients, so that none of them is held up by a write."""
        async with httpx.AsyncClient(timeout=LATE_S) as http:
            async for reference in writes:
                outcome = await _written(came, http, url, reference)
                came.writes[reference] = outcome
                came.answers[outcome] += 1

    async with writes, anyio.create_task_group() as writing:
        for _ in range(WRITERS):
            writing.start_soon(writer)
        async with wanted, anyio.create_task_group() as group:
            for number in range(CLIENTS):
                group.start_soon(client, number)
        came.seconds, came.beside = time.monotonic() - began, len(came.writes)


async def _written(came: Soaked, http: httpx.AsyncClient, url: str, reference: str) -> str:
    """A write is proposed and confirmed, if need be again: in a new window of the budget, for which what could not be
    sent waits; and where its preview was out of date. Of what nobody knows it is asked again. What was told at last.
    """
    outcome, drifted = "", False
    for _ in range(2 * WINDOW_S):
        told = await _one(came, http, url, "create_enquiry", {"customer": "52", "customer_ref": reference})
        if told.get("outcome") == "confirmation_required":
            token = {name: told[name] for name in ("write_id", "confirmation_token")}
            told = await _one(came, http, url, "confirm_write", token)
        outcome = str(told.get("outcome", "")) or _outcome(told)
        drifted = _drifted(told)
        came.drifted += drifted
        if outcome not in {"RATE_LIMITED", "confirmation_required"} and not drifted:
            break
        await anyio.sleep(_PATIENT_S)
    for _ in range(_LOOKS):
        if outcome not in {"unknown", "in_progress"}:
            break
        await anyio.sleep(_LOOK_EVERY_S)
        told = await _one(came, http, url, "get_write_status", {"write_id": told["write_id"]})
        outcome = str(told.get("outcome", "")) or outcome
    if drifted:
        came.wrong.append(f"{reference} was out of date whenever it was asked for")
    return outcome


def _drifted(told: Mapping[str, Any]) -> bool:
    return _DRIFT in str((told.get("error") or {}).get("message", ""))


def _outcome(told: Mapping[str, Any]) -> str:
    return str((told.get("error") or {}).get("code", "") or told.get("outcome", "")) or "answered"


async def _one(
    came: Soaked, http: httpx.AsyncClient, url: str, tool: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "0"},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    began = time.monotonic()
    try:
        answer = await http.post(url, json=request, headers={**_HEADERS, "mcp-name": tool})
        if not came.seconds:  # while the clients are at work
            came.times.append(time.monotonic() - began)
        # What takes longer than a moment comes as a stream of events, the last of which is the answer.
        events = "event-stream" in answer.headers.get("content-type", "")
        text = answer.text.rpartition("data: ")[2] if events else answer.text
        told: dict[str, Any] = json.loads(text)["result"]["structuredContent"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        came.wrong.append(f"{tool}({arguments}): {error!r:.300}")
        return {"outcome": "no answer"}
    code = str((told.get("error") or {}).get("code", ""))
    if code and code not in _TRANSIENT and not (tool == "confirm_write" and _drifted(told)):
        came.wrong.append(f"{tool}({arguments}): {told['error']!r:.300}")
    if arguments is _PRICE and not code and told["prices"][0]["line_total"] != "2500.00":
        came.wrong.append(f"a wrong price: {told!r:.300}")
    return told


def _judge_writes(came: Soaked, erp: Path) -> None:
    """Whether the ERP's own file holds each write as often as was told of it."""
    with closing(sqlite3.connect(f"file:{erp}?mode=ro", uri=True)) as connection:
        sql = "SELECT json_extract(doc, '$.customer_ref') AS reference, count(*) FROM contracts GROUP BY reference"
        held = dict(connection.execute(sql).fetchall())
    for reference, told in came.writes.items():
        count = held.get(reference, 0)
        if count > 1 or (told == "done" and not count) or (count and told != "done"):
            came.wrong.append(f"{reference} is told {told}, and the ERP holds it {count} times")
    part = len(came.writes) // _SMALL_PART + 1
    if came.drifted > part:
        came.wrong.append(f"{came.drifted} previews of {len(came.writes)} writes were out of date")
    if len(came.times) >= _TELLING and came.beside < len(came.writes) // 5:
        came.wrong.append(f"only {came.beside} of {len(came.writes)} writes were beside the clients: nothing is shown")
    if not any(told == "done" for told in came.writes.values()):
        came.wrong.append(f"nothing was written: {came.writes}")


def _judge(came: Soaked, errors: str) -> None:
    grown, done = came.last.memory - came.first.memory, sum(told == "done" for told in came.writes.values())
    judged: tuple[tuple[bool, str], ...] = (
        (came.refused > came.untold, f"the ERP refused {came.refused} requests for the budget"),
        (not came.spent or not came.answers["RATE_LIMITED"], "the ERP's budget was never spent: nothing is shown"),
        ("Traceback" in errors, f"a traceback: {errors[errors.find('Traceback') :][:1500]}"),
    )
    if len(came.times) < _TELLING:  # it has hardly begun to remember anything, or to take turns
        came.wrong += [what for is_so, what in judged if is_so]
        return
    judged += (
        (grown > 0.1 * came.first.memory + 4, f"memory grew by {grown:.0f} MB"),
        (came.last.files > came.first.files + 10, f"files: {came.first.files}, then {came.last.files}"),
        (came.last.sockets > came.first.sockets + 10, f"sockets: {came.first.sockets}, then {came.last.sockets}"),
        (came.last.tasks > came.first.tasks + 60, f"tasks: {came.first.tasks}, then {came.last.tasks}"),
        (came.fairness() < 0.5, f"a client was answered {came.fairness():.2f} of what others were"),
        (came.failed > 0.4 * came.faults, f"{came.failed} calls failed, and only {came.faults} requests met a fault"),
        (done < 0.9 * len(came.writes), f"only {done} of {len(came.writes)} writes were done"),
    )
    came.wrong += [what for is_so, what in judged if is_so]


async def _seen(server: "subprocess.Popen[bytes]", folder: Path) -> Seen:
    told = anyio.Path(folder / "tasks")
    await told.unlink(missing_ok=True)
    server.send_signal(signal.SIGUSR1)
    tasks = ""
    with anyio.fail_after(30):
        while not tasks:
            await anyio.sleep(0.02)
            tasks = await told.read_text() if await told.exists() else ""
    memory, links = _held(Path(f"/proc/{server.pid}"))
    return Seen(memory, len(links), sum(link.startswith("socket:") for link in links), int(tasks))


def _held(process: Path) -> tuple[float, list[str]]:
    """MB of memory, and what its descriptors lead to."""
    links = []
    for entry in (process / "fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            links.append(str(entry.readlink()))
    return int((process / "status").read_text("ascii").partition("VmRSS:")[2].split()[0]) / 1024, links
