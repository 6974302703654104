"""A process is killed at every step of its event loop, from a write's proposal to its answer; a fresh one recovers.

For each tool and each fault of the ERP the step moves on until the run ends by itself. What the journal then says is
held against what the ERP's own file holds, against the requests that reached it, and against what the killed process
had told before it died. A kill takes process, threads and sockets at once (`os._exit`); what it had handed to the file
system stays, as after `kill -9`.
"""

import asyncio
import gc
import json
import os
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from fraction_mcp.operations.writes.approvers import Decider
from torture import postgresql
from torture.worlds import BATCH, FAULTS, SUBJECTS, Subject, World, items, seed, worlds_folder

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.batch import Batch
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.write import Write

__all__ = ["KILLED", "Job", "Kill", "Tally", "kills", "shard", "tried"]

KILLED = {**SUBJECTS, BATCH.tool: BATCH}
Job = tuple[str, str, int, bool]
"""Tool, fault, stride, and whether the journal is on PostgreSQL."""

_LATER_S = 1000.0  # past every lease, before every expiry
_BESIDE_EVERY, _LOOKS_OFTEN = 10, 100
_MOST_STEPS = 5_000
_FAILED = 3
_ASKER, _OTHER = "whoever is killed", "whoever works beside it"

Say = Callable[[str], None]


# ------------------------------------------------------------------------------------------------ what a process does


async def _proposed(
    service: "WriteService", subject: Subject, arguments: Mapping[str, Any], asker: str, say: Say
) -> "Batch":
    from fraction_mcp.runtime import _replan
    from fraction_mcp.tools.arguments import read_arguments
    from fraction_mcp.tools.catalogue import catalogue

    if subject is BATCH:
        spec = catalogue()[subject.tool]
        planned = await spec.run(service.context, read_arguments(spec, arguments))
        batch: Batch = await service.propose_batch(planned.writes(), asked_by=asker)
    else:
        plan = await _replan(service.context, subject.tool, arguments)
        batch = await service.batch(await service.propose(plan, tool=subject.tool, arguments=arguments, asked_by=asker))
    say("proposed")
    write = await service.approve(batch.waiting[0], digest=batch.digest, by=Decider("a person"))
    batch = await service.batch(write)
    for one in batch.writes:
        say(f"told {one.plan.tool} {one.state}")
    return batch


def _patient() -> None:
    """Many processes share this machine and its PostgreSQL: a database that is slow for it is no finding."""
    from fraction_mcp.operations.writes.journal_database import JournalDatabase

    JournalDatabase.answer_s = 60.0


async def _write(world: World, subject: Subject, fault: str, say: Say, arm: Callable[[], None]) -> None:
    from fraction_mcp.runtime import Runtime

    _patient()
    erps = world.erps()
    if FAULTS[fault]:
        erps.state.faults.arm(method=subject.method, path=subject.path, **FAULTS[fault])
    async with Runtime(world.settings(), erps) as runtime:
        service = await runtime.write_service()
        arm()
        await _proposed(service, subject, subject.arguments, _ASKER, say)


async def _beside(world: World, subject: Subject, say: Say, looks: int) -> None:
    """A second process with a write of its own, which also sees to what others have had approved."""
    from fraction_mcp.runtime import Runtime

    _patient()
    async with Runtime(world.settings(), world.erps()) as runtime:
        service = await runtime.write_service()
        await _proposed(service, subject, subject.beside, _OTHER, say)
        for _ in range(looks):
            for approved in await service.journal.latest(limit=None):
                await service.follow_up(approved)


async def _recover(world: World, say: Callable[[str], None]) -> None:
    """A fresh process, at once and again when every lease has run out; then a person answers what still waits."""
    from fraction_mcp.operations.writes.states import State
    from fraction_mcp.runtime import Runtime

    _patient()
    ahead = [0.0]
    async with Runtime(world.settings(), world.erps(), clock=lambda: time.time() + ahead[0]) as runtime:
        service = await runtime.write_service()
        at_once = await _followed(service)
        ahead[0] = _LATER_S
        later = await _followed(service)
        for write in later:
            if write.state is State.AWAITING and (batch := await service.batch(write)).waiting:
                await service.approve(write, digest=batch.digest, by=Decider("a person, again"))
        ended = await _followed(service)
        mine = [
            {write.plan.tool: write.state.value for write in seen if write.asked_by == _ASKER}
            for seen in (at_once, later, ended)
        ]
        say(json.dumps(mine))
        say(await service.journal.verify() or "whole")


async def _followed(service: "WriteService") -> "list[Write]":
    return [await service.follow_up(write) for write in await service.journal.latest(limit=None)]


# ----------------------------------------------------------------------------------------------------------- processes


@dataclass(slots=True)
class _Child:
    pid: int
    reads: int

    def ended(self) -> tuple[int, list[str]]:
        """Its exit code, and the lines that it said before it ended."""
        with os.fdopen(self.reads) as said:
            lines = said.read().splitlines()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), lines


def _forked(work: Callable[[Say], Awaitable[None]]) -> _Child:
    reads, writes = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writes)
        return _Child(pid, reads)
    code = _FAILED

    def say(line: str) -> None:
        os.write(writes, f"{line}\n".encode())

    try:
        os.close(reads)
        gc.disable()  # it would touch, and so copy, every page that it has from its parent
        anyio.run(work, say)
        code = 0
    except BaseException:  # noqa: BLE001 - a child says what it died of, and never goes on as its parent
        os.write(writes, f"raised {traceback.format_exc(limit=-3)!r}\n".encode())
    finally:
        os._exit(code)


def _dies_at(step: int) -> Callable[[], None]:
    """Arms the kill: from now on the event loop takes `step` steps and not one more."""

    def arm() -> None:
        taken = 0
        run = asyncio.events.Handle._run

        def counted(handle: asyncio.Handle) -> None:
            nonlocal taken
            taken += 1
            if taken > step:
                os._exit(9)
            run(handle)

        asyncio.events.Handle._run = counted  # type: ignore[method-assign, assignment]

    return arm


# --------------------------------------------------------------------------------------------------------------- kills


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it. `wrong` says what must not be; empty where all is well."""

    tool: str
    fault: str
    step: int
    beside: bool
    ended_by_itself: bool
    state: str
    held: int
    wrong: str


@dataclass(slots=True)
class Tally:
    """What many kills came to: how many there were of each outcome, and each that went wrong."""

    kills: int = 0
    beside: int = 0
    outcomes: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    wrong: list[Kill] = field(default_factory=list)

    def add(self, kill: Kill) -> None:
        self.kills += not kill.ended_by_itself
        self.beside += kill.beside and not kill.ended_by_itself
        self.outcomes[kill.tool, kill.fault, kill.state, kill.held] += 1
        if kill.wrong:
            self.wrong.append(kill)


def ready(folder: Path, seeded: Path, tool: str, database: str = "") -> None:
    """Have a first write made here, so that no child needs to load or build what every child needs."""
    world = World.made(folder / f"ready-{os.getpid()}", seeded, database)

    async def lives() -> None:
        await _write(world, KILLED[tool], "none", lambda _: None, lambda: None)
        await _recover(world, lambda _: None)

    anyio.run(lives)
    world.remove()


def tried(
    folder: Path, seeded: Path, subject: Subject, fault: str, step: int, *, beside: int = 0, database: str = ""
) -> Kill:
    """One kill, one recovery, and what is to be said of both. `beside`: how often a second process sees to whatever
    was approved; 0: there is none."""
    world = World.made(folder / f"{subject.tool}-{os.getpid()}-{step}", seeded, database)
    other = _forked(lambda say: _beside(world, subject, say, beside)) if beside else None
    code, said = _forked(lambda say: _write(world, subject, fault, say, _dies_at(step))).ended()
    lived, others = other.ended() if other else (0, [])
    held = _held(world, subject, subject.arguments)
    recovered = _forked(lambda say: _recover(world, say)).ended()
    after = _held(world, subject, subject.arguments)
    wrong, state = _judged(code, said, held, recovered, after)
    wrong = wrong or _sent_wrongly(world, subject, beside=bool(beside))
    if (
        not wrong
        and beside
        and (lived, _told(others), _held(world, subject, subject.beside))
        != (
            0,
            dict.fromkeys(held, "done"),
            dict.fromkeys(held, 1),
        )
    ):
        wrong = f"the process beside it: {others}"
    world.remove()
    return Kill(subject.tool, fault, step, bool(beside), code == 0, state, sum(after.values()), wrong)


def _held(world: World, subject: Subject, arguments: Mapping[str, Any]) -> dict[str, int]:
    """How often the ERP holds each write of the call, in order, by its tool."""
    return {item.tool: item.held(world, asked) for item, asked in items(subject.tool, arguments)}


def _sent_wrongly(world: World, subject: Subject, *, beside: bool) -> str:
    """What is wrong with the requests that reached the ERP: at most one of each write, and none of anything else.

    A second approval allows no second one: what waits again was proven unsent.
    """
    asked_for = [*items(subject.tool, subject.arguments), *(items(subject.tool, subject.beside) if beside else ())]
    unknown = world.sent()
    for item, arguments in asked_for:
        count = sum(item.is_of(arguments, request) for request in unknown)
        if count > 1:
            return f"{item.tool} was sent {count} times"
        unknown = [request for request in unknown if not item.is_of(arguments, request)]
    return f"sent, and nobody had asked for it: {unknown}" if unknown else ""


def _told(said: Sequence[str]) -> dict[str, str]:
    return {tool: state for word, tool, state in (f"{line}  ".split(" ")[:3] for line in said) if word == "told"}


def _judged(
    code: int, said: Sequence[str], held: Mapping[str, int], recovered: tuple[int, list[str]], after: Mapping[str, int]
) -> tuple[str, str]:
    """What is wrong with it (empty: nothing), and in which state the writes were found when every lease had run out."""
    if code not in {0, 9} or recovered[0] != 0:
        return f"a process failed: {said} {recovered}", "?"
    seen: Sequence[Mapping[str, str]] = json.loads(recovered[1][0])
    later = seen[1]
    if recovered[1][1] != "whole":
        return f"the journal's chain: {recovered[1][1]}", "?"
    if set(later) not in (set(), set(held)) or ("proposed" in said and not later):
        return f"what was proposed is not in the journal: {later}", "lost"
    if list(held.values()) != sorted(held.values(), reverse=True):
        return f"one is written, and the one before it is not: {held}", "?"
    told = _told(said)
    wrong = (
        _wrong_with(told.get(tool, ""), held[tool], [each.get(tool, "none") for each in seen], after[tool])
        for tool in held
    )
    worst = next((state for tool in held if (state := later.get(tool, "none")) != "done"), "done")
    return next(filter(None, wrong), ""), worst


def _wrong_with(told: str, held: int, states: Sequence[str], after: int) -> str:
    """What is wrong with one write: what was told of it, how often the ERP held it then and holds it now, and how a
    fresh process found it at once, past its lease, and after a person had approved what waited."""
    at_once, state, last = states
    faults: Iterable[tuple[bool, str]] = (
        (held > 1 or after > 1, f"written {max(held, after)} times"),
        ("failed" in (told, *states), "failed, and the ERP refuses no write here"),
        (told == "done" and not held, "told done, and the ERP does not hold it"),
        ("done" in (state, last) and not after, "done in the journal, and the ERP does not hold it"),
        (bool(held) and state not in {"done", "unknown"}, f"the ERP holds it, and it is {state}"),
        (state == "awaiting_approval" and last != "done", f"approved again, and {last}"),
        (state in {"approved", "sending"}, f"it is {state} for ever"),
        (at_once != "none" and state == "none", "a write was forgotten"),
    )
    return next((what for is_so, what in faults if is_so), "")


def kills(
    folder: Path,
    seeded: Path,
    tool: str,
    fault: str,
    stride: int = 1,
    *,
    crowded: bool = False,
    server: postgresql.Server | None = None,
) -> Iterator[Kill]:
    """Every `stride`-th step of this tool under this fault, until the run outlives the kill."""
    ready(folder, seeded, tool, server.emptied() if server else "")
    for step in range(0, _MOST_STEPS, stride):
        beside = _LOOKS_OFTEN if crowded else int((step // stride) % _BESIDE_EVERY == _BESIDE_EVERY - 1)
        database = server.emptied() if server else ""
        kill = tried(folder, seeded, KILLED[tool], fault, step, beside=beside, database=database)
        yield kill
        if kill.ended_by_itself:
            return
    why = f"still at work after {_MOST_STEPS} steps"
    yield Kill(tool, fault, _MOST_STEPS, beside=False, ended_by_itself=False, state="?", held=0, wrong=why)


def crowded(job: Job) -> Tally:
    """The same with a second process beside every one of them, which does not stop looking: both are at one write."""
    return shard(job, crowded=True)


def shard(job: Job, *, crowded: bool = False) -> Tally:
    """All kills of one tool under one fault, with this stride, in worlds of their own."""
    tool, fault, stride, on_postgresql = job
    folder = worlds_folder()
    try:
        tally = Tally()
        with postgresql.served() if on_postgresql else nullcontext() as server:
            for kill in kills(folder, seed(folder), tool, fault, stride, crowded=crowded, server=server):
                tally.add(kill)
        return tally
    finally:
        shutil.rmtree(folder)
