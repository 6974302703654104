"""What purchasing writes: Fracttal's purchase orders to a warehouse."""

from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans import warehouse_order
from fraction_mcp.operations.records import fracttal_orders, listing
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.tools.fields import (
    IdText,
    Limit,
    MoneyIn,
    PageNumber,
    QuantityIn,
    ToolInput,
    visible_code,
    visible_line,
    visible_text,
)
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []

Code = Annotated[IdText, Field(max_length=120)]
SentLine = Annotated[Code, visible_line]
SentCode = Annotated[Code, visible_code]  # of what Fracttal holds
Note = Annotated[str, Field(max_length=4_000), visible_text]


class ListFracttalPurchaseOrders(ToolInput):
    warehouse_code: Code = Field("", description="e.g. 1254; empty: all")
    since: Code = Field("", description="YYYY-MM-DD")
    until: Code = Field("", description="YYYY-MM-DD")
    document: Code = Field("", description="e.g. OC_325")
    limit: Limit = 10
    page: PageNumber = 1


@tool(effect=Effect.READ, calls=(endpoints.WAREHOUSE_ORDERS,))
async def list_fracttal_purchase_orders(
    context: ErpContext, ask: ListFracttalPurchaseOrders
) -> fracttal_orders.FracttalOrders:
    """List Fracttal's warehouse purchase orders, without their lines.

    Use when maintenance orders are asked for; without dates, the last 30 days.
    Not for FractionERP's purchase orders: list_records.
    """
    return await fracttal_orders.list_fracttal_orders(
        context,
        warehouse_code=ask.warehouse_code,
        since=ask.since,
        until=ask.until,
        document=ask.document,
        shown=listing.Shown(ask.limit, ask.page),
    )


class OrderItem(ToolInput):
    code: SentCode = Field(min_length=1, description="e.g. DEST01")
    quantity: QuantityIn = Field(description="e.g. 9")
    unit_cost: MoneyIn = Field(description='With the tax applied, e.g. "5000"')
    tax_name: SentLine = Field("", description="e.g. IVA")


class CreateFracttalPurchaseOrder(ToolInput):
    warehouse_code: SentCode = Field(min_length=1, description="e.g. 1254")
    document: SentLine = Field(min_length=1, description="e.g. OC_325")
    items: list[OrderItem] = Field(min_length=1, max_length=100, description="In this warehouse")
    supplier_code: SentCode = Field("", description="e.g. SUP-002")
    cost_center_code: SentCode = Field("", description="Or the description")
    cost_center_description: SentLine = Field("", description="Or the code")
    delivery_date: SentLine = Field("", description="YYYY-MM-DD")
    priority: Literal["", "very_high", "high", "medium", "low", "very_low"] = Field("", description="Urgency")
    description: Note = Field("", description="Notes")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_WAREHOUSE_ORDER,))
async def create_fracttal_purchase_order(context: ErpContext, ask: CreateFracttalPurchaseOrder) -> Plan:
    """Create a purchase order to a Fracttal warehouse, after a person approved it.

    Use when maintenance items are to be ordered, in the company's default currency.
    """
    order = warehouse_order.WarehouseOrder(
        items=[
            warehouse_order.OrderItem(item.code, item.quantity, item.unit_cost, item.tax_name) for item in ask.items
        ],
        **ask.model_dump(exclude={"items"}),
    )
    return await warehouse_order.warehouse_order_plan(context, order)
