"""Who buys: sixty customers with one to five contacts each.

Knows which names are awkward on purpose, and where they are.
"""

import json
import random
import sqlite3
import unicodedata
from collections.abc import Iterator
from typing import Final

from fraction_mcp.sandbox.schema import haystack

from .common import Customer, day, insert, moment

ACME: Final = 52

# Names that a client gets wrong sooner or later, at ids that documentation and tests may rely on.
_CHOSEN: Final[dict[int, str]] = {
    3: "Müller & Söhne GmbH",
    5: "Łódź Precyzja S.A.",
    8: 'O\'Neill "Bar" Fittings',
    12: "Acme Castings",
    14: "Northgate Engineering Ltd",
    17: "Smith/Jones Hydraulics",
    21: "100% Torque Ltd",
    26: "<script>alert(1)</script> Ltd",
    30: "Société Générale d'Usinage",
    33: "Brown, Webb and Daughters",
    37: "Northgate Engineering Ltd",
    41: "A+B Tooling #2",
    45: "Pemberton's Pumps?",
    ACME: "Acme Corp",
    53: "Acme Corporation",
    56: "Acme Corp (Scotland)",
    58: "株式会社 精密",
}
_ABROAD: Final = {3: "EUR", 5: "EUR", 30: "EUR", 58: "USD", 47: "USD", 49: "EUR"}
_FIRST: Final = (
    "Aldbrook", "Birchwood", "Calder", "Denby", "Eastfield", "Fenwick", "Garside", "Hallam", "Ibstock", "Kelham",
    "Langdale", "Marden", "Newbold", "Oakley", "Pennine", "Ripley", "Selby", "Thornton", "Ulverston", "Wharfe",
)  # fmt: skip
_SECOND: Final = ("Aerospace", "Pumps", "Motorsport", "Controls", "Instruments", "Marine", "Rail", "Dairy Systems")
_LAST: Final = ("Ltd", "Ltd", "Ltd", "plc", "LLP", "Group Ltd")
_TOWNS: Final = (
    ("Sheffield", "S9"), ("Leeds", "LS10"), ("Coventry", "CV6"), ("Derby", "DE24"), ("Bristol", "BS4"),
    ("Stockport", "SK3"), ("Telford", "TF3"), ("Rotherham", "S60"), ("Norwich", "NR6"), ("Paisley", "PA3"),
)  # fmt: skip
_PEOPLE: Final = (
    "Amelia Archer", "Ben Okafor", "Catrin Rees", "Dev Patel", "Eilidh Fraser", "Farah Khan", "George Whitlock",
    "Hannah Sørensen", "Imran Aziz", "Joan O'Hara", "Karol Nowak", "Leah Cohen", "Martin Pryce", "Niamh Byrne",
    "Oliver Stott", "Priya Nair", "Ruth Adeyemi", "Siân Hughes", "Tom Bickerstaff", "Zoë Lambert",
)  # fmt: skip
_JOBS: Final = ("Purchasing Manager", "Buyer", "Production Engineer", "Accounts Payable", "Quality Manager", None)
_STREETS: Final = ("Forge Lane", "Canal Road", "Station Works", "Mill Street")
_COUNTRIES: Final = {3: "DE", 5: "PL", 30: "FR", 58: "JP"}
_TERMS: Final = ("30 days", "30 days", "60 days", "30 days end of month", "pro forma", None)


def fill_customers(db: sqlite3.Connection, rng: random.Random) -> list[Customer]:
    customers: list[Customer] = []
    rows = []
    for number in range(1, 61):
        name = _CHOSEN.get(number) or _name(rng, number, {customer.name for customer in customers})
        town, postcode = _TOWNS[rng.randrange(len(_TOWNS))]
        currency = _ABROAD.get(number, "GBP")
        customers.append(Customer(number, name, currency, town))
        rows.append(_row(rng, customers[-1], postcode))
    columns = "id, name, code, email, phone, vat_number, currency, payment_terms, address, is_active, created_at, "
    insert(db, "customers", columns + "updated_at, haystack", rows)
    contact_columns = "id, customer_id, name, email, phone, job_title, created_at, updated_at, haystack"
    insert(db, "contacts", contact_columns, _contacts(rng, customers))
    return customers


def _name(rng: random.Random, number: int, taken: set[str]) -> str:
    """Only the two that are meant to share a name do."""
    while True:
        name = f"{_FIRST[number % 20]} {rng.choice(_SECOND)} {rng.choice(_LAST)}"
        if name not in taken:
            return name


def _ascii(text: str) -> str:
    """Zoë -> zoe: the letters that an address or a code is made of."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


def domain(customer: Customer) -> str:
    """An address nobody can own (RFC 2606)."""
    return f"{_ascii(customer.name)[:24] or 'customer'}.example"


def _row(rng: random.Random, customer: Customer, postcode: str) -> tuple[object, ...]:
    code = f"{(_ascii(customer.name) or 'cust')[:4].upper()}{customer.id:03}"
    email = f"purchasing@{domain(customer)}" if rng.random() < 0.85 else None
    address = {
        "line1": f"Unit {rng.randint(1, 40)}, {rng.choice(_STREETS)}",
        "line2": None,
        "city": customer.town,
        "postcode": f"{postcode} {rng.randint(1, 9)}{rng.choice('ABDEFGHJ')}{rng.choice('LNPQRST')}",
        "country": "GB" if customer.currency == "GBP" else _COUNTRIES.get(customer.id, "US"),
    }
    created = moment(rng, day(rng, 3000, 400))
    updated = moment(rng, day(rng, 390))
    phone = f"+44 114 496 {rng.randint(0, 9999):04}" if rng.random() < 0.9 else None
    vat = f"GB{rng.randint(100000000, 999999999)}" if customer.currency == "GBP" else None
    return (
        customer.id, customer.name, code, email, phone, vat, customer.currency, rng.choice(_TERMS),
        json.dumps(address), int(rng.random() < 0.95 or customer.id in _CHOSEN), created, updated,
        haystack(customer.name, code, email),
    )  # fmt: skip


def _contacts(rng: random.Random, customers: list[Customer]) -> Iterator[tuple[object, ...]]:
    """Contact 42 is at Acme Corp, as in the document's sample of an enquiry."""
    number = 0
    yield _contact(rng, 42, customers[ACME - 1])
    for customer in customers:
        for _ in range(rng.randint(1, 5)):
            number += 1 if number != 41 else 2
            yield _contact(rng, number, customer)


def _contact(rng: random.Random, number: int, customer: Customer) -> tuple[object, ...]:
    name = rng.choice(_PEOPLE)
    local = ".".join(map(_ascii, name.split()))
    email = f"{local}@{domain(customer)}" if rng.random() < 0.9 else None
    phone = f"+44 7700 900{rng.randint(0, 999):03}" if rng.random() < 0.7 else None
    created = moment(rng, day(rng, 1500))
    job = rng.choice(_JOBS)
    return number, customer.id, name, email, phone, job, created, created, haystack(name, email, job)
