"""Checks asked for at one time are read together, and nothing is told that was read before it was asked."""

from collections.abc import Collection, Mapping

import anyio
import pytest

from fraction_mcp.server.team.store_together import Together

pytestmark = pytest.mark.anyio


class Slow:
    """What is there, read when the test lets it be."""

    def __init__(self) -> None:
        self.there = {"a": 1, "b": 2}
        self.asked: list[set[str]] = []
        self.begun = anyio.Event()
        self.go_on = anyio.Event()
        self.fails: Exception | None = None

    async def read(self, keys: Collection[str]) -> Mapping[str, int]:
        self.asked.append(set(keys))
        seen = dict(self.there)
        self.begun.set()
        await self.go_on.wait()
        if self.fails:
            raise self.fails
        return {key: seen[key] for key in keys if key in seen}


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def together(slow: Slow) -> Together[int]:
    return Together(slow.read)


async def test_what_is_asked_while_one_reading_is_under_way_is_read_at_once_after_it(
    slow: Slow, together: Together[int]
) -> None:
    told: list[tuple[str, int | None]] = []

    async def ask(key: str) -> None:
        told.append((key, await together.of(key)))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "a")
            await slow.begun.wait()
            for key in ["a", "b", "c"] * 20:
                group.start_soon(ask, key)
            await anyio.wait_all_tasks_blocked()
            slow.go_on.set()
    assert slow.asked == [{"a"}, {"a", "b", "c"}]
    assert set(told) == {("a", 1), ("b", 2), ("c", None)}
    assert len(told) == 61


async def test_nobody_is_told_what_was_read_before_they_asked(slow: Slow, together: Together[int]) -> None:
    told: list[int | None] = []

    async def ask() -> None:
        told.append(await together.of("a"))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await slow.begun.wait()
            del slow.there["a"]  # revoked, while the first reading is under way
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            slow.go_on.set()
    assert told == [1, None]


async def test_whoever_gives_up_takes_nobody_else_along(slow: Slow, together: Together[int]) -> None:
    told: list[int | None] = []
    first, second = anyio.CancelScope(), anyio.CancelScope()

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            told.append(await together.of("a"))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, first)  # it reads
            await slow.begun.wait()
            group.start_soon(ask, second)  # it is to read what comes after it
            await anyio.wait_all_tasks_blocked()
            group.start_soon(ask, anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()
            second.cancel()
            first.cancel()
            slow.go_on.set()
    assert told == [1]


async def test_a_reading_that_fails_is_told_to_all_who_asked_for_it_and_to_nobody_after(
    slow: Slow, together: Together[int]
) -> None:
    slow.fails = ValueError("the database is down")
    failed: list[str] = []

    async def ask() -> None:
        try:
            await together.of("a")
        except ValueError as error:
            failed.append(str(error))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            slow.go_on.set()
        slow.fails = None
        assert await together.of("a") == 1
    assert failed == ["the database is down"] * 3
