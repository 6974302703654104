"""Contacts, enquiries, parts and price lists, written.

Each function checks everything first and then writes in one transaction, so that a refusal has written nothing.
"""

import sqlite3
from decimal import Decimal

from fraction_mcp.sandbox.fields import Fields
from fraction_mcp.sandbox.http import Reply
from fraction_mcp.sandbox.jsontext import Json, Raw, encode, plain
from fraction_mcp.sandbox.schema import haystack, number_key
from fraction_mcp.sandbox.store import Store

from .envelope import Refusal, invalid, now, success, today
from .kinds import CONTACT_ROW, CUSTOMERS, PARTS
from .reads import price_lists, record, record_id


def create_contact(store: Store, identifier: str, body: dict[str, Json]) -> Reply:
    customer = record_id(identifier)
    record(store, CUSTOMERS, customer)
    fields = Fields(body)
    name = fields.needed_text("name")
    email = fields.text("email")
    phone = fields.text("phone", limit=50)
    job = fields.text("job_title")
    if email and (email.count("@") != 1 or email.startswith("@") or email.endswith("@") or " " in email):
        fields.fail("email", "The email field must be a valid email address.")
    _check(fields)
    stamp = now()
    with store.writing() as db:
        cursor = db.execute(
            "INSERT INTO contacts (customer_id, name, email, phone, job_title, created_at, updated_at, haystack) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (customer, name, email, phone, job, stamp, stamp, haystack(name, email, job)),
        )
        row = db.execute(f"SELECT {CONTACT_ROW} FROM contacts WHERE id = ?", (cursor.lastrowid,)).fetchone()
    return success(Raw(row[0]), status=201)


def create_part(store: Store, body: dict[str, Json]) -> Reply:
    fields = Fields(body)
    number = fields.needed_text("part_number", limit=100)
    description = fields.text("description", limit=1000)
    revision = fields.text("revision", limit=20)
    uom = fields.text("uom", limit=20) or "EA"
    material = fields.text("material")
    category = fields.text("category")
    _check(fields)
    key = number_key(number)
    stamp = now()
    with store.writing() as db:
        if db.execute("SELECT 1 FROM parts WHERE number_key = ?", (key,)).fetchone():
            raise Refusal("DUPLICATE", "A part with this part number already exists.")
        cursor = db.execute(
            "INSERT INTO parts (part_number, description, revision, uom, material, category, type, is_active, "
            "created_at, updated_at, haystack, number_key) VALUES (?, ?, ?, ?, ?, ?, 'Manufactured', 1, ?, ?, ?, ?)",
            (
                number, description, revision, uom, material, category, stamp, stamp,
                haystack(number, description, material, category), key,
            ),
        )  # fmt: skip
        row = db.execute(f"SELECT {PARTS.row} FROM parts WHERE id = ?", (cursor.lastrowid,)).fetchone()
    return success(Raw(row[0]), status=201)


def create_enquiry(store: Store, body: dict[str, Json]) -> Reply:
    fields = Fields(body)
    customer_id = fields.identifier("customer_id")
    customer_name = fields.text("customer_name")
    contact_id = fields.identifier("customer_contact_id")
    ref = fields.text("customer_ref")
    notes = fields.text("notes", limit=10_000)
    if not fields.errors and customer_id is None and customer_name is None:
        fields.fail("customer_name", "The customer_name field is required when customer_id is not present.")
    _check(fields)
    with store.writing() as db:
        customer = _customer(db, customer_id, customer_name)
        contact = _contact(db, contact_id, customer["id"])
        enquiry = _insert_enquiry(db, customer, contact, ref, notes)
    keys = ("id", "quote_number", "status", "customer", "customer_ref", "currency", "contract_date")
    return success({key: enquiry[key] for key in keys}, status=201)


def _customer(db: sqlite3.Connection, number: int | None, name: str | None) -> sqlite3.Row:
    """By id if there is one; of two customers of one name, the older, since the name alone says no more."""
    column, value = ("id", number) if number is not None else ("name", name)
    row: sqlite3.Row | None = db.execute(
        f"SELECT id, name, currency FROM customers WHERE {column} = ? ORDER BY id", (value,)
    ).fetchone()
    if row is None:
        raise invalid((f"customer_{column}", f"The selected customer_{column} is invalid."))
    return row


def _contact(db: sqlite3.Connection, number: int | None, customer: int) -> dict[str, object] | None:
    if number is None:
        return None
    row = db.execute("SELECT id, name FROM contacts WHERE id = ? AND customer_id = ?", (number, customer)).fetchone()
    if row is None:
        raise invalid(("customer_contact_id", "The selected customer_contact_id does not belong to the customer."))
    return dict(row)


def _insert_enquiry(
    db: sqlite3.Connection, customer: sqlite3.Row, contact: object, ref: str | None, notes: str | None
) -> dict[str, object]:
    number = 1 + int(db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contracts'").fetchone()[0])
    last = db.execute("SELECT max(CAST(substr(json_extract(doc, '$.quote_number'), 2) AS INTEGER)) FROM contracts")
    quote = f"Q{int(last.fetchone()[0]) + 1}"
    stamp = now()
    enquiry: dict[str, object] = {
        "id": number,
        "quote_number": quote,
        "order_number": None,
        "status": "Enquiry",
        "customer": {"id": customer["id"], "name": customer["name"]},
        "contact": contact,
        "customer_ref": ref,
        "currency": customer["currency"],
        "total_amount": "0.00",
        "contract_date": today(),
        "due_date": None,
        "notes": notes,
        "lines": [],
        "created_at": stamp,
        "updated_at": stamp,
    }
    words = haystack(quote, customer["name"], ref, "Enquiry")
    db.execute("INSERT INTO contracts (id, doc, haystack) VALUES (?, ?, ?)", (number, encode(enquiry), words))
    return enquiry


def put_price_list(store: Store, identifier: str, body: dict[str, Json]) -> Reply:
    part = record_id(identifier)
    record(store, PARTS, part)
    fields = Fields(body)
    customer = fields.needed_identifier("customer_id")
    theirs = fields.text("customer_part_number", limit=100)
    selling = fields.number("selling_price")
    breaks = _breaks(fields, body.get("price_breaks"))
    _check(fields)
    kept: dict[str, str | None] = {}
    if fields.has("customer_part_number"):
        kept["customer_part_number"] = theirs
    if fields.has("selling_price"):
        kept["selling_price"] = None if selling is None else format(selling, ".5f")
    with store.writing() as db:
        if db.execute("SELECT 1 FROM customers WHERE id = ?", (customer,)).fetchone() is None:
            raise invalid(("customer_id", "The selected customer_id is invalid."))
        _replace(db, part, customer, kept, breaks)
    return success(price_lists(store, part, customer))


def _breaks(fields: Fields, value: Json) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        problem = "is required" if value is None else "must be an array"
        fields.fail("price_breaks", f"The price_breaks field {problem}.")
        return []
    if not value:
        fields.fail("price_breaks", "The price_breaks field must have at least 1 item.")
    breaks = []
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            fields.fail(f"price_breaks.{index}", f"The price_breaks.{index} field must be an object.")
            continue
        line = Fields(entry, f"price_breaks.{index}.", fields.errors)
        quantity = line.number("qty", required=True, positive=True)
        price = line.number("price", required=True)
        breaks.append((plain(quantity or Decimal(0)), plain(price or Decimal(0))))
    return breaks


def _replace(
    db: sqlite3.Connection, part: int, customer: int, kept: dict[str, str | None], breaks: list[tuple[str, str]]
) -> None:
    """Every break goes; what was not sent of the list itself stays."""
    db.execute(
        "INSERT INTO price_lists (part_id, customer_id) VALUES (?, ?) ON CONFLICT (part_id, customer_id) DO NOTHING",
        (part, customer),
    )
    pair = (part, customer)
    for column, value in kept.items():
        db.execute(f"UPDATE price_lists SET {column} = ? WHERE part_id = ? AND customer_id = ?", (value, *pair))
    cursor = db.execute("SELECT part_customer_id FROM price_lists WHERE part_id = ? AND customer_id = ?", pair)
    number = cursor.fetchone()[0]
    db.execute("DELETE FROM price_breaks WHERE part_customer_id = ?", (number,))
    rows = ((number, quantity, price) for quantity, price in breaks)
    db.executemany("INSERT INTO price_breaks (part_customer_id, qty, price) VALUES (?, ?, ?)", rows)


def _check(fields: Fields) -> None:
    if fields.errors:
        raise invalid(*fields.errors)
