"""All pages of a list, in order, a few at a time: within the rate budget, in bounded memory, honest about what moved.

Pages are asked for `_AT_ONCE` at a time and handed on in their order, so that what is made of them does not depend on
which answer came first. A record that turns up twice is handed on once. Where the list ends is `erp.pages`'s to say;
what was read, and why it is not everything, is told in `Reading`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.pages import Pages, stated_total
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.errors import ErpError, TooCostly
from fraction_mcp.operations.progress import report
from fraction_mcp.values.text import quoted

__all__ = ["PAGE", "Reading", "counted", "read_all"]

PAGE = 100  # both ERPs' most a page
_AT_ONCE = 8

Query = Mapping[str, str | int]
Take = Callable[[list[Record]], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a list. `total` is the ERP's own figure, the last one that it stated."""

    total: int | None = None
    scanned: int = 0
    pages: int = 0
    whole: bool = True  # as far as the pages that were read tell
    capped: bool = False
    interrupted: str = ""
    repeated: int = 0
    moved: bool = False
    shrunk: bool = False
    cut: bool = False  # at the number of records that was asked for

    @classmethod
    def of(cls, pages: Pages, *, most: int, handed: "_Handed", interrupted: str) -> "Reading":
        return cls(
            total=pages.total,
            scanned=handed.count,
            cut=handed.count == handed.most and (handed.count < pages.distinct or pages.more),
            pages=pages.taken,
            whole=pages.whole,
            capped=not interrupted and pages.more and pages.taken >= most,
            interrupted=interrupted or pages.stuck,
            repeated=pages.rows - pages.distinct,
            moved=pages.moved,
            shrunk=pages.shrunk,
        )

    @property
    def complete(self) -> bool:
        return self.whole and not (self.capped or self.interrupted or self.cut)

    def among(self, search: str) -> str:
        """Of which records an answer speaks, where it is not of all."""
        if not self.complete:
            return f" of the {self.scanned} that were read"
        return f" that matches {quoted(search)}" if search else ""

    def warnings(self) -> list[str]:
        """Why this is not everything, or may have shifted under the reader; the gravest first."""
        read = f"{self.scanned} of {self.total} records"
        if self.total is None:
            read = f"{self.scanned} records of a list whose length is not stated"
        elif self.total < self.scanned:
            read = f"{self.scanned} records (the ERP counts {self.total})"
        words = []
        if self.interrupted:
            words.append(f"Partial: reading stopped after {read}: {self.interrupted}.")
        elif self.capped or self.cut:
            words.append(f"Partial: {read} were read, as {'max_records' if self.cut else 'max_pages'} allows.")
        elif self.shrunk:
            words.append(f"Partial: {read} were read while the list was getting shorter, and some may be missing.")
        elif not self.complete and (self.moved or self.repeated):
            words.append(f"Partial: {read} were found while the list was changing.")
        elif not self.complete:
            words.append(f"Partial: {read} were found, and the ERP's own figures do not agree with that.")
        if self.moved:
            words.append("The list changed while it was read.")
        if self.repeated:
            once = "record came twice and was" if self.repeated == 1 else "records came twice and were"
            words.append(f"{self.repeated} {once} counted once.")
        return words


async def counted(erp: Erp, endpoint: Endpoint, query: Query) -> int | None:
    """How many records there are, by the ERP's own total: one request. None where it does not say, or disagrees with
    itself."""
    return stated_total(await erp.call(endpoint, query={**query, **Pages(1).query(endpoint, 1)}), 1)


async def read_all(
    erp: Erp, endpoint: Endpoint, query: Query, take: Take, *, max_pages: int, max_records: int = 0
) -> Reading:
    """Hand every record to `take`, page by page, each once, at most `max_records` of them (0: all); what was read is
    told at the end.

    Raises TooCostly before the second request where the rest would take more than half of what remains of the rate
    budget; where that shows later, reading ends. A page that fails ends the reading (`Reading.interrupted`); the first
    one's failure is raised.
    """
    pages, handed = Pages(PAGE), _Handed(take, max_records)
    max_pages = min(max_pages, -(-max_records // PAGE)) if max_records else max_pages
    first = await erp.call(endpoint, query={**query, **pages.query(endpoint, 1)})
    handed.take(pages.take(first))
    borne = _borne(erp, min(pages.likely_last, max_pages) - 1)
    interrupted = ""
    pending: dict[int, _Pending] = {}
    following = 2
    async with anyio.create_task_group() as group:
        while pages.more and pages.taken < max_pages and not interrupted:
            if borne is not None and pages.taken > borne:
                interrupted = "reading on would take more than half of the requests that are left"
                break
            while following <= min(max(pages.ahead, pages.next), max_pages) and len(pending) < _AT_ONCE:
                wanted = {**query, **pages.query(endpoint, following)}
                pending[following] = _Pending.start(group, erp, endpoint, wanted)
                following += 1
            page = pending.pop(pages.next)
            await page.done.wait()
            if page.answer is None:
                interrupted = page.failure
                break
            handed.take(pages.take(page.answer))
            await report(pages.taken, min(pages.likely_last, max_pages), "pages read")
        group.cancel_scope.cancel()  # what was asked for ahead, and is not wanted any more
    return Reading.of(pages, most=max_pages, handed=handed, interrupted=interrupted)


@dataclass(slots=True)
class _Handed:
    """Records handed on, up to a number of them (0: all)."""

    to: Take
    most: int
    count: int = 0

    def take(self, records: list[Record]) -> None:
        records = records[: self.most - self.count] if self.most else records
        self.count += len(records)
        self.to(records)


@dataclass(slots=True)
class _Pending:
    """A page under way."""

    done: anyio.Event = field(default_factory=anyio.Event)
    answer: ErpAnswer | None = None
    failure: str = ""

    @classmethod
    def start(cls, group: TaskGroup, erp: Erp, endpoint: Endpoint, query: Query) -> "_Pending":
        pending = cls()

        async def fetch() -> None:
            try:
                answer = await erp.call(endpoint, query=query)
                answer.records()  # a page that cannot be read has failed as well
                pending.answer = answer
            except ErpError as error:
                pending.failure = error.message
            pending.done.set()

        group.start_soon(fetch)
        return pending


def _borne(erp: Erp, requests: int) -> int | None:
    """How many requests reading on may take: half of those that are left, None where that is not known. Raises
    TooCostly where it would take more from the start."""
    budget = erp.connection().budget
    if budget is None or budget.remaining is None:
        return None
    if requests * 2 <= budget.remaining:
        return budget.remaining // 2
    resets = f" until {budget.resets_at:%H:%M} UTC" if budget.resets_at else ""
    raise TooCostly(
        f"reading the whole list takes {requests} more requests, and {budget.remaining} are left{resets}",
        hint="Narrow it with search, or read a part with a lower max_pages, which is then marked as partial.",
    )
