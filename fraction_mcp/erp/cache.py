"""The one memory of reads, in front of an ERP: the same question within seconds costs no second request, nor does a
record that stood in an answer to another one.

Concurrent identical reads share one request. A write empties the memory before and after it is sent, so that no answer
is older than a write that this process has seen done. An answer's age counts from when the ERP was asked, here as in
`Answer.read_at`, and whatever is taken from here is as old as the read that brought it.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio

from fraction_mcp.erp import Connection, Erp, freshness
from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.erp.records import Record, id_key
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.errors import ErpError
from fraction_mcp.values.text import clean

__all__ = ["RememberingErp", "read_once"]

_MOST_ANSWERS = 128
_MOST_RECORDS = 2_000  # a page of 100 is some 300 kB in memory: reading a whole long list must not fill it
_RECORD = 1_000  # bytes of an answer that count as a record

_Key = tuple[str, ...]


def _seconds() -> float:
    """A clock that runs on while the machine sleeps, unlike `time.monotonic` on Linux and macOS."""
    return time.clock_gettime(_RUNS_ON) if _RUNS_ON is not None else time.monotonic()


_RUNS_ON: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


@dataclass(slots=True, eq=False, repr=False)
class _Kept:
    """An answer, and when the ERP was asked for it."""

    asked_at: float
    endpoint: Endpoint
    answer: ErpAnswer
    by_field: dict[str, dict[str, Record | None]] = field(default_factory=dict)

    def named(self, name: str) -> dict[str, Record | None]:
        """Its records by what a field of theirs reads; None where two that differ read the same."""
        if name not in self.by_field:
            index: dict[str, Record | None] = {}
            for record in self.answer.records():
                if record.get(name) not in (None, "") and id_key(record.get("id")) is not None:
                    text = clean(str(record[name]))
                    index[text] = None if text in index else record
            self.by_field[name] = index
        return self.by_field[name]


class _Pending:
    """A read under way that others wait for."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.failure: ErpError | None = None


class _Once:
    """What was read within one `read_once`, by ERP and question."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, _Key], ErpAnswer] = {}
        self._locks: dict[tuple[int, _Key], anyio.Lock] = {}

    async def ask(self, erp: "RememberingErp", key: _Key, read: Callable[[], Awaitable[ErpAnswer]]) -> ErpAnswer:
        """Who asks the same meanwhile waits, and asks again where that failed."""
        question = (id(erp), key)
        async with self._locks.setdefault(question, anyio.Lock()):
            if question not in self._answers:
                self._answers[question] = await read()
            return self._answers[question]


_once: ContextVar[_Once | None] = ContextVar("once", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Within it the same question is sent once, also where it is asked anew: for plans that are made for one moment."""
    token = _once.set(_Once())
    try:
        yield
    finally:
        _once.reset(token)


class RememberingErp:
    """An `Erp` that answers a repeated GET from memory for `keep_s` seconds; 0 turns that off."""

    def __init__(self, erp: Erp, *, keep_s: float, clock: Callable[[], float] = _seconds) -> None:
        self._erp = erp
        self._keep_s = keep_s
        self._clock = clock
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._pending: dict[_Key, _Pending] = {}
        self._records = 0
        self._writes = 0

    @property
    def system(self) -> System:
        return self._erp.system

    @property
    def writes(self) -> int:
        """See `Erp.writes`. One under way counts when it begins and again when it ends."""
        return self._writes

    def connection(self) -> Connection:
        return self._erp.connection()

    async def ready(self) -> None:
        await self._erp.ready()

    def seen(self, endpoint: Endpoint, field: str, text: str) -> Record | None:
        """See `Erp.seen`. Of several answers that hold such a record, the newest counts."""
        answers = [kept for kept in self._kept.values() if kept.endpoint is endpoint and self._good(kept)]
        for kept in sorted(answers, key=lambda entry: entry.asked_at, reverse=True):
            index = kept.named(field)
            if (record := index.get(text)) is not None:
                freshness.read(kept.answer.read_at)
            if text in index:
                return record
        return None

    def _good(self, kept: _Kept) -> bool:
        return self._clock() - kept.asked_at < self._keep_s

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> ErpAnswer:
        """See `Erp.call`. A fresh read is sent, and what it brings is remembered for the next one."""
        if endpoint.method != "GET":
            self._forget()
            try:
                return await self._erp.call(endpoint, path=path, query=query, body=body, before_send=before_send)
            finally:
                self._forget()
        key = (endpoint.path, *_spelt(path), "?", *_spelt(query))
        if fresh and (once := _once.get()) is not None:
            answer = await once.ask(self, key, lambda: self._ask(key, endpoint, path, query))
            freshness.read(answer.read_at)
            return answer
        while not fresh and self._keep_s:
            if (kept := self._kept.get(key)) and self._good(kept):
                self._kept.move_to_end(key)
                freshness.read(kept.answer.read_at)
                return kept.answer
            if (pending := self._pending.get(key)) is None:
                break
            await pending.done.wait()
            if pending.failure is not None:
                raise pending.failure.with_traceback(None)
            # Then look again: it was answered, or cancelled with its caller.
        return await self._ask(key, endpoint, path, query)

    async def _ask(
        self,
        key: _Key,
        endpoint: Endpoint,
        path: Mapping[str, str | int] | None,
        query: Mapping[str, str | int] | None,
    ) -> ErpAnswer:
        pending = self._pending[key] = _Pending()
        began, writes = self._clock(), self._writes
        try:
            answer = await self._erp.call(endpoint, path=path, query=query)
            freshness.read(answer.read_at)
        except ErpError as error:
            pending.failure = error  # whoever waited for this answer shares its failure, and nobody asks in turn
            raise
        else:
            newer = (kept := self._kept.get(key)) is not None and kept.asked_at > began
            if self._keep_s and writes == self._writes and not newer:
                self._keep(key, _Kept(began, endpoint, answer))
            return answer
        finally:
            if self._pending.get(key) is pending:
                del self._pending[key]
            pending.done.set()

    def _keep(self, key: _Key, kept: _Kept) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            self._records -= _size(before.answer)
        if _size(kept.answer) > _MOST_RECORDS:
            return
        self._kept[key] = kept
        self._records += _size(kept.answer)
        while len(self._kept) > _MOST_ANSWERS or self._records > _MOST_RECORDS:
            _, oldest = self._kept.popitem(last=False)
            self._records -= _size(oldest.answer)

    def _forget(self) -> None:
        self._writes += 1
        self._kept.clear()
        self._records = 0
        self._pending.clear()  # a read that began before the write is not shared with one that came after it


def _size(answer: ErpAnswer) -> int:
    """In records; a large answer of few counts as more."""
    return max(len(answer.data) if isinstance(answer.data, list) else 1, answer.size // _RECORD)


def _spelt(values: Mapping[str, str | int] | None) -> list[str]:
    return [f"{name}={value}" for name, value in sorted((values or {}).items())]
