"""Customers and their contacts."""

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import listing, single
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Ask
from fraction_mcp.tools.parts import CustomerName, Search
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS,))
async def search_customers(desk: Desk, ask: Search) -> listing.Listing:
    """Find customers whose name or other fields contain a text.

    Use when a name is only partly known.
    Not for contacts: get_customer.
    """
    return await listing.list_kind(desk, "customers", ask.shown(), search=ask.query)


class OneCustomer(Ask):
    customer: CustomerName


@tool(effect=Effect.READ, calls=(endpoints.CUSTOMERS, endpoints.CUSTOMER))
async def get_customer(desk: Desk, ask: OneCustomer) -> single.CustomerAnswer:
    """Read one customer with its contacts.

    Use when an address or a contact is wanted.
    Not for a customer's contracts: list_records.
    """
    return await single.customer_record(desk, ask.customer)
