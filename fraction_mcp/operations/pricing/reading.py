"""The price lists of a part, read from FractionERP: all of them, or an error."""

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import PriceList, id_key
from fraction_mcp.erp.response import unreadable
from fraction_mcp.operations.context import ErpContext

__all__ = ["price_lists"]

_MOST_PAGES = 20  # of price lists, which come at once


async def price_lists(
    context: ErpContext, part_id: object, customer_id: object = None, *, fresh: bool = False
) -> list[PriceList]:
    """The price lists of a part, or one customer's: all of them. Raises ErpContractBroken where they cannot be had.

    The document says both that they come at once and that lists are paginated: where pages are stated, they are read.
    """
    endpoint, path = endpoints.PART_PRICE_LISTS, {"id": _in_path(part_id)}
    query: dict[str, str | int] = {} if customer_id is None else {"customer_id": str(customer_id)}
    answer = await context.fraction.call(endpoint, path=path, query=query, fresh=fresh)
    rows = answer.records()
    if answer.page is not None:
        pages = Pages(answer.page.per_page or max(len(rows), 1))
        rows = pages.take(answer)
        while pages.more and pages.taken < _MOST_PAGES:
            page_query = {**query, "page": pages.next}
            rows += pages.take(await context.fraction.call(endpoint, path=path, query=page_query, fresh=fresh))
        if not pages.whole:
            raise unreadable(endpoint, "it does not hold all that it counts")
    lists = [answer.read(PriceList, row) for row in rows]
    context.own_numbers.look(part_id, lists)
    return [price_list for price_list in lists if customer_id is None or price_list.customer_id == id_key(customer_id)]


def _in_path(part_id: object) -> int | str:
    key = id_key(part_id)
    return "" if key is None else key
