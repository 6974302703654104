"""Two decisions at once, and an approval at the second of expiry: one outcome, and the right one."""

from functools import partial
from typing import Any

import anyio
import pytest

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

_RACES = 50


async def planned(service: Any, number: str) -> Any:
    arguments = {"part_number": number}
    plan = await service._committer._replan(service.context, "create_part", arguments)
    return await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test")


@pytest.mark.slow
async def test_a_form_s_no_racing_an_inbox_s_yes_has_one_outcome(firm: Firm) -> None:
    """Two offices on one journal decide at the same moment, and the ERP holds what the journal says."""
    outcomes = []
    async with firm.runtime() as form_s, firm.runtime() as inbox_s:
        form, inbox = await form_s.write_service(), await inbox_s.write_service()
        for number in range(_RACES):
            write = await planned(form, f"RACE-{number}")

            async def yes(write: Any = write) -> None:
                await inbox.approve(write, digest=write.digest, by=Decider("the inbox"))

            async def no(write: Any = write, turns: int = number % 10) -> None:
                for _ in range(turns):  # somewhere between before the yes and after its re-reading
                    await anyio.lowlevel.checkpoint()
                await form.decline(write, by="a form")

            async with anyio.create_task_group() as group:
                for decide in (yes, no) if number % 2 else (no, yes):
                    group.start_soon(decide)
            state = (await form.write(write.id)).state
            outcomes.append(state)
            assert len(firm.parts(f"RACE-{number}")) == (state == "done")
    assert set(outcomes) <= {"done", "declined", "cancelled"}  # a no after the yes withdraws it
    assert len(firm.sent()) == outcomes.count(State.DONE)


async def test_two_inboxes_that_say_yes_send_it_once(firm: Firm) -> None:
    async with firm.runtime() as one_s, firm.runtime() as two_s:
        one, two = await one_s.write_service(), await two_s.write_service()
        write = await planned(one, "TWICE-1")
        async with anyio.create_task_group() as group:
            for service in (one, two, one, two):
                group.start_soon(partial(service.approve, write, digest=write.digest, by=Decider("an inbox")))
        assert (await one.write(write.id)).state == "done"
    assert len(firm.parts("TWICE-1")) == len(firm.sent()) == 1


@pytest.mark.parametrize(("after", "state"), [(-1, "done"), (0, "expired")])
async def test_an_approval_at_the_second_of_expiry_comes_too_late(firm: Firm, after: float, state: str) -> None:
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        write = await planned(service, "EXPIRY-1")
        service.journal._clock = lambda: write.expires_at + after
        assert (await service.approve(write, digest=write.digest, by=Decider("a person"))).state == state
    assert len(firm.parts("EXPIRY-1")) == len(firm.sent()) == (state == "done")


async def test_a_write_that_expires_while_it_is_read_anew_is_not_sent(firm: Firm, monkeypatch: Any) -> None:
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        write = await planned(service, "EXPIRY-2")
        replan = service._committer._replan

        async def slow(*arguments: Any) -> Any:
            plan = await replan(*arguments)
            service.journal._clock = lambda: write.expires_at
            return plan

        monkeypatch.setattr(service._committer, "_replan", slow)
        assert (await service.approve(write, digest=write.digest, by=Decider("a person"))).state == "expired"
    assert firm.sent() == []


async def test_a_caller_that_leaves_after_the_yes_does_not_stop_the_write_half_way(firm: Firm) -> None:
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        write = await planned(service, "LEFT-1")
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: service.approve(write, digest=write.digest, by=Decider("a person")))
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert (await service.write(write.id)).state == "done"
    assert len(firm.parts("LEFT-1")) == len(firm.sent()) == 1
