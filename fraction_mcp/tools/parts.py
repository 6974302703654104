"""Parts and their prices."""

from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import listing, pricing, quoting
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Ask, IdText, QuantityIn, whole_number
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["Limit", "Order", "PageNumber", "PartName", "Search"]

PartName = Annotated[IdText, Field(min_length=1, description="Part number, e.g. WIDGET-001, or id")]
CustomerName = Annotated[IdText, Field(min_length=1, description="Customer name, e.g. Acme Corp, or id")]
OrderQuantity = Annotated[QuantityIn, Field(description="In the part's unit of measure, e.g. 250")]
Limit = Annotated[int, Field(ge=1, le=100, description="Rows a page"), whole_number]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="Page, from 1"), whole_number]
Sort = Annotated[str, Field(max_length=80, description="Field, e.g. created_at")]
Order = Annotated[Literal["", "asc", "desc"], Field(description="Direction")]


class Search(Ask):
    query: IdText = Field("", description="Text to find; empty lists all")
    limit: Limit = 10
    page: PageNumber = 1
    sort: Sort = ""
    order: Order = ""


@tool(effect=Effect.READ, calls=(endpoints.PARTS,))
async def search_parts(desk: Desk, ask: Search) -> listing.Listing:
    """Find parts whose number, description or other fields contain a text.

    Use when a part is described in words, or its number is only partly known.
    Not for prices (get_price_for_quantity) or one known part (get_part).
    """
    return await listing.list_kind(
        desk, "parts", search=ask.query, limit=ask.limit, page=ask.page, sort=ask.sort, order=ask.order
    )


class OnePart(Ask):
    part: PartName


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART, endpoints.PART_PRICE_LISTS))
async def get_part(desk: Desk, ask: OnePart) -> listing.PartAnswer:
    """Read one part with every customer's price list of it.

    Use when all breaks or all customers of a part are wanted.
    Not for the price of a quantity: get_price_for_quantity works it out exactly.
    """
    return await listing.part_record(desk, ask.part)


class PriceForQuantity(Ask):
    part: PartName
    quantity: OrderQuantity
    customer: IdText = Field("", description="Customer name or id; empty: every customer with a price")


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART_PRICE_LISTS))
async def get_price_for_quantity(desk: Desk, ask: PriceForQuantity) -> pricing.PriceAnswer:
    """Price a part at a quantity, exactly, with the next price break.

    Use when someone asks what a quantity of one part costs, for a customer or in general.
    Not for several parts at once: price_order_lines.
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

    Use when several parts are to be priced together. Lines without a price are named, and then there is no total.
    Not for one part: get_price_for_quantity.
    """
    lines = [quoting.AskedLine(part=line.part, quantity=line.quantity) for line in ask.lines]
    return await quoting.price_lines(desk, ask.customer, lines)
