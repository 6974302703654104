"""Parts: found, read, created."""

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import parts
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans.part import part_plan
from fraction_mcp.operations.records import listing
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.tools.fields import (
    Line,
    PartName,
    Search,
    ToolInput,
)
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["OnePart", "get_part", "search_parts"]


@tool(effect=Effect.READ, calls=(endpoints.PARTS,))
async def search_parts(context: ErpContext, ask: Search) -> listing.Listing:
    """Find parts whose number, description or other fields contain a text.

    Use when a part number is only partly known.
    Not for prices: get_price_for_quantity.
    """
    return await listing.list_kind(context, "parts", ask.shown(), search=ask.query)


class OnePart(ToolInput):
    part: PartName


@tool(effect=Effect.READ, calls=(endpoints.PARTS, endpoints.PART, endpoints.PART_PRICE_LISTS))
async def get_part(context: ErpContext, ask: OnePart) -> parts.PartResult:
    """Read one part with every customer's price list of it.

    Use when all breaks or customers of a part are wanted.
    Not for a quantity's price: get_price_for_quantity.
    """
    return await parts.part_record(context, ask.part)


class CreatePart(ToolInput):
    part_number: Line = Field(min_length=1, description="Unique, e.g. WIDGET-001")
    description: Line = Field("", description="e.g. Custom widget")
    revision: Line = Field("", description="e.g. A")
    uom: Line = Field("", description="Default EA")
    material: Line = Field("", description="e.g. Stainless Steel")
    category: Line = Field("", description="e.g. Machined Parts")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_PART, endpoints.PARTS))
async def create_part(context: ErpContext, ask: CreatePart) -> Plan:
    """Create a manufactured part, after a person approved it.

    Use when a part number does not exist yet.
    """
    return await part_plan(context, part_number=ask.part_number, fields=ask.model_dump(exclude={"part_number"}))
