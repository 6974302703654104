"""Small things that every part of the company is made with: days, money, and rows."""

import datetime as dt
import random
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from fraction_mcp.sandbox.jsontext import encode
from fraction_mcp.sandbox.schema import haystack

# The day on which the company was drawn: its history ends here, whatever the clock says.
TODAY: Final = dt.date(2026, 11, 20)


class Customer(NamedTuple):
    id: int
    name: str
    currency: str
    town: str

    def brief(self) -> dict[str, object]:
        return {"id": self.id, "name": self.name}


class Part(NamedTuple):
    id: int
    part_number: str
    description: str
    uom: str
    price: Decimal

    def brief(self) -> dict[str, object]:
        return {"id": self.id, "part_number": self.part_number}


class Order(NamedTuple):
    """A contract, as far as what follows from it needs to know."""

    id: int
    quote_number: str
    customer: Customer
    total: Decimal

    def brief(self) -> dict[str, object]:
        return {"id": self.id, "quote_number": self.quote_number}


def day(rng: random.Random, first_days_ago: int, last_days_ago: int = 0) -> dt.date:
    """A weekday in the company's past."""
    chosen = TODAY - dt.timedelta(days=rng.randint(last_days_ago, first_days_ago))
    return chosen - dt.timedelta(days=max(0, chosen.weekday() - 4))


def moment(rng: random.Random, on: dt.date) -> str:
    """A time in the working hours of that day, as the ERP writes it."""
    return f"{on.isoformat()}T{rng.randint(7, 17):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}+00:00"


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def insert(db: sqlite3.Connection, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    marks = ", ".join("?" * len(columns.split(",")))
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def insert_documents(
    db: sqlite3.Connection, table: str, documents: Iterable[tuple[dict[str, object], Sequence[str | None]]]
) -> None:
    """Rows of an undocumented kind: the record as it is served, and what `search` looks through."""
    rows = ((doc["id"], encode(doc), haystack(*words)) for doc, words in documents)
    insert(db, table, "id, doc, haystack", rows)
