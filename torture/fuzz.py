"""Everything that comes from outside, by chance: arguments, frames, the ERPs' answers, and what is to prove something.

Each kind has its share of the time, and a generator of its own from the one seed: `--seed` repeats what was tried, as
far as the machine's speed lets it. What is found becomes a test of its own, and is mended.
"""

import copy
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp import Client

from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.arguments import REFUSED, TAKEN, Arguments
from torture.frames import OverHttp, OverStdio
from torture.spoiling import ASKED, GONE, STATUSES, WAYS, Place, Spoiling, places, wrong_with
from torture.tokens import tokens
from torture.worlds import World

__all__ = ["KINDS", "SHORT_S", "WHOLE_S", "Tried", "fuzzed"]

_ANSWERS, _ARGUMENTS, _FRAMES, _REQUESTS, _FORGERIES = (
    "answers of the ERPs", "arguments", "frames on stdio", "requests over HTTP", "forgeries")  # fmt: skip
_SHARES = {_ANSWERS: 2, _ARGUMENTS: 1, _FRAMES: 1, _REQUESTS: 1, _FORGERIES: 1}  # an answer of the ERPs takes longest
KINDS = tuple(_SHARES)
WHOLE_S, SHORT_S = 120.0, 3.0  # of one core
_MOST_WRONG = 20  # of each kind: what is wrong once is wrong often


@dataclass(slots=True)
class Tried:
    """What was tried of one kind, how often, and what went wrong."""

    name: str
    count: int = 0
    detail: str = ""
    wrong: list[str] = field(default_factory=list)


async def fuzzed(kind: str, folder: Path, seeded: Path, *, seconds: float, seed: int) -> Tried:
    """One of KINDS, for its share of these seconds."""
    share, chance = seconds * _SHARES[kind] / sum(_SHARES.values()), random.Random(seed)
    if kind == _ARGUMENTS:
        return _arguments(share, chance)
    if kind == _ANSWERS:
        return await _answers(folder, seeded, share, chance)
    if kind == _FORGERIES:
        return await _tokens(folder, seeded, share, chance)
    return _frames(kind, (OverStdio if kind == _FRAMES else OverHttp)(chance), share)


def _while(seconds: float, tried: Tried) -> Iterator[None]:
    """As often as there is time for, and once in any case."""
    until = time.monotonic() + seconds
    yield
    while time.monotonic() < until and len(tried.wrong) < _MOST_WRONG:
        yield


def _arguments(seconds: float, chance: random.Random) -> Tried:
    tried, arguments = Tried(_ARGUMENTS), Arguments(chance)
    for _ in _while(seconds, tried):
        tried.wrong += filter(None, [arguments.once()])
    tried.count = arguments.tried
    met = (f"{name}: {arguments.met[name]:,}" for name in (*TAKEN, *REFUSED) if arguments.met[name])
    tried.detail = "differences that are meant: " + ", ".join(met)
    return tried


def _frames(kind: str, over: OverStdio | OverHttp, seconds: float) -> Tried:
    tried = Tried(kind)
    with over.served():
        for _ in _while(seconds, tried):
            if wrong := over.once():
                tried.wrong.append(wrong)
                break  # it has ended, or is out of step
    tried.count = over.tried
    tried.detail = "after each five of them a proper request" if isinstance(over, OverStdio) else "after each another"
    return tried


async def _answers(folder: Path, seeded: Path, seconds: float, chance: random.Random) -> Tried:
    """The ERPs' answers, spoilt at one key or at two."""
    tried = Tried(_ANSWERS)
    world = World.made(folder / "answers", seeded)
    app = world.erps()
    app.state.fraction_limit_per_hour = app.state.fracttal_limit_per_minute = 10**9
    spoiling, keys = Spoiling(app), set[tuple[str, Place]]()
    settings = world.settings().model_copy(
        update={"confirm": "two_step", "elicitation": "off", "cache_s": 0, "timeout_s": 30}
    )
    async with Runtime(settings, spoiling) as runtime, Client(create_server(runtime)) as client:
        for _ in _while(seconds, tried):
            tool, asked = chance.choice(ASKED)
            spoiling.spoil("")
            spoiling.seen.clear()
            await client.call_tool(tool, dict(asked))
            if not spoiling.seen:
                continue
            path, document = chance.choice(list(spoiling.seen.items()))
            place, way = chance.choice(list(places(document, first_only=False))), chance.choice(WAYS)
            keys.add((path, place))
            way = way if way is GONE else copy.deepcopy(way)
            spoiling.spoil(path, place, way, status=chance.choice((*[0] * 9, *STATUSES[:1], chance.choice(STATUSES))))
            if wrong := await wrong_with(client, tool, asked):
                tried.wrong.append(f"{tool}({asked}), {path} at {place}, {way!r:.100}, {spoiling.status}: {wrong}")
            tried.count += 1
    tried.detail = f"{len(keys):,} places in them"
    app.state.store.close()
    return tried


async def _tokens(folder: Path, seeded: Path, seconds: float, chance: random.Random) -> Tried:
    tried = Tried(_FORGERIES)
    with _quiet():
        async with tokens(chance, folder, seeded) as (forgeries, did):
            for _ in _while(seconds, tried):
                tried.wrong += filter(None, [await forgeries.once()])
            tried.count = forgeries.tried.total()
            tried.detail = ", ".join(f"{name}: {count:,}" for name, count in sorted(forgeries.tried.items()))
        tried.wrong += did
    return tried


@contextmanager
def _quiet() -> Iterator[None]:
    """The SDK logs each state that it refuses."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
