"""Batches of writes that the embedded ERPs take, and what stands in the journal afterwards."""

import sqlite3
from contextlib import closing
from typing import Any, Protocol

import anyio.to_thread
import pytest

from tests.writes.firm import Firm

PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]}
ORDER = {
    "warehouse_code": "1254",
    "document": "OC_B",
    "items": [{"code": "DEST01", "quantity": 9, "unit_cost": "5000"}],
}


def part(number: str) -> dict[str, Any]:
    return {"tool": "create_part", "arguments": {"part_number": number}}


def parts(count: int, prefix: str = "BATCH") -> list[dict[str, Any]]:
    return [part(f"{prefix}-{number}") for number in range(1, count + 1)]


def states(told: dict[str, Any]) -> list[str]:
    return [write["outcome"] for write in told["writes"]]


class Batches:
    """What the tests of this folder share."""

    PRICES, ORDER = PRICES, ORDER
    part, parts, states = staticmethod(part), staticmethod(parts), staticmethod(states)
    mixed = staticmethod(
        lambda: [
            part("BATCH-1"),
            {"tool": "create_enquiry", "arguments": {"customer": "Acme Corp", "customer_ref": "PO-BATCH"}},
            {"tool": "set_price_list", "arguments": PRICES},
            {"tool": "create_fracttal_purchase_order", "arguments": ORDER},
        ]
    )


@pytest.fixture
def batches() -> type[Batches]:
    return Batches


class Behind(Protocol):
    async def __call__(self, *statements: str) -> None: ...


@pytest.fixture
def behind(firm: Firm) -> Behind:
    """What somebody with the database's own tools could do to the journal."""

    async def changed(*statements: str) -> None:
        def done() -> None:
            with closing(sqlite3.connect(firm.state / "journal.sqlite3")) as db, db:
                for statement in statements:
                    assert db.execute(statement).rowcount, statement

        await anyio.to_thread.run_sync(done)

    return changed
