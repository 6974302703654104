"""Many parts in one call: to the digit, in as many requests as there are pages, in little memory."""

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from fraction_mcp import sandbox
from tests.process import command


@dataclass
class Told:
    parts: int
    app: Starlette
    answer: dict[str, Any]
    requests: list[str]
    grown_mb: float


@pytest.fixture(scope="module", params=[3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One such call, made once: the embedded ERPs listen here, the fold runs in a process of its own."""
    app = sandbox.open_sandbox(tmp_path_factory.mktemp("large") / "sandbox.db", parts=request.param)
    app.state.fraction_limit_per_hour = 1_000_000
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        config = uvicorn.Config(app, http="h11", lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            words = command(str(Path(__file__).with_name("large_fold.py")), url)
            child = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        finally:
            server.should_exit = True
            thread.join()
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    requests = [entry.query for entry in app.state.requests if entry.endpoint == "/parts"]
    yield Told(request.param, app, found["answer"], requests, found["grown_mb"])
    app.state.store.close()


def test_its_figures_are_those_of_the_rows_themselves(told: Told) -> None:
    rows = told.app.state.store.all(
        "SELECT coalesce(category, '') AS category, count(*), sum(lead_time_days), substr(min(created_at), 1, 10), "
        "substr(max(created_at), 1, 10), round(avg(lead_time_days), 6) FROM parts GROUP BY category"
    )
    expected = {row[0]: tuple(row)[1:] for row in rows}
    shown = {row[0]: row[1:] for row in told.answer["rows"]}
    assert shown.keys() == expected.keys()
    assert len(expected) > 20
    for category, (count, total, first, last, average) in expected.items():
        assert shown[category][:4] == [count, str(total), first, last]
        assert float(shown[category][4]) == pytest.approx(average, abs=1e-6)
    assert told.answer["totals"]["count"] == told.parts
    assert told.answer["totals"]["sum_lead_time_days"] == str(sum(total for _, total, *_ in expected.values()))


def test_it_is_told_to_rest_on_all_of_them(told: Told) -> None:
    coverage = told.answer["coverage"]
    assert (coverage["total"], coverage["scanned"], coverage["complete"]) == (told.parts, told.parts, True)
    assert told.answer["summary"].startswith(f"All {told.parts} parts were read")


def test_it_costs_a_request_a_page(told: Told) -> None:
    assert sorted(told.requests[10:]) == sorted(
        f"page={number}&per_page=100" for number in range(1, told.parts // 100 + 1)
    )


def test_its_memory_grows_by_less_than_fifty_megabytes(told: Told) -> None:
    assert told.grown_mb < 50
