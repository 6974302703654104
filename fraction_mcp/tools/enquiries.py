"""What sales write: enquiries, contacts, parts, price lists."""

from typing import Annotated

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations import selling
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.writes import Plan
from fraction_mcp.shapes import Ask, IdText, MoneyIn, OptionalMoneyIn, QuantityIn, visible_line, visible_text
from fraction_mcp.tools.parts import CustomerName, PartName
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []

Line = Annotated[str, Field(max_length=200), visible_line]
Note = Annotated[str, Field(max_length=4_000), visible_text]


class CreateEnquiry(Ask):
    customer: CustomerName
    contact: IdText = Field("", description="Name, e-mail or id")
    customer_ref: Line = Field("", description="e.g. PO-12345")
    notes: Note = Field("", description="Free text")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_CONTRACT, endpoints.CUSTOMERS, endpoints.CONTRACTS))
async def create_enquiry(desk: Desk, ask: CreateEnquiry) -> Plan:
    """Create an enquiry for a customer, after a person approved it.

    Use when a customer asks for a quote. Its lines are added in FractionERP.
    """
    return await selling.enquiry_plan(
        desk, customer=ask.customer, contact=ask.contact, customer_ref=ask.customer_ref, notes=ask.notes
    )


class AddContact(Ask):
    customer: CustomerName
    name: Line = Field(min_length=1, description="e.g. John Smith")
    email: Line = Field("", description="e.g. john@example.com")
    phone: Line = Field("", description="e.g. +44 123 456 7890")
    job_title: Line = Field("", description="e.g. Buyer")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_CONTACT, endpoints.CUSTOMERS, endpoints.CUSTOMER_CONTACTS))
async def add_contact(desk: Desk, ask: AddContact) -> Plan:
    """Add a contact to a customer, after a person approved it.

    Use when a new contact is to be kept.
    """
    return await selling.contact_plan(
        desk, customer=ask.customer, name=ask.name, email=ask.email, phone=ask.phone, job_title=ask.job_title
    )


class CreatePart(Ask):
    part_number: Line = Field(min_length=1, description="Unique, e.g. WIDGET-001")
    description: Line = Field("", description="e.g. Custom widget")
    revision: Line = Field("", description="e.g. A")
    uom: Line = Field("", description="Default EA")
    material: Line = Field("", description="e.g. Stainless Steel")
    category: Line = Field("", description="e.g. Machined Parts")


@tool(effect=Effect.CREATE, calls=(endpoints.CREATE_PART, endpoints.PARTS))
async def create_part(desk: Desk, ask: CreatePart) -> Plan:
    """Create a manufactured part, after a person approved it.

    Use when a part number does not exist yet.
    """
    return await selling.part_plan(desk, part_number=ask.part_number, fields=ask.model_dump(exclude={"part_number"}))


class PriceBreak(Ask):
    quantity: QuantityIn = Field(description="From, e.g. 100")
    unit_price: MoneyIn = Field(description='e.g. "10.00"')


class SetPriceList(Ask):
    part: PartName
    customer: CustomerName
    price_breaks: list[PriceBreak] = Field(min_length=1, max_length=100, description="All that shall hold")
    selling_price: OptionalMoneyIn = Field("", validate_default=True, description='e.g. "10.50"; empty: unchanged')
    customer_part_number: Line = Field("", description="Empty: unchanged")


@tool(
    effect=Effect.REPLACE,
    calls=(endpoints.SET_PRICE_LIST, endpoints.PARTS, endpoints.CUSTOMERS, endpoints.PART_PRICE_LISTS),
)
async def set_price_list(desk: Desk, ask: SetPriceList) -> Plan:
    """Replace all price breaks of a part for a customer, in base currency, after a person approved it.

    Use when prices change. Breaks left out disappear: read them with get_part first.
    """
    return await selling.price_list_plan(
        desk,
        part=ask.part,
        customer=ask.customer,
        breaks=[(step.quantity, step.unit_price) for step in ask.price_breaks],
        selling_price=ask.selling_price,
        customer_part_number=ask.customer_part_number,
    )
