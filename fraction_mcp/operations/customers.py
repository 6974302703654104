"""One customer with its contacts."""

from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.candidates import CUSTOMER, Candidate, NotOne, Status
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.fitting import whole
from fraction_mcp.operations.naming import counted, with_id
from fraction_mcp.operations.records.detail import BESIDE_OTHERS, what_was_cut
from fraction_mcp.operations.results import ToolResult

__all__ = ["CustomerResult", "customer_record"]


class CustomerResult(ToolResult):
    status: Status
    customer: dict[str, Any] | None = None
    contacts: tuple[dict[str, Any], ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def customer_record(context: ErpContext, reference: str) -> CustomerResult:
    """A customer with its contacts, which the single record carries (`fractionerp-rest-api.txt`)."""
    match = await context.lookup.find(CUSTOMER, reference)
    if isinstance(match, NotOne):
        return CustomerResult(
            summary=match.summary, next=match.next, status=match.status, candidates=tuple(match.candidates)
        )
    record = match.record
    if match.how != "id":  # by id, the single record is already here
        record = (await context.fraction.call(endpoints.CUSTOMER, path={"id": record["id"]})).record()
    sent = record.get("contacts")
    contacts = [contact for contact in sent if isinstance(contact, dict)] if isinstance(sent, list) else []
    customer = whole({name: value for name, value in record.items() if name != "contacts"}, BESIDE_OTHERS)
    beside = whole({"contacts": contacts}, BESIDE_OTHERS)
    fit = [contact for contact in beside.value["contacts"] if isinstance(contact, dict)]
    who = f"Customer {with_id(record, CUSTOMER.key)}, with {counted(len(contacts), 'contact')}"
    return CustomerResult(
        summary=f"{match.remark(CUSTOMER)}{who}{what_was_cut(beside, customer)}.",
        next="The other contacts are to be seen in FractionERP itself." if len(fit) < len(contacts) else "",
        status="found",
        customer=customer.value,
        contacts=tuple(fit),
    )
