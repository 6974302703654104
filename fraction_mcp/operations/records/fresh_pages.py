"""A whole list, read anew page after page: what a write rests on comes from no cache, and not from one page alone.

Unlike `normalised`, a page that fails is raised: a write must not rest on a part that passes for the whole.
"""

from collections.abc import Mapping

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import Record
from fraction_mcp.operations.records.all_pages import PAGE

__all__ = ["MOST", "read_fresh_pages"]

_PAGES = 10
MOST = PAGE * _PAGES


async def read_fresh_pages(
    erp: Erp, endpoint: Endpoint, query: Mapping[str, str | int], *, path: Mapping[str, str | int] | None = None
) -> tuple[list[Record], bool]:
    """The records of a list, at most `MOST`, each once, and whether that is all of them. Raises ErpError."""
    pages, records = Pages(PAGE), list[Record]()
    while pages.more and pages.taken < _PAGES:
        page_query = {**query, **pages.query(endpoint, pages.next)}
        records += pages.take(await erp.call(endpoint, path=path or {}, query=page_query, fresh=True))
    return records, pages.whole
