"""Enquiries."""

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans.enquiry import enquiry_plan
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.tools.fields import (
    CustomerName,
    IdText,
    Line,
    Note,
    ToolInput,
)
from fraction_mcp.tools.spec import Effect, tool

__all__ = ["CreateEnquiry", "create_enquiry"]


class CreateEnquiry(ToolInput):
    customer: CustomerName
    contact: IdText = Field("", description="Name, e-mail or id")
    customer_ref: Line = Field("", description="e.g. PO-12345")
    notes: Note = Field("", description="Free text")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_CONTRACT, endpoints.CUSTOMERS, endpoints.CONTRACTS))
async def create_enquiry(context: ErpContext, ask: CreateEnquiry) -> Plan:
    """Create an enquiry for a customer, after a person approved it.

    Use when a customer asks for a quote. Its lines are added in FractionERP.
    """
    return await enquiry_plan(
        context, customer=ask.customer, contact=ask.contact, customer_ref=ask.customer_ref, notes=ask.notes
    )
