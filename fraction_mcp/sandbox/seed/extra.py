"""Parts in bulk, for a company of up to 100,000 of them.

Knows how to make a row with a little arithmetic instead of a dozen random numbers: a hundred thousand have to be
there within seconds.
"""

import random
import sqlite3
from collections.abc import Iterator
from typing import Final

from .common import insert

_NAMES: Final = (
    ("SHAFT", "Shaft, turned and ground", "Shafts"), ("GEAR", "Spur gear", "Gears"),
    ("RING", "Retaining ring", "Rings"), ("PLATE", "Mounting plate", "Plates"), ("SLV", "Sleeve", "Sleeves"),
    ("PIN", "Locating pin", "Pins"), ("ADPT", "Adaptor", "Adaptors"),
)  # fmt: skip
_MATERIALS: Final = ("Stainless Steel 316", "Aluminium 6082-T6", "EN24T", "Brass CZ121", "Acetal")
_CUSTOMERS: Final = 60


def fill_extra_parts(db: sqlite3.Connection, seed: int, *, first: int, last: int) -> None:
    offset = random.Random(f"extra {seed}").randrange(1_000)
    columns = "id, part_number, description, revision, uom, material, category, type, is_active, lead_time_days, "
    insert(db, "parts", columns + "created_at, updated_at, haystack, number_key", _parts(first, last, offset))
    priced = range(first, last + 1, 3)
    start: int = db.execute("SELECT max(part_customer_id) FROM price_lists").fetchone()[0]
    insert(
        db, "price_lists", "part_customer_id, part_id, customer_id, customer_part_number, selling_price",
        (
            (start + n, part, 1 + (part + offset) % _CUSTOMERS, None, _selling(part, offset))
            for n, part in enumerate(priced, start=1)
        ),
    )  # fmt: skip
    insert(db, "price_breaks", "part_customer_id, qty, price", _breaks(priced, start, offset))


def _pence(part: int, offset: int) -> int:
    return 200 + (part * 7919 + offset) % 40_000


def _selling(part: int, offset: int) -> str:
    whole, rest = divmod(_pence(part, offset), 100)
    return f"{whole}.{rest:02}000"


def _parts(first: int, last: int, offset: int) -> Iterator[tuple[object, ...]]:
    for number in range(first, last + 1):
        mixed = number * 31 + offset
        prefix, name, category = _NAMES[mixed % 7]
        material = _MATERIALS[mixed % 5]
        part_number = f"{prefix}-{number:06}"
        description = f"{name}, {4 + mixed % 60} mm"
        created = f"20{18 + mixed % 8}-{1 + mixed % 12:02}-{1 + mixed % 28:02}T09:{mixed % 60:02}:00+00:00"
        folded = f"{part_number}\x1f{description}\x1f{material}\x1f{category}".casefold()
        yield (
            number, part_number, description, "ABCD"[mixed % 4], "EA", material, category,
            "Manufactured", 1, 5 + mixed % 30, created, created, folded, part_number.casefold(),
        )  # fmt: skip


def _breaks(priced: range, start: int, offset: int) -> Iterator[tuple[object, ...]]:
    for n, part in enumerate(priced, start=1):
        pence = _pence(part, offset)
        for quantity, share in (("1", 100), ("50", 88), ("500", 74)):
            whole, rest = divmod(pence * share, 10_000)
            yield start + n, quantity, f"{whole}.{rest:04}"
