"""A short memory of reads in front of an ERP: the same question within seconds costs no second request.

Concurrent identical reads share one request. A write empties the memory before and after it is sent, so that no answer
is older than a write that this process has seen done. Each answer says when it was read (`Answer.read_at`).
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

import anyio

from fraction_mcp.erp import Connection, Erp, freshness
from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.erp.wire import Answer
from fraction_mcp.errors import ErpError

__all__ = ["RememberingErp"]

_MOST_ANSWERS = 128
_MOST_RECORDS = 2_000  # a page of 100 is some 300 kB in memory: reading a whole long list must not fill it

_Key = tuple[str, ...]


class _Asked:
    """A read under way that others wait for."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.failure: ErpError | None = None


class RememberingErp:
    """An `Erp` that answers a repeated GET from memory for `keep_s` seconds; 0 turns that off."""

    def __init__(self, erp: Erp, *, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._erp = erp
        self._keep_s = keep_s
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, Answer]] = OrderedDict()
        self._asked: dict[_Key, _Asked] = {}
        self._records = 0
        self._writes = 0

    @property
    def system(self) -> System:
        return self._erp.system

    def connection(self) -> Connection:
        return self._erp.connection()

    async def ready(self) -> None:
        await self._erp.ready()

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> Answer:
        """See `Erp.call`. A fresh read is sent, and what it brings is remembered for the next one."""
        if endpoint.method != "GET":
            self._forget()
            try:
                return await self._erp.call(endpoint, path=path, query=query, body=body, before_send=before_send)
            finally:
                self._forget()
        key = (endpoint.path, *_spelt(path), "?", *_spelt(query))
        while not fresh and self._keep_s:
            if (kept := self._kept.get(key)) and self._clock() - kept[0] < self._keep_s:
                self._kept.move_to_end(key)
                freshness.read(kept[1].read_at)
                return kept[1]
            if (asked := self._asked.get(key)) is None:
                break
            await asked.done.wait()
            if asked.failure is not None:
                raise asked.failure.with_traceback(None)
            # Then look again: it was answered, or cancelled with its caller.
        return await self._ask(key, endpoint, path, query)

    async def _ask(
        self,
        key: _Key,
        endpoint: Endpoint,
        path: Mapping[str, str | int] | None,
        query: Mapping[str, str | int] | None,
    ) -> Answer:
        asked = self._asked[key] = _Asked()
        began, writes = self._clock(), self._writes
        try:
            answer = await self._erp.call(endpoint, path=path, query=query)
            freshness.read(answer.read_at)
        except ErpError as error:
            asked.failure = error  # whoever waited for this answer shares its failure, and nobody asks in turn
            raise
        else:
            newer = (kept := self._kept.get(key)) is not None and kept[0] > began
            if self._keep_s and writes == self._writes and not newer:
                self._keep(key, began, answer)
            return answer
        finally:
            if self._asked.get(key) is asked:
                del self._asked[key]
            asked.done.set()

    def _keep(self, key: _Key, began: float, answer: Answer) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            self._records -= _size(before[1])
        self._kept[key] = (began, answer)
        self._records += _size(answer)
        while len(self._kept) > _MOST_ANSWERS or self._records > _MOST_RECORDS:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._records -= _size(oldest)

    def _forget(self) -> None:
        self._writes += 1
        self._kept.clear()
        self._records = 0
        self._asked.clear()  # a read that began before the write is not shared with one that came after it


def _size(answer: Answer) -> int:
    return len(answer.data) if isinstance(answer.data, list) else 1


def _spelt(values: Mapping[str, str | int] | None) -> list[str]:
    return [f"{name}={value}" for name, value in sorted((values or {}).items())]
