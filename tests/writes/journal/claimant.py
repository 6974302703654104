"""A process that claims whatever write it is told of: `claimant.py URL FOLDER OWNER`.

One id a line comes in, one verdict a line goes out.
"""

import sys
from pathlib import Path

import anyio
import anyio.to_thread

from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.write import Draft


async def main(url: str, folder: str, owner: str) -> None:
    journal = await Journal.open(url, Path(folder), clock=lambda: 1_800_000_000.0)
    print("ready", flush=True)
    while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
        write = await journal.get(line)
        assert write is not None
        planned = Draft(**{name: getattr(write, name) for name in Draft.__slots__})
        won = await journal.claim(line, planned=planned, owner=owner, lease_s=60)
        print("won" if won else "lost", flush=True)
    await journal.aclose()


anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
