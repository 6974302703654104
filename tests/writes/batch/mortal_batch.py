"""A process that submits a batch, approves it, and kills itself (SIGKILL) at a step: `mortal_batch.py STEP AT WRITES`.

AT counts how often the step was reached. Runtime, write service, journal and HTTP client are the real ones.
"""

import json
import os
import signal
import sys
from collections import Counter
from typing import Any

import anyio

from fraction_mcp.config import Settings
from fraction_mcp.operations.writes import journal_batches
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.operations.writes.journal_tables import Transaction
from fraction_mcp.runtime import Runtime
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue

STEP, AT, ARGUMENTS = sys.argv[1], int(sys.argv[2]), {"writes": json.loads(sys.argv[3])}
reached: Counter[str] = Counter()
JournalDatabase.answer_s = 60.0  # on a machine under load, fifty writes in one transaction take a while


def at(step: str) -> None:
    reached[step] += 1
    if step == STEP and reached[step] == AT:
        print(f"killed at {step}", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def marked(of: Any, name: str, *, before: str = "", after: str = "") -> None:
    """Name the moments before and after each call of a method."""
    original = getattr(of, name)

    async def called(*args: Any, **kwargs: Any) -> Any:
        at(before)
        result = await original(*args, **kwargs)
        at(after)
        return result

    setattr(of, name, called)


async def main() -> None:
    marked(Journal, "propose_batch", before="unproposed", after="proposed")
    marked(journal_batches, "approve", after="approving")  # within its transaction
    marked(Journal, "approve", after="approved")
    marked(Journal, "claim", before="unclaimed", after="claimed")
    marked(Journal, "finish", before="answered", after="written")
    marked(Transaction, "_stop", before="finishing", after="stopping")  # within the transaction of the outcome
    async with Runtime(Settings.load()) as runtime:
        service = await runtime.write_service()
        spec = catalogue()["submit_writes"]
        planned = await spec.run(service.context, read_arguments(spec, ARGUMENTS))
        batch = await service.propose_batch(planned.writes(), asked_by="a mortal process")
        await service.approve(batch.waiting[0], digest=batch.digest, by=Decider("a person"))


anyio.run(main)
