"""Every kind of record that FractionERP lists."""

from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import listing
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Ask, IdText
from fraction_mcp.tools.parts import Limit, Order, PageNumber, Sort
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["Kind"]

Kind = Annotated[
    Literal["customers", "parts", "contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices"],
    Field(description="Kind of record"),
]


class ListRecords(Ask):
    kind: Kind
    search: IdText = Field("", description="Text to find")
    limit: Limit = 10
    page: PageNumber = 1
    sort: Sort = ""
    order: Order = ""
    fields: list[Annotated[str, Field(min_length=1, max_length=120)]] = Field(
        [], max_length=40, description='Columns, e.g. ["status", "customer.name"]; ["*"] for all'
    )


@tool(effect=Effect.READ, calls=tuple(listing for listing, _ in endpoints.KINDS.values()))
async def list_records(desk: Desk, ask: ListRecords) -> listing.Listing:
    """List records of any kind as a table, a page at a time; contracts are enquiries, quotes and sales orders.

    Use when contracts, work orders, purchase orders, shipments, invoices or boms are asked for.
    Not for parts by text (search_parts) or all fields of one record (get_record).
    """
    return await listing.list_kind(
        desk,
        ask.kind,
        search=ask.search,
        limit=ask.limit,
        page=ask.page,
        sort=ask.sort,
        order=ask.order,
        fields=ask.fields,
    )


class GetRecord(Ask):
    kind: Kind
    id: IdText = Field(min_length=1, description="Numeric id from a list, e.g. 653")


@tool(effect=Effect.READ, calls=tuple(single for _, single in endpoints.KINDS.values()))
async def get_record(desk: Desk, ask: GetRecord) -> listing.RecordAnswer:
    """Read one record of any kind, with all its fields and lines.

    Use when the id is known from a list.
    Not for a part or customer known by number or name: get_part, get_customer.
    """
    return await listing.one_record(desk, ask.kind, ask.id)
