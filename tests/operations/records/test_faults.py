"""Trouble in the middle of a fold of twelve pages: recovered, or told; never a wrong total called complete."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from starlette.applications import Starlette

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.listing import Shown, list_kind
from fraction_mcp.operations.records.summary import Summary, summarise
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from tests.erp.conftest import Noting, World, _fresh, address, near, wired, world  # noqa: F401 - the fixtures
from tests.support import context_of

from .conftest import data, error

pytestmark = pytest.mark.anyio

PARTS = 1200


@pytest.fixture(scope="session")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    """A company of twelve pages of parts."""
    app = sandbox.open_sandbox(Path(tmp_path_factory.mktemp("company")) / "sandbox.db", parts=PARTS)
    yield Noting(app)
    app.state.store.close()


async def whole(client: ErpClient, **more: Any) -> Summary:
    asked = Asked(group_by=["category"], sums=["lead_time_days"])
    return await summarise(context_of(client), "parts", asked, **more)


@pytest.fixture
async def truth(near: World) -> Summary:  # noqa: F811
    """What an untroubled fold says."""
    found = await whole(near.fraction())
    assert found.coverage.complete
    assert found.totals["count"] == PARTS
    near.app.state.requests.clear()
    return found


def check_complete(found: Summary, truth: Summary) -> None:
    assert found == truth
    assert "Partial" not in found.summary


async def check_partial(found: Summary, near: World, why: str) -> int:  # noqa: F811
    """What was read is told, and is the very beginning of the list."""
    read = found.coverage.scanned
    assert found.summary.startswith(f"Partial: only {read} parts of {PARTS} were read")
    assert (found.coverage.total, found.coverage.complete) == (PARTS, False)
    assert found.warnings[0].startswith(f"Partial: reading stopped after {read} of {PARTS} records: ")
    assert why in found.warnings[0]
    assert found.next
    near.app.state.faults.clear()
    capped = await whole(near.fraction(), max_pages=read // 100)
    assert (found.rows, found.totals) == (capped.rows, capped.totals)
    return read


SEVENTH = {"path": "/parts", "after": 6}

PASSING: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "times": 3},
    {"kind": "status", "status": 429, "seconds": 1},
    {"kind": "after_500"},
    {"kind": "html", "status": 502},
    {"kind": "expire"},
]


@pytest.mark.matrix
@pytest.mark.parametrize("fault", PASSING, ids=[f"{one['kind']}-{one.get('status', '')}" for one in PASSING])
async def test_trouble_that_passes_leaves_the_figures_whole(
    world: World,  # noqa: F811
    truth: Summary,
    fault: dict[str, Any],
) -> None:
    world.arm(**SEVENTH, **fault)
    check_complete(await whole(world.fraction()), truth)
    assert world.app.state.faults.armed == [], "the fault was not met"


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "cut"])
async def test_connections_that_break_are_made_anew(wired: World, truth: Summary, kind: str) -> None:  # noqa: F811
    wired.arm(kind, **SEVENTH, times=3)
    check_complete(await whole(wired.fraction()), truth)
    assert wired.app.state.faults.armed == []


LASTING: list[tuple[dict[str, Any], str]] = [
    ({"kind": "status", "status": 500, "times": 99}, "status 500"),
    ({"kind": "status", "status": 429, "seconds": 3000, "times": 99}, "takes no more requests for now"),
    ({"kind": "status", "status": 403, "times": 99}, "refused to list parts"),
    ({"kind": "garbage", "times": 99}, "cannot be read"),
    ({"kind": "garbage", "body": '{"data": ["x"], "meta": {}, "errors": []}', "times": 99}, "not a list of records"),
    ({"kind": "empty", "times": 99}, "it is empty"),
    ({"kind": "truncate", "times": 99}, "not JSON, or was cut off"),
    ({"kind": "html", "status": 200, "times": 99}, "HTML or XML"),
]


@pytest.mark.matrix
@pytest.mark.parametrize(("fault", "why"), LASTING, ids=[f"{f['kind']}-{f.get('status', '')}-{w}" for f, w in LASTING])
async def test_a_page_that_stays_broken_makes_a_partial_answer_of_the_pages_before_it(
    near: World,  # noqa: F811
    truth: Summary,
    fault: dict[str, Any],
    why: str,
) -> None:
    near.arm(**SEVENTH, **fault)
    assert await check_partial(await whole(near.fraction()), near, why) == 600
    check_complete(await whole(near.fraction()), truth)  # nothing of it sticks


async def test_connections_that_stay_broken_make_a_partial_answer(wired: World, truth: Summary) -> None:  # noqa: F811
    wired.arm("drop_before", **SEVENTH, times=99)
    assert await check_partial(await whole(wired.fraction()), wired, "broke the connection off") >= 500


async def test_a_page_that_does_not_come_in_time_makes_a_partial_answer(wired: World, truth: Summary) -> None:  # noqa: F811
    wired.arm("timeout", **SEVENTH, times=99)
    assert await check_partial(await whole(wired.fraction(timeout_s=0.5)), wired, "did not answer within") >= 100


async def test_a_filtered_list_that_broke_off_is_called_partial_as_well(near: World) -> None:  # noqa: F811
    near.arm("garbage", **SEVENTH, times=99)
    conditions = [("type", "=", "manufactured", ())]
    found = await list_kind(context_of(near.fraction()), "parts", Shown(), conditions=conditions)
    assert found.summary.startswith("Partial: ")
    assert " of 600 parts meet the filters" in found.summary
    assert (found.coverage.complete, found.coverage.total) == (False, None)


async def test_eight_connections_carry_a_fold(wired: World) -> None:  # noqa: F811
    wired.noting.seen.clear()
    await whole(wired.fraction())
    assert 1 < len(set(wired.noting.connections("GET", "/parts"))) <= 8


# ---------------------------------------------------------------------------------------------- through the tool itself


@pytest.fixture
def long_list(noting: Noting, near: World) -> Starlette:  # noqa: F811
    return noting.app


@pytest.fixture
async def host(long_list: Starlette, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    async with Runtime(checked_settings(sandbox=True), long_list) as runtime, Client(create_server(runtime)) as client:
        await client.call_tool("get_connection_status", {})  # signs in
        long_list.state.requests.clear()
        yield client


def asked_for(app: Starlette) -> list[str]:
    return [entry.query for entry in app.state.requests if entry.endpoint == "/parts"]


async def test_a_fold_beyond_half_of_the_hours_budget_is_refused_with_its_cost_and_nothing_else_is_asked_for(
    host: Client, long_list: Starlette
) -> None:
    status = data(await host.call_tool("get_connection_status", {"system": "fractionerp"}))
    # The limit is such that the first page leaves 21, and eleven more would take more than half of them.
    spent = 2000 - status["systems"][0]["requests_remaining"]
    long_list.state.fraction_limit_per_hour = spent + 1 + 21
    long_list.state.requests.clear()
    asked = {"kind": "parts", "group_by": ["category"]}
    told = error(await host.call_tool("summarise_records", asked))
    assert told["code"] == "RATE_LIMITED"
    assert told["message"].startswith("reading the whole list takes 11 more requests, and 21 are left until ")
    assert told["hint"].startswith("Narrow it with search, or read a part with a lower max_pages")
    assert asked_for(long_list) == ["page=1&per_page=100"]
    narrowed = data(await host.call_tool("summarise_records", {**asked, "max_pages": 5}))
    assert narrowed["coverage"]["scanned"] == 500
    assert not narrowed["coverage"]["complete"]


async def test_a_client_that_cancels_stops_the_requests(host: Client, long_list: Starlette) -> None:
    long_list.state.faults.arm("timeout", path="/parts", after=3, times=99, seconds=30)
    with anyio.move_on_after(0.3) as given_up:
        await host.call_tool("summarise_records", {"kind": "parts", "group_by": ["category"]})
    assert given_up.cancelled_caught
    before = len(asked_for(long_list))
    long_list.state.faults.clear()
    fine = data(await host.call_tool("summarise_records", {"kind": "customers", "group_by": ["currency"]}))
    assert fine["coverage"]["complete"]
    assert len(asked_for(long_list)) == before < 12


async def test_progress_is_told_to_a_client_that_asks_and_to_no_other(host: Client) -> None:
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert message == "pages read"
        told.append((progress, total))

    asked = {"kind": "parts", "group_by": ["category"]}
    await host.call_tool("summarise_records", asked)
    assert told == [], "nobody asked"
    await host.call_tool("summarise_records", {**asked, "group_by": ["uom"]}, progress_callback=tell)
    assert told[-1:] == [(12, 12)]
    assert sorted(told) == told
