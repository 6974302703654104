"""Checks that are asked for while one is under way are made as one: a database that is asked for every call of a team
is asked once for many of them.

Nothing is remembered: what somebody is told was read after they had asked. So a token that is revoked at one replica
is good at none, from the next call on.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

__all__ = ["Together"]

Found = TypeVar("Found")


@dataclass
class _Batch(Generic[Found]):
    asked: set[str] = field(default_factory=set)
    over: anyio.Event = field(default_factory=anyio.Event)
    found: Mapping[str, Found] | None = None
    failed: Exception | None = None


class Together(Generic[Found]):
    """`read` finds what there is for several keys at once."""

    def __init__(self, read: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]]) -> None:
        self._read = read
        self._turn = anyio.Lock()
        self._next: _Batch[Found] | None = None  # of those that have not begun to be read

    async def of(self, key: str) -> Found | None:
        """Raises what `read` does."""
        while True:
            if self._next is None:
                batch = self._next = _Batch[Found]()
                batch.asked.add(key)
                await self._carry_out(batch)
            else:
                batch = self._next
                batch.asked.add(key)
                await batch.over.wait()
            if batch.failed is not None:
                raise batch.failed
            if batch.found is not None:
                return batch.found.get(key)
            # whoever was to read it was cancelled: the next one reads

    async def _carry_out(self, batch: _Batch[Found]) -> None:
        try:
            async with self._turn:
                self._next = None  # whoever comes from here on is told what holds from here on
                batch.found = await self._read(batch.asked)
        except Exception as error:  # noqa: BLE001 - each of those who asked is told it
            batch.failed = error
        finally:
            if self._next is batch:
                self._next = None
            batch.over.set()
