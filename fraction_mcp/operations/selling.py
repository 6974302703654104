"""Plans for what sales write: an enquiry, a contact, a part, a customer's price list.

Each follows `fractionerp-rest-api.txt`, Write Endpoints. Reads that only inform may fail: the plan then says so.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import PriceList, Record, id_key, shown_id
from fraction_mcp.errors import AmbiguousReference, ErpError, InputError
from fraction_mcp.operations.anew import MOST, read_anew
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, NotOne, Subject, fold
from fraction_mcp.operations.present import at_path
from fraction_mcp.operations.pricing import price_lists
from fraction_mcp.operations.readback import Leeway, LookFor
from fraction_mcp.operations.writes import Change, Plan
from fraction_mcp.shapes import clean, excerpt, plain, quoted

__all__ = ["Break", "contact_plan", "enquiry_plan", "part_plan", "price_list_plan"]

Break = tuple[Decimal, Decimal]
"""A price break: quantity and unit price."""
_NOT_ALL = f"Only the first {MOST:,} contacts of this customer were looked at."


async def _one(desk: Desk, subject: Subject, said: str, argument: str) -> Record:
    """Exactly the record that was named, read anew. Raises AmbiguousReference: a write never rests on a near match."""
    found = await desk.lookup.find(subject, said, strict=True, argument=argument)
    if isinstance(found, NotOne):
        raise AmbiguousReference(found.summary, next_step=found.next, status=found.status, candidates=found.candidates)
    return found.record


def _named(record: Record, key: str = "name") -> str:
    return f"{quoted(str(record.get(key) or ''), 120)} (id {record.get('id')})"


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
        preview.append(Change(field=name, before=None, after=excerpt(value)))
    query: dict[str, str | int] = {"search": customer_ref or str(buyer.get("name") or ""), "per_page": 100, "page": 1}
    warnings: list[str] = []
    known: list[Any] | None = None
    basis: dict[str, Any] = {}
    try:
        there = (await desk.fraction.call(endpoints.CONTRACTS, query=query, fresh=True)).records()
        known = [record.get("id") for record in there]
        same = [record for record in there if customer_ref and _is_same_enquiry(record, buyer, customer_ref)]
        basis["same_reference"] = sorted(str(record.get("id")) for record in same)
        for record in same[:3]:
            number = clean(str(record.get("quote_number") or record.get("id")), 40)
            warnings.append(f"{number} of this customer already has the reference {quoted(customer_ref)}.")
    except ErpError:
        basis["same_reference"] = "not known"
        warnings.append("Whether an enquiry with this reference exists could not be checked.")
    warnings += [] if whole else [_NOT_ALL]
    return Plan(
        title=f"Create an enquiry for {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTRACT,
        body=body,
        preview=preview,
        warnings=warnings,
        basis=basis,
        look=LookFor(
            endpoints.CONTRACTS,
            {"customer.id": buyer["id"], "customer_ref": customer_ref or None},
            unlike={"notes": notes or None, "customer_contact_id": body.get("customer_contact_id")},
            query=query,
            known=known,
            telling=bool(customer_ref),  # without one nothing tells it from another enquiry of the same customer
        ),
    )


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
    """Create Customer Contact. No uniqueness is documented: a second one of the same name is a warning."""
    if email and ("@" not in email.strip("@") or any(c.isspace() for c in email)):
        raise InputError({"email": f"must be an e-mail address such as jo@example.com, not {quoted(email)}"})
    buyer = await _one(desk, CUSTOMER, customer, "customer")
    body = {"name": name, **_given(email=email, phone=phone, job_title=job_title)}
    contacts, whole = await _contacts(desk, buyer["id"])
    namesakes = [one for one in contacts if fold(one.get("name")) == fold(name)]
    mailmates = [one for one in contacts if email and fold(one.get("email") or "") == fold(email)]
    warnings = [f"This customer already has a contact called {quoted(name)} (id {one.get('id')})." for one in namesakes]
    warnings += [
        f"The e-mail {quoted(email)} is already that of {quoted(str(one.get('name')))} (id {one.get('id')})."
        for one in mailmates
    ]
    warnings += [] if whole else [_NOT_ALL]
    return Plan(
        title=f"Add {quoted(name)} to the contacts of {quoted(str(buyer.get('name')))}",
        endpoint=endpoints.CREATE_CONTACT,
        path={"id": buyer["id"]},
        body=body,
        preview=[
            Change(field="customer", before=None, after=_named(buyer)),
            *(Change(field=field, before=None, after=clean(value)) for field, value in body.items()),
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
    """Create Part. FractionERP rejects a number that exists; one that differs in case or spaces it may take."""
    body = {"part_number": part_number, **_given(**fields)}
    alike = await desk.lookup.alike(PART, part_number)
    exact = [one for one in alike if fold(one.get("part_number")) == fold(part_number)]
    warnings = [
        f"{quoted(str(one['part_number']))} exists already (id {one.get('id')}); FractionERP refuses a second."
        for one in exact
    ]
    warnings += [
        f"{quoted(str(one['part_number']))} (id {one.get('id')}) differs from this number in case or spaces only."
        for one in alike
        if one not in exact
    ]
    return Plan(
        title=f"Create the part {quoted(part_number)}",
        endpoint=endpoints.CREATE_PART,
        body=body,
        preview=[Change(field=name, before=None, after=clean(value)) for name, value in body.items()],
        warnings=warnings,
        basis={"alike": sorted(str(one.get("id")) for one in alike)},
        look=LookFor(
            endpoints.PARTS,
            {"part_number": part_number},
            unlike=_given(**fields),
            query={"search": part_number, "per_page": 100, "page": 1},
            known=[one.get("id") for one in exact],
        ),
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
    changes = [
        _change("customer part number", there.customer_part_number or None if there else None, number or None),
        _change("base selling price", _money(there.selling_price if there else None), _money(price)),
        *_break_changes(there, wanted),
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
        warnings=[*_price_warnings(there, wanted, price), *warnings],
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
    return Change(field=field, before=before and clean(before), after=after and clean(after))


def _money(value: Decimal | None) -> str | None:
    return None if value is None else plain(value, 2)


def _by_quantity(there: PriceList | None) -> dict[Decimal, list[Decimal]]:
    """The prices that a list holds for each quantity: several where the ERP sends one quantity twice."""
    prices: dict[Decimal, list[Decimal]] = {}
    for step in there.price_breaks if there else ():
        prices.setdefault(step.quantity, []).append(step.unit_price)
    return prices


def _break_changes(there: PriceList | None, wanted: Sequence[Break]) -> list[Change]:
    old = _by_quantity(there)
    new = dict(wanted)
    rows = []
    for quantity in sorted({*old, *new}):
        before = " and ".join(plain(price, 2) for price in old.get(quantity, [])) or None
        after = _money(new.get(quantity))
        percent = _percent(old.get(quantity), new.get(quantity))
        rows.append(Change(field=f"break from {plain(quantity)}", before=before, after=after and after + percent))
    return rows


def _percent(before: list[Decimal] | None, after: Decimal | None) -> str:
    change = _relative(before, after)
    return f" ({change:+.1f} %)" if change else ""


def _relative(before: list[Decimal] | None, after: Decimal | None) -> Decimal:
    """The change in per cent; 0 where there is nothing to compare."""
    if before is None or len(before) != 1 or after is None or before[0] == 0:
        return Decimal(0)
    return (after - before[0]) / before[0] * 100


def _breaks(count: int) -> str:
    return "1 break disappears" if count == 1 else f"{count} breaks disappear"


def _price_warnings(there: PriceList | None, wanted: Sequence[Break], price: Decimal | None) -> list[str]:
    """The gravest first: what disappears, what rises, what jumps, what exceeds the base selling price."""
    new = dict(wanted)
    old = _by_quantity(there)
    gone = [plain(quantity) for quantity in sorted(old) if quantity not in new]
    warnings = [f"{_breaks(len(gone))}: from {', '.join(gone)}."] if gone else []
    rising = [plain(high[0]) for low, high in pairwise(wanted) if high[1] > low[1]]
    warnings += [f"The unit price rises with the quantity at {', '.join(rising)}."] if rising else []
    jumps = [plain(quantity) for quantity in sorted(new) if abs(_relative(old.get(quantity), new[quantity])) > 20]
    warnings += [f"The price changes by more than 20 % at {', '.join(jumps)}."] if jumps else []
    above = [plain(quantity) for quantity, unit_price in wanted if price is not None and unit_price > price]
    warnings += [f"The price is above the base selling price at {', '.join(above)}."] if above else []
    warnings += [] if there else ["This customer is not linked to the part yet; this links it."]
    return warnings
