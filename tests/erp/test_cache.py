"""The short memory of reads, over an ERP that answers when the test says so."""

import time as time_module
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from fraction_mcp import errors
from fraction_mcp.erp import Connection, cache, freshness
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.cache import RememberingErp
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.response import ErpAnswer

pytestmark = pytest.mark.anyio

BROKEN = errors.ErpBroken("broken", system="fractionerp", operation="list parts")


class FakeErp:
    """Answers each call with its number, at once or when the gate of that call is opened."""

    system = e.System.FRACTIONERP
    writes = 0

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gates: dict[int, anyio.Event] = {}
        self.started: dict[int, anyio.Event] = {}
        self.failing: set[int] = set()
        self.rows = 1

    def hold(self, *numbers: int) -> None:
        """The calls of these numbers (from 1) are not answered before their gate is opened."""
        for number in numbers:
            self.gates[number], self.started[number] = anyio.Event(), anyio.Event()

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> ErpAnswer:
        number = len(self.asked) + 1
        self.asked.append(f"{endpoint.method} {endpoint.path}")
        if number in self.gates:
            self.started[number].set()
            await self.gates[number].wait()
        if number in self.failing:
            raise BROKEN
        return ErpAnswer(endpoint, 200, [{"id": number}] * self.rows, None, datetime(2026, 1, 1, tzinfo=UTC))

    async def ready(self) -> None:
        """It is."""

    def seen(self, endpoint: Endpoint, field: str, text: str) -> None:
        """It remembers nothing."""

    def connection(self) -> Connection:
        raise NotImplementedError


@pytest.fixture
def erp() -> FakeErp:
    return FakeErp()


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(erp: FakeErp, time: Time) -> RememberingErp:
    return RememberingErp(erp, keep_s=30, clock=time)


@asynccontextmanager
async def together() -> AsyncIterator[Any]:
    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            yield group


async def number_of(memory: RememberingErp, **query: Any) -> int:
    fresh = query.pop("fresh", False)
    with anyio.fail_after(25):
        return (await memory.call(e.PARTS, query=query, fresh=fresh)).data[0]["id"]


async def write(memory: RememberingErp) -> None:
    await memory.call(e.CREATE_PART, body={})


def noting(memory: RememberingErp, into: list[int], **query: Any) -> Callable[..., Any]:
    async def ask() -> None:
        into.append(await number_of(memory, **query))

    return ask


async def test_the_same_question_is_asked_once(erp: FakeErp, memory: RememberingErp) -> None:
    assert [await number_of(memory, search="a", page=1), await number_of(memory, page="1", search="a")] == [1, 1]
    assert len(erp.asked) == 1


async def test_another_question_is_another_request(erp: FakeErp, memory: RememberingErp) -> None:
    assert [await number_of(memory, search="a"), await number_of(memory, search="b"), await number_of(memory)] == [
        1,
        2,
        3,
    ]
    await memory.call(e.PART, path={"id": 1})
    await memory.call(e.PART, path={"id": 2})
    await memory.call(e.CUSTOMERS)
    assert len(erp.asked) == 6


async def test_an_answer_is_kept_for_its_time_and_no_longer(time: Time, memory: RememberingErp) -> None:
    assert await number_of(memory) == 1
    time.now += 29.9
    assert await number_of(memory) == 1
    time.now += 0.1
    assert await number_of(memory) == 2


async def test_the_time_runs_from_when_the_question_was_sent(erp: FakeErp, time: Time, memory: RememberingErp) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, got))
        await erp.started[1].wait()
        time.now += 20
        erp.gates[1].set()
    time.now += 15
    assert await number_of(memory) == 2


async def test_questions_at_the_same_time_share_one_request(erp: FakeErp, memory: RememberingErp) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        for _ in range(10):
            group.start_soon(noting(memory, got))
        await erp.started[1].wait()
        await anyio.wait_all_tasks_blocked()
        erp.gates[1].set()
    assert (got, len(erp.asked)) == ([1] * 10, 1)


async def test_a_failure_is_not_kept(erp: FakeErp, memory: RememberingErp) -> None:
    erp.failing = {1}
    with pytest.raises(errors.ErpBroken):
        await number_of(memory)
    assert await number_of(memory) == 2


async def test_those_who_waited_for_a_failure_share_it_and_the_next_caller_asks_anew(
    erp: FakeErp, memory: RememberingErp
) -> None:
    erp.hold(1)
    erp.failing = {1}
    failed = []

    async def fail() -> None:
        with pytest.raises(errors.ErpBroken):
            await number_of(memory)
        failed.append(1)

    async with together() as group:
        group.start_soon(fail)
        await erp.started[1].wait()
        for _ in range(5):
            group.start_soon(fail)
        await anyio.wait_all_tasks_blocked()
        erp.gates[1].set()
    assert (len(failed), len(erp.asked)) == (6, 1)
    assert await number_of(memory) == 2


async def test_a_cancelled_leader_leaves_its_followers_an_answer(erp: FakeErp, memory: RememberingErp) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        leader = anyio.CancelScope()

        async def lead() -> None:
            with leader:
                await number_of(memory)

        group.start_soon(lead)
        await erp.started[1].wait()
        for _ in range(3):
            group.start_soon(noting(memory, got))
        await anyio.wait_all_tasks_blocked()
        leader.cancel()
    assert (got, len(erp.asked)) == ([2] * 3, 2)


async def test_a_cancelled_follower_disturbs_nobody(erp: FakeErp, memory: RememberingErp) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, got))
        await erp.started[1].wait()
        with anyio.move_on_after(0):
            await number_of(memory)
        erp.gates[1].set()
    assert (got, len(erp.asked)) == ([1], 1)


# -------------------------------------------------------------------------------------------------------------- writes


async def test_a_write_empties_the_memory_and_is_never_answered_from_it(erp: FakeErp, memory: RememberingErp) -> None:
    await number_of(memory)
    await write(memory)
    await write(memory)
    assert await number_of(memory) == 4
    assert erp.asked == ["GET /parts", "POST /parts", "POST /parts", "GET /parts"]


async def test_a_write_that_failed_empties_the_memory_as_well(erp: FakeErp, memory: RememberingErp) -> None:
    erp.failing = {2}
    await number_of(memory)
    with pytest.raises(errors.ErpBroken):
        await write(memory)
    assert await number_of(memory) == 3


async def test_nothing_read_while_a_write_is_on_its_way_outlives_it(erp: FakeErp, memory: RememberingErp) -> None:
    """The write may have been done before or after such a read: nobody knows."""
    erp.hold(2)
    await number_of(memory)
    async with together() as group:
        group.start_soon(write, memory)
        await erp.started[2].wait()
        assert await number_of(memory) == 3, "what was kept before the write is gone as it begins"
        erp.gates[2].set()
    assert await number_of(memory) == 4


async def test_a_read_that_began_before_a_write_is_neither_kept_nor_shared(
    erp: FakeErp, memory: RememberingErp
) -> None:
    erp.hold(1)
    early: list[int] = []
    late: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, early))
        await erp.started[1].wait()
        await write(memory)
        late.append(await number_of(memory))
        erp.gates[1].set()
    assert (early, late) == ([1], [3])
    assert await number_of(memory) == 3


async def test_those_who_waited_since_before_a_write_may_have_an_answer_from_after_it(
    erp: FakeErp, memory: RememberingErp
) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, got))
        await erp.started[1].wait()
        group.start_soon(noting(memory, got))
        await anyio.wait_all_tasks_blocked()
        await write(memory)
        erp.gates[1].set()
    assert sorted(got) == [1, 3], "the follower asks again, since what it waited for was not kept"


# --------------------------------------------------------------------------------------------------------- going past


async def test_without_a_time_nothing_is_ever_answered_from_memory(erp: FakeErp) -> None:
    memory = RememberingErp(erp, keep_s=0)
    assert [await number_of(memory) for _ in range(3)] == [1, 2, 3]
    erp.hold(4)
    got: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, got))
        await erp.started[4].wait()
        assert await number_of(memory) == 5
        erp.gates[4].set()


async def test_a_fresh_read_goes_through_and_is_remembered(erp: FakeErp, memory: RememberingErp) -> None:
    await number_of(memory)
    assert await number_of(memory, fresh=True) == 2
    assert await number_of(memory) == 2


async def test_an_older_read_that_ends_later_does_not_replace_a_fresher_one(
    erp: FakeErp, time: Time, memory: RememberingErp
) -> None:
    erp.hold(1)
    got: list[int] = []
    async with together() as group:
        group.start_soon(noting(memory, got))
        await erp.started[1].wait()
        time.now += 1
        assert await number_of(memory, fresh=True) == 2
        erp.gates[1].set()
    assert await number_of(memory) == 2


async def test_the_memory_holds_a_bounded_number_of_answers(erp: FakeErp, memory: RememberingErp) -> None:
    for page in range(200):
        await number_of(memory, page=page)
    assert await number_of(memory, page=199) == 200
    assert await number_of(memory, page=0) == 201, "the one that was not asked for longest is gone"


async def test_long_lists_do_not_fill_the_memory(erp: FakeErp, memory: RememberingErp) -> None:
    erp.rows = 900
    assert [await number_of(memory, page=page) for page in (1, 2, 3)] == [1, 2, 3]
    assert [await number_of(memory, page=page) for page in (3, 2, 1)] == [3, 2, 4]
    erp.rows = 100_000
    assert [await number_of(memory, page=9), await number_of(memory, page=9)] == [5, 6]


# ------------------------------------------------------------------------------- records that stood in another answer


class PartsErp(FakeErp):
    """Each call answers with these parts, asked for at a time that is told apart."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [{"id": 1, "part_number": "BRKT-1"}, {"id": 2, "part_number": "brkt-1"}]

    async def call(self, endpoint: Endpoint, **asked: Any) -> ErpAnswer:
        answer = await super().call(endpoint, **asked)
        at = datetime(2026, 1, 1, minute=len(self.asked), tzinfo=UTC)
        return replace(answer, data=[dict(one) for one in self.parts], read_at=at)


@pytest.fixture
def parts() -> PartsErp:
    return PartsErp()


@pytest.fixture
def remembering(parts: PartsErp, time: Time) -> RememberingErp:
    return RememberingErp(parts, keep_s=30, clock=time)


def known(memory: RememberingErp, text: str = "BRKT-1") -> tuple[Any, ...] | tuple[int, ...]:
    """The id, and the minute of the read that it is as old as."""
    with freshness.gathered() as reads:
        record = memory.seen(e.PARTS, "part_number", text)
    return (record["id"], int(reads.as_of[14:16])) if record else (None, reads.as_of)


async def test_a_record_of_a_list_is_known_by_exactly_what_its_field_reads(remembering: RememberingErp) -> None:
    assert known(remembering) == (None, "")
    await remembering.call(e.PARTS)
    assert known(remembering) == (1, 1)
    assert known(remembering, "brkt-1") == (2, 1)
    for other in ("BRKT", "BRKT-1 ", "1", "", "None"):
        assert known(remembering, other) == (None, "")
    assert remembering.seen(e.CUSTOMERS, "part_number", "BRKT-1") is None
    assert remembering.seen(e.PARTS, "name", "BRKT-1") is None


async def test_what_is_known_is_as_old_as_the_read_that_brought_it_and_no_older_than_is_kept(
    remembering: RememberingErp, time: Time
) -> None:
    """A list that is answered from memory keeps nothing anew."""
    await remembering.call(e.PARTS)
    time.now += 25
    with freshness.gathered() as reads:
        await remembering.call(e.PARTS)
    assert reads.as_of[14:16] == "01"
    assert known(remembering) == (1, 1)
    time.now += 5
    assert known(remembering) == (None, "")


async def test_of_two_answers_the_newer_one_counts(remembering: RememberingErp, parts: PartsErp, time: Time) -> None:
    await remembering.call(e.PARTS, query={"page": 1})
    time.now += 1
    parts.parts = [{"id": 9, "part_number": "BRKT-1"}]
    await remembering.call(e.PARTS, query={"page": 2})
    await remembering.call(e.PARTS, query={"page": 1})  # used again, and no newer for it
    assert known(remembering) == (9, 2)


async def test_a_number_that_two_records_have_or_one_without_an_id_is_not_known(
    remembering: RememberingErp, parts: PartsErp
) -> None:
    parts.parts = [{"id": 1, "part_number": "A"}, {"id": 2, "part_number": "A"}, {"id": [3], "part_number": "B"}]
    await remembering.call(e.PARTS)
    assert known(remembering, "A") == known(remembering, "B") == (None, "")


async def test_a_write_takes_what_was_known_as_well(remembering: RememberingErp) -> None:
    await remembering.call(e.PARTS)
    await write(remembering)
    assert known(remembering) == (None, "")


async def test_without_a_time_nothing_is_known(parts: PartsErp) -> None:
    memory = RememberingErp(parts, keep_s=0)
    await memory.call(e.PARTS)
    assert known(memory) == (None, "")


async def test_an_answer_of_many_bytes_does_not_fill_the_memory_nor_empty_it(
    erp: FakeErp, memory: RememberingErp
) -> None:
    await number_of(memory, page=1)
    call = erp.call

    async def large(endpoint: Endpoint, **asked: Any) -> Any:
        return replace(await call(endpoint, **asked), size=3_000_000)

    erp.call = large  # type: ignore[method-assign]
    assert [await number_of(memory, page=2), await number_of(memory, page=2)] == [2, 3]
    assert await number_of(memory, page=1) == 1


def test_the_clock_of_the_memory_runs_on_while_the_machine_sleeps() -> None:
    """A laptop's lid is closed for a night: what was read before is not half a minute old."""
    if not hasattr(time_module, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no such clock of its own")
    assert abs(cache._seconds() - time_module.clock_gettime(time_module.CLOCK_BOOTTIME)) < 1
