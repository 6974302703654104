"""The plan for a customer's contact (`fractionerp-rest-api.txt`, Create Customer Contact)."""

from collections.abc import Iterator, Sequence
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.errors import InputError
from fraction_mcp.operations.candidates import CUSTOMER
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.naming import id_of, with_id
from fraction_mcp.operations.plans.named import NOT_ALL, contacts_of, exactly_one, given
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.text import exactly, normalised, quoted

__all__ = ["contact_plan"]

_HELD = ("name", "email", "phone", "job_title")  # what a contact holds, as far as it can be sent


async def contact_plan(
    context: ErpContext, *, customer: str, name: str, email: str, phone: str, job_title: str
) -> Plan:
    """Create Customer Contact. No uniqueness is documented: a second one, even one that is the same throughout, is a
    warning."""
    if email and ("@" not in email.strip("@") or any(c.isspace() for c in email)):
        raise InputError({"email": f"must be an e-mail address such as jo@example.com, not {quoted(email)}"})
    buyer = await exactly_one(context, CUSTOMER, customer, "customer")
    body = {"name": name, **given(email=email, phone=phone, job_title=job_title)}
    contacts, whole = await contacts_of(context, buyer["id"])
    alike = _Alike(contacts, body)
    called = [thing("contact", buyer["id"], each) for each in (name, email) if each]
    return Plan(
        title=f"Add {exactly(name)} to the contacts of {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTACT,
        path={"id": buyer["id"]},
        body=body,
        preview=[
            Change(field="customer", before=None, after=with_id(buyer)),
            *(Change(field=field, before=None, after=spelt_out(value)) for field, value in body.items()),
        ],
        warnings=[*alike.warnings(), *([] if whole else [NOT_ALL])],
        reads=called,
        writes=called,
        basis={"alike": sorted(str(contact.get("id")) for contact in (*alike.by_name, *alike.by_email))},
        look=LookFor(
            endpoints.CUSTOMER_CONTACTS,
            {"name": name, **given(email=email)},
            unlike=given(phone=phone, job_title=job_title),
            path={"id": buyer["id"]},
            query={"per_page": 100, "page": 1},
            known=[contact.get("id") for contact in contacts] if whole else None,
        ),
    )


class _Alike:
    """Which contacts are there already that somebody could mean by this one: of its name, and of its e-mail."""

    def __init__(self, contacts: Sequence[dict[str, Any]], body: dict[str, Any]) -> None:
        self._body = body
        self.by_name = [each for each in contacts if self._agrees(each, "name")]
        self.by_email = [each for each in contacts if body.get("email") and self._agrees(each, "email")]

    def warnings(self) -> Iterator[str]:
        same = [each for each in self.by_name if all(self._agrees(each, field) for field in _HELD)]
        for each in same:
            yield f"This very contact is there already {id_of(each)}; a second one would be added."
        name, email = (exactly(str(self._body.get(field, ""))) for field in ("name", "email"))
        for each in self.by_name:
            if each not in same:
                yield f"This customer already has a contact called {name} {id_of(each)}, who stays as they are."
        for each in self.by_email:
            if each not in same:
                yield f"The e-mail {email} is already that of {quoted(str(each.get('name')))} {id_of(each)}."

    def _agrees(self, contact: dict[str, Any], field: str) -> bool:
        return normalised(contact.get(field) or "") == normalised(self._body.get(field, ""))
