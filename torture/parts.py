"""The parts of the torture, each of which is run and told as a section of the page.

What a pool of processes is given stands here and not in `__main__`, which a spawned interpreter does not load.
"""

import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import anyio

from torture import crash, fuzz, host, hosts, lives, matrix, others, postgresql, soak, worlds
from torture.broken import broken
from torture.page import Section
from torture.wire import FAULTS, Wire

__all__ = ["OPTIONS", "PARTS", "cells_at", "fuzzed", "modelled"]

# --------------------------------------------------------------------------------------------------------------- crash


Job = TypeVar("Job")
Came = TypeVar("Came")

_ON_POSTGRESQL = [
    lives.Job(tool, fault, 16, on_postgresql=True)
    for tool, fault in product(("create_enquiry", "submit_writes"), ("none", "dropped after the commit"))
]
_THROUGH_HOSTS = [
    *(lives.Job(tool, stride=16, asks=asks) for tool, asks in product(worlds.SUBJECTS, lives.HOSTS)),
    *(lives.Job(tool, "dropped after the commit", 16, asks="a host") for tool in worlds.SUBJECTS),
]


def _at_once(work: Callable[[Job], Came], jobs: Sequence[Job], broke: str, at_once: int) -> Iterator[Came]:
    if at_once == 1:  # in this process: another interpreter would cost more than a sample does
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(at_once, get_context("spawn"), initializer=broken, initargs=(broke,)) as pool:
        yield from pool.map(work, jobs)


_CROWDED = [lives.Job("create_enquiry", fault, 2, crowded=True) for fault in ("none", "dropped after the commit")]


def _crash_jobs(*, short: bool, broke: str, stride: int) -> tuple[list[lives.Job], str]:
    """What is killed, and why PostgreSQL is not among it, where it is not."""
    if broke == "accept":
        return [lives.Job("create_enquiry", stride=16, asks="a careless host")], "not asked for"
    if broke:  # a claim shows only where two are at one write; what is sent again, only where no other sends it
        return [job._replace(stride=8, crowded=broke == "claim") for job in _CROWDED], "not asked for"
    jobs = [
        lives.Job(tool, fault, 2 if tool == worlds.BATCH.tool and worlds.FAULTS[fault] else 1)
        for tool, fault in product(lives.KILLED, worlds.FAULTS)
    ]
    if short:
        return [job._replace(stride=stride or 60) for job in (*jobs[::16], _THROUGH_HOSTS[1])], "not in a sample"
    missing = postgresql.is_there()
    jobs += [*_CROWDED, *(() if missing else _ON_POSTGRESQL), *_THROUGH_HOSTS]  # the shortest last: no core waits long
    return [job._replace(stride=stride or job.stride) for job in jobs], missing


def crashes(*, short: bool, broke: str = "", stride: int = 0) -> Section:
    jobs, missing = _crash_jobs(short=short, broke=broke, stride=stride)
    kills, found, beside = Counter[str](), Counter[tuple[str, str]](), 0
    section = Section(
        "Killed at every step", "", ("tool", "kills", "never proposed", "waiting", "done", "unknown", "other")
    )
    for job, tally in zip(jobs, _at_once(crash.shard, jobs, broke, 1 if short else os.cpu_count() or 1), strict=True):
        name = job.tool + (f", through {job.asks}" if job.asks else "") + (", PostgreSQL" if job.on_postgresql else "")
        name += ", another at the same write" if job.crowded else ""
        kills[name] += tally.kills
        beside += tally.beside
        for state, count in tally.outcomes.items():
            found[name, state] += count
        section.wrong += [str(kill) for kill in tally.wrong]
    known = ("none", "awaiting_approval", "done", "unknown")
    for name in kills:
        other = sum(count for (of, state), count in found.items() if of == name and state not in known)
        section.rows.append((name, kills[name], *(found[name, state] for state in known), other))
    section.sentence = (
        f"{kills.total():,} kills between the proposal of a write and its answer, under {len(worlds.FAULTS)} "
        f"behaviours of the ERP: at each step of the event loop and of the journal's, {_told_strides(stride)}; beside "
        f"{beside:,} of them a second process was at work in the same journal. Doubled, lost, or told wrongly: "
        f"{len(section.wrong)}. The columns say how a fresh process found the write, or the first of a batch that was "
        f"not done.{f' PostgreSQL: {missing}.' if missing else ''}"
    )
    return section


def _told_strides(stride: int) -> str:
    if stride:
        return f"or rather at each {stride}th"
    return (
        "of a batch that meets a fault, and where another is at the same write, at each 2nd, and on PostgreSQL, and "
        f"where a host shows its form or accepts it unfilled, at each {_ON_POSTGRESQL[0].stride}th"
    )


# --------------------------------------------------------------------------------------------------------------- model


def modelled(job: tuple[int, int, bool]) -> tuple[int, list[str]]:
    """So many runs of so many steps, looking for a shorter one where one goes wrong, or not: the steps that were taken,
    and what went wrong."""
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.errors import Flaky
    from hypothesis.stateful import run_state_machine_as_test

    from torture.model import Writes

    examples, steps, shrinks = job
    runs = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=list(Phase) if shrinks else [Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    wrong = []
    try:
        run_state_machine_as_test(Writes, settings=runs)
    except (AssertionError, ExceptionGroup, Flaky) as error:  # what went otherwise the second time went wrong as well
        wrong.append(str(error))
    shutil.rmtree(Writes.folder)
    return Writes.steps, wrong


def model(*, short: bool, broke: str = "") -> Section:
    at_once = 1 if short else os.cpu_count() or 1
    job = (6, 20, True) if short and not broke else (320 // at_once, 40, not broke)
    section, steps = Section("Any order of events", "", ()), 0
    for taken, wrong in _at_once(modelled, [job] * at_once, broke, at_once):
        steps += taken
        section.wrong += wrong
    section.sentence = (
        f"{steps:,} steps: proposals, alone, in batches and through hosts that answer as they like, approvals, "
        "declines, expiries, restarts, faults and settlements by two processes on one journal, in orders that "
        "Hypothesis chose; after each step the journal was held against the "
        f"ERP's own file and against what a person had said. Broken rules: {len(section.wrong)}."
    )
    return section


# --------------------------------------------------------------------------------------------------------------- hosts


def careless(*, short: bool) -> Section:
    section = Section("Hosts", "", ("host", "protocol", "the write is then", "written"))

    async def run(folder: Path, seeded: Path) -> None:
        for mode, (name, habit) in product(host.MODES, hosts.HOSTS.items()):
            if mode not in habit.modes:
                continue
            verdict = await hosts.met(name, mode, folder, seeded)
            section.rows.append((name, "2025-11-25" if mode == host.OLDER else mode, verdict.state, verdict.written))
            section.wrong += [f"{name} ({mode}): {verdict.wrong}"] if verdict.wrong else []

    _in_worlds(run)
    del short
    section.sentence = (
        f"{len(section.rows)} scripted clients. Written without an explicit yes a second or more after its question, "
        f"or lost: {len(section.wrong)}."
    )
    return section


# -------------------------------------------------------------------------------------------------------------- faults


def cells_at(places: Sequence[int]) -> list[matrix.Cell]:
    """These cells of all, one after the other; a read is held against what the same world answers without a fault."""
    all_cells, came, truths = matrix.cells(), list[matrix.Cell](), dict[str, dict[str, Any]]()

    async def run(folder: Path, seeded: Path) -> None:
        for tool, fault in (all_cells[place] for place in places):
            if tool in matrix.READS and tool not in truths:
                world = worlds.World.made(folder / f"t{time.monotonic_ns()}", seeded)
                async with Wire(world.erps()).served() as wire:
                    truths[tool] = await matrix.asked(world, wire, tool, matrix.READS[tool])
            came.append(await matrix.cell(folder, seeded, tool, fault, truths.get(tool)))

    _in_worlds(run)
    return came


def faults(*, short: bool, broke: str = "") -> Section:
    tools = tuple(dict.fromkeys(tool for tool, _ in matrix.cells()))
    section = Section("Faults of the wire", "", ("fault", *tools))
    places = range(0, len(matrix.cells()), 23 if short else 1)
    at_once = 1 if short else 2 * (os.cpu_count() or 1)  # half of it is waiting
    said: dict[tuple[str, str], str] = {}
    met = 0
    for cell in chain.from_iterable(_at_once(cells_at, [places[n::at_once] for n in range(at_once)], broke, at_once)):
        said[cell.fault, cell.tool] = cell.said
        met += cell.met
        section.wrong += [f"{cell.tool}, {cell.fault}: {cell.wrong}"] if cell.wrong else []
    section.rows = [(name, *(said.get((name, tool), "") for tool in tools)) for name in FAULTS]
    section.sentence = (
        f"{met} cells, each from a run over real sockets in which the fault was seen to change something. Of "
        f"{len(said) - met} more nothing is counted: what the tool asks for cannot meet the fault. A write's fault "
        "meets the write itself, or its sign-in. Hanging, raising, written twice, told wrongly, or not met where it "
        "should be: "
        f"{len(section.wrong)}."
    )
    return section


def comparison(*, short: bool) -> Section:
    """Of the other clients it is told what they get wrong; of our own that is wrong, and nothing may go unmet."""
    section = Section("The same faults, other clients", "", ("client", "faults met", *others.OUTCOMES))
    faults = others.of_writes()[:: 9 if short else 1]

    async def run(folder: Path, seeded: Path) -> None:
        for name in others.CLIENTS:
            all_made = [await others.made(name, folder, seeded, fault) for fault in faults]
            judged = Counter(made.judged for made in all_made if made.met)
            section.rows.append((name, judged.total(), *(judged[outcome] for outcome in others.OUTCOMES)))
            section.wrong += [f"{name}, {made.fault}: its fault was not met" for made in all_made if not made.met]
            if name == "fraction-mcp":
                lies = [made for made in all_made if made.judged in others.OUTCOMES[:3]]
                section.wrong += [f"{name}, {made.fault}: {made.judged}" for made in lies]

    _in_worlds(run)
    section.sentence = (
        f"An enquiry under each of {len(faults)} faults, which meets the write itself, by clients without a journal "
        "and by fraction-mcp; whoever says that nobody knows has not lied. Lies of fraction-mcp's, and faults that "
        f"were not met: {len(section.wrong)}."
    )
    return section


def _in_worlds(run: Callable[[Path, Path], object]) -> None:
    folder = worlds.worlds_folder()
    try:
        anyio.run(run, folder, worlds.seed(folder))  # type: ignore[arg-type]
    finally:
        shutil.rmtree(folder)


# ---------------------------------------------------------------------------------------------------------------- fuzz


def fuzzed(job: tuple[str, float, int]) -> fuzz.Tried:
    """One kind of what comes from outside, with its share of so many seconds, from this seed."""
    kind, seconds, seed = job
    tried: list[fuzz.Tried] = []

    async def run(folder: Path, seeded: Path) -> None:
        tried.append(await fuzz.fuzzed(kind, folder, seeded, seconds=seconds, seed=seed))

    _in_worlds(run)
    return tried[0]


def by_chance(*, short: bool, seconds: float = 0, seed: int = 0) -> Section:
    seconds, seed = seconds or (fuzz.SHORT_S if short else fuzz.WHOLE_S), seed or secrets.randbelow(10**9)
    section = Section("Whatever comes from outside", "", ("what", "tried", "of which"))
    jobs, count = [(kind, seconds, seed) for kind in fuzz.KINDS], 0
    for tried in _at_once(fuzzed, jobs, "", 1 if short else os.cpu_count() or 1):
        count += tried.count
        section.rows.append((tried.name, f"{tried.count:,}", tried.detail))
        section.wrong += [f"{tried.name}: {wrong}" for wrong in tried.wrong]
    section.sentence = (
        f"{count:,} arguments, frames, answers of the ERPs and forgeries, made by chance (`--seed {seed}`). Hanging, "
        "raising, "
        "taken in another meaning than the published schema's, or counted though they were forged: "
        f"{len(section.wrong)}."
    )
    return section


# ---------------------------------------------------------------------------------------------------------------- soak


def under_load(*, short: bool) -> Section:
    calls = 300 if short else soak.CALLS
    section = Section("Under load", "", ("what", "after a quarter", "at the end"))

    async def run(folder: Path, _: Path) -> None:
        came = await soak.soaked(folder, calls=calls)
        for name in ("memory", "files", "sockets", "tasks"):
            first, last = (f"{getattr(seen, name):,.0f}" for seen in (came.first, came.last))
            section.rows.append(("memory, MB" if name == "memory" else name, first, last))
        section.wrong += came.wrong
        ends = ", ".join(f"{count} are {told}" for told, count in Counter(came.writes.values()).most_common())
        section.sentence = (
            f"{calls:,} calls by {soak.CLIENTS} clients over HTTP, {soak.GREEDY} of which asked for sums over all "
            f"pages and nothing else: {calls / came.seconds:.0f} a second, p50 {came.within(50):.0f} ms, p99 "
            f"{came.within(99):.0f} ms. They cost the ERPs {came.asked:,} requests, {came.faults:,} of which met a "
            f"fault; {came.refused} beyond the budget, which was spent {came.spent} times; "
            f"{came.answers['RATE_LIMITED']:,} calls were told so, and {came.failed:,} ended with another error. "
            f"Beside them {len(came.writes)} writes were asked for, {came.beside} of which were told of before the "
            f"clients had ended: {ends}, each of which is in the ERP once if it is done, and not at all if it is not; "
            f"{came.drifted} had to be asked for again, since a fault had met their preview. Of the clients that ask "
            "alike, the one that was answered least was "
            f"answered {came.fairness():.0%} of the middle one's calls. Wrong: {len(came.wrong)}."
        )

    _in_worlds(run)
    return section


PARTS: dict[str, Callable[..., Section]] = {
    "hosts": careless,
    "faults": faults,
    "comparison": comparison,
    "model": model,
    "crash": crashes,
    "fuzz": by_chance,
    "soak": under_load,
}
OPTIONS = {"faults": ("broke",), "model": ("broke",), "crash": ("broke", "stride"), "fuzz": ("seconds", "seed")}
