"""A whole list, read anew page after page: what a write rests on comes from no cache, and not from one page alone."""

from collections.abc import Mapping

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint, Paging
from fraction_mcp.erp.records import Record
from fraction_mcp.erp.wire import Answer

__all__ = ["MOST", "read_anew"]

_PAGE = 100  # both ERPs' most a page
_PAGES = 10
MOST = _PAGE * _PAGES


async def read_anew(
    erp: Erp, endpoint: Endpoint, query: Mapping[str, str | int], *, path: Mapping[str, str | int] | None = None
) -> tuple[list[Record], bool]:
    """The records of a list, at most `MOST`, each once, and whether that is all of them. Raises ErpError."""
    records: list[Record] = []
    seen: set[object] = set()
    read = 0
    for number in range(1, _PAGES + 1):
        asked = {**query, **_page(endpoint, number)}
        answer = await erp.call(endpoint, path=path or {}, query=asked, fresh=True)
        rows = answer.records()
        read += len(rows)
        # A record may move to the next page while they are read; twice in the list, it would look like a namesake.
        records += [row for row in rows if row.get("id") is None or row["id"] not in seen]
        seen.update(row.get("id") for row in rows)
        if not rows or not _goes_on(answer, number, read, len(rows)):
            return records, True
    return records, False


def _page(endpoint: Endpoint, number: int) -> dict[str, str | int]:
    if endpoint.paging is Paging.START:
        return {"start": (number - 1) * _PAGE, "limit": _PAGE}
    return {"page": number, "per_page": _PAGE}


def _goes_on(answer: Answer, number: int, read: int, rows: int) -> bool:
    """Whether a further page is stated, or, where nothing is stated, likely: a full page is rarely the last."""
    page = answer.page
    if page and page.last is not None:
        return number < page.last
    if page and page.total is not None:
        return read < page.total
    if page and page.has_more is not None:
        return page.has_more
    return rows >= _PAGE
