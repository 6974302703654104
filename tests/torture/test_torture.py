"""A sample of `make torture`, and that each part of it would notice what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")]

HERE = Path(__file__).parents[2]


def tortured(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torture", "--short", *words]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.smoke
@pytest.mark.parametrize(
    "parts",
    [("model", "crash"), pytest.param(("hosts", "faults", "fuzz", "soak"), marks=pytest.mark.slow)],
    ids=" and ".join,
)
def test_a_sample_finds_nothing_doubled_lost_or_told_wrongly(parts: tuple[str, ...]) -> None:
    run = tortured(*parts)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count(": 0. ") >= len(parts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("promise", "part"),
    [("claim", "crash"), ("claim", "model"), ("claim", "faults"), ("retry", "crash"), ("retry", "model"),
     ("retry", "faults"), ("accept", "hosts")],
)  # fmt: skip
def test_a_promise_that_is_broken_on_purpose_is_noticed(promise: str, part: str) -> None:
    run = tortured("--broken", promise, part)
    assert run.returncode == 1, run.stdout
    assert "Traceback" not in run.stderr
