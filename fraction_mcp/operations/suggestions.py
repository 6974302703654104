"""What a part number or a customer's name that is being typed may become: one page of the ERP's search, at most.

What was typed on from a search that showed all there was needs no other one. Refuses to guess what else there may be:
`has_more` says that it was not seen.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.tries import tried_once
from fraction_mcp.operations.candidates import Subject
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.lookup import PAGE
from fraction_mcp.operations.naming import name_of
from fraction_mcp.values.text import clean, normalised

__all__ = ["Suggester", "Suggestions"]

_MOST = 100  # values of one completion (MCP)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """`values` begin with what was typed, then hold it. `total` is null where not everything was seen."""

    values: tuple[str, ...] = ()
    total: int | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """The names that a search for a text showed; `whole` where it showed all there are."""

    text: str
    names: tuple[str, ...]
    whole: bool
    at: float
    writes: int


class Suggester:
    """Completes names, and remembers for `keep_s` seconds, or until a write, what the last search of a kind showed."""

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    async def suggestions(self, context: ErpContext, subject: Subject, typed: str) -> Suggestions:
        """Raises ErpError. One request at most; none where what was typed before has shown all there is."""
        text = clean(typed)
        seen = self._seen.get(subject.noun)
        if seen is None or not self._serves(seen, text, context):
            seen = self._seen[subject.noun] = await self._search(context, subject, text)
        wanted = normalised(text)
        names = [name for name in seen.names if wanted in normalised(name)]
        names.sort(key=lambda name: (not normalised(name).startswith(wanted), normalised(name)))
        return Suggestions(
            values=tuple(names[:_MOST]),
            total=len(names) if seen.whole else None,
            has_more=len(names) > _MOST or not seen.whole,
        )

    def _serves(self, seen: _Seen, text: str, context: ErpContext) -> bool:
        fresh = self._clock() - seen.at < self._keep_s and seen.writes == context.fraction.writes
        return fresh and (text == seen.text or (seen.whole and seen.text in text))

    async def _search(self, context: ErpContext, subject: Subject, text: str) -> _Seen:
        began, writes = self._clock(), context.fraction.writes
        with tried_once():
            answer = await context.lookup.first_page(subject, text)
        pages = Pages(PAGE)
        pages.take(answer)
        names = dict.fromkeys(name for record in answer.records() if (name := name_of(record, subject.key)))
        return _Seen(text, tuple(names), pages.whole and not pages.more, began, writes)
