"""One summarise_records over a long list, against a bare httpx loop that fetches and decodes the same pages.

    python benchmarks/fold.py [--parts 100000] [--runs 5]

The embedded ERPs listen on a loopback port in a process of their own. Both sides sign in, ask for the same pages of a
hundred with eight under way, over plain HTTP; the loop decodes with the standard library and keeps nothing, ours folds
counts and exact sums by group. They run in alternation, so that a busy machine slows both down.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import httpx
from pydantic import SecretStr

from benchmarks.harness import Figure, compared, erp
from fraction_mcp import sandbox
from fraction_mcp.config import Settings
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.summary import summarise
from fraction_mcp.runtime import Runtime

__all__ = ["measure"]

PAGE = 100
AT_ONCE = 8
MARK = 1.3
MARK_MB = 50

Side = Callable[[str, int], Awaitable[int]]


# ------------------------------------------------------------------------------------------------------- the two sides


async def bare(url: str, pages: int) -> int:
    """The least that anybody could do: sign in, fetch, decode. Returns how many records came."""
    records = 0
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as http:
        account = {"email": sandbox.EMAIL, "password": sandbox.PASSWORD}
        token = (await http.post("/auth/login", json=account)).json()["data"]["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        numbers = iter(range(1, pages + 1))

        async def worker() -> None:
            nonlocal records
            for number in numbers:
                answer = await http.get("/parts", params={"page": number, "per_page": PAGE})
                records += len(json.loads(answer.content)["data"])

        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(worker)
    return records


async def ours(url: str, pages: int) -> int:
    """The tool's own work, from signing in to the answer. Returns how many records it read."""
    settings = Settings(
        fraction_base_url=url, fraction_email=sandbox.EMAIL, fraction_password=SecretStr(sandbox.PASSWORD)
    )
    async with Runtime(settings) as runtime:
        asked = Asked(group_by=["category"], sums=["lead_time_days"])
        answer = await summarise(await runtime.context(), "parts", asked, max_pages=pages)
    return answer.coverage.scanned


def timed(side: Side, url: str, records: int) -> tuple[float, float]:
    """Seconds on the wall, and of this process's own processor time."""
    wall, own = time.perf_counter(), time.process_time()
    read = anyio.run(side, url, -(-records // PAGE))
    took = time.perf_counter() - wall, time.process_time() - own
    assert read == records, f"{read} records were read instead of {records}"
    return took


# ------------------------------------------------------------------------------------------------------------- memory


def peak_mb() -> float:
    """The most that this process has held so far. On Linux `ru_maxrss` counts what its parent held, too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1000
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e6 if sys.platform == "darwin" else held / 1000


def grown_mb(url: str, parts: int) -> tuple[float, float]:
    """In a child: how much more it needs at its peak for all parts than for a thousand; resident, and allocated."""
    timed(ours, url, 1_000)
    before = peak_mb()
    timed(ours, url, parts)
    resident = peak_mb() - before
    traced = []
    for count in (1_000, parts):
        tracemalloc.start()
        timed(ours, url, count)
        traced.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    return resident, traced[1] - traced[0]


# --------------------------------------------------------------------------------------------------------- the figures


def measure(parts: int = 100_000, runs: int = 5) -> Iterator[Figure]:
    with erp(parts) as environment:
        url = environment["FRACTION_BASE_URL"]
        for side in (bare, ours):
            timed(side, url, 1_000)  # imports, caches, the first connections
        loop: list[tuple[float, float]] = []
        normalised: list[tuple[float, float]] = []
        for run in range(runs):
            sides = ((bare, loop), (ours, normalised))
            for side, times in sides[::-1] if run % 2 else sides:
                times.append(timed(side, url, parts))
        walls = ([wall for wall, _ in times] for times in (normalised, loop))
        yield compared(f"summarise {parts:,} parts, against bare httpx", *walls, unit="s", mark=MARK)
        owns = ([own for _, own in times] for times in (normalised, loop))
        yield Figure(**{**vars(compared("  its own processor time", *owns, unit="s", mark=9)), "mark": "", "met": None})
        for count in (1_000, 10_000, 100_000):
            if count <= parts:
                (wall, own), (other, _) = timed(ours, url, count), timed(bare, url, count)
                ours_told = f"{wall / count * 1e6:.0f} µs a part, {own / count * 1e6:.0f} its own"
                what = f"  a part of {count:,}"
                yield Figure(what, ours_told, f"{other / count * 1e6:.0f} µs", f"{wall / other:.2f} ×", "", None)
        command = [sys.executable, __file__, "--memory", url, "--parts", str(parts)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        resident, allocated = json.loads(told)
        grown = f"{resident:.1f} MB, {allocated:.1f} allocated by Python"
        yield Figure(f"memory for {parts:,} parts beyond 1,000", grown, "", "", f"< {MARK_MB} MB", resident < MARK_MB)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=100_000, help="600 to 100000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory", metavar="URL", help=argparse.SUPPRESS)  # in the child
    asked = parser.parse_args()
    if asked.memory:
        print(json.dumps(grown_mb(asked.memory, asked.parts)))
        return 0
    missed = False
    for figure in measure(asked.parts, asked.runs):
        missed = missed or figure.met is False
        word = {True: "met", False: "MISSED", None: ""}[figure.met]
        cells = (figure.what, figure.ours, figure.reference, figure.ratio, figure.mark, word)
        print(" | ".join(filter(None, cells)), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
