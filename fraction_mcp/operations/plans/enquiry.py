"""The plan for an enquiry (`fractionerp-rest-api.txt`, Create Enquiry). Reads that only inform may fail: the plan then
says so."""

from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.paths import at_path
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import ErpError
from fraction_mcp.operations.candidates import CUSTOMER
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.naming import with_id
from fraction_mcp.operations.plans.named import NOT_ALL, contacts_of, exactly_one, given, the_contact
from fraction_mcp.operations.records.fresh_pages import MOST, read_fresh_pages
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.text import clean, exactly, normalised, quoted

__all__ = ["enquiry_plan"]


_NOT_ALL_REFERENCES = f"Only the first {MOST:,} enquiries with such a reference were looked at."


async def enquiry_plan(context: ErpContext, *, customer: str, contact: str, customer_ref: str, notes: str) -> Plan:
    """Create Enquiry: the customer and contact by their ids; FractionERP gives the quote number."""
    buyer = await exactly_one(context, CUSTOMER, customer, "customer")
    body: dict[str, Any] = {"customer_id": buyer["id"], **given(customer_ref=customer_ref, notes=notes)}
    preview = [Change(field="customer", before=None, after=with_id(buyer))]
    whole = True
    if contact:
        contacts, whole = await contacts_of(context, buyer["id"])
        person = the_contact(contacts, contact, whole=whole, of=buyer["id"])
        body["customer_contact_id"] = person["id"]
        preview.append(Change(field="contact", before=None, after=with_id(person)))
    for name, value in given(customer_ref=customer_ref, notes=notes).items():
        preview.append(Change(field=name, before=None, after=spelt_out(value)))
    reads = [thing("contact", buyer["id"], contact)] if contact else []
    again = [thing("enquiry", buyer["id"], customer_ref)] if customer_ref else []
    known, same, warnings, unread = await _same_reference(context, buyer, customer_ref)
    warnings += [] if whole else [NOT_ALL]
    return Plan(
        title=f"Create an enquiry for {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTRACT,
        body=body,
        preview=preview,
        warnings=warnings,
        basis={"same_reference": same},
        unread=unread,
        reads=[*reads, *again],
        writes=again,
        look=LookFor(
            endpoints.CONTRACTS,
            {"customer.id": buyer["id"], "customer_ref": customer_ref or None},
            unlike={"notes": notes or None, "customer_contact_id": body.get("customer_contact_id")},
            query={"search": customer_ref or str(buyer.get("name") or ""), "per_page": 100, "page": 1},
            known=known,
            telling=bool(customer_ref),  # without one nothing tells it from another enquiry of the same customer
        ),
    )


async def _same_reference(
    context: ErpContext, buyer: Record, customer_ref: str
) -> tuple[list[Any] | None, list[str] | str, list[str], ErpError | None]:
    """The ids of the enquiries with such a reference (None where not all are known), those of this very one, what a
    person should know of them, and why they could not be read."""
    search: dict[str, str | int] = {"search": customer_ref or str(buyer.get("name") or "")}
    try:
        if customer_ref:
            there, whole = await read_fresh_pages(context.fraction, endpoints.CONTRACTS, search)
        else:  # none is known again: those of one page may show that an answer tells of an old one
            first = {**search, "per_page": 100, "page": 1}
            answer = await context.fraction.call(endpoints.CONTRACTS, query=first, fresh=True)
            return [record.get("id") for record in answer.records()], [], [], None
    except ErpError as error:
        return None, "not known", ["Whether an enquiry with this reference exists could not be checked."], error
    same = [record for record in there if _is_same_enquiry(record, buyer, customer_ref)]
    warnings = [] if whole else [_NOT_ALL_REFERENCES]
    for record in same[:3]:
        number = clean(str(record.get("quote_number") or record.get("id")), 40)
        warnings.append(f"{number} of this customer already has the reference {exactly(customer_ref)}.")
    known = [record.get("id") for record in there] if whole else None
    return known, sorted(str(record.get("id")) for record in same), warnings, None


def _is_same_enquiry(record: Record, buyer: Record, customer_ref: str) -> bool:
    return at_path(record, "customer.id") == buyer["id"] and normalised(record.get("customer_ref")) == normalised(
        customer_ref
    )
