"""Whose turn it is: how many calls are carried out at once, of one person and in all, and how long one may take.

Whoever comes when all turns are taken waits, within bounds, first come, first served; beyond them they are told when to
try again. A call that is given up has its handler cancelled; a write that is being sent ends first all the same, since
it is sent in a task of its own that shields itself (`runtime.Runtime`).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio

__all__ = ["Busy", "Limits", "Turns"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of calls. Whoever waits longer than `wait_s`, or comes when the queue is full, is told to try again; a call is
    given up after `call_s`, which is longer than any commit takes."""

    each_at_once: int = 8
    each_waiting: int = 32
    at_once: int = 128
    waiting: int = 512
    wait_s: float = 30.0
    call_s: float = 600.0


_YOURS = "{} of your calls are under way and more wait: try again when they are answered. Nothing was done."
_OF_ALL = "The server is busy with the calls of many people: try again in a few seconds. Nothing was done."


class Busy(Exception):
    """Somebody has to try again in `retry_after_s`. `status` is 429 where they have too many calls themselves, 503
    where everybody together has."""

    def __init__(self, message: str, *, status: int, retry_after_s: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


class _Gate:
    """So many at once, so many waiting."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._turns = anyio.Semaphore(at_once)
        self._room = waiting
        self.present = 0
        self.waiting = 0

    async def enter(self, wait_s: float) -> bool:
        """Whether it is one's turn; if so, `leave` afterwards."""
        try:
            self._turns.acquire_nowait()
        except anyio.WouldBlock:
            if self.waiting >= self._room or not await self._waited(wait_s):
                return False
        self.present += 1
        return True

    async def _waited(self, wait_s: float) -> bool:
        self.waiting += 1
        try:
            with anyio.fail_after(wait_s):
                await self._turns.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
        return True

    def leave(self) -> None:
        self.present -= 1
        self._turns.release()


class Turns:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all = _Gate(limits.at_once, limits.waiting)
        self._each: dict[str, _Gate] = {}
        self._calls = set[anyio.CancelScope]()
        self._streams = set[anyio.CancelScope]()
        self._left = anyio.Event()

    @property
    def under_way(self) -> int:
        return self._all.present

    @property
    def waiting(self) -> int:
        return self._all.waiting + sum(gate.waiting for gate in self._each.values())

    @asynccontextmanager
    async def turn(self, person: str) -> AsyncIterator[anyio.CancelScope]:
        """A call's turn, and its time: the scope says whether it was given up. Raises Busy."""
        limits = self.limits
        gate = self._each.setdefault(person, _Gate(limits.each_at_once, limits.each_waiting))
        try:
            if not await gate.enter(limits.wait_s):
                raise Busy(_YOURS.format(limits.each_at_once), status=429, retry_after_s=2)
            try:
                if not await self._all.enter(limits.wait_s):
                    raise Busy(_OF_ALL, status=503, retry_after_s=5)
                try:
                    with self._cuttable(self._calls, limits.call_s) as scope:
                        yield scope
                finally:
                    self._all.leave()
            finally:
                gate.leave()
        finally:
            if not (gate.present or gate.waiting):
                self._each.pop(person, None)
            self._left.set()

    async def over(self) -> None:
        """Returns when nothing is under way and nobody waits."""
        while self._calls or self.waiting:
            self._left = anyio.Event()
            await self._left.wait()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What is no call and lasts as long as a client listens: it takes no turn, and ends with the server."""
        with self._cuttable(self._streams, None):
            yield

    def cut_streams(self) -> None:
        """End whoever listens: nothing is lost by it."""
        for scope in list(self._streams):
            scope.cancel()

    def cut(self) -> None:
        """Give up whatever is under way, whose callers are told so. What is shielded ends first."""
        self.cut_streams()
        for scope in list(self._calls):
            scope.cancel()

    @contextmanager
    def _cuttable(self, among: set[anyio.CancelScope], longest_s: float | None) -> Iterator[anyio.CancelScope]:
        with anyio.move_on_after(longest_s) as scope:
            among.add(scope)
            try:
                yield scope
            finally:
                among.discard(scope)
