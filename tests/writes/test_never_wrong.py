"""Ways in which a write could be called what it is not, each found once: a look-alike, a repeated yes, a late error."""

from typing import Any

import anyio
import pytest

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

BREAKS = [
    {"quantity": 1, "unit_price": "12.50"},
    {"quantity": 100, "unit_price": "10"},
    {"quantity": 500, "unit_price": "8.5"},
]


async def test_a_price_list_that_looked_so_before_proves_no_lost_write(firm: Firm) -> None:
    firm.arm("drop_before", method="PUT", path="*/price-lists")
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        told = await seat.call("set_price_list", part="WIDGET-001", customer="Acme Corp", price_breaks=BREAKS)
    assert told["outcome"] == "unknown"


async def test_a_lost_change_of_a_part_number_is_not_taken_for_done(firm: Firm) -> None:
    firm.arm("drop_before", method="PUT", path="*/price-lists")
    changed = {"part": "WIDGET-001", "customer": "Acme Corp", "customer_part_number": "NEW-NO", "price_breaks": BREAKS}
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        assert (await seat.call("set_price_list", **changed))["outcome"] == "unknown"


async def test_another_enquiry_without_a_reference_is_not_taken_for_a_lost_one(firm: Firm) -> None:
    firm.arm("drop_before", method="POST", path="/contracts")
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        lost = await seat.call("create_enquiry", customer="Acme Corp", notes="URGENT 500 brackets")
        assert lost["outcome"] == "unknown"
        other = await seat.call("create_enquiry", customer="Acme Corp", notes="a colleague's other thing")
        assert other["outcome"] == "done"
        assert (await seat.call("get_write_status", write_id=lost["write_id"]))["outcome"] == "unknown"


async def test_an_enquiry_that_another_write_made_is_not_taken_for_a_lost_one(firm: Firm) -> None:
    firm.arm("drop_before", method="POST", path="/contracts")
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        asked = {"customer": "Acme Corp", "customer_ref": "TWIN-1"}
        lost = await seat.call("create_enquiry", **asked)
        other = await seat.call("create_enquiry", **asked, contact="42")
        assert (lost["outcome"], other["outcome"]) == ("unknown", "done")
        assert (await seat.call("get_write_status", write_id=lost["write_id"]))["outcome"] == "unknown"


async def test_a_confirmation_that_comes_twice_is_told_what_became_of_the_first(firm: Firm) -> None:
    firm.arm("drop_before", method="POST", path="/parts")
    async with firm.seat(None, wired=True, timeout_s=2, confirm="two_step") as seat:
        asked = await seat.call("create_part", part_number="ZZ-1")
        names = {"write_id": asked["write_id"], "confirmation_token": asked["confirmation_token"]}
        assert (await seat.call("confirm_write", **names))["outcome"] == "unknown"
        again = await seat.call("confirm_write", **names)
    assert (again["outcome"], again["is_error"]) == ("unknown", True)
    assert (again["error"]["code"], again["error"]["written"]) == ("CONFIRMATION_INVALID", "maybe")


@pytest.mark.parametrize("confirm", ["human", "two_step"])
async def test_a_form_that_fails_after_the_inbox_decided_tells_what_was_decided(firm: Firm, confirm: str) -> None:
    async def answer(_context: Any, _question: Any) -> Any:
        async with firm.runtime() as runtime:
            service = await runtime.write_service()
            (write,) = await service.journal.latest((State.AWAITING,))
            assert (await service.approve(write, digest=write.digest, by=Decider("the inbox"))).state is State.DONE
        raise RuntimeError("the client broke")

    async with firm.seat(answer, mode="legacy", confirm=confirm) as seat:
        told = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="STALE")
    assert told["outcome"] == "done"
    assert len(firm.enquiries("STALE")) == 1


async def test_an_error_after_the_send_does_not_say_that_nothing_was_written(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_write: Any, **_: Any) -> Any:
        raise RuntimeError("rendering broke")

    async with firm.seat("yes") as seat:
        monkeypatch.setattr("fraction_mcp.server.calls.result_for", broken)
        told = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="AFTER")
    assert told["error"]["written"] == "maybe"
    assert "get_write_status" in told["error"]["hint"]
    assert len(firm.enquiries("AFTER")) == 1


@pytest.mark.slow
async def test_a_journal_that_fails_for_a_moment_does_not_end_the_watching(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.operations.writes.service._TROUBLED_S", 0.01)
    async with firm.runtime() as runtime, firm.seat(None) as seat:
        told = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="WATCHED")
        service = await runtime.write_service()
        failed, latest = anyio.Event(), service.journal.latest

        async def failing(*_: Any, **__: Any) -> Any:
            failed.set()
            monkeypatch.setattr(service.journal, "latest", latest)
            raise OSError("the disk was away")

        monkeypatch.setattr(service.journal, "latest", failing)
        async with anyio.create_task_group() as group:
            group.start_soon(service.watch)
            with anyio.fail_after(25):
                await failed.wait()
                await service.journal.approve(
                    told["write_id"], digest=(await service.write(told["write_id"])).digest, by=Decider("x")
                )
                while (await service.write(told["write_id"])).state is not State.DONE:
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    assert len(firm.enquiries("WATCHED")) == 1
