"""Fracttal's purchase orders: which days an answer covers, more than a hundred of them, and one by its document."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from starlette.applications import Starlette

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

from .conftest import data, error, told

pytestmark = pytest.mark.anyio

ORDERS = 130
TOOL = "list_fracttal_purchase_orders"
# The sandbox takes its own clock for what lies 30 days back.
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    app = sandbox.open_sandbox(tmp_path_factory.mktemp("works") / "sandbox.db")
    app.state.fracttal_limit_per_minute = 10_000
    yield app
    app.state.store.close()


@pytest.fixture(scope="module")
def orders(works: Starlette) -> list[str]:
    """More orders than a page holds, made through Fracttal's own API: one a day up to today. Their documents."""
    import anyio

    documents = [f"OC {number:03}/B" for number in range(ORDERS)]

    async def make() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(works), base_url="http://sandbox") as http:
            account = (sandbox.CLIENT_ID, sandbox.CLIENT_SECRET)
            form = {"grant_type": "client_credentials"}
            answer = await http.post(sandbox.FRACTTAL_TOKEN_PATH, auth=account, data=form)
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            for number, document in enumerate(documents):
                order = {
                    "document": document,
                    "date": (TODAY - timedelta(days=ORDERS - 1 - number)).isoformat(),
                    "items": [{"code": "DEST01", "qty": "9", "unit_cost": 5000}],
                }
                made = await http.post(f"{sandbox.FRACTTAL_PATH}/warehouse_purchase_orders/1254", json=order)
                assert made.status_code == 200, made.text

    anyio.run(make)
    return documents


@pytest.fixture
async def client(
    works: Starlette, orders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    works.state.requests.clear()
    async with Runtime(checked_settings(sandbox=True), works) as runtime, Client(create_server(runtime)) as client:
        yield client
    works.state.faults.clear()


def days_back(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def documents(found: dict[str, Any]) -> list[str]:
    column = found["columns"].index("document")
    return [row[column] for row in found["rows"]]


def held(works: Starlette, since: str, until: str = "9999") -> int:
    (row,) = works.state.store.all("SELECT count(*) AS n FROM movements WHERE date BETWEEN ? AND ?", (since, until))
    return int(row["n"])


@pytest.mark.slow
async def test_without_dates_the_window_is_fracttals_own_and_is_stated(client: Client, works: Starlette) -> None:
    found = data(await client.call_tool(TOOL, {}))
    count = held(works, days_back(30))
    assert found["window"] == {"since": days_back(30), "until": None, "stated_by": "fracttal"}
    assert found["coverage"]["total"] == count
    assert found["summary"] == (
        f"Rows 1 to 10 of {count} purchase orders, in the last 30 days only (since {days_back(30)}): "
        "without dates Fracttal looks no further back."
    )
    assert "since=" not in works.state.requests[-1].query


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        ({"since": days_back(60)}, days_back(60), (TODAY + timedelta(days=366)).isoformat()),
        ({"until": days_back(40)}, days_back(70), days_back(40)),
        ({"since": days_back(50), "until": days_back(45)}, days_back(50), days_back(45)),
        ({"since": days_back(0), "until": days_back(0)}, days_back(0), days_back(0)),
    ],
)
async def test_either_date_makes_a_window_that_is_sent_and_stated(
    client: Client, works: Starlette, asked: dict[str, str], since: str, until: str
) -> None:
    found = data(await client.call_tool(TOOL, {**asked, "limit": 100}))
    assert found["window"] == {"since": since, "until": until, "stated_by": "caller"}
    assert found["coverage"]["total"] == len(found["rows"]) == held(works, since, until) > 0
    assert found["summary"].endswith(f", from {since} to {until}.")
    assert f"since={since}&until={until}" in works.state.requests[-1].query


async def test_a_window_without_orders_says_so(client: Client) -> None:
    found = data(await client.call_tool(TOOL, {"since": "2001-01-01", "until": "2001-12-31"}))
    assert found["rows"] == []
    assert found["summary"] == "No purchase orders, from 2001-01-01 to 2001-12-31."
    assert (found["coverage"]["total"], found["coverage"]["complete"]) == (0, True)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"since": "21/11/2026"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"until": "2026-11-21T10:00:00"}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"since": "2026-11-21", "until": "2026-11-20"}, "since"),
    ],
)
async def test_what_is_no_window_is_refused_without_a_request(
    client: Client, works: Starlette, asked: dict[str, str], place: str
) -> None:
    told = error(await client.call_tool(TOOL, asked))
    assert told["code"] == "INVALID_INPUT"
    assert told["message"].startswith(f"{place}: ")
    assert not len(works.state.requests)


async def test_more_than_a_hundred_orders_are_paged_through_by_their_start(
    client: Client, works: Starlette, orders: list[str]
) -> None:
    since, until = days_back(ORDERS - 1), days_back(0)
    seen: list[str] = []
    for page in (1, 2, 3):
        found = data(await client.call_tool(TOOL, {"since": since, "until": until, "limit": 60, "page": page}))
        seen += documents(found)
        assert found["coverage"]["total"] == held(works, since, until) >= ORDERS
    assert set(orders) <= set(seen)
    starts = [entry.query.split("&start=")[1] for entry in works.state.requests if "&start=" in entry.query]
    assert starts == ["0&limit=100", "100&limit=100"]  # the pages after the first were answered from memory


@pytest.mark.parametrize("spelling", ["OC 117/B", "oc 117/b", " OC  117/B "])
async def test_an_order_is_found_by_its_document_wherever_it_stands(
    client: Client, orders: list[str], spelling: str
) -> None:
    found = data(await client.call_tool(TOOL, {"since": days_back(ORDERS), "document": spelling}))
    assert documents(found) == ["OC 117/B"]
    assert found["summary"].startswith("1 purchase order with the document 'OC 117/B', from ") or spelling != "OC 117/B"
    assert (found["coverage"]["total"], found["coverage"]["complete"]) == (1, True)
    assert found["coverage"]["scanned"] >= ORDERS


async def test_a_warehouse_is_the_only_one_looked_in(client: Client, works: Starlette) -> None:
    found = data(await client.call_tool(TOOL, {"warehouse_code": "no such", "since": days_back(ORDERS)}))
    assert found["rows"] == []
    assert "warehouse_code=no%20such" in works.state.requests[-1].query


async def test_an_answer_that_broke_off_is_partial_in_every_place(client: Client, works: Starlette) -> None:
    works.state.faults.arm("garbage", system="fracttal", path="/warehouse_purchase_orders/*", after=1, times=99)
    asked = {"since": days_back(ORDERS), "document": "OC 129/B"}
    result = await client.call_tool(TOOL, asked)
    found = data(result)
    assert found["summary"].startswith(
        "Partial: none of the purchase orders that could be read with the document 'OC 129/B'"
    )
    assert (found["coverage"]["complete"], found["coverage"]["total"], found["coverage"]["scanned"]) == (
        False,
        None,
        100,
    )
    assert found["warnings"][0].startswith("Partial: reading stopped after 100 of ")
    assert found["warnings"][0] in told(result)
