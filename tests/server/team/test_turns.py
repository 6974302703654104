"""Whose turn it is: nobody takes all turns, whoever waits has bounds, and a commit is never cut."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from fraction_mcp.server.team.turns import Busy, Limits, Turns

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def holding(turns: Turns, person: str, count: int) -> AsyncIterator[anyio.Event]:
    """That many calls of a person under way until the event is set."""
    end, begun = anyio.Event(), 0

    async def call() -> None:
        nonlocal begun
        async with turns.turn(person):
            begun += 1
            await end.wait()

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            yield end
            end.set()
    assert begun == count


async def test_one_persons_calls_are_bounded_and_anothers_go_on() -> None:
    turns = Turns(Limits(each_at_once=2, each_waiting=1))
    async with holding(turns, "anna", 3):
        assert (turns.under_way, turns.waiting) == (2, 1)
        with pytest.raises(Busy) as told:
            async with turns.turn("anna"):
                pass
        assert (told.value.status, told.value.retry_after_s > 0) == (429, True)
        async with turns.turn("boris"):
            assert turns.under_way == 3


async def test_everybodys_calls_are_bounded() -> None:
    turns = Turns(Limits(each_at_once=2, at_once=2, waiting=0))
    async with holding(turns, "anna", 2):
        with pytest.raises(Busy) as told:
            async with turns.turn("boris"):
                pass
        assert told.value.status == 503
    async with turns.turn("boris"):
        pass


async def test_whoever_waits_too_long_is_told_to_try_again() -> None:
    turns = Turns(Limits(each_at_once=1, each_waiting=5, wait_s=0.01))
    async with holding(turns, "anna", 1):
        with pytest.raises(Busy):
            async with turns.turn("anna"):
                pass
        assert turns.waiting == 0


async def test_turns_come_in_the_order_of_arrival() -> None:
    turns, came = Turns(Limits(each_at_once=1, each_waiting=9)), list[int]()

    async def call(number: int) -> None:
        async with turns.turn("anna"):
            came.append(number)
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()
    assert came == [0, 1, 2, 3, 4]


async def test_a_call_that_takes_too_long_is_given_up_and_what_is_shielded_ends_first() -> None:
    turns, written = Turns(Limits(call_s=0.01)), list[str]()
    with anyio.fail_after(25):
        async with turns.turn("anna") as given:
            try:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.05)
                    written.append("committed")
                await anyio.sleep_forever()
            finally:
                written.append("left")
    assert given.cancelled_caught
    assert written == ["committed", "left"]
    assert turns.under_way == 0


async def test_of_people_who_are_gone_nothing_is_kept() -> None:
    turns = Turns(Limits())
    for number in range(50):
        async with turns.turn(f"person {number}"):
            pass
    with pytest.raises(ValueError, match="theirs"):
        async with turns.turn("anna"):
            raise ValueError("theirs")
    assert turns._each == {}
    assert turns.under_way == 0


async def test_at_the_end_listeners_go_at_once_and_calls_when_they_are_over() -> None:
    turns, gone = Turns(Limits()), list[str]()

    async def listen() -> None:
        with turns.listening():
            await anyio.sleep_forever()
        gone.append("listener")

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            async with holding(turns, "anna", 1) as end:
                turns.cut_streams()
                await anyio.wait_all_tasks_blocked()
                assert gone == ["listener"]
                assert turns.under_way == 1
                end.set()
                await turns.over()
    assert turns.under_way == 0
