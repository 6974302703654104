"""Two processes that are both about to send the same write, in the order that only a compare-and-set withstands."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from fraction_mcp.operations.writes.service import WriteService

__all__ = ["Runner", "raced"]

Runner = tuple[WriteService, Callable[[], Awaitable[object]]]
"""A process's hand in the writes, and what it does until it is about to send."""


async def raced(sent: anyio.Event, first: Runner, second: Runner) -> None:
    """Both at once: each comes as far as its claim, as long as nothing is in its way; then the first goes on until
    `sent` is set, or until it has ended, and only then the second.

    Left to themselves, two that run in one loop take each step together, and the check just before the first byte hides
    from which of them the claim was taken away.
    """
    both_there = anyio.Event()

    async def runs(runner: Runner, stands: anyio.Event, goes: anyio.Event, ended: anyio.Event) -> None:
        service, work = runner
        journal = service.journal
        claim = journal.claim

        async def claimed(write_id: str, **facts: Any) -> bool:
            stands.set()
            await goes.wait()
            return await claim(write_id, **facts)

        journal.claim = claimed  # type: ignore[method-assign]
        try:
            await work()
        finally:
            del journal.claim
            ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(runs, first, anyio.Event(), both_there, sent)
        group.start_soon(runs, second, both_there, sent, both_there)
