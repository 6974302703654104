"""Parts and their prices."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import listing, pricing, quoting, single
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Ask, IdText, QuantityIn, whole_number
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["Limit", "Order", "PageNumber", "PartName", "Search"]

PartName = Annotated[IdText, Field(min_length=1, description="Number, e.g. WIDGET-001, or id")]
CustomerName = Annotated[IdText, Field(min_length=1, description="Name, e.g. Acme Corp, or id")]
OrderQuantity = Annotated[QuantityIn, Field(description="In the part's uom, e.g. 250")]
Limit = Annotated[int, Field(ge=1, le=100, description="Rows"), whole_number]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="Page"), whole_number]
Sort = Annotated[str, Field(max_length=80, description="Field, e.g. created_at")]
Order = Annotated[Literal["", "asc", "desc"], Field(description="Direction")]


class Paged(Ask):
    """Which rows of a list are wanted."""

    limit: Limit = 10
    page: PageNumber = 1
    sort: Sort = ""
    order: Order = ""

    def shown(self, fields: Sequence[str] = ()) -> listing.Shown:
        return listing.Shown(self.limit, self.page, self.sort, self.order, fields)


class Search(Paged):
    query: IdText = Field("", description="Text to find")


@tool(effect=Effect.READ, calls=(endpoints.PARTS,))
async def search_parts(desk: Desk, ask: Search) -> listing.Listing:
    """Find parts whose number, description or other fields contain a text.

    Use when a part number is only partly known.
    Not for prices: get_price_for_quantity.
    """
    return await listing.list_kind(desk, "parts", ask.shown(), search=ask.query)


class OnePart(Ask):
    part: PartName


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART, endpoints.PART_PRICE_LISTS))
async def get_part(desk: Desk, ask: OnePart) -> single.PartAnswer:
    """Read one part with every customer's price list of it.

    Use when all breaks or customers of a part are wanted.
    Not for a quantity's price: get_price_for_quantity.
    """
    return await single.part_record(desk, ask.part)


class PriceForQuantity(Ask):
    part: PartName
    quantity: OrderQuantity
    customer: IdText = Field("", description="Name or id; empty: every customer")


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART_PRICE_LISTS))
async def get_price_for_quantity(desk: Desk, ask: PriceForQuantity) -> pricing.PriceAnswer:
    """Price a part at a quantity, exactly, with the next price break.

    Use when someone asks what a quantity of one part costs.
    Not for several parts: price_order_lines.
    """
    return await pricing.price_for_quantity(desk, ask.part, ask.quantity, ask.customer)


class OrderLine(Ask):
    part: PartName
    quantity: OrderQuantity


class PriceOrderLines(Ask):
    customer: CustomerName
    lines: list[OrderLine] = Field(min_length=1, max_length=100, description="Up to 100 lines")


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS, endpoints.PARTS, endpoints.PART_PRICE_LISTS))
async def price_order_lines(desk: Desk, ask: PriceOrderLines) -> quoting.OrderPrices:
    """Price the lines of an order or quote for one customer, with the exact sum.

    Use when several parts are priced together; a line without a price leaves no total.
    Not for one part: get_price_for_quantity.
    """
    lines = [quoting.AskedLine(part=line.part, quantity=line.quantity) for line in ask.lines]
    return await quoting.price_lines(desk, ask.customer, lines)
