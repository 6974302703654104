"""What several plans need: the one record that was named, what was given, a customer's contacts."""

from collections.abc import Sequence
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import Record, id_key, shown_id
from fraction_mcp.errors import AmbiguousReference
from fraction_mcp.operations.candidates import Candidate, NotOne, Subject
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.records.fresh_pages import MOST, read_fresh_pages
from fraction_mcp.operations.writes.plan import thing
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["NOT_ALL", "contacts_of", "exactly_one", "given", "the_contact"]

NOT_ALL = f"Only the first {MOST:,} contacts of this customer were looked at."


async def exactly_one(context: ErpContext, subject: Subject, reference: str, argument: str) -> Record:
    """Exactly the record that was named, read anew. Raises AmbiguousReference: a write never rests on a near match."""
    match = await context.lookup.find(subject, reference, strict=True, argument=argument)
    if isinstance(match, NotOne):
        raise AmbiguousReference(
            match.summary,
            next_step=match.next,
            status=match.status,
            candidates=match.candidates,
            sought=thing(subject.noun, reference),
        )
    return match.record


def given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


async def contacts_of(context: ErpContext, customer_id: Any) -> tuple[list[Record], bool]:
    """A customer's contacts, read anew, and whether they are all.

    A single customer comes with its contacts (`fractionerp-rest-api.txt`): all in one request. Where it does not, their
    own list is paged through.
    """
    path = {"id": customer_id}
    held = (await context.fraction.call(endpoints.CUSTOMER, path=path, fresh=True)).record().get("contacts")
    if isinstance(held, list) and all(
        isinstance(contact, dict) and id_key(contact.get("id")) is not None for contact in held
    ):
        return held, True
    return await read_fresh_pages(context.fraction, endpoints.CUSTOMER_CONTACTS, {}, path=path)


def the_contact(contacts: Sequence[Record], reference: str, *, whole: bool, of: object) -> Record:
    """The contact of that name, e-mail or id among the own ones of a customer, whose id is `of`."""
    for hits in (
        [
            contact
            for contact in contacts
            if normalised(reference) in {normalised(contact.get("name")), normalised(contact.get("email") or "\0")}
        ],
        [contact for contact in contacts if str(contact.get("id")) == reference.strip()],
    ):
        if len(hits) == 1:
            return hits[0]
        if hits:
            break
    shown = hits or contacts
    raise AmbiguousReference(
        f"{len(hits)} contacts of this customer are called {quoted(reference)}."
        if hits
        else f"This customer has no contact called {quoted(reference)}."
        if whole
        else f"None of the first {MOST:,} contacts of this customer is called {quoted(reference)}.",
        sought=thing("contact", of, reference),
        next_step="Ask which contact is meant, or leave the contact out.",
        status="ambiguous" if hits else "not_found",
        candidates=[
            Candidate(
                argument="contact",
                id=shown_id(contact),
                name=clean(str(contact.get("name") or "")),
                description=clean(str(contact.get("email") or ""), 80),
            )
            for contact in shown[:10]
        ],
    )
