"""What is made: the first 600 parts and their price lists.

Knows which part numbers and price lists are awkward on purpose. The order is the point: `BRKT-1` comes after 160 parts
whose numbers contain it, so that a client that reads one page of a search does not find it.
"""

import random
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from fraction_mcp.sandbox.schema import haystack, number_key

from .common import Customer, Part, day, insert, moment
from .customers import ACME

CATALOGUE: Final = 600


class Draft(NamedTuple):
    part_number: str
    description: str | None
    uom: str = "EA"
    material: str | None = "Stainless Steel 316"
    category: str | None = "Machined Parts"
    revision: str | None = "A"
    type: str = "Manufactured"


SPECIAL: Final[tuple[Draft, ...]] = (
    Draft("WIDGET-001", "Custom widget", material="Stainless Steel"),
    Draft("Ø12 PIN", "Locating pin Ø12 h6", category="Pins"),
    Draft("GEAR/24T", "Spur gear, 24 teeth, module 1.5", material="EN36A", category="Gears"),
    Draft("SHAFT 20%", "Shaft, 20 % oversize blank", material="EN24T", category="Shafts"),
    Draft('PLATE & COVER "A"', "Plate and cover, matched pair A", material="Aluminium 6082-T6", category="Plates"),
    Draft("NUT#8-32", "Nut, 8-32 UNC", material="Brass CZ121", category="Fasteners", type="Purchased"),
    Draft("VALVE-3?", "Valve body, revision in question", revision=None),
    Draft("C+P-100", "Clevis plus pin set, 100 mm", uom="SET", category="Pins"),
    Draft("O'RING-22", "O'ring 22 x 3", material="Viton", category="Seals", type="Purchased"),
    Draft("SPACER 10 MM", "Spacer, 10 mm", category="Spacers"),
    Draft("SPACER 10MM", "Spacer, 10 mm, imperial bore", category="Spacers"),
    Draft("BUSH-10", "Bush, bore 10", material="Phosphor Bronze PB1", category="Bushes"),
    Draft("BUSH-100", "Bush, bore 100", material="Phosphor Bronze PB1", category="Bushes"),
    Draft("BUSH-10A", "Bush, bore 10, flanged", material="Phosphor Bronze PB1", category="Bushes", revision="C"),
    Draft("GRÖSSE-M8", "Distanzhülse M8", category="Spacers"),
    Draft("部品-7", None, category=None),
    Draft("BAR-EN24T-25", "Bright bar EN24T, 25 mm", "M", "EN24T", "Raw Material", None, "Purchased"),
    Draft("SWARF-AL", "Aluminium swarf, baled", "KG", "Aluminium", "By-products", None, "Purchased"),
    Draft("MANIFOLD-220", "Hydraulic manifold, 220 bar", material="Aluminium 6082-T6", category="Manifolds"),
    Draft("FLANGE-DN50", "Flange DN50 PN16", category="Flanges"),
    Draft("COLLAR-16", "Shaft collar, 16 mm", material="EN1A", category="Collars"),
    Draft("DOWEL-6H7", "Dowel, 6 mm h7", material="Silver Steel", category="Pins"),
    Draft("GASKET-41", "Gasket, fibre, 41 mm", material="Fibre", category="Seals", type="Purchased"),
    Draft("TOOL-JIG-5", "Drill jig, internal use", material="EN24T", category="Tooling"),
    Draft("SCREW-M6X20", "Cap screw M6 x 20, reduced head", material="A4-70", category="Fasteners"),
    Draft("19", "Legacy drawing 19, cover ring", material=None, category=None, revision=None),
    Draft("00042", "Legacy drawing 42, sleeve", material=None, category=None),
    Draft("WIDGET-0011", "Custom widget, long"),
    Draft("WIDGET-002", "Custom widget, short"),
    Draft("CAP 50% C/W SEAL & <O-RING>", "Cap, 50 % open, with seal", category="Seals"),
    Draft("A\\B-1", "Adaptor, A to B", category="Adaptors"),
    Draft("=SUM(1)", "Shim pack, sum of 1 mm", category="Shims", uom="PACK"),
)

_FAMILIES: Final = (
    ("SHAFT", "Shaft, turned and ground", "Shafts"), ("GEAR", "Spur gear", "Gears"), ("PIN", "Locating pin", "Pins"),
    ("HSG", "Bearing housing", "Housings"), ("PLATE", "Mounting plate", "Plates"), ("BUSH", "Flanged bush", "Bushes"),
    ("SPCR", "Spacer ring", "Spacers"), ("VALVE", "Valve body", "Valves"), ("IMP", "Impeller, 5-axis", "Impellers"),
    ("NOZ", "Nozzle", "Nozzles"), ("CAP", "End cap", "Caps"), ("CLMP", "Clamp half", "Clamps"),
)  # fmt: skip
_MATERIALS: Final = (
    "Stainless Steel 316", "Aluminium 6082-T6", "EN24T", "EN8", "Brass CZ121", "Titanium Gr5", "PEEK", "Acetal", None,
)  # fmt: skip
_LADDER: Final = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

# What a price list looks like: (customer, their number, selling price, breaks in stored order).
PriceList = tuple[int, str | None, str | None, tuple[tuple[str, str], ...]]


def fill_parts(db: sqlite3.Connection, rng: random.Random, customers: list[Customer], *, limit: int) -> list[Part]:
    """All 600 are drawn whatever the limit is, so that the same part is the same in a smaller company."""
    rows = []
    catalogue = []
    for number, draft in enumerate(_drafts(rng), start=1):
        catalogue.append(_part(rng, number, draft))
        rows.append(_row(rng, number, draft))
    columns = "id, part_number, description, revision, uom, material, category, type, is_active, lead_time_days, "
    insert(db, "parts", columns + "created_at, updated_at, haystack, number_key", rows[:limit])
    _insert_lists(db, [(part.id, entry) for part in catalogue for entry in _lists(rng, part, customers)], limit)
    return catalogue[:limit]


def _drafts(rng: random.Random) -> Iterator[Draft]:
    yield from SPECIAL
    for number in range(len(SPECIAL) + 1, 41):
        yield Draft(f"KIT-{number:03}", "Service kit", uom="SET", category="Kits", material=None)
    for number in range(1000, 1160):
        yield Draft(
            f"BRKT-{number}", f"Bracket, pattern {number}", material=rng.choice(_MATERIALS), category="Brackets"
        )
    yield Draft("BRKT-1", "Bracket, the original", material="EN8", category="Brackets", revision="F")
    for number in range(202, CATALOGUE + 1):
        prefix, description, category = _FAMILIES[rng.randrange(len(_FAMILIES))]
        size = rng.choice((6, 8, 10, 12, 16, 20, 25, 32, 40, 50))
        yield Draft(
            f"{prefix}-{2000 + number}", f"{description}, {size} mm", material=rng.choice(_MATERIALS),
            category=category, revision=rng.choice("AAABBCD"), type=rng.choice(("Manufactured",) * 9 + ("Purchased",)),
        )  # fmt: skip


def _part(rng: random.Random, number: int, draft: Draft) -> Part:
    price = Decimal(rng.randint(40, 60_000)) / 100
    return Part(number, draft.part_number, draft.description or draft.part_number, draft.uom, price)


def _row(rng: random.Random, number: int, draft: Draft) -> tuple[object, ...]:
    created = moment(rng, day(rng, 2500, 200))
    lead_time = rng.choice((5, 10, 15, 20, 30, None))
    return (
        number, draft.part_number, draft.description, draft.revision, draft.uom, draft.material, draft.category,
        draft.type, int(rng.random() < 0.97 or number <= len(SPECIAL)), lead_time, created,
        moment(rng, day(rng, 199)), haystack(draft.part_number, draft.description, draft.material, draft.category),
        number_key(draft.part_number),
    )  # fmt: skip


_CHOSEN: Final[dict[str, tuple[PriceList, ...]]] = {
    # The document's own sample, to the digit.
    "WIDGET-001": ((ACME, "ACM-100", "10.50000", (("1", "12.50"), ("100", "10.00"), ("500", "8.50"))),),
    "Ø12 PIN": ((3, "MS/Ø12", "0.95000", (("1", "1.20"), ("1000", "0.03125"))),),
    "BAR-EN24T-25": ((ACME, None, "18.40000", (("0.5", "21.75"), ("3", "18.4"), ("12.25", "16.12345"))),),
    "SWARF-AL": ((17, None, None, (("0.25", "1.1"), ("1000", "0.84715"))),),
    # Stored out of order.
    "MANIFOLD-220": (
        (ACME, "ACM-M220", "145.00000", (("50", "118.25"), ("1", "145"), ("100", "109.9"), ("10", "131.5"))),
        (14, None, "150.00000", (("25", "132"), ("1", "150"))),
    ),
    # Two breaks of one quantity and different prices: nobody has said which one holds.
    "FLANGE-DN50": ((ACME, "ACM-F50", "32.00000", (("1", "32"), ("10", "28.5"), ("10", "27.25"), ("50", "24.1"))),),
    "COLLAR-16": ((ACME, None, "4.75000", ()), (37, None, "4.90000", ())),
    "DOWEL-6H7": ((ACME, "ACM-D6", None, (("10", "0.62"), ("100", "0.485"))), (12, None, None, (("1", "0.7"),))),
    "GASKET-41": ((ACME, "ACM-G41", None, ()),),
    "TOOL-JIG-5": (),
    # A price that rises with the quantity.
    "BUSH-10": ((ACME, None, "6.00000", (("1", "6"), ("10", "5.2"), ("100", "5.45"))),),
    "19": ((ACME, "DRG19", "11.00000", (("1", "11"),)),),
    "BRKT-1": ((ACME, "ACM-B1", "7.25000", (("1", "8"), ("50", "7.25"), ("250", "6.47125"))), (3, None, "8.10000", ())),
}


def _lists(rng: random.Random, part: Part, customers: list[Customer]) -> Iterator[PriceList]:
    if part.part_number in _CHOSEN:
        yield from _CHOSEN[part.part_number]
        return
    count = 24 if part.part_number == "SCREW-M6X20" else rng.choice((0, 0, 1, 1, 1, 2, 2, 3, 5))
    for customer in rng.sample(customers, count):
        yield _any_list(rng, part, customer)


def _any_list(rng: random.Random, part: Part, customer: Customer) -> PriceList:
    breaks = []
    price = part.price * Decimal(rng.randint(90, 115)) / 100
    places = rng.choice(("0.01", "0.01", "0.01", "0.001", "0.00001"))
    for quantity in sorted(rng.sample(_LADDER, rng.choice((0, 1, 2, 3, 3, 4, 5)))):
        breaks.append((str(quantity), str(price.quantize(Decimal(places)))))
        price *= Decimal(rng.randint(82, 97)) / 100
    if rng.random() < 0.06:
        rng.shuffle(breaks)
    selling = str(part.price.quantize(Decimal("0.00001"))) if rng.random() < 0.85 else None
    theirs = f"{customer.name[:3].upper()}-{rng.randint(100, 9999)}" if rng.random() < 0.6 else None
    return customer.id, theirs, selling, tuple(breaks)


def _insert_lists(db: sqlite3.Connection, lists: list[tuple[int, PriceList]], limit: int) -> None:
    kept = [(number, part, entry) for number, (part, entry) in enumerate(lists, start=1) if part <= limit]
    insert(
        db, "price_lists", "part_customer_id, part_id, customer_id, customer_part_number, selling_price",
        ((number, part, customer, theirs, selling) for number, part, (customer, theirs, selling, _) in kept),
    )  # fmt: skip
    rows = ((number, qty, price) for number, _, entry in kept for qty, price in entry[3])
    insert(db, "price_breaks", "part_customer_id, qty, price", rows)
