"""The plan for a Fracttal purchase order to a warehouse (`fracttal-create-purchase-orders.txt`).

Quantities go out as text, costs as numbers, and each line's total is worked out here, exactly. What Fracttal's lists
tell of the order beforehand is `warehouse_facts`'s to say.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import System
from fraction_mcp.errors import InputError
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans.warehouse_facts import Sought, WarehouseFacts
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import Leeway, LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.decimals import exact_product, exact_sum, plain
from fraction_mcp.values.text import exactly, quoted

__all__ = ["PRIORITIES", "OrderItem", "WarehouseOrder", "warehouse_order_plan"]

PRIORITIES: Mapping[str, int] = {"very_high": 1, "high": 2, "medium": 3, "low": 4, "very_low": 5}
_SEEN_BEFORE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """`unit_cost` has the tax applied already."""

    code: str
    quantity: Decimal
    unit_cost: Decimal
    tax_name: str


@dataclass(frozen=True, slots=True)
class WarehouseOrder:
    """What was asked for; an empty text is not sent."""

    warehouse_code: str
    document: str
    items: Sequence[OrderItem]
    supplier_code: str
    cost_center_code: str
    cost_center_description: str
    delivery_date: str
    priority: str
    description: str


async def warehouse_order_plan(context: ErpContext, order: WarehouseOrder) -> Plan:
    """Raises InputError for a date that is none, AmbiguousReference for a warehouse or items that are not there."""
    erp = context.erp(System.FRACTTAL)
    due = _due(order.delivery_date)
    day = datetime.fromtimestamp(context.clock()).astimezone().date()
    items = [item.code for item in order.items]
    recent = _recent(order, day, due)
    known = await WarehouseFacts.read(
        erp, Sought(order.warehouse_code, items, order.supplier_code, order.document, recent)
    )
    total = exact_sum(exact_product(item.unit_cost, item.quantity) for item in order.items)
    document = [thing("order", order.warehouse_code, order.document)]
    return Plan(
        reads=document,
        writes=document,
        title=f"Order {'1 item' if len(order.items) == 1 else f'{len(order.items)} items'} under "
        f"{exactly(order.document)} for the warehouse {exactly(order.warehouse_code)}",
        endpoint=endpoints.CREATE_WAREHOUSE_ORDER,
        path={"code": order.warehouse_code},
        body=_body(order),
        preview=[*_preview(order), Change(field="total", before=None, after=plain(total, 2))],
        notes=known.notes,
        warnings=[*known.warnings, *_twice(order)],
        look=LookFor(
            endpoints.WAREHOUSE_ORDERS,
            {"document": order.document},
            unlike=_answered(order),
            # The document's own sample answers with another cost than was sent.
            leeway=Leeway(told=("unit_cost",)),
            query=recent,
            known=None if known.same is None else [earlier.get("id") for earlier in known.same],
        ),
    )


def _twice(order: WarehouseOrder) -> list[str]:
    counts = Counter(item.code for item in order.items)
    return [f"{exactly(code)} is ordered in {count} lines." for code, count in counts.items() if count > 1]


def _due(text: str) -> date | None:
    if not text:
        return None
    try:
        # strptime with its strict width: fromisoformat would also take 20261231, which the document does not
        return datetime.strptime(text.zfill(10), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise InputError({"delivery_date": f"must be a date such as 2026-12-31, not {quoted(text)}"}) from None


def _body(order: WarehouseOrder) -> dict[str, Any]:
    """The documented names; the document's own sample sends `cost_center`, which its table does not know."""
    optional: dict[str, Any] = {
        "code_third_party": order.supplier_code,
        "value_cost_center": order.cost_center_code,
        "description_cost_center": order.cost_center_description,
        "date": order.delivery_date,
        "description": order.description,
    }
    body: dict[str, Any] = {"document": order.document, "items": [_line(item) for item in order.items]}
    body |= {name: value for name, value in optional.items() if value}
    if order.priority:
        body["id_priority"] = PRIORITIES[order.priority]
    return body


def _answered(order: WarehouseOrder) -> dict[str, Any]:
    """What the record of this order says under names of its own, where it says it (Output parameters)."""
    optional: dict[str, Any] = {
        "third_parties_code": order.supplier_code,
        "costs_center_value": order.cost_center_code,
        "costs_center_description": order.cost_center_description,
        "description": order.description,
        "id_priority": PRIORITIES.get(order.priority),
    }
    items = [{"code": item.code, "qty": item.quantity, "unit_cost": item.unit_cost} for item in order.items]
    return {name: value for name, value in optional.items() if value} | {"movement_details": items}


def _line(item: OrderItem) -> dict[str, Any]:
    return {
        "code": item.code,
        "qty": plain(item.quantity),
        "unit_cost": item.unit_cost,
        "total_cost": exact_product(item.unit_cost, item.quantity),
        **({"tax_name": item.tax_name} if item.tax_name else {}),
    }


def _preview(order: WarehouseOrder) -> list[Change]:
    shown = {
        "warehouse": order.warehouse_code,
        "document": order.document,
        "supplier": order.supplier_code,
        "cost center": order.cost_center_code,
        "cost center's description": order.cost_center_description,
        "delivery date": order.delivery_date or "the time of creation (Fracttal's default)",
        "priority": order.priority.replace("_", " "),
        "description": order.description,
        "currency": "the company's default in Fracttal (not stated)",
        "tax": "already in each unit cost",
    }
    rows = [Change(field=name, before=None, after=spelt_out(value)) for name, value in shown.items() if value]
    for number, item in enumerate(order.items, start=1):
        total = exact_product(item.unit_cost, item.quantity)
        tax = f", tax {exactly(item.tax_name)}" if item.tax_name else ""
        words = f"{plain(item.quantity)} × {plain(item.unit_cost, 2)} = {plain(total, 2)}{tax}"
        rows.append(Change(field=f"item {number}", before=None, after=f"{exactly(item.code)}: {words}"))
    return rows


def _recent(order: WarehouseOrder, day: date, due: date | None) -> dict[str, str | int]:
    """The orders of this warehouse around now. Without dates Fracttal answers for the last 30 days only."""
    until = max(day, due or day) + timedelta(days=1)
    return {
        "warehouse_code": order.warehouse_code,
        "since": (day - _SEEN_BEFORE).isoformat(),
        "until": until.isoformat(),
        "start": 0,
        "limit": 100,
    }
