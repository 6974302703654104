"""What purchasing writes: Fracttal's purchase orders to a warehouse."""

from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import purchasing
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.writes import Plan
from fraction_mcp.shapes import Ask, IdText, MoneyIn, QuantityIn
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []

Code = Annotated[IdText, Field(max_length=120)]


class OrderItem(Ask):
    code: Code = Field(min_length=1, description="Item code, e.g. DEST01")
    quantity: QuantityIn = Field(description="e.g. 9")
    unit_cost: MoneyIn = Field(description='With the tax applied, e.g. "5000"')
    tax_name: Code = Field("", description="e.g. IVA")


class CreateFracttalPurchaseOrder(Ask):
    warehouse_code: Code = Field(min_length=1, description="e.g. 1254")
    document: Code = Field(min_length=1, description="Order reference, e.g. OC_325")
    items: list[OrderItem] = Field(min_length=1, max_length=100, description="Items of this warehouse")
    supplier_code: Code = Field("", description="e.g. SUP-002")
    cost_center_code: Code = Field("", description="Or the description")
    cost_center_description: Code = Field("", description="Or the code")
    delivery_date: Code = Field("", description="YYYY-MM-DD")
    priority: Literal["", "very_high", "high", "medium", "low", "very_low"] = Field("", description="Urgency")
    description: str = Field("", max_length=4_000, description="Notes")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_WAREHOUSE_ORDER,))
async def create_fracttal_purchase_order(desk: Desk, ask: CreateFracttalPurchaseOrder) -> Plan:
    """Create a purchase order to a Fracttal warehouse, after a person approved it.

    Use when maintenance items are to be ordered. The currency is the company's default; totals are worked out here.
    """
    order = purchasing.WarehouseOrder(
        items=[purchasing.OrderItem(item.code, item.quantity, item.unit_cost, item.tax_name) for item in ask.items],
        **ask.model_dump(exclude={"items"}),
    )
    return await purchasing.warehouse_order_plan(desk, order)
