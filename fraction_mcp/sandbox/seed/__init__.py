"""The make-believe company, made anew from a number.

Knows who buys, what is made, at which prices, and what has happened so far; the same seed gives the same company,
and its first 600 parts do not depend on how many follow. Refuses to know how any of it is served.
"""

import random
import sqlite3

from .customers import fill_customers
from .extra import fill_extra_parts
from .parts import CATALOGUE, fill_parts
from .records import fill_records
from .warehouse import fill_warehouse

__all__ = ["fill"]


def fill(db: sqlite3.Connection, *, parts: int, seed: int) -> None:
    """Fill empty tables. Each section has its own generator, so that one may grow without moving the others."""
    customers = fill_customers(db, random.Random(f"customers {seed}"))
    catalogue = fill_parts(db, random.Random(f"parts {seed}"), customers, limit=parts)
    fill_records(db, seed, customers, catalogue)
    fill_warehouse(db, random.Random(f"warehouse {seed}"))
    if parts > CATALOGUE:
        fill_extra_parts(db, seed, first=CATALOGUE + 1, last=parts)
