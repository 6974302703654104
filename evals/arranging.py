"""What a task may change in the embedded company before it begins, as statements on its tables."""

import json
from collections.abc import Mapping

from evals.task import Arrangement

__all__ = ["Verbatim", "customer", "different", "part", "prices", "renamed"]

_THEN = "2026-01-05T09:00:00+00:00"


def part(number: str, description: str, *, uom: str = "EA") -> Arrangement:
    """A further part, without a price list."""
    sql = """INSERT INTO parts (part_number, description, revision, uom, material, category, type, is_active,
             lead_time_days, created_at, updated_at, haystack, number_key)
             VALUES (?, ?, 'A', ?, NULL, NULL, 'Purchased', 1, 5, ?, ?, ?, ?)"""
    folded = f"{number}\x1f{description}".casefold()
    return ((sql, (number, description, uom, _THEN, _THEN, folded, number.casefold())),)


def prices(part_number: str, customer_id: int, breaks: Mapping[str, str], *, selling_price: str = "") -> Arrangement:
    """A price list for a customer who had none of this part."""
    of_part = "(SELECT id FROM parts WHERE part_number = ?)"
    linked = f"INSERT INTO price_lists (part_id, customer_id, selling_price) VALUES ({of_part}, ?, ?)"  # noqa: S608
    broken = f"""INSERT INTO price_breaks (part_customer_id, qty, price)
                 SELECT part_customer_id, ?, ? FROM price_lists
                 WHERE part_id = {of_part} AND customer_id = ?"""  # noqa: S608 - words of ours
    return (
        (linked, (part_number, customer_id, selling_price or None)),
        *((broken, (quantity, price, part_number, customer_id)) for quantity, price in breaks.items()),
    )


def customer(name: str, town: str) -> Arrangement:
    """A further customer, the next number being 61."""
    sql = """INSERT INTO customers (name, code, currency, address, is_active, created_at, updated_at, haystack)
             VALUES (?, 'NEW', 'GBP', ?, 1, ?, ?, ?)"""
    return ((sql, (name, json.dumps({"city": town}), _THEN, _THEN, name.casefold())),)


def renamed(kind: str, **names: str) -> Arrangement:
    """Every record of a kind with other names for some of its fields: `quote_number="number"`."""
    sql = "UPDATE {0} SET doc = json_remove(json_set(doc, '$.{2}', json(doc -> '$.{1}')), '$.{1}')"
    return tuple((sql.format(kind, old, new), ()) for old, new in names.items())


def different(kind: str, record_id: int, **fields: object) -> Arrangement:
    """One record with other values, each as it stands in JSON."""
    sql = "UPDATE {0} SET doc = json_set(doc, '$.{1}', json(?)) WHERE id = ?"
    values = ((name, value if isinstance(value, Verbatim) else json.dumps(value)) for name, value in fields.items())
    return tuple((sql.format(kind, name), (value, record_id)) for name, value in values)


class Verbatim(str):
    """JSON to the letter, for a number that Python would print otherwise."""

    __slots__ = ()
