"""A process that makes one write and halts at steps of it: `mortal.py STEP[,STEP] TOOL ARGUMENTS`.

The runtime, the write service, the journal and the HTTP client are the real ones. It says `at STEP` and waits for a
line on its stdin; whoever started it may let it go on, or kill it.
"""

import json
import sys
from typing import Any

import anyio
import anyio.to_thread

from fraction_mcp.config import Settings
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.runtime import Runtime, _replan

STEPS, TOOL, ARGUMENTS = sys.argv[1].split(","), sys.argv[2], json.loads(sys.argv[3])


async def reached(step: str) -> None:
    if step in STEPS:
        print(f"at {step}", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)


def halting(name: str, *, before: str = "", after: str = "") -> None:
    """Make one of the journal's methods halt before it begins, or after its transaction."""
    original = getattr(Journal, name)

    async def halted(self: Journal, *args: Any, **kwargs: Any) -> Any:
        await reached(before)
        result = await original(self, *args, **kwargs)
        await reached(after)
        return result

    setattr(Journal, name, halted)


async def main() -> None:
    halting("approve", after="approved")
    halting("claim", after="claimed")
    halting("finish", before="answered", after="written")
    async with Runtime(Settings.load()) as runtime:
        service = await runtime.write_service()
        plan = await _replan(service.context, TOOL, ARGUMENTS)
        write = await service.propose(plan, tool=TOOL, arguments=ARGUMENTS, asked_by="a mortal process")
        await reached("planned")
        write = await service.approve(write, digest=write.digest, by=Decider("a person"))
        print(write.state, flush=True)


anyio.run(main)
