"""What the workshop has on: bills of materials, work orders, and what was bought for them."""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from .common import TODAY, Order, Part, cents, day, moment

Document = tuple[dict[str, object], Sequence[str | None]]

_OPERATIONS: Final = (
    ("Saw", "SAW-1"), ("Turn", "LATHE-2"), ("Mill", "VMC-4"), ("Drill", "DRILL-1"), ("Grind", "GRIND-1"),
    ("Deburr", "BENCH"), ("Inspect", "CMM"),
)  # fmt: skip
SUPPLIERS: Final = (
    (1, "Don Valley Bar Stock Ltd"), (2, "Cutter & Grind Supplies"), (3, "Peak Heat Treatment Ltd"),
    (4, "Anodise Yorkshire"), (5, "Björk Fasteners AB"), (6, "Northern Packaging Co."),
)  # fmt: skip


def boms(rng: random.Random, parts: list[Part]) -> Iterator[Document]:
    for number in range(1, 201):
        part = rng.choice(parts)
        components: list[dict[str, object]] = [
            {
                "part": component.brief(),
                "qty": rng.choice((1, 1, 2, 4, 0.5, 1.25)),
                "uom": component.uom,
                "scrap_percent": rng.choice((None, None, 2, 5)),
            }
            for component in rng.choices(parts, k=rng.randint(1, 8))
        ]
        created = day(rng, 1800)
        doc: dict[str, object] = {
            "id": number,
            "bom_number": f"BOM-{number:04}",
            "part": {**part.brief(), "description": part.description},
            "revision": rng.choice("AABC"),
            "status": rng.choice(("Active", "Active", "Active", "Draft", "Obsolete")),
            "components": components,
            "operations": _routing(rng) if rng.random() < 0.6 else None,
            "created_at": moment(rng, created),
            "updated_at": moment(rng, min(TODAY, created + dt.timedelta(days=90))),
        }
        yield doc, (str(doc["bom_number"]), part.part_number, part.description)


def _routing(rng: random.Random) -> list[dict[str, object]]:
    return [
        {"seq": 10 * n, "name": name, "work_centre": centre, "minutes": rng.randint(2, 90)}
        for n, (name, centre) in enumerate(rng.sample(_OPERATIONS, rng.randint(2, 5)), start=1)
    ]


def work_orders(rng: random.Random, parts: list[Part], orders: list[Order]) -> Iterator[Document]:
    for number in range(1, 401):
        part = rng.choice(parts)
        order = rng.choice(orders) if rng.random() < 0.8 else None
        wanted = rng.choice((5, 10, 20, 50, 100, 200))
        status = rng.choice(("Planned", "Released", "In Progress", "In Progress", "Completed", "Completed", "On Hold"))
        made = wanted if status == "Completed" else rng.randint(0, wanted) if status == "In Progress" else 0
        start = day(rng, 365)
        quote = order.quote_number if order else None
        doc: dict[str, object] = {
            "id": number,
            "work_order_number": f"WO-{number + 7000}",
            "status": status,
            "part": part.brief(),
            "contract": order.brief() if order else None,
            "qty_ordered": wanted,
            "qty_completed": made,
            "qty_scrapped": rng.choice((0, 0, 0, 1, 3)) if made else 0,
            "priority": rng.choice(("Normal", "Normal", "High", "Low")),
            "start_date": start.isoformat() if status != "Planned" else None,
            "due_date": (start + dt.timedelta(days=rng.randint(7, 45))).isoformat(),
            "completed_at": moment(rng, min(TODAY, start + dt.timedelta(days=14))) if status == "Completed" else None,
            "operations": _routing(rng),
            "created_at": moment(rng, start),
        }
        if status == "On Hold":
            doc["hold"] = {"reason": rng.choice(("Material late", "Tool broken", None)), "since": start.isoformat()}
        yield doc, (str(doc["work_order_number"]), part.part_number, status, quote)


def purchase_orders(rng: random.Random, parts: list[Part]) -> Iterator[Document]:
    for number in range(1, 251):
        supplier_id, supplier = rng.choice(SUPPLIERS)
        ordered = day(rng, 500)
        expected = (ordered + dt.timedelta(days=rng.randint(3, 40))).isoformat() if rng.random() < 0.9 else None
        lines = [_purchase(rng, part) for part in rng.choices(parts, k=rng.randint(1, 5))]
        total = sum((Decimal(str(line["line_total"])) for line in lines), Decimal(0))
        doc: dict[str, object] = {
            "id": number,
            "po_number": f"PO-{number + 3000}",
            "status": rng.choice(("Draft", "Sent", "Sent", "Part Received", "Received", "Received", "Cancelled")),
            "supplier": {"id": supplier_id, "name": supplier},
            "currency": "EUR" if supplier_id == 5 else "GBP",
            "total_amount": str(cents(total)),
            "order_date": ordered.isoformat(),
            "expected_date": expected,
            "lines": lines,
            "notes": rng.choice((None, None, "Deliver to goods-in, Unit 4.", "")),
            "created_at": moment(rng, ordered),
        }
        yield doc, (str(doc["po_number"]), supplier, str(doc["status"]))


def _purchase(rng: random.Random, part: Part) -> dict[str, object]:
    quantity = rng.choice((1, 5, 20, 100))
    cost = cents(part.price * rng.randint(30, 80) / 100)
    return {
        "part": part.brief(),
        "qty": quantity,
        "unit_cost": str(cost),
        "line_total": str(cost * quantity),
        "received": rng.randint(0, quantity) if rng.random() < 0.8 else None,
    }
