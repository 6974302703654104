"""A process is killed (SIGKILL) at each step of a commit; another one starts. docs/reliability.md has this as a table.

Never two records, never a lost one, never a wrong claim of success. `Journal` and ERP are real; only time is turned on.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio.to_thread
import pytest

from tests.process import command
from tests.writes.conftest import Until
from tests.writes.firm import Firm

pytestmark = [pytest.mark.anyio, pytest.mark.process]

PART = {"part_number": "MORTAL-1"}
_LEASE_OVER_S = 100  # beyond the lease of a process whose requests may take 20 s, within that of one with 600 s


class Mortal:
    """One of them: started, heard, let go on, killed."""

    def __init__(self, stack: ExitStack, environment: dict[str, str], step: str, arguments: dict[str, Any]) -> None:
        tool = "create_part" if "part_number" in arguments else "create_enquiry"
        words = command(str(Path(__file__).with_name("mortal.py")), step, tool, json.dumps(arguments))
        pipe = subprocess.PIPE
        self._process = stack.enter_context(
            subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, bufsize=1, env={**os.environ, **environment})
        )
        stack.callback(self._process.kill)

    async def says(self) -> str:
        assert self._process.stdout is not None
        return (await anyio.to_thread.run_sync(self._process.stdout.readline)).strip()

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")

    async def killed(self) -> None:
        self._process.kill()
        assert await anyio.to_thread.run_sync(self._process.wait) == -9


class Mortals(Protocol):
    def __call__(self, step: str, arguments: dict[str, Any] = ..., **environment: str) -> Mortal: ...


@pytest.fixture
def mortal(firm: Firm) -> Iterator[Mortals]:
    settings = firm.settings(wired=True)
    base = {
        "FRACTION_BASE_URL": settings.fraction_base_url,
        "FRACTION_EMAIL": settings.fraction_email,
        "FRACTION_PASSWORD": settings.fraction_password.get_secret_value(),
        "FRACTION_MCP_STATE_DIR": str(firm.state),
        "FRACTION_MCP_TIMEOUT_S": "20",
    }
    with ExitStack() as stack:
        yield lambda step, arguments=PART, **more: Mortal(stack, base | more, step, arguments)


@asynccontextmanager
async def restarted(firm: Firm, *, ahead_s: float = 0, **changes: Any) -> AsyncIterator[Any]:
    """A session with a new process's runtime, after so much time."""
    async with firm.seat("yes", wired=True, **changes) as seat:
        firm.clock.passes(ahead_s)
        yield seat


def enquiry_of_somebody_else(firm: Firm) -> None:
    firm.run(
        """INSERT INTO contracts (doc, haystack) SELECT json_set(doc, '$.id', (SELECT max(id) + 1 FROM contracts),
           '$.customer.id', 52, '$.customer.name', 'Acme Corp', '$.customer_ref', NULL), 'acme corp'
           FROM contracts LIMIT 1"""
    )


async def only_write(seat: Any) -> Any:
    (write,) = await (await seat.runtime.write_service()).journal.latest()
    return write


async def test_killed_when_planned_it_waits_and_a_yes_writes_it_once(firm: Firm, mortal: Mortals) -> None:
    child = mortal("planned")
    assert await child.says() == "at planned"
    await child.killed()
    async with restarted(firm) as seat:
        write = await only_write(seat)
        assert write.state == "awaiting_approval"
        assert firm.sent() == []
        told = await seat.call("create_part", **PART)
        assert (told["outcome"], told["write_id"]) == ("done", write.id)
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


async def test_killed_when_approved_whoever_looks_next_sends_it_once(firm: Firm, mortal: Mortals) -> None:
    child = mortal("approved")
    assert await child.says() == "at approved"
    await child.killed()
    async with restarted(firm) as seat:
        write = await only_write(seat)
        assert write.state == "approved"
        assert firm.sent() == []
        assert (await seat.call("get_write_status", write_id=write.id))["outcome"] == "done"
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


@pytest.mark.smoke
async def test_killed_when_claimed_nothing_was_sent_and_nobody_says_more_than_is_known(
    firm: Firm, mortal: Mortals
) -> None:
    child = mortal("claimed")
    assert await child.says() == "at claimed"
    await child.killed()
    async with restarted(firm) as seat:
        write = await only_write(seat)
        assert write.state == "sending", "its lease has not run out"
        assert (await seat.call("create_part", **PART))["outcome"] == "in_progress"
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        told = await seat.call("create_part", **PART)
        assert (told["outcome"], told["write_id"], told["error"]["written"]) == ("unknown", write.id, "maybe")
        service = await seat.runtime.write_service()
        await service.settle(await service.write(write.id), landed=False, by="a person")
        assert firm.sent() == []
        again = await seat.call("create_part", **PART)
        assert (again["outcome"], again["write_id"] != write.id) == ("done", True)
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


async def test_after_a_kill_a_record_that_came_between_preview_and_send_is_not_taken_for_the_write(
    firm: Firm, mortal: Mortals
) -> None:
    enquiry = {"customer": "Acme Corp", "notes": "without a reference"}
    child = mortal("planned,claimed", enquiry)
    assert await child.says() == "at planned"
    enquiry_of_somebody_else(firm)
    child.go_on()
    assert await child.says() == "at claimed"
    await child.killed()
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        assert (await seat.call("create_enquiry", **enquiry))["outcome"] == "unknown"
    assert firm.sent() == []


async def test_killed_when_sent_what_landed_is_found(firm: Firm, mortal: Mortals, until: Until) -> None:
    firm.arm("timeout_after", method="POST", path="/parts")
    child = mortal("no halt")
    await until(lambda: firm.parts("MORTAL-1"))
    await child.killed()
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        told = await seat.call("create_part", **PART)
        assert (told["outcome"], told["result"]["part_number"]) == ("done", "MORTAL-1")
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


async def test_killed_when_sent_what_did_not_land_stays_unknown(firm: Firm, mortal: Mortals, until: Until) -> None:
    firm.arm("drop_before", method="POST", path="/parts")
    child = mortal("answered")
    assert await child.says() == "at answered"
    await child.killed()
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        told = await seat.call("create_part", **PART)
        assert (told["outcome"], told["error"]["written"]) == ("unknown", "maybe")
    assert firm.parts("MORTAL-1") == []
    assert len(firm.sent()) == 1


async def test_killed_when_answered_the_record_is_found(firm: Firm, mortal: Mortals) -> None:
    child = mortal("answered")
    assert await child.says() == "at answered"
    await child.killed()
    async with restarted(firm) as seat:
        assert (await only_write(seat)).state == "sending"
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        write = await only_write(seat)
        assert (write.state, write.outcome.result) == ("unknown", None), "success is not claimed unseen"
        assert (await seat.call("get_write_status", write_id=write.id))["outcome"] == "done"
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


async def test_killed_when_written_down_it_is_done(firm: Firm, mortal: Mortals) -> None:
    child = mortal("written")
    assert await child.says() == "at written"
    await child.killed()
    async with restarted(firm, ahead_s=_LEASE_OVER_S) as seat:
        write = await only_write(seat)
        assert (write.state, write.outcome.result["part_number"]) == ("done", "MORTAL-1")
        assert await (await seat.runtime.write_service()).journal.verify() == ""
    assert len(firm.parts("MORTAL-1")) == len(firm.sent()) == 1


@pytest.mark.matrix
@pytest.mark.parametrize("base", ["sqlite", "postgresql"])
async def test_beside_a_killed_process_a_live_one_s_write_in_flight_is_left_alone(
    firm: Firm, mortal: Mortals, base: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres") if base == "postgresql" else ""
    live = mortal("claimed", {"part_number": "LIVE-1"}, FRACTION_MCP_TIMEOUT_S="600", FRACTION_MCP_DATABASE_URL=url)
    assert await live.says() == "at claimed"
    dying = mortal("claimed", FRACTION_MCP_DATABASE_URL=url)
    assert await dying.says() == "at claimed"
    await dying.killed()
    async with restarted(firm, ahead_s=_LEASE_OVER_S, database_url=url) as seat:
        journal = (await seat.runtime.write_service()).journal
        states = {write.plan.arguments["part_number"]: write.state for write in await journal.latest()}
        assert states == {"MORTAL-1": "unknown", "LIVE-1": "sending"}
        assert (await seat.call("create_part", part_number="LIVE-1"))["outcome"] == "in_progress"
        assert firm.sent() == []
        live.go_on()
        assert await live.says() == "done"
        assert (await seat.call("create_part", **PART))["outcome"] == "unknown"
    assert len(firm.parts("LIVE-1")) == len(firm.sent()) == 1
    assert firm.parts("MORTAL-1") == []
