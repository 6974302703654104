"""A whole list, read anew page after page: what a write rests on comes from no cache, and not from one page alone.

Unlike `fold`, a page that fails is raised: a write must not rest on a part that passes for the whole.
"""

from collections.abc import Mapping

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.wire import Answer
from fraction_mcp.operations.fold import PAGE, page_query

__all__ = ["MOST", "read_anew"]

_PAGES = 10
MOST = PAGE * _PAGES


async def read_anew(
    erp: Erp, endpoint: Endpoint, query: Mapping[str, str | int], *, path: Mapping[str, str | int] | None = None
) -> tuple[list[Record], bool]:
    """The records of a list, at most `MOST`, each once, and whether that is all of them. Raises ErpError."""
    records: list[Record] = []
    seen: set[object] = set()
    read = 0
    for number in range(1, _PAGES + 1):
        asked = {**query, **page_query(endpoint, number, PAGE)}
        answer = await erp.call(endpoint, path=path or {}, query=asked, fresh=True)
        rows = answer.records()
        read += len(rows)
        # A record may move to the next page while they are read; twice in the list, it would look like a namesake.
        records += [row for row in rows if row.get("id") is None or row["id"] not in seen]
        seen.update(row.get("id") for row in rows)
        if not rows or not _goes_on(answer, number, read, len(rows)):
            return records, True
    return records, False


def _goes_on(answer: Answer, number: int, read: int, rows: int) -> bool:
    """Whether a further page is stated, or, where nothing is stated, likely: a full page is rarely the last."""
    page = answer.page
    if page and page.last is not None:
        return number < page.last
    if page and page.total is not None:
        return read < page.total
    if page and page.has_more is not None:
        return page.has_more
    return rows >= PAGE
