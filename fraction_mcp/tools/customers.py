"""Customers and their contacts."""

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import customers
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.plans.contact import contact_plan
from fraction_mcp.operations.records import listing
from fraction_mcp.operations.writes.plan import Plan
from fraction_mcp.tools.fields import (
    CustomerName,
    Line,
    Search,
    ToolInput,
)
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS,))
async def search_customers(context: ErpContext, ask: Search) -> listing.Listing:
    """Find customers whose name or other fields contain a text.

    Use when a name is only partly known.
    Not for contacts: get_customer.
    """
    return await listing.list_kind(context, "customers", ask.shown(), search=ask.query)


class OneCustomer(ToolInput):
    customer: CustomerName


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS, endpoints.CUSTOMER))
async def get_customer(context: ErpContext, ask: OneCustomer) -> customers.CustomerResult:
    """Read one customer with its contacts.

    Use when an address or a contact is wanted.
    Not for a customer's contracts: list_records.
    """
    return await customers.customer_record(context, ask.customer)


class AddContact(ToolInput):
    customer: CustomerName
    name: Line = Field(min_length=1, description="e.g. John Smith")
    email: Line = Field("", description="e.g. john@example.com")
    phone: Line = Field("", description="e.g. +44 123 456 7890")
    job_title: Line = Field("", description="e.g. Buyer")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_CONTACT, endpoints.CUSTOMERS, endpoints.CUSTOMER_CONTACTS))
async def add_contact(context: ErpContext, ask: AddContact) -> Plan:
    """Add a contact to a customer, after a person approved it.

    Use when a new contact is to be kept. It changes no existing one.
    """
    return await contact_plan(
        context, customer=ask.customer, name=ask.name, email=ask.email, phone=ask.phone, job_title=ask.job_title
    )
