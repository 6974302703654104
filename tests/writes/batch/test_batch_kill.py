"""A process is killed (SIGKILL) at each step of a batch of fifty; another one starts. Each write's state is told
exactly, none is made twice, and none is lost."""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from tests.process import command
from tests.writes.batch.conftest import Batches
from tests.writes.firm import Firm

pytestmark = [pytest.mark.anyio, pytest.mark.process]

_LEASE_OVER_S = 100


@dataclass(frozen=True)
class Kill:
    """Where the process dies, and what the journal says once its lease has run out: of the writes before the `kth`, of
    that one, and of those behind it. `landed`: whether that one is in the ERP; `refused`: whether the ERP refuses it.
    """

    step: str
    before: str
    itself: str
    behind: str
    landed: bool = False
    refused: bool = False
    first: bool = False  # it dies when the step is first reached, and not at the kth write

    def __str__(self) -> str:
        return f"{self.step}{' of a refusal' if self.refused else ''}"


WAITS = "awaiting_approval"
KILLS = [
    Kill("unproposed", "", "", "", first=True),
    Kill("proposed", WAITS, WAITS, WAITS, first=True),
    Kill("approving", WAITS, WAITS, WAITS, first=True),
    Kill("approved", "approved", "approved", "approved", first=True),
    Kill("unclaimed", "done", "approved", "approved"),
    Kill("claimed", "done", "unknown", WAITS),
    Kill("answered", "done", "unknown", WAITS, landed=True),
    Kill("written", "done", "done", "approved", landed=True),
    Kill("answered", "done", "unknown", WAITS, refused=True),
    Kill("stopping", "done", "unknown", WAITS, refused=True, first=True),
    Kill("written", "done", "failed", WAITS, refused=True),
]


@dataclass(frozen=True)
class Case:
    """One kill in a batch of so many writes, at one of them, counted from 1."""

    kill: Kill
    count: int
    kth: int

    def states(self) -> Counter[str]:
        kill, behind = self.kill, self.count - self.kth
        states = Counter({kill.before: self.kth - 1}) + Counter({kill.itself: 1}) + Counter({kill.behind: behind})
        del states[""]
        return states

    @property
    def landed(self) -> int:
        return self.kth - 1 + self.kill.landed if self.kill.before == "done" else 0


def cases() -> list[Any]:
    slow = pytest.mark.slow
    every = [pytest.param(Case(kill, 50, 20), id=f"{kill}, of fifty", marks=slow) for kill in KILLS]
    return [pytest.param(Case(KILLS[5], 5, 3), id=f"{KILLS[5]}, of five"), *every]


async def killed(firm: Firm, case: Case, writes: list[dict[str, Any]], url: str) -> None:
    settings = firm.settings(wired=True)
    environment = {
        **os.environ,
        "FRACTION_BASE_URL": settings.fraction_base_url,
        "FRACTION_EMAIL": settings.fraction_email,
        "FRACTION_PASSWORD": settings.fraction_password.get_secret_value(),
        "FRACTION_MCP_STATE_DIR": str(firm.state),
        "FRACTION_MCP_TIMEOUT_S": "20",
        "FRACTION_MCP_DATABASE_URL": url,
    }
    script = str(Path(__file__).with_name("mortal_batch.py"))
    words = command(script, case.kill.step, str(1 if case.kill.first else case.kth), json.dumps(writes))

    def run() -> tuple[str, str]:
        done = subprocess.run(words, env=environment, check=False, timeout=240, capture_output=True, text=True)
        return done.stdout, done.stderr

    assert await anyio.to_thread.run_sync(run) == (f"killed at {case.kill.step}\n", "")


def landed(firm: Firm) -> Counter[str]:
    rows = firm.rows("SELECT part_number FROM parts WHERE part_number LIKE 'BATCH-%'")
    return Counter(row["part_number"] for row in rows)


async def check_what_is_told(firm: Firm, service: Any, case: Case) -> None:
    """The journal says no more and no less than what the ERP holds."""
    there = await service.journal.latest(limit=None)
    batch = (await service.batch(there[0])).writes if there else ()
    assert Counter(str(write.state) for write in batch) == case.states()
    assert await service.journal.verify() == ""
    in_the_erp = landed(firm)
    assert in_the_erp.total() == case.landed
    for write in batch:
        number = write.plan.arguments["part_number"]
        if write.state == "done":
            assert (in_the_erp[number], write.outcome.result["part_number"]) == (1, number)
        elif write.state != "unknown":
            assert in_the_erp[number] == 0, f"{number} is called {write.state}"


@pytest.mark.parametrize("base", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", cases())
async def test_of_a_batch_with_a_kill_each_write_is_told_exactly_and_made_once(
    firm: Firm, batches: type[Batches], case: Case, base: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres") if base == "postgresql" else ""
    writes = batches.parts(case.count)
    if case.kill.refused:
        firm.arm("status", status=403, method="POST", path="/parts", after=case.kth - 1)
    await killed(firm, case, writes, url)
    firm.app.state.faults.clear()
    sent = len(firm.sent())
    firm.clock.passes(_LEASE_OVER_S)
    async with firm.seat("yes", wired=True, database_url=url, within_s=60) as seat:
        service = await seat.runtime.write_service()
        await check_what_is_told(firm, service, case)
        assert len(firm.sent()) == sent, "to look sends nothing"
        told = await seat.call("submit_writes", writes=writes)
        # What was refused, or cannot be seen, is left to a person; all the others are there, once.
        left = {"failed", "unknown"} & {case.kill.itself} if not case.kill.landed else set()
        assert Counter(batches.states(told)) == Counter({"done": case.count - len(left), **dict.fromkeys(left, 1)})
        without = f"BATCH-{case.kth}" if left else ""
        assert landed(firm) == Counter(n for each in writes if (n := each["arguments"]["part_number"]) != without)
        assert len(firm.sent()) == case.count - len(left) + case.kill.refused
        assert await service.journal.verify() == ""
