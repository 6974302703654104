"""Fracttal's side of the company: warehouses, spare parts, suppliers, and orders already placed.

Knows which codes are awkward in a URL on purpose: "MAIN STORE", "A/1", "50% RACK", "Ü-LAGER".
"""

import datetime as dt
import random
import sqlite3
from decimal import Decimal
from typing import Final

from fraction_mcp.sandbox.jsontext import encode

from .common import TODAY, day, insert, moment

_WAREHOUSES: Final = (
    (1, "1254", "Maintenance store"), (2, "MAIN STORE", "Main store, Sheffield"), (3, "A/1", "Aisle A, bay 1"),
    (4, "50% RACK", "Half-depth rack"), (5, "Ü-LAGER", "Overflow, Solingen"),
    (6, "EMPTY", "Quarantine, nothing stocked"),
)  # fmt: skip
_ITEMS: Final = (
    ("DEST01", "Screwdriver set", "EA", "12.50"), ("0005010000100222", "Welding glass, shade 12", "EA", "3.25"),
    ("BRG-6204", "Bearing 6204-2RS", "EA", "4.15"), ("BELT A/42", "V-belt A42", "EA", "7.80"),
    ("OIL 68", "Slideway oil ISO 68", "L", "6.125"), ("FLT-20µ", "Coolant filter 20 µm", "EA", "18.40"),
    ("FUSE-16A", "Fuse 16 A gG", "EA", "1.05"), ("GREASE", "Lithium grease EP2", "KG", "9.99"),
    ("HOSE-1/2", "Hydraulic hose 1/2 in", "M", "11.30"), ("SEAL-35", "Shaft seal 35x52x7", "EA", "2.60"),
    ("CHUCK-K11", "3-jaw chuck K11-160", "EA", "214.00"), ("INSERT-CNMG", "Insert CNMG 120408", "EA", "5.75"),
)  # fmt: skip
_SUPPLIERS: Final = (
    (225, "00063960000109", "Don Valley Bar Stock Ltd"), (226, "SUP-002", "Cutter & Grind Supplies"),
    (227, "SUP/003", "Björk Fasteners AB"), (228, "SUP 004", "Northern Hydraulics Ltd"),
)  # fmt: skip
_COST_CENTERS: Final = (
    (5, "456465", "Assets"), (6, "CC-100", "Maintenance"), (7, "CC-200", "Tool room"), (8, "CC-300", "Utilities"),
)  # fmt: skip

# Fracttal's own words for the five priorities of the document.
PRIORITIES: Final = {1: "VERY_HIGH", 2: "HIGH", 3: "MEDIUM", 4: "LOW", 5: "VERY_LOW"}
CURRENCY: Final = {"id_currency": 1, "currency_description": "Pound Sterling", "currency_symbol": "£"}


def fill_warehouse(db: sqlite3.Connection, rng: random.Random) -> None:
    rows = ((n, code, description, "Harrow Works, Sheffield S9", 1) for n, code, description in _WAREHOUSES)
    insert(db, "warehouses", "id, code, description, address, active", rows)
    insert(
        db, "items", "id, code, description, unit, unit_cost", ((n, *item) for n, item in enumerate(_ITEMS, start=16))
    )
    insert(db, "third_parties", "id, code, name, email", ((n, c, name, None) for n, c, name in _SUPPLIERS))
    insert(db, "cost_centers", "id, value, description", _COST_CENTERS)
    insert(db, "warehouse_items", "warehouse_id, item_id, stock, minimum, location", _stock(rng))
    insert(db, "movements", "id, warehouse_id, date, document, header, details", _orders(rng))


def _stock(rng: random.Random) -> list[tuple[object, ...]]:
    """The first warehouse holds everything, the last nothing, and the others some of it."""
    return [
        (
            warehouse,
            item,
            str(rng.randint(0, 60)),
            rng.choice((None, "2", "5")),
            rng.choice((None, "RAC-001", "Shelf 4")),
        )
        for warehouse in range(1, 6)
        for item in range(16, 16 + len(_ITEMS))
        if warehouse == 1 or item % 2 == warehouse % 2
    ]


def _orders(rng: random.Random) -> list[tuple[object, ...]]:
    """A year of orders, the newest of them inside the last 30 days that a read without dates covers."""
    days = sorted(day(rng, 365) for _ in range(34)) + [TODAY - dt.timedelta(days=n) for n in (9, 4, 1)]
    return [_order(rng, number, on) for number, on in enumerate(sorted(days), start=1)]


def _order(rng: random.Random, number: int, on: dt.date) -> tuple[object, ...]:
    warehouse = rng.randint(1, 5)
    supplier = rng.choice((*_SUPPLIERS, None))
    cost_center = rng.choice((*_COST_CENTERS, None))
    priority = rng.randint(1, 5)
    header = {
        "id": str(number),
        "date": on.isoformat(),
        "description": rng.choice((None, "Monthly stock-up", "Breakdown on VMC-4")),
        "document": f"OC_{300 + number}",
        "id_third_party": supplier and supplier[0],
        "third_parties_name": supplier and supplier[2],
        "third_parties_code": supplier and supplier[1],
        "id_cost_center": cost_center and cost_center[0],
        "costs_center_description": cost_center and cost_center[2],
        "costs_center_value": cost_center and cost_center[1],
        "folio_source": None,
        "folio_target": str(number),
        "date_create": moment(rng, on),
        "id_priority": priority,
        "priorities_description": PRIORITIES[priority],
        **CURRENCY,
        "movements_states_description": rng.choice(("NOT_DELIVERED", "PARTIALLY_DELIVERED", "DELIVERED")),
    }
    stocked = [n for n in range(16, 16 + len(_ITEMS)) if warehouse == 1 or n % 2 == warehouse % 2]
    details = [_detail(rng, item) for item in rng.sample(stocked, rng.randint(1, 3))]
    return number, warehouse, on.isoformat(), header["document"], encode(header), encode(details)


def _detail(rng: random.Random, item: int) -> dict[str, object]:
    code, description, _, cost = _ITEMS[item - 16]
    quantity = rng.randint(1, 20)
    return {
        "id_item": item,
        "items_description": f"{description}    {{ {code} }}",
        "code": code,
        "qty": quantity,
        "unit_cost": Decimal(cost),
        "total_cost": Decimal(cost) * quantity,
        "tax_name": "VAT",
        "tax_rate": 20,
    }
