"""The file: how it is made, shared, reset, and what is in it for one seed."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from fraction_mcp.sandbox import FRACTION_PATH, open_sandbox
from fraction_mcp.sandbox.schema import VERSION
from fraction_mcp.sandbox.store import Store

CONTENTS = (
    "parts",
    "price_lists",
    "price_breaks",
    "customers",
    "contacts",
    "contracts",
    "boms",
    "invoices",
    "movements",
)


def dump(path: Path, *, parts: int = 600) -> dict[str, Any]:
    """What the company consists of, up to a part."""
    with sqlite3.connect(path) as db:
        rows = {table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in CONTENTS}
    db.close()
    rows["parts"] = [row for row in rows["parts"] if row[0] <= parts]
    rows["price_lists"] = [row for row in rows["price_lists"] if row[1] <= parts]
    known = {row[0] for row in rows["price_lists"]}
    rows["price_breaks"] = [row for row in rows["price_breaks"] if row[1] in known]
    return rows


def make(path: Path, **options: Any) -> Path:
    open_sandbox(path, **options).state.store.close()
    return path


def count(path: Path, table: str = "parts") -> int:
    db = sqlite3.connect(path)
    try:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        db.close()


@pytest.mark.slow
def test_one_seed_is_one_company_and_another_seed_another(company: Path, tmp_path: Path) -> None:
    again = dump(make(tmp_path / "again.db"))
    assert again == dump(company)
    other = dump(make(tmp_path / "other.db", seed=2))
    assert other["contracts"] != again["contracts"]
    assert [row[1] for row in other["parts"][:30]] == [row[1] for row in again["parts"][:30]]


@pytest.mark.slow
def test_the_first_parts_are_the_same_in_a_company_of_any_size(company: Path, tmp_path: Path) -> None:
    bigger = dump(make(tmp_path / "bigger.db", parts=2000))
    assert bigger == dump(company)
    small = dump(make(tmp_path / "small.db", parts=50))
    whole = dump(company, parts=50)
    assert [small[table] for table in CONTENTS[:3]] == [whole[table] for table in CONTENTS[:3]]


def test_the_company_has_the_size_of_a_small_one(company: Path) -> None:
    tables = ("customers", "parts", "contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices")
    assert [count(company, table) for table in tables] == [60, 600, 300, 200, 400, 250, 300, 300]


def test_amounts_of_invoices_and_contracts_add_up(company: Path) -> None:
    from decimal import Decimal

    db = sqlite3.connect(company)
    for (text,) in db.execute("SELECT doc FROM invoices").fetchall():
        doc = json.loads(text)
        assert Decimal(doc["net_amount"]) + Decimal(doc["tax_amount"]) == Decimal(doc["total_amount"])
    for (text,) in db.execute("SELECT doc FROM contracts").fetchall():
        doc = json.loads(text)
        assert sum(Decimal(line["line_total"]) for line in doc["lines"]) == Decimal(doc["total_amount"])
    db.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    path = make(tmp_path / "state" / "sandbox.db", parts=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["sandbox.db"]


def test_a_file_of_another_version_is_made_anew(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(f"DROP TABLE parts; CREATE TABLE old (x); PRAGMA user_version = {VERSION + 1}")
    db.close()
    make(path)
    assert count(path) == 600
    with pytest.raises(sqlite3.OperationalError):
        count(path, "old")


@pytest.mark.matrix
@pytest.mark.parametrize("content", [b"", b"a text of somebody's", b"SQLite format 3\0" + b"\0" * 84])
def test_a_file_that_is_not_ours_is_set_aside_and_not_lost(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sandbox.db"
    path.write_bytes(content)
    make(path, parts=3)
    assert count(path) == 3
    assert [aside.read_bytes() for aside in tmp_path.glob("*.set-aside")] == [content]


def test_an_existing_company_is_served_as_it_is_unless_it_is_reset(path: Path) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM parts WHERE id > 10")
    db.close()
    assert count(make(path)) == 10
    assert count(make(path, parts=20, reset=True)) == 20


def test_a_reset_is_seen_by_those_who_have_the_file_open(path: Path) -> None:
    with_open = Store(path, parts=600, seed=1, reset=False)
    with_open.all("SELECT * FROM parts")
    make(path, parts=7, reset=True)
    assert len(with_open.all("SELECT * FROM parts")) == 7
    with_open.close()


def test_a_failed_making_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("fraction_mcp.sandbox.store.fill", fail)
    with pytest.raises(RuntimeError):
        make(tmp_path / "sandbox.db")
    assert list(tmp_path.iterdir()) == []


def test_a_company_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        open_sandbox(tmp_path / "sandbox.db", parts=0)


WORKER = """
import asyncio, sys, pathlib, httpx
from fraction_mcp.sandbox import EMAIL, FRACTION_PATH, PASSWORD, open_sandbox

async def main():
    app = open_sandbox(pathlib.Path(sys.argv[1]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s" + FRACTION_PATH) as client:
        answer = await client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
        client.headers["Authorization"] = "Bearer " + answer.json()["data"]["access_token"]
        print((await client.get("/parts")).json()["meta"]["pagination"]["total"])
        for _ in range(15):
            print((await client.post("/contracts", json={"customer_id": 52})).json()["data"]["quote_number"])

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.process
def test_processes_that_start_at_once_share_one_company(tmp_path: Path) -> None:
    path = tmp_path / "state" / "sandbox.db"
    command = [sys.executable, "-c", WORKER, str(path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = [process.communicate(timeout=30)[0].split() for process in started]
    assert [lines[0] for lines in printed] == ["600"] * 3
    quotes = [quote for lines in printed for quote in lines[1:]]
    assert sorted(quotes) == [f"Q{number}" for number in range(1235, 1235 + 45)]
    assert {entry.name for entry in path.parent.iterdir()} <= {"sandbox.db", "sandbox.db-wal", "sandbox.db-shm"}


@pytest.mark.anyio
async def test_a_token_of_one_process_holds_in_another(path: Path, fraction: AsyncClient) -> None:
    import httpx

    other = open_sandbox(path)
    transport = httpx.ASGITransport(other)
    headers = {"Authorization": fraction.headers["Authorization"]}
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://other{FRACTION_PATH}", headers=headers
    ) as client:
        assert (await client.get("/auth/me")).status_code == 200
        made = await client.post("/parts", json={"part_number": "SHARED-1"})
    assert (await fraction.get(f"/parts/{made.json()['data']['id']}")).status_code == 200
    other.state.store.close()


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_hundred_thousand_parts_open_and_answer_quickly(tmp_path: Path) -> None:
    import httpx

    from fraction_mcp.sandbox import EMAIL, PASSWORD

    started = time.process_time()
    app = open_sandbox(tmp_path / "big.db", parts=100_000)
    assert time.process_time() - started < 8
    started = time.process_time()
    make(tmp_path / "big.db")
    assert time.process_time() - started < 0.2
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://big{FRACTION_PATH}") as client:
        answer = await client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"
        started = time.process_time()
        page = (await client.get("/parts?page=900&per_page=100")).json()
        found = (await client.get("/parts?search=-099999")).json()
        prices = (await client.get("/parts/99997/price-lists")).json()
        # Far above what it takes: a machine under load must not fail the test, a lost index must.
        assert time.process_time() - started < 1.5
    assert (page["data"][0]["id"], page["meta"]["pagination"]["total"]) == (89_901, 100_000)
    assert [part["id"] for part in found["data"]] == [99_999]
    assert [len(entry["price_breaks"]) for entry in prices["data"]] == [3]
    app.state.store.close()


@pytest.mark.process
def test_the_sandbox_needs_nothing_but_starlette() -> None:
    """Neither the rest of the package nor a client: they must not agree by construction."""
    script = (
        "import sys, fraction_mcp.sandbox; "
        "print(sorted({'httpx', 'pydantic', 'mcp', 'uvicorn', 'sqlalchemy', 'fraction_mcp.erp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(os.name == "nt", reason="POSIX links")
def test_the_slower_of_two_makers_uses_the_quicker_ones_company(
    company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fraction_mcp.sandbox import store

    path = tmp_path / "sandbox.db"
    install = store._install

    def late(draft: Path, target: Path) -> None:
        shutil.copy(company, target)
        install(draft, target)

    monkeypatch.setattr(store, "_install", late)
    make(path, parts=5)
    assert count(path) == 600
