"""A process is killed at every step of its event loop, from a write's proposal to its answer; a fresh one recovers.

For each tool and each fault of the ERP the step moves on until the run ends by itself. What the journal then says is
held against what the ERP's own file holds, against the requests that reached it, and against what the killed process
had told before it died. A kill takes process, threads and sockets at once (`os._exit`); what it had handed to the file
system stays, as after `kill -9`.
"""

import asyncio
import gc
import itertools
import json
import os
import shutil
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite
import anyio

from torture import lives, postgresql
from torture.worlds import Subject, World, items, seed, worlds_folder

__all__ = ["Kill", "Tally", "kills", "ready", "shard", "tried"]

_BESIDE_EVERY, _LOOKS_OFTEN = 10, 100
_MOST_STEPS = 5_000
_FAILED = 3
_ENDS_S = 5.0
_UNASKED = ("none", "awaiting_approval")  # where nobody has said yes

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


def _forked(work: Callable[[lives.Say], Awaitable[None]]) -> _Child:
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
        lives.patient()
        gc.disable()  # it would touch, and so copy, every page that it has from its parent
        anyio.run(work, say)
        code = 0
    except BaseException:  # noqa: BLE001 - a child says what it died of, and never goes on as its parent
        os.write(writes, f"raised {traceback.format_exc(limit=-3)!r}\n".encode())
    finally:
        os._exit(code)


def _dies_at(step: int) -> Callable[[], None]:
    """Arms the kill: from now on the event loop takes `step` steps and not one more. What SQLite is asked between two
    of them, in this thread or in its own, is a step as well, and so is each trip to that one, as for a commit."""

    def arm() -> None:
        from fraction_mcp.operations.writes.journal_sqlite import _Statement

        taken = itertools.count(1)

        def counted(run: Callable[..., Any]) -> Callable[..., Any]:
            def step_taken(*words: Any, **facts: Any) -> Any:
                if next(taken) > step:
                    os._exit(9)
                return run(*words, **facts)

            return step_taken

        asyncio.events.Handle._run = counted(asyncio.events.Handle._run)  # type: ignore[method-assign]
        _Statement._executed = counted(_Statement._executed)  # type: ignore[method-assign]
        aiosqlite.Connection._execute = counted(aiosqlite.Connection._execute)  # type: ignore[method-assign]

    return arm


# --------------------------------------------------------------------------------------------------------------- kills


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it. `wrong` says what must not be; empty where all is well."""

    job: lives.Job
    step: int
    beside: bool
    ended_by_itself: bool
    state: str
    held: int
    wrong: str


@dataclass(slots=True)
class Tally:
    """What many kills came to: in which state how many writes were found, and each that went wrong."""

    kills: int = 0
    beside: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[Kill] = field(default_factory=list)

    def add(self, kill: Kill) -> None:
        self.kills += not kill.ended_by_itself
        self.beside += kill.beside and not kill.ended_by_itself
        self.outcomes[kill.state] += not kill.ended_by_itself
        if kill.wrong:
            self.wrong.append(kill)


def ready(folder: Path, seeded: Path, job: lives.Job, database: str = "") -> None:
    """Have a first write made here, so that no child needs to load or build what every child needs; and nothing of it
    is left at work, which a child would have half of."""
    world = World.made(folder / f"ready-{os.getpid()}", seeded, database)

    async def lived() -> None:
        await lives.write(world, job._replace(fault="none"), lambda _: None, lambda: None)
        await lives.recover(world, lambda _: None)

    anyio.run(lived)
    world.remove()
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_ENDS_S)
            assert not thread.is_alive(), f"{thread} would be forked"


def tried(folder: Path, seeded: Path, job: lives.Job, step: int, *, looks: int = 0, database: str = "") -> Kill:
    """One kill, one recovery, and what is to be said of both. `looks`: how often a second process sees to whatever was
    approved; 0: there is none."""
    subject = lives.KILLED[job.tool]
    world = World.made(folder / f"{job.tool}-{os.getpid()}-{step}", seeded, database)
    other = _forked(lambda say: lives.beside(world, subject, say, looks)) if looks else None
    code, said = _forked(lambda say: lives.write(world, job, say, _dies_at(step))).ended()
    lived, others = other.ended() if other else (0, [])
    held = _held(world, subject, subject.arguments)
    recovered = _forked(lambda say: lives.recover(world, say)).ended()
    after = _held(world, subject, subject.arguments)
    wrong, state = _judged(code, said, held, recovered, after)
    wrong = wrong or _sent_wrongly(world, subject, beside=bool(looks))
    if looks and not wrong:
        ended = json.loads(recovered[1][1])
        if lived or not _is_well_beside(job, _told(others), ended, _held(world, subject, subject.beside)):
            wrong = f"the process beside it: {others}, and then {ended}"
    world.remove()
    return Kill(job, step, bool(looks), code == 0, state, sum(after.values()), wrong)


def _is_well_beside(job: lives.Job, told: Mapping[str, str], ended: Mapping[str, str], held: Mapping[str, int]) -> bool:
    """Whether each write of a process that nobody killed is in the ERP, once, and told so. A server that was killed
    watched, and may have had one of them in hand: that one is told as being sent; where it was not, nobody knows."""
    well = {("done", "done", 1)}
    if job.asks:
        well |= {("sending", "done", 1), ("sending", "unknown", 0)}
    return (
        ended.keys() == told.keys() == held.keys() and {(told[tool], ended[tool], held[tool]) for tool in held} <= well
    )


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
    if recovered[1][2] != "whole":
        return f"the journal's chain: {recovered[1][2]}", "?"
    if set(later) not in (set(), set(held)) or ("proposed" in said and not later):
        return f"what was proposed is not in the journal: {later}", "lost"
    if list(held.values()) != sorted(held.values(), reverse=True):
        return f"one is written, and the one before it is not: {held}", "?"
    if "agreed" not in said and any((*held.values(), *(state not in _UNASKED for state in later.values()))):
        return f"nobody had said yes: {held} written, and {later}", "?"
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
        (bool(held) and state != "done", f"the ERP holds it, and it is {state}"),
        (state == "awaiting_approval" and last != "done", f"approved again, and {last}"),
        (state in {"approved", "sending"}, f"it is {state} for ever"),
        (at_once != "none" and state == "none", "a write was forgotten"),
    )
    return next((what for is_so, what in faults if is_so), "")


def kills(folder: Path, seeded: Path, job: lives.Job, server: postgresql.Server | None = None) -> Iterator[Kill]:
    """Every `stride`-th step of this tool under this fault, until the run outlives the kill."""
    ready(folder, seeded, job, server.emptied() if server else "")
    for step in range(0, _MOST_STEPS, job.stride):
        looks = _LOOKS_OFTEN if job.crowded else int((step // job.stride) % _BESIDE_EVERY == _BESIDE_EVERY - 1)
        kill = tried(folder, seeded, job, step, looks=looks, database=server.emptied() if server else "")
        yield kill
        if kill.ended_by_itself:
            return
    why = f"still at work after {_MOST_STEPS} steps"
    yield Kill(job, _MOST_STEPS, beside=False, ended_by_itself=False, state="?", held=0, wrong=why)


def shard(job: lives.Job) -> Tally:
    """All kills of one job, in worlds of their own."""
    folder = worlds_folder()
    try:
        tally = Tally()
        with postgresql.served() if job.on_postgresql else nullcontext() as server:
            for kill in kills(folder, seed(folder), job, server):
                tally.add(kill)
        return tally
    finally:
        shutil.rmtree(folder)
