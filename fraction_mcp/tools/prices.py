"""Prices: of one part, and of the lines of an order; a customer's price list."""

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans.price_list import AskedPrices, price_list_plan
from fraction_mcp.operations.pricing import one_part, order_lines
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.tools.fields import (
    CustomerName,
    IdText,
    Line,
    MoneyIn,
    OptionalMoneyIn,
    OrderQuantity,
    PartName,
    PercentIn,
    QuantityIn,
    ToolInput,
)
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["OrderLine", "PriceForQuantity", "PriceOrderLines", "get_price_for_quantity", "price_order_lines"]


class PriceForQuantity(ToolInput):
    part: PartName
    quantity: OrderQuantity
    customer: IdText = Field("", description="Name or id; empty: every customer")


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART_PRICE_LISTS))
async def get_price_for_quantity(context: ErpContext, ask: PriceForQuantity) -> one_part.PriceResult:
    """Price a part at a quantity, exactly, with the next price break.

    Use when someone asks what a quantity of one part costs.
    Not for several parts: price_order_lines.
    """
    return await one_part.price_for_quantity(context, ask.part, ask.quantity, ask.customer)


class OrderLine(ToolInput):
    part: PartName
    quantity: OrderQuantity


class PriceOrderLines(ToolInput):
    customer: CustomerName
    lines: list[OrderLine] = Field(min_length=1, max_length=100, description="Up to 100 lines")


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS, endpoints.PARTS, endpoints.PART_PRICE_LISTS))
async def price_order_lines(context: ErpContext, ask: PriceOrderLines) -> order_lines.OrderPrices:
    """Price the lines of an order or quote for one customer, with the exact sum.

    Use when several parts are priced together; a line without a price leaves no total.
    Not for one part: get_price_for_quantity.
    """
    lines = [order_lines.AskedLine(part=line.part, quantity=line.quantity) for line in ask.lines]
    return await order_lines.price_lines(context, ask.customer, lines)


class PriceBreak(ToolInput):
    quantity: QuantityIn = Field(description="From, e.g. 100")
    unit_price: MoneyIn = Field(description='e.g. "10.00"')


class SetPriceList(ToolInput):
    part: PartName
    customer: CustomerName
    price_breaks: list[PriceBreak] = Field([], max_length=100, description="All that shall hold")
    keep_other_breaks: bool = Field(False, description="Keep those not named")
    change_percent: PercentIn = Field("", validate_default=True, description='Instead of breaks, e.g. "-2.5"')
    selling_price: OptionalMoneyIn = Field("", validate_default=True, description='e.g. "10.50"; empty: unchanged')
    customer_part_number: Line = Field("", description="Empty: unchanged")


@tool(
    effect=Effect.REPLACE,
    calls=(endpoints.SET_PRICE_LIST, endpoints.PARTS, endpoints.CUSTOMERS, endpoints.PART_PRICE_LISTS),
)
async def set_price_list(context: ErpContext, ask: SetPriceList) -> Plan:
    """Replace a customer's price breaks of a part, in base currency, after a person approved it.

    Use when prices change: by new breaks (those left out disappear), or all by a percentage.
    """
    requested = AskedPrices(
        breaks=[(step.quantity, step.unit_price) for step in ask.price_breaks],
        keep_others=ask.keep_other_breaks,
        percent=ask.change_percent,
        selling_price=ask.selling_price,
        customer_part_number=ask.customer_part_number,
    )
    return await price_list_plan(context, part=ask.part, customer=ask.customer, requested=requested)
