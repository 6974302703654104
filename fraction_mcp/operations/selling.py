"""Plans for what sales write: an enquiry, a contact, a part, a customer's price list.

Each follows `fractionerp-rest-api.txt`, Write Endpoints. Reads that only inform may fail: the plan then says so.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from fraction_mcp.characters import spelt_out
from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import PriceList, Record, id_key, shown_id
from fraction_mcp.errors import AmbiguousReference, Duplicate, ErpError, InputError
from fraction_mcp.operations import repricing
from fraction_mcp.operations.anew import MOST, read_anew
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, NotOne, Subject, fold
from fraction_mcp.operations.present import at_path
from fraction_mcp.operations.pricing import price_lists
from fraction_mcp.operations.readback import Leeway, LookFor
from fraction_mcp.operations.repricing import listed, money
from fraction_mcp.operations.writes import Change, Plan
from fraction_mcp.shapes import clean, exactly, plain, quoted

__all__ = ["Break", "contact_plan", "enquiry_plan", "part_plan", "price_list_plan"]

Break = tuple[Decimal, Decimal]
"""A price break: quantity and unit price."""
_HELD = ("name", "email", "phone", "job_title")  # what a contact holds, as far as it can be sent
_NOT_ALL = f"Only the first {MOST:,} contacts of this customer were looked at."
_NOT_ALL_REFERENCES = f"Only the first {MOST:,} enquiries with such a reference were looked at."


async def _one(desk: Desk, subject: Subject, said: str, argument: str) -> Record:
    """Exactly the record that was named, read anew. Raises AmbiguousReference: a write never rests on a near match."""
    found = await desk.lookup.find(subject, said, strict=True, argument=argument)
    if isinstance(found, NotOne):
        raise AmbiguousReference(found.summary, next_step=found.next, status=found.status, candidates=found.candidates)
    return found.record


def _named(record: Record, key: str = "name") -> str:
    return f"{quoted(str(record.get(key) or ''), 120)} {_numbered(record)}"


def _numbered(record: Record) -> str:
    """The id of a record, which a text may be: anyone's, and so cleaned."""
    return f"(id {clean(str(record.get('id')), 80)})"


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


# ------------------------------------------------------------------------------------------------------------ enquiry


async def enquiry_plan(desk: Desk, *, customer: str, contact: str, customer_ref: str, notes: str) -> Plan:
    """Create Enquiry: the customer and contact by their ids; FractionERP gives the quote number."""
    buyer = await _one(desk, CUSTOMER, customer, "customer")
    body: dict[str, Any] = {"customer_id": buyer["id"], **_given(customer_ref=customer_ref, notes=notes)}
    preview = [Change(field="customer", before=None, after=_named(buyer))]
    whole = True
    if contact:
        contacts, whole = await _contacts(desk, buyer["id"])
        person = _the_contact(contacts, contact, whole=whole)
        body["customer_contact_id"] = person["id"]
        preview.append(Change(field="contact", before=None, after=_named(person)))
    for name, value in _given(customer_ref=customer_ref, notes=notes).items():
        preview.append(Change(field=name, before=None, after=spelt_out(value)))
    known, same, warnings = await _same_reference(desk, buyer, customer_ref)
    warnings += [] if whole else [_NOT_ALL]
    return Plan(
        title=f"Create an enquiry for {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTRACT,
        body=body,
        preview=preview,
        warnings=warnings,
        basis={"same_reference": same},
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
    desk: Desk, buyer: Record, customer_ref: str
) -> tuple[list[Any] | None, list[str] | str, list[str]]:
    """The ids of the enquiries with such a reference (None where not all are known), those of this very one, and what a
    person should know of them."""
    search: dict[str, str | int] = {"search": customer_ref or str(buyer.get("name") or "")}
    try:
        if customer_ref:
            there, whole = await read_anew(desk.fraction, endpoints.CONTRACTS, search)
        else:  # none is known again: those of one page may show that an answer tells of an old one
            first = {**search, "per_page": 100, "page": 1}
            answer = await desk.fraction.call(endpoints.CONTRACTS, query=first, fresh=True)
            return [record.get("id") for record in answer.records()], [], []
    except ErpError:
        return None, "not known", ["Whether an enquiry with this reference exists could not be checked."]
    same = [record for record in there if _is_same_enquiry(record, buyer, customer_ref)]
    warnings = [] if whole else [_NOT_ALL_REFERENCES]
    for record in same[:3]:
        number = clean(str(record.get("quote_number") or record.get("id")), 40)
        warnings.append(f"{number} of this customer already has the reference {exactly(customer_ref)}.")
    known = [record.get("id") for record in there] if whole else None
    return known, sorted(str(record.get("id")) for record in same), warnings


def _is_same_enquiry(record: Record, buyer: Record, customer_ref: str) -> bool:
    return at_path(record, "customer.id") == buyer["id"] and fold(record.get("customer_ref")) == fold(customer_ref)


async def _contacts(desk: Desk, customer_id: Any) -> tuple[list[Record], bool]:
    """A customer's contacts, read anew, and whether they are all.

    A single customer comes with its contacts (`fractionerp-rest-api.txt`): all in one request. Where it does not, their
    own list is paged through.
    """
    path = {"id": customer_id}
    held = (await desk.fraction.call(endpoints.CUSTOMER, path=path, fresh=True)).record().get("contacts")
    if isinstance(held, list) and all(isinstance(one, dict) and id_key(one.get("id")) is not None for one in held):
        return held, True
    return await read_anew(desk.fraction, endpoints.CUSTOMER_CONTACTS, {}, path=path)


def _the_contact(contacts: Sequence[Record], said: str, *, whole: bool) -> Record:
    """The contact of that name, e-mail or id among the customer's own."""
    for hits in (
        [one for one in contacts if fold(said) in {fold(one.get("name")), fold(one.get("email") or "\0")}],
        [one for one in contacts if str(one.get("id")) == said.strip()],
    ):
        if len(hits) == 1:
            return hits[0]
        if hits:
            break
    shown = hits or contacts
    raise AmbiguousReference(
        f"{len(hits)} contacts of this customer are called {quoted(said)}."
        if hits
        else f"This customer has no contact called {quoted(said)}."
        if whole
        else f"None of the first {MOST:,} contacts of this customer is called {quoted(said)}.",
        next_step="Ask which contact is meant, or leave the contact out.",
        status="ambiguous" if hits else "not_found",
        candidates=[
            Candidate(
                argument="contact",
                id=shown_id(one),
                name=clean(str(one.get("name") or "")),
                description=clean(str(one.get("email") or ""), 80),
            )
            for one in shown[:10]
        ],
    )


# ------------------------------------------------------------------------------------------------------------ contact


async def contact_plan(desk: Desk, *, customer: str, name: str, email: str, phone: str, job_title: str) -> Plan:
    """Create Customer Contact. No uniqueness is documented: a second one, even one that is the same throughout, is a
    warning."""
    if email and ("@" not in email.strip("@") or any(c.isspace() for c in email)):
        raise InputError({"email": f"must be an e-mail address such as jo@example.com, not {quoted(email)}"})
    buyer = await _one(desk, CUSTOMER, customer, "customer")
    body = {"name": name, **_given(email=email, phone=phone, job_title=job_title)}
    contacts, whole = await _contacts(desk, buyer["id"])
    namesakes = [one for one in contacts if fold(one.get("name")) == fold(name)]
    mailmates = [one for one in contacts if email and fold(one.get("email") or "") == fold(email)]
    same = [one for one in namesakes if all(fold(one.get(field) or "") == fold(body.get(field, "")) for field in _HELD)]
    warnings = [f"This very contact is there already {_numbered(one)}; a second one would be added." for one in same]
    warnings += [
        f"This customer already has a contact called {exactly(name)} {_numbered(one)}."
        for one in namesakes
        if one not in same
    ]
    warnings += [
        f"The e-mail {exactly(email)} is already that of {quoted(str(one.get('name')))} {_numbered(one)}."
        for one in mailmates
        if one not in same
    ]
    warnings += [] if whole else [_NOT_ALL]
    return Plan(
        title=f"Add {exactly(name)} to the contacts of {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTACT,
        path={"id": buyer["id"]},
        body=body,
        preview=[
            Change(field="customer", before=None, after=_named(buyer)),
            *(Change(field=field, before=None, after=spelt_out(value)) for field, value in body.items()),
        ],
        warnings=warnings,
        basis={"alike": sorted(str(one.get("id")) for one in (*namesakes, *mailmates))},
        look=LookFor(
            endpoints.CUSTOMER_CONTACTS,
            {"name": name, **_given(email=email)},
            unlike=_given(phone=phone, job_title=job_title),
            path={"id": buyer["id"]},
            query={"per_page": 100, "page": 1},
            known=[one.get("id") for one in contacts] if whole else None,
        ),
    )


# --------------------------------------------------------------------------------------------------------------- part


async def part_plan(desk: Desk, *, part_number: str, fields: Mapping[str, str]) -> Plan:
    """Create Part. FractionERP rejects a number that exists: nobody is asked about one that does. One that differs in
    case or spaces it may take."""
    body = {"part_number": part_number, **_given(**fields)}
    alike = await desk.lookup.alike(PART, part_number)
    same = [one for one in alike if str(one.get("part_number")).strip() == part_number]
    exact = [one for one in alike if fold(one.get("part_number")) == fold(part_number)]
    warnings = [
        f"{quoted(str(one['part_number']), 200)} exists already {_numbered(one)}; FractionERP refuses a second."
        for one in exact
    ]
    warnings += [
        f"{quoted(str(one['part_number']), 200)} {_numbered(one)} differs from this number in case or spaces only."
        for one in alike
        if one not in exact
    ]
    return Plan(
        title=f"Create the part {exactly(part_number)}",
        endpoint=endpoints.CREATE_PART,
        body=body,
        preview=[Change(field=name, before=None, after=spelt_out(value)) for name, value in body.items()],
        warnings=warnings,
        basis={"alike": sorted(str(one.get("id")) for one in alike)},
        refusal=_exists(part_number, same[0]) if same else None,
        look=LookFor(
            endpoints.PARTS,
            {"part_number": part_number},
            unlike=_given(**fields),
            query={"search": part_number, "per_page": 100, "page": 1},
            known=[one.get("id") for one in exact],
        ),
    )


def _exists(part_number: str, record: Record) -> Duplicate:
    return Duplicate(
        f"the part {exactly(part_number)} exists already {_numbered(record)}, and FractionERP refuses a second",
        system=endpoints.CREATE_PART.system,
        operation=endpoints.CREATE_PART.name,
        hint="get_part reads it. Ask the user for another number, if a new part is meant.",
    )


# --------------------------------------------------------------------------------------------------------- price list


async def price_list_plan(
    desk: Desk,
    *,
    part: str,
    customer: str,
    breaks: Sequence[Break],
    selling_price: Decimal | None,
    customer_part_number: str,
) -> Plan:
    """Update Customer Price List. The breaks replace all there were; what is not asked to change is sent as read."""
    item = await _one(desk, PART, part, "part")
    buyer = await _one(desk, CUSTOMER, customer, "customer")
    lists = await price_lists(desk, item["id"], buyer["id"], fresh=True)
    there = lists[0] if lists else None
    wanted, warnings = _ordered(breaks)
    price = selling_price if selling_price is not None else there.selling_price if there else None
    number = customer_part_number or (there.customer_part_number if there else "")
    body: dict[str, Any] = {
        "customer_id": buyer["id"],
        "price_breaks": [{"qty": quantity, "price": unit_price} for quantity, unit_price in wanted],
        **_given(customer_part_number=number),
        **({"selling_price": price} if price is not None else {}),
    }
    then = PriceList.model_validate(body)
    steps = repricing.compared(there, then)
    changes = [
        _change("customer part number", there.customer_part_number or None if there else None, number or None),
        _change("base selling price", _money(there.selling_price if there else None), _money(price)),
        *repricing.changes(steps),
        _change("price breaks", repricing.break_list(there), repricing.break_list(then)),
    ]
    return Plan(
        title=f"Set the price list of {quoted(str(item['part_number']))} for {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.SET_PRICE_LIST,
        path={"id": item["id"]},
        body=body,
        preview=[
            Change(field="part", before=None, after=_named(item, "part_number")),
            Change(field="customer", before=None if there is None else _named(buyer), after=_named(buyer)),
            Change(field="currency", before=None, after=desk.currency or "base currency"),
            *(change for change in changes if change.before or change.after),
        ],
        warnings=[
            *repricing.warnings(steps),
            *_held_warnings(lists),
            *_price_warnings(there, then),
            *warnings,
        ],
        look=LookFor(
            endpoints.PART_PRICE_LISTS,
            body,
            leeway=Leeway(rounded=("price", "selling_price")),
            path={"id": item["id"]},
            query={"customer_id": buyer["id"]},
            id_field="customer_id",
        ),
    )


def _ordered(breaks: Sequence[Break]) -> tuple[list[Break], list[str]]:
    """The breaks by quantity. One quantity at two prices cannot be meant; at one price twice it is merged."""
    prices: dict[Decimal, Decimal] = {}
    for index, (quantity, unit_price) in enumerate(breaks):
        if prices.setdefault(quantity, unit_price) != unit_price:
            raise InputError({f"price_breaks[{index}].quantity": f"{plain(quantity)} stands there with two prices"})
    warnings = [] if len(prices) == len(breaks) else ["A quantity was given twice at the same price; it is sent once."]
    if [quantity for quantity, _ in breaks] != sorted(quantity for quantity, _ in breaks):
        warnings.append("The breaks were not given in order of quantity; they are sent in order.")
    return sorted(prices.items()), warnings


def _change(field: str, before: str | None, after: str | None) -> Change:
    return Change(field=field, before=before and spelt_out(before), after=after and spelt_out(after))


def _money(value: Decimal | None) -> str | None:
    return None if value is None else money(value)


def _breaks(count: int) -> str:
    return "1 break disappears" if count == 1 else f"{count} breaks disappear"


def _held_warnings(lists: Sequence[PriceList]) -> list[str]:
    """What is odd about the list that FractionERP holds: it is shown, and in part sent, as it was read."""
    if not lists:
        return []
    held = lists[0]
    warnings = []
    if len(lists) > 1:
        warnings.append(
            f"FractionERP answered with {len(lists)} price lists of this customer for this part: which one holds is "
            "not known; the first is shown here."
        )
    odd = [f"{plain(step.quantity)} at {money(step.unit_price)}" for step in held.price_breaks
           if step.quantity <= 0 or step.unit_price < 0]  # fmt: skip
    warnings += [f"The list holds a price or a quantity that is none now: {', '.join(odd[:5])}."] if odd else []
    return warnings


def _price_warnings(there: PriceList | None, then: PriceList) -> list[str]:
    """What disappears, what rises, what is negative, what exceeds the base selling price."""
    new = {step.quantity: step.unit_price for step in then.price_breaks}
    gone = sorted({step.quantity for step in there.price_breaks} - set(new)) if there else []
    warnings = [f"{_breaks(len(gone))}: from {listed(gone)}."] if gone else []
    rising = [high[0] for low, high in pairwise(new.items()) if high[1] > low[1]]
    warnings += [f"The unit price rises with the quantity at {listed(rising)}."] if rising else []
    price = then.selling_price
    if price is not None and price < 0:
        warnings.append(f"The base selling price is below zero, and is sent as it was read: {money(price)}.")
    above = [quantity for quantity, unit_price in new.items() if price is not None and unit_price > price]
    warnings += [f"The price is above the base selling price at {listed(above)}."] if above else []
    if there is None:
        warnings.append("This customer is not linked to the part yet; this links it.")
    elif repricing.unchanged(there, then):
        warnings.append("Nothing would change: the list is as it is wanted already.")
    return warnings
