"""What was read within the last seconds costs nothing again, says when it was read, and is never older than a write."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from starlette.applications import Starlette

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

from .conftest import data

pytestmark = pytest.mark.anyio

Hosts = Callable[..., AbstractAsyncContextManager[Client]]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("summarise_records", {"kind": "contracts"}),
    ("summarise_records", {"kind": "contracts", "group_by": ["status"]}),
    ("list_records", {"kind": "contracts", "limit": 3}),
    ("list_records", {"kind": "contracts", "filters": [{"field": "status", "op": "=", "value": "Order"}]}),
    ("search_parts", {"query": "widget"}),
    ("get_record", {"kind": "contracts", "id": "400"}),
    ("list_fracttal_purchase_orders", {}),
]
every_read = pytest.mark.parametrize(("tool", "asked"), ASKED, ids=[f"{tool}-{len(asked)}" for tool, asked in ASKED])


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Starlette]:
    app = sandbox.open_sandbox(tmp_path / "sandbox.db", parts=600)
    yield app
    app.state.store.close()


@pytest.fixture
def hosts(works: Starlette, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))

    @asynccontextmanager
    async def host(**changes: Any) -> AsyncIterator[Client]:
        settings = checked_settings(sandbox=True).model_copy(update=changes)
        async with Runtime(settings, works) as runtime, Client(create_server(runtime)) as client:
            await client.call_tool("get_connection_status", {})  # signs in
            yield client

    return host


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock that answers are stamped by; the memory's own runs on."""
    ahead = timedelta()
    real = ErpClient.__init__

    def made(self: ErpClient, *args: Any, **more: Any) -> None:
        real(self, *args, **more)
        clock = self._clock
        self._clock = lambda: clock() + ahead

    monkeypatch.setattr(ErpClient, "__init__", made)

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += timedelta(seconds=seconds)

    return move


def asked_of(works: Starlette) -> int:
    return len([entry for entry in works.state.requests if entry.method == "GET"])


@pytest.mark.matrix
@every_read
async def test_a_repeated_read_costs_nothing_and_is_as_old_as_it_is(
    hosts: Hosts, works: Starlette, later: Callable[[float], None], tool: str, asked: dict[str, Any]
) -> None:
    async with hosts() as client:
        first = data(await client.call_tool(tool, asked))
        works.state.requests.clear()
        later(20)
        again = data(await client.call_tool(tool, asked))
        assert asked_of(works) == 0
        assert again == first  # the same time of reading included
        assert datetime.fromisoformat(first["as_of"]).utcoffset() == timedelta(0)
        other = data(await client.call_tool("list_records", {"kind": "boms", "limit": 1}))
    assert datetime.fromisoformat(other["as_of"]) - datetime.fromisoformat(first["as_of"]) >= timedelta(seconds=20)


@pytest.mark.matrix
@every_read
async def test_without_a_memory_each_read_is_sent_and_is_as_new_as_it_is(
    hosts: Hosts, works: Starlette, later: Callable[[float], None], tool: str, asked: dict[str, Any]
) -> None:
    async with hosts(cache_s=0) as client:
        works.state.requests.clear()
        first = data(await client.call_tool(tool, asked))
        cost = asked_of(works)
        later(20)
        again = data(await client.call_tool(tool, asked))
    assert asked_of(works) == 2 * cost > 0
    assert datetime.fromisoformat(again["as_of"]) - datetime.fromisoformat(first["as_of"]) >= timedelta(seconds=20)


async def test_an_answer_of_old_and_new_reads_is_as_old_as_the_oldest(
    hosts: Hosts, later: Callable[[float], None]
) -> None:
    async with hosts() as client:
        summary = {"kind": "contracts", "max_pages": 1, "group_by": ["status"]}
        first = data(await client.call_tool("summarise_records", summary))
        later(20)
        whole = data(await client.call_tool("summarise_records", {**summary, "max_pages": 3}))  # two pages are new
    assert whole["coverage"]["complete"]
    assert whole["as_of"] == first["as_of"]


async def test_a_write_makes_the_next_read_see_it(hosts: Hosts, works: Starlette) -> None:
    by_category = {"kind": "parts", "group_by": ["category"], "search": "fresh"}
    async with hosts(confirm="two_step", elicitation="off") as client:
        before = data(await client.call_tool("summarise_records", {"kind": "parts"}))
        assert data(await client.call_tool("summarise_records", by_category))["rows"] == []
        part = {"part_number": "FRESH-1", "category": "Novelties"}
        planned = data(await client.call_tool("create_part", part))
        assert planned["outcome"] == "confirmation_required"
        unchanged = data(await client.call_tool("summarise_records", {"kind": "parts"}))
        assert unchanged["totals"] == before["totals"]
        consent = {name: planned[name] for name in ("write_id", "confirmation_token")}
        assert data(await client.call_tool("confirm_write", consent))["outcome"] == "done"
        after = data(await client.call_tool("summarise_records", {"kind": "parts"}))
        assert after["totals"]["count"] == before["totals"]["count"] + 1
        assert data(await client.call_tool("summarise_records", by_category))["rows"] == [["Novelties", 1]]
        found = data(await client.call_tool("search_parts", {"query": "FRESH-1"}))
        assert found["coverage"]["total"] == 1


async def test_a_price_of_a_part_that_was_just_listed_is_as_old_as_that_list(
    hosts: Hosts, works: Starlette, later: Callable[[float], None]
) -> None:
    async with hosts() as client:
        listed = data(await client.call_tool("search_parts", {"query": "WIDGET-001"}))
        later(20)
        works.state.requests.clear()
        price = data(await client.call_tool("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 5}))
    assert asked_of(works) == 1, "a part that was just seen needs no search"
    assert price["as_of"] == listed["as_of"]
