"""The embedded company that a task happens in: arranged, read, and compared with itself.

It reads the sandbox's own tables, so that what a task expects owes nothing to the tools. Refuses to know tasks' facts.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, overload

from starlette.applications import Starlette

from evals.task import Arrangement, World
from fraction_mcp import sandbox

__all__ = ["Change", "Company", "arm", "opened"]

Record = dict[str, Any]

_KINDS = ("contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices")
_TABLES = ("customers", "contacts", "parts", "movements", *_KINDS)
_JSON = ("doc", "header", "details", "address")
_FOR_ITSELF = {"haystack", "number_key"}
_PRICE_LISTS = """
    SELECT part_number, customer_id, customer_part_number, selling_price, qty, price FROM price_lists
    JOIN parts ON parts.id = part_id LEFT JOIN price_breaks USING (part_customer_id) ORDER BY price_breaks.id"""


@dataclass(frozen=True)
class Change:
    """One record that is not as it was: made where there is no `before`, gone where there is no `after`."""

    table: str
    before: Record | None
    after: Record | None


class Company:
    """`app` is the two ERPs in this world, `folder` where the server keeps its journal."""

    def __init__(self, world: World, app: Starlette, folder: Path) -> None:
        self.world = world
        self.app = app
        self.folder = folder

    def records(self, table: str) -> list[Record]:
        """The records of a kind, every number a Decimal."""
        return [_record(row) for row in self._table(table).values()]

    def changes(self) -> list[Change]:
        """What is not as it was at first, which the same world shows again. No request to write, no change."""
        if all(entry.method == "GET" or _signs_in(entry.endpoint) for entry in self.app.state.requests):
            return []
        before, after = _at_first(tuple(self.world.arranged)), self.rows()
        keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
        return [Change(key[0], _record(before.get(key)), _record(after.get(key))) for key in keys]

    def rows(self) -> dict[tuple[str, str], Record]:
        """Every record as it is stored, by its table and what is unique in it."""
        rows = {(table, key): row for table in _TABLES for key, row in self._table(table).items()}
        lists: dict[tuple[str, str], Record] = {}
        for part, customer, theirs, selling, quantity, price in map(tuple, self.app.state.store.all(_PRICE_LISTS)):
            facts = {"part": part, "customer_id": customer, "customer_part_number": theirs, "selling_price": selling}
            # By part and customer: a list's rows have new ids whenever it is replaced.
            one = lists.setdefault(("price_lists", f"{part}/{customer}"), {**facts, "breaks": []})
            if quantity is not None:
                one["breaks"].append([quantity, price])  # two may have one quantity
        return rows | lists

    def _table(self, table: str) -> dict[str, Record]:
        rows = self.app.state.store.all(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
        return {str(row["id"]): dict(row) for row in rows}


@cache
def _at_first(arranged: tuple[Arrangement, ...]) -> dict[tuple[str, str], Record]:
    """The records of a company so arranged, before anything happened in it."""
    with opened(World(arranged=arranged)) as company:
        return company.rows()


def _signs_in(endpoint: str) -> bool:
    return endpoint.startswith(("/auth/", "/oauth/"))


@overload
def _record(row: Record) -> Record: ...
@overload
def _record(row: Record | None) -> Record | None: ...
def _record(row: Record | None) -> Record | None:
    """A row as a record: what SQLite keeps as JSON is read, and what the sandbox adds for itself is left out."""
    if row is None:
        return None
    record = {name: value for name, value in row.items() if name not in _FOR_ITSELF}
    for name in _JSON:
        if name in record:
            value = json.loads(record.pop(name), parse_float=Decimal, parse_int=Decimal)
            record |= value if name in {"doc", "header"} else {name: value}
    return record


@contextmanager
def opened(world: World) -> Iterator[Company]:
    """A company of its own, arranged, with nothing gone wrong yet."""
    with tempfile.TemporaryDirectory(prefix="fraction-mcp-evals-") as made:
        folder = Path(made)
        shutil.copy(_first_day(), folder / "sandbox.sqlite3")
        app = sandbox.open_sandbox(folder / "sandbox.sqlite3")
        try:
            with app.state.store.writing() as db:
                for statement, values in chain.from_iterable(world.arranged):
                    db.execute(statement, values)
            yield Company(world, app, folder)
        finally:
            app.state.store.close()


def arm(company: Company) -> None:
    """From now on the trouble of its world is made."""
    for fault in company.world.faults:
        company.app.state.faults.arm(**asdict(fault))


_made: list[tempfile.TemporaryDirectory[str]] = []


def _first_day() -> Path:
    """The company that every task begins with, built once in a process."""
    if not _made:
        _made.append(tempfile.TemporaryDirectory(prefix="fraction-mcp-evals-"))
        sandbox.open_sandbox(Path(_made[0].name) / "sandbox.sqlite3").state.store.close()
    return Path(_made[0].name) / "sandbox.sqlite3"
