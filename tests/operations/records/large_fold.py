"""A child of test_large.py: folds the parts at an address, and tells what came out and what it took. Not a test."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from fraction_mcp import sandbox
from fraction_mcp.config import Settings
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.summary import summarise
from fraction_mcp.runtime import Runtime

ASKED = Asked(
    group_by=["category"],
    sums=["lead_time_days"],
    lows=["created_at"],
    highs=["created_at"],
    averages=["lead_time_days"],
)


def peak_mb() -> float:
    """The most that this process has held so far. `ru_maxrss` would count what its parent held before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1000
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1000


async def folded(url: str, pages: int) -> dict[str, Any]:
    """In a runtime of its own, which remembers nothing of the one before."""
    settings = Settings(
        fraction_base_url=url + sandbox.FRACTION_PATH,
        fraction_email=sandbox.EMAIL,
        fraction_password=SecretStr(sandbox.PASSWORD),
    )
    async with Runtime(settings) as runtime:
        return (await summarise(await runtime.context(), "parts", ASKED, top=200, max_pages=pages)).to_wire()


def main(url: str) -> None:
    anyio.run(folded, url, 10)
    after_a_thousand = peak_mb()
    answer = anyio.run(folded, url, 1000)
    print(json.dumps({"answer": answer, "grown_mb": peak_mb() - after_a_thousand}))


if __name__ == "__main__":
    main(sys.argv[1])
