"""The plan for a customer's contact (`fractionerp-rest-api.txt`, Create Customer Contact)."""

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
    namesakes = [one for one in contacts if normalised(one.get("name")) == normalised(name)]
    mailmates = [one for one in contacts if email and normalised(one.get("email") or "") == normalised(email)]
    same = [
        one
        for one in namesakes
        if all(normalised(one.get(field) or "") == normalised(body.get(field, "")) for field in _HELD)
    ]
    warnings = [f"This very contact is there already {id_of(one)}; a second one would be added." for one in same]
    warnings += [
        f"This customer already has a contact called {exactly(name)} {id_of(one)}, who stays as they are."
        for one in namesakes
        if one not in same
    ]
    warnings += [
        f"The e-mail {exactly(email)} is already that of {quoted(str(one.get('name')))} {id_of(one)}."
        for one in mailmates
        if one not in same
    ]
    warnings += [] if whole else [NOT_ALL]
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
        warnings=warnings,
        reads=called,
        writes=called,
        basis={"alike": sorted(str(one.get("id")) for one in (*namesakes, *mailmates))},
        look=LookFor(
            endpoints.CUSTOMER_CONTACTS,
            {"name": name, **given(email=email)},
            unlike=given(phone=phone, job_title=job_title),
            path={"id": buyer["id"]},
            query={"per_page": 100, "page": 1},
            known=[one.get("id") for one in contacts] if whole else None,
        ),
    )
