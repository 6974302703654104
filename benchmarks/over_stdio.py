"""Cold start, memory, and single calls over stdio, against the bare server and bare GETs."""

import time
from collections.abc import Sequence
from typing import Any

import anyio
import httpx

from benchmarks.harness import BARE, ECHO, OURS, PRICE, Figure, Session, compared, erp

__all__ = ["measure"]

_GETS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/parts", {"search": "WIDGET-001", "per_page": "100", "page": "1", "sort": "part_number", "order": "asc"}),
    ("/parts/1/price-lists", {}),
)


def measure(rounds: int = 7) -> list[Figure]:
    with erp() as environment:
        return [*_start(environment, rounds), *_calls(environment, rounds), *_memory(environment)]


def _start(environment: dict[str, str], rounds: int) -> list[Figure]:
    first: tuple[list[float], list[float]] = ([], [])
    price: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        pairs: tuple[tuple[Sequence[str], tuple[str, dict[str, Any]]], ...] = ((OURS, PRICE), (BARE, ECHO))
        for index, (command, call) in enumerate(pairs):
            session = Session(command, environment)
            first[index].append(session.first_answer_s)
            session.ask("tools/list", {})
            session.call(*call)
            price[index].append(time.perf_counter() - session.began)
            session.close()
    return [
        compared("cold start over stdio: spawn to first answer", *first, unit="s", mark=1.10),
        compared("cold start over stdio: spawn to first price (or trivial call)", *price, unit="s", mark=1.35),
    ]


def _calls(environment: dict[str, str], rounds: int) -> list[Figure]:
    ours = Session(OURS, environment)
    fresh = Session(OURS, {**environment, "FRACTION_MCP_CACHE_S": "0"})
    bare = Session(BARE)
    try:
        for session, call in ((ours, PRICE), (fresh, PRICE), (bare, ECHO)):
            session.timed(call, 20)
        rows = [
            (bare.timed(ECHO, 200), ours.timed(PRICE, 200), fresh.timed(PRICE, 50), anyio.run(_bare_gets, environment))
            for _ in range(rounds)
        ]
    finally:
        for session in (ours, fresh, bare):
            session.close()
    trivial, cached, uncached, gets = (list(column) for column in zip(*rows, strict=True))
    reference = [a + b for a, b in zip(gets, trivial, strict=True)]
    return [
        compared("a warm price, nothing cached (two GETs + a trivial call)", uncached, reference, unit="ms", mark=1.25),
        compared("the same price, cached (a trivial call)", cached, trivial, unit="ms", mark=1.5),
    ]


async def _bare_gets(environment: dict[str, str], times: int = 50) -> float:
    """Milliseconds for the two GETs that a price takes, by plain httpx on a warm connection."""
    async with httpx.AsyncClient(base_url=environment["FRACTION_BASE_URL"]) as http:
        account = {"email": environment["FRACTION_EMAIL"], "password": environment["FRACTION_PASSWORD"]}
        token = (await http.post("/auth/login", json=account)).json()["data"]["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        began = time.perf_counter()
        for _ in range(times):
            for path, query in _GETS:
                (await http.get(path, params=query)).json()
        return (time.perf_counter() - began) / times * 1000


def _memory(environment: dict[str, str]) -> list[Figure]:
    ours, bare = Session(OURS, environment), Session(BARE)
    try:
        start = ([ours.memory_mb()], [bare.memory_mb()])
        for session, call in ((ours, PRICE), (bare, ECHO)):
            session.timed(call, 1_000)
        thousand = ([ours.memory_mb()], [bare.memory_mb()])
        ours.timed(PRICE, 9_000)
        grown = ours.memory_mb() - thousand[0][0]
    finally:
        ours.close()
        bare.close()
    return [
        compared("memory after start", *start, unit="MB", mark=1.25),
        compared("memory after 1,000 calls", *thousand, unit="MB", mark=1.25),
        Figure("growth from 1,000 to 10,000 calls", f"{grown:.1f} MB", "none", "", "≤ 1 MB", grown <= 1),
    ]
