"""A process that claims whatever write it is told of: `claimant.py URL FOLDER OWNER`.

One id a line comes in, one verdict a line goes out.
"""

import sys
from pathlib import Path

import anyio
import anyio.to_thread

from fraction_mcp.operations.journal import Journal


async def main(url: str, folder: str, owner: str) -> None:
    journal = await Journal.open(url, Path(folder), clock=lambda: 1_800_000_000.0)
    print("ready", flush=True)
    while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
        facts = {"identity": "here", "digest": "d" * 64, "owner": owner, "lease_s": 60}
        won = await journal.claim(line, **facts)
        print("won" if won else "lost", flush=True)
    await journal.aclose()


anyio.run(main, *sys.argv[1:])
