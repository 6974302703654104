"""A process is killed at every step of its event loop, from a write's proposal to its answer; a fresh one recovers.

For each tool and each fault of the ERP the step moves on until the run ends by itself. What the journal then says is
held against what the ERP's own file holds, and against what the killed process had told before it died. A kill takes
process, threads and sockets at once (`os._exit`); what it had handed to the file system stays, as after `kill -9`.
"""

import asyncio
import gc
import json
import os
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from fraction_mcp.operations.writes.approvers import Decider
from torture.worlds import FAULTS, SUBJECTS, Subject, World, seed, worlds_folder

if TYPE_CHECKING:
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.write import Write

__all__ = ["Kill", "Tally", "kills", "shard", "tried"]

_LATER_S = 1000.0  # past every lease, before every expiry
_BESIDE_EVERY = 10
_MOST_STEPS = 5_000
_FAILED = 3
_ASKER, _OTHER = "whoever is killed", "whoever works beside it"

Say = Callable[[str], None]


# ------------------------------------------------------------------------------------------------ what a process does


async def _write(
    world: World, subject: Subject, fault: str, say: Callable[[str], None], arm: Callable[[], None]
) -> None:
    from fraction_mcp.runtime import Runtime, _replan

    erps = world.erps()
    if FAULTS[fault]:
        erps.state.faults.arm(method=subject.method, path=subject.path, **FAULTS[fault])
    async with Runtime(world.settings(), erps) as runtime:
        service = await runtime.write_service()
        arm()
        plan = await _replan(service.context, subject.tool, subject.arguments)
        write = await service.propose(plan, tool=subject.tool, arguments=subject.arguments, asked_by=_ASKER)
        say(f"proposed {write.id}")
        write = await service.approve(write, digest=write.digest, by=Decider("a person"))
        say(f"told {write.state}")


async def _beside(world: World, subject: Subject, say: Callable[[str], None]) -> None:
    """A second process with a write of its own, which also sees to what others have had approved."""
    from fraction_mcp.runtime import Runtime, _replan

    async with Runtime(world.settings(), world.erps()) as runtime:
        service = await runtime.write_service()
        plan = await _replan(service.context, subject.tool, subject.beside)
        write = await service.propose(
            plan, tool=subject.tool, arguments=subject.beside, asked_by="whoever works beside it"
        )
        write = await service.approve(write, digest=write.digest, by=Decider("a person"))
        say(f"told {write.state}")
        for approved in await service.journal.latest(limit=None):
            await service.follow_up(approved)


async def _recover(world: World, say: Callable[[str], None]) -> None:
    """A fresh process, at once and again when every lease has run out; then a person answers what still waits."""
    from fraction_mcp.operations.writes.states import State
    from fraction_mcp.runtime import Runtime

    ahead = [0.0]
    async with Runtime(world.settings(), world.erps(), clock=lambda: time.time() + ahead[0]) as runtime:
        service = await runtime.write_service()
        at_once = await _followed(service)
        ahead[0] = _LATER_S
        later = await _followed(service)
        for write in later:
            if write.state is State.AWAITING:
                await service.approve(write, digest=write.digest, by=Decider("a person, again"))
        ended = await _followed(service)
        mine = [
            {write.id: write.state.value for write in seen if write.asked_by == _ASKER}
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
    outcomes: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    wrong: list[Kill] = field(default_factory=list)

    def add(self, kill: Kill) -> None:
        self.kills += not kill.ended_by_itself
        self.outcomes[kill.tool, kill.fault, kill.state, kill.held] += 1
        if kill.wrong:
            self.wrong.append(kill)


def ready() -> None:
    """Load what every child needs, once, before the first fork; and leave it out of their garbage collections."""
    import aiosqlite  # noqa: F401
    import httpx  # noqa: F401

    import fraction_mcp.operations.writes.service
    import fraction_mcp.runtime
    import fraction_mcp.tools.catalogue

    fraction_mcp.tools.catalogue.catalogue()
    gc.collect()
    gc.freeze()


def tried(folder: Path, seeded: Path, subject: Subject, fault: str, step: int, *, beside: bool = False) -> Kill:
    """One kill, one recovery, and what is to be said of both."""
    world = World.made(folder / f"{subject.tool}-{os.getpid()}-{step}", seeded)
    other = _forked(lambda say: _beside(world, subject, say)) if beside else None
    code, said = _forked(lambda say: _write(world, subject, fault, say, _dies_at(step))).ended()
    lived, others = other.ended() if other else (0, ["told done"])
    held = subject.held(world, subject.arguments)
    recovered, found = _forked(lambda say: _recover(world, say)).ended()
    after = subject.held(world, subject.arguments)
    wrong, state = _judged(code, said, held, (recovered, found), after)
    if not wrong and beside and (lived, others[-1:], subject.held(world, subject.beside)) != (0, ["told done"], 1):
        wrong = f"the process beside it: {others}"
    world.remove()
    return Kill(subject.tool, fault, step, beside, code == 0, state, after, wrong)


def _judged(code: int, said: Sequence[str], held: int, recovered: tuple[int, list[str]], after: int) -> tuple[str, str]:
    """What is wrong with it (empty: nothing), and in which state the write was found when every lease had run out."""
    if code not in {0, 9} or recovered[0] != 0:
        return f"a process failed: {said} {recovered}", "?"
    known = dict(line.partition(" ")[::2] for line in said)
    at_once, later, ended = json.loads(recovered[1][0])
    ids = [known["proposed"]] if "proposed" in known else list(later)
    state, last = (later.get(ids[0], "lost"), ended.get(ids[0], "lost")) if ids else ("none", "none")
    faults: Iterable[tuple[bool, str]] = (
        (recovered[1][1] != "whole", f"the journal's chain: {recovered[1][1]}"),
        (state == "lost", "a write that was proposed is not in the journal"),
        (held > 1 or after > 1, f"written {max(held, after)} times"),
        (known.get("told") == "done" and not held, "told done, and the ERP does not hold it"),
        ("done" in (state, last) and not after, "done in the journal, and the ERP does not hold it"),
        (bool(held) and state not in {"done", "unknown"}, f"the ERP holds it, and it is {state}"),
        (state == "awaiting_approval" and last != "done", f"approved again, and {last}"),
        (state in {"approved", "sending"}, f"it is {state} for ever"),
        (not set(at_once) <= set(later), "a write was forgotten"),
    )
    return next((what for is_so, what in faults if is_so), ""), state


def kills(folder: Path, seeded: Path, tool: str, fault: str, stride: int = 1) -> Iterator[Kill]:
    """Every `stride`-th step of this tool under this fault, until the run outlives the kill."""
    ready()
    for step in range(0, _MOST_STEPS, stride):
        beside = (step // stride) % _BESIDE_EVERY == _BESIDE_EVERY - 1
        kill = tried(folder, seeded, SUBJECTS[tool], fault, step, beside=beside)
        yield kill
        if kill.ended_by_itself:
            break


def shard(job: tuple[str, str, int]) -> Tally:
    """All kills of one tool under one fault, with this stride, in worlds of their own."""
    folder = worlds_folder()
    try:
        tally = Tally()
        for kill in kills(folder, seed(folder), *job):
            tally.add(kill)
        return tally
    finally:
        shutil.rmtree(folder)
