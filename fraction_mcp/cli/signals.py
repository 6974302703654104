"""What SIGINT, SIGTERM and SIGHUP do to a command: they end it in order, and never tear a write.

asyncio's own answer to Ctrl-C would: it cancels the main task through every shield, and at the second one raises
KeyboardInterrupt wherever the program stands; SIGTERM and SIGHUP kill on the spot. Here a signal cancels a scope: what
is shielded ends first, everything is closed, and the exit code says which signal it was. Further signals while it ends
tear nothing either (`told_again` tells of them): what it waits for is bounded by FRACTION_MCP_TIMEOUT_S.
"""

import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVarTuple

import anyio

__all__ = ["finishing", "interruptible", "run", "told_again"]

Args = TypeVarTuple("Args")


def run(work: Callable[[*Args], Awaitable[int]], *args: *Args) -> int:
    """Run a command in an event loop of its own. Its exit code, or 128 and the number of the signal that ended it."""
    return anyio.run(_guarded, work, args)


async def _guarded(work: Callable[[*Args], Awaitable[int]], args: tuple[*Args]) -> int:
    heeded = _heeded()
    if not heeded:  # Windows: there Ctrl-C cancels the main task, and what sends a write is a task of its own
        return await work(*args)
    code = 0
    with anyio.open_signal_receiver(*heeded) as signals:
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                ending = _Ending(scope)
                _current.set(ending)
                group.start_soon(ending.listen, signals)
                code = await work(*args)
            group.cancel_scope.cancel()
    return 128 + ending.signal if ending.signal else code


def _heeded() -> list[signal.Signals]:
    """The signals that end a command: not those that were ignored when it began, as under nohup; none in a thread
    other than the main one, which alone is told of them."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return []
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [ending_signal for ending_signal in ending if signal.getsignal(ending_signal) is not signal.SIG_IGN]


class _Ending:
    """How one command ends. `signal` is the first that came, 0 while none has."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope
        self.signal = 0
        self.held = 0
        self.questions: list[anyio.CancelScope] = []
        self.again = anyio.Event()

    async def listen(self, signals: AsyncIterator[signal.Signals]) -> None:
        async for received in signals:
            if received is signal.SIGINT and self.questions:
                self.questions[-1].cancel()
                continue
            if self.held and not self.signal:
                sys.stderr.write("\nA write may be on its way: it ends first, and what came of it is told.\n")
            if self.signal:
                self.again.set()
            self.signal = self.signal or received
            if not self.held:
                self._scope.cancel()

    def let_go(self) -> None:
        self.held -= 1
        if self.signal and not self.held:
            self._scope.cancel()


_current: ContextVar[_Ending | None] = ContextVar("ending", default=None)


@contextmanager
def finishing() -> Iterator[None]:
    """Signals wait until this is left, so that what came of a decision can still be told."""
    ending = _current.get()
    if ending is None:
        yield
        return
    ending.held += 1
    try:
        yield
    finally:
        ending.let_go()


async def told_again() -> None:
    """Returns when a second signal came: whoever sent it does not want to wait for what may be cut."""
    ending = _current.get()
    await (anyio.sleep_forever() if ending is None else ending.again.wait())


@contextmanager
def interruptible() -> Iterator[anyio.CancelScope]:
    """Ctrl-C cancels what is in here, a question say, and not the command. The scope tells whether it did."""
    ending = _current.get()
    with anyio.CancelScope() as scope:
        if ending is not None:
            ending.questions.append(scope)
        try:
            yield scope
        finally:
            if ending is not None:
                ending.questions.remove(scope)
