"""What the rate budget that an ERP has told still allows, and the waiting for it: what it would not bear is not sent.

The ERP is the authority: its latest word counts, less what is under way and may not be counted in it. Where it has
said nothing, or not when its window ends, everything is allowed.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import anyio

from fraction_mcp import errors
from fraction_mcp.erp.budget import Budget
from fraction_mcp.erp.endpoints import Endpoint

__all__ = ["Allowance"]

_LONGEST = timedelta(hours=1)
"""The longest window that either ERP documents: whatever says that it lasts longer is asked again after that."""


class Allowance:
    """`told` is the latest budget that the ERP has told, and None where it tells none."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.told: Budget | None = None
        self._told_at = clock()
        self._clock = clock
        self._under_way = 0
        self._over = anyio.Event()

    def tell(self, budget: Budget | None) -> None:
        if budget is not None:
            self.told, self._told_at = budget, self._clock()

    @asynccontextmanager
    async def one(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Room for one request. While others under way may take all that is left, this one waits for them. Raises
        BudgetSpent, with the seconds to wait, where nothing is left."""
        if endpoint.is_for_work:  # by signing in or out nobody is served
            await self._room_for(endpoint)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._over.set()
            self._over = anyio.Event()

    async def _room_for(self, endpoint: Endpoint) -> None:
        while (known := self.told) and known.remaining is not None and (closed_s := self._closed_s(known)) > 0:
            if known.remaining <= 0:
                raise _spent(endpoint, closed_s)
            if known.remaining > self._under_way:
                return
            await self._over.wait()

    def _closed_s(self, known: Budget) -> float:
        """For how many seconds what it said holds; 0 and less where it did not say so."""
        until = min(known.resets_at, self._told_at + _LONGEST) if known.resets_at else self._told_at
        return (until - self._clock()).total_seconds()


def _spent(endpoint: Endpoint, wait_s: float) -> errors.BudgetSpent:
    return errors.BudgetSpent(
        f"{endpoint.system.label} has no requests left in its rate budget and was not asked to {endpoint.name}; it "
        f"takes requests again in {wait_s:.0f} seconds; nothing was sent",
        retry_after_s=wait_s,
        system=endpoint.system,
        operation=endpoint.name,
        hint=f"Wait {wait_s:.0f} seconds, then ask again.",
    )
