"""All pages of a list, in order, a few at a time: within the rate budget, in bounded memory, honest about what moved.

Pages are asked for `_AT_ONCE` at a time and handed on in their order, so that what is made of them does not depend on
which answer came first. A record that turns up twice is handed on once; a total that moves is noticed. What was read,
and why it is not everything, is told in `Reading`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint, Paging
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.wire import Answer
from fraction_mcp.errors import ErpError, TooCostly
from fraction_mcp.operations.progress import report

__all__ = ["PAGE", "Reading", "counted", "page_query", "read_all"]

PAGE = 100  # both ERPs' most a page
_AT_ONCE = 8

Query = Mapping[str, str | int]
Take = Callable[[list[Record]], None]


@dataclass(slots=True)
class Reading:
    """What was read of a list. `total` is the ERP's own figure, the last one that it stated."""

    total: int | None = None
    scanned: int = 0
    pages: int = 0
    rows: int = 0  # with those that came twice
    last_page: int | None = None
    capped: bool = False
    interrupted: str = ""
    repeated: int = 0
    moved: bool = False
    shrunk: bool = False

    @property
    def complete(self) -> bool:
        # Where records left the list, those behind them moved up: one may have slipped onto a page already read.
        return not (self.capped or self.interrupted or self.shrunk) and self.total in {None, self.scanned}

    def warnings(self) -> list[str]:
        """Why this is not everything, or may have shifted under the reader; the gravest first."""
        read = f"{self.scanned} of {self.total} records"
        if self.total is None:
            read = f"{self.scanned} records of a list whose length is not stated"
        words = []
        if self.interrupted:
            words.append(f"Partial: reading stopped after {read}: {self.interrupted}.")
        elif self.capped:
            words.append(f"Partial: {read} were read, as max_pages allows.")
        elif self.shrunk:
            words.append(f"Partial: {read} were read while the list was getting shorter, and some may be missing.")
        elif not self.complete:
            words.append(f"Partial: {read} were found while the list was changing.")
        if self.moved:
            words.append("The list changed while it was read.")
        if self.repeated:
            once = "record came twice and was" if self.repeated == 1 else "records came twice and were"
            words.append(f"{self.repeated} {once} counted once.")
        return words


async def counted(erp: Erp, endpoint: Endpoint, query: Query) -> int | None:
    """How many records there are, by the ERP's own total: one request. None where it does not say."""
    answer = await erp.call(endpoint, query={**query, **page_query(endpoint, 1, 1)})
    return answer.page.total if answer.page else None


async def read_all(erp: Erp, endpoint: Endpoint, query: Query, take: Take, *, max_pages: int) -> Reading:
    """Hand every record to `take`, page by page, each once; what was read is told at the end.

    Raises TooCostly before the second request where the rest would take more than half of what remains of the rate
    budget. A page that fails ends the reading (`Reading.interrupted`); the first one's failure is raised.
    """
    reading, seen = Reading(), set[object]()
    first = await erp.call(endpoint, query={**query, **page_query(endpoint, 1, PAGE)})
    take(_taken_in(reading, first, 1, seen))
    _refuse_if_too_costly(erp, min(reading.last_page or 1, max_pages) - 1)
    asked: dict[int, _Asked] = {}
    number = following = 2
    async with anyio.create_task_group() as group:
        # The last page may move while they are read.
        while number <= min(reading.last_page or 1, max_pages):
            while following <= min(reading.last_page or 1, max_pages) and len(asked) < _AT_ONCE:
                wanted = {**query, **page_query(endpoint, following, PAGE, after=_after(reading, following))}
                asked[following] = _Asked.start(group, erp, endpoint, wanted)
                following += 1
            page = asked.pop(number)
            await page.done.wait()
            if page.answer is None:
                reading.interrupted = page.failure
                group.cancel_scope.cancel()
                break
            before = reading.scanned
            take(_taken_in(reading, page.answer, number, seen))
            if reading.scanned == before and page.answer.records() and not _states_its_end(reading, page.answer):
                # An ERP that takes no notice of the page gives the first one for ever.
                reading.interrupted = f"page {number} brought nothing new"
                group.cancel_scope.cancel()
                break
            await report(number, min(reading.last_page or number, max_pages), "pages read")
            number += 1
    reading.capped = not reading.interrupted and (reading.last_page or 1) > max_pages
    return reading


@dataclass(slots=True)
class _Asked:
    """A page under way."""

    done: anyio.Event = field(default_factory=anyio.Event)
    answer: Answer | None = None
    failure: str = ""

    @classmethod
    def start(cls, group: TaskGroup, erp: Erp, endpoint: Endpoint, query: Query) -> "_Asked":
        asked = cls()

        async def fetch() -> None:
            try:
                answer = await erp.call(endpoint, query=query)
                answer.records()  # a page that cannot be read has failed as well
                asked.answer = answer
            except ErpError as error:
                asked.failure = error.message
            asked.done.set()

        group.start_soon(fetch)
        return asked


def _taken_in(reading: Reading, answer: Answer, number: int, seen: set[object]) -> list[Record]:
    """A page's records that are new, and what the page says of the whole list."""
    rows = answer.records()
    total = answer.page.total if answer.page else None
    if total is not None and reading.total is not None and total != reading.total:
        reading.moved = True
        reading.shrunk = reading.shrunk or total < reading.total
    reading.total = total if total is not None else reading.total
    reading.last_page = max(reading.last_page or 1, _last(reading, answer, len(rows), number))
    fresh = []
    for row in rows:
        identity = row.get("id")
        if not isinstance(identity, str | int):  # nothing that tells one record from another
            fresh.append(row)
            continue
        if identity in seen:
            reading.repeated += 1
            continue
        seen.add(identity)
        fresh.append(row)
    reading.pages += 1
    reading.rows += len(rows)
    reading.scanned += len(fresh)
    return fresh


def _last(reading: Reading, answer: Answer, rows: int, number: int) -> int:
    """The last page, as far as this one tells: stated, by the total, or at least one more where it is not the end.

    Where nothing is stated only an empty page is the end: a short one may be as many as the ERP gives at once.
    """
    if answer.page and answer.page.last is not None:
        return max(answer.page.last, 1)
    if reading.total is not None:
        return max(math.ceil(reading.total / PAGE), 1)
    if answer.page and answer.page.has_more is not None:
        return number + 1 if answer.page.has_more and rows else number
    return number + 1 if rows else number


def _states_its_end(reading: Reading, answer: Answer) -> bool:
    told = answer.page
    return reading.total is not None or bool(told and (told.last is not None or told.has_more is not None))


def _after(reading: Reading, number: int) -> int | None:
    """How many rows lie before a page, where it is known by what came: pages may be shorter than was asked for."""
    return reading.rows if reading.total is None and reading.pages == number - 1 else None


def page_query(endpoint: Endpoint, number: int, size: int, *, after: int | None = None) -> dict[str, str | int]:
    if endpoint.paging is Paging.START:
        return {"start": (number - 1) * size if after is None else after, "limit": size}
    return {"page": number, "per_page": size}


def _refuse_if_too_costly(erp: Erp, requests: int) -> None:
    budget = erp.connection().budget
    if budget is None or budget.remaining is None or requests * 2 <= budget.remaining:
        return
    resets = f" until {budget.resets_at:%H:%M} UTC" if budget.resets_at else ""
    raise TooCostly(
        f"reading the whole list takes {requests} more requests, and {budget.remaining} are left{resets}",
        hint="Narrow it with search, or read a part with a lower max_pages, which is then marked as partial.",
    )
