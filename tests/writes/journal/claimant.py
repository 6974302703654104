"""A process that claims whatever write it is told of: `claimant.py URL FOLDER OWNER`.

One id a line comes in, one verdict a line goes out.
"""

import sys
from pathlib import Path

import anyio
import anyio.to_thread

from fraction_mcp.operations.journal import Journal
from fraction_mcp.operations.lifecycle import Draft


async def main(url: str, folder: str, owner: str) -> None:
    journal = await Journal.open(url, Path(folder), clock=lambda: 1_800_000_000.0)
    print("ready", flush=True)
    while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
        write = await journal.get(line)
        assert write is not None
        planned = Draft(write.key, write.identity, write.digest, write.plan, write.asked_by, write.expires_at)
        won = await journal.claim(line, planned=planned, owner=owner, lease_s=60)
        print("won" if won else "lost", flush=True)
    await journal.aclose()


anyio.run(main, *sys.argv[1:])
