"""Pages: how many at once, in which order, at what cost; cancelled, and told of."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from fraction_mcp.erp.budget import Budget
from fraction_mcp.errors import TooCostly
from fraction_mcp.operations.progress import reporter
from fraction_mcp.operations.records.listing import Shown, list_kind
from tests.support import AT, context_of

from .conftest import PagedErp, counted, parts, read

pytestmark = pytest.mark.anyio


# --------------------------------------------------------------------------------------------- how pages are asked for


async def test_pages_are_of_a_hundred_and_each_is_asked_for_once() -> None:
    erp = PagedErp(parts=parts(1234))
    reading, ids = await read(erp)
    assert ids == list(range(1, 1235))
    assert erp.asked == [("/parts", {"page": page, "per_page": 100}) for page in range(1, 14)]
    assert (reading.total, reading.scanned, reading.pages, reading.complete) == (1234, 1234, 13, True)
    assert reading.warnings() == []


async def test_eight_are_under_way_at_most_and_no_fewer_while_there_are_as_many(small_pages: int) -> None:
    erp = PagedErp(parts=parts(300))

    async def holding(number: int) -> None:
        for _ in range(5):
            await checkpoint()

    erp.holding = holding
    await read(erp)
    assert erp.most_under_way == 8
    short = PagedErp(parts=parts(35))
    short.holding = holding
    await read(short)
    assert short.most_under_way == 3


async def test_records_are_handed_on_in_order_whichever_page_comes_first(small_pages: int) -> None:
    erp = PagedErp(parts=parts(200))
    tenth = anyio.Event()

    async def holding(number: int) -> None:
        if number == 9:
            tenth.set()
        elif number == 2:
            await tenth.wait()  # the last of the first eight comes before the first of them

    erp.holding = holding
    with anyio.fail_after(25):
        reading, ids = await read(erp)
    assert erp.ended.index(9) < erp.ended.index(2)
    assert ids == list(range(1, 201))
    assert reading.complete


async def test_a_page_that_is_late_holds_the_next_ones_back_so_that_little_is_kept(small_pages: int) -> None:
    erp = PagedErp(parts=parts(500))
    second = anyio.Event()

    async def holding(number: int) -> None:
        if number == 2:
            await second.wait()

    erp.holding = holding
    async with anyio.create_task_group() as group:
        group.start_soon(read, erp)
        with anyio.fail_after(25):
            while len(erp.ended) < 8:
                await checkpoint()
        for _ in range(50):
            await checkpoint()
        assert max(erp.pages) == 9
        second.set()
    assert max(erp.pages) == 50


# ------------------------------------------------------------------------------------------------------ the rate budget


@pytest.mark.parametrize(("remaining", "borne"), [(22, True), (21, False), (0, False)])
async def test_a_fold_that_would_take_more_than_half_of_the_budget_ends_after_its_first_request(
    small_pages: int, remaining: int, borne: bool
) -> None:
    erp = PagedErp(parts=parts(120))
    erp.budget = Budget(2000, remaining, AT)
    if borne:
        assert (await counted(erp)).coverage.complete
        return
    with pytest.raises(TooCostly) as refused:
        await counted(erp)
    assert len(erp.asked) == 1
    assert refused.value.code == "RATE_LIMITED"
    left = f"{remaining} are left until 09:00 UTC"
    assert refused.value.message == f"reading the whole list takes 11 more requests, and {left}"
    assert "Narrow it with search" in refused.value.hint
    assert "max_pages" in refused.value.hint


async def test_fewer_pages_cost_less_and_an_unknown_budget_stops_nobody(small_pages: int) -> None:
    erp = PagedErp(parts=parts(120))
    erp.budget = Budget(2000, 4, AT)
    assert (await counted(erp, max_pages=3)).coverage.scanned == 30
    for budget in (None, Budget(2000, None, None)):
        erp.budget = budget
        assert (await counted(erp)).coverage.complete


async def test_a_filtered_list_costs_as_much_and_is_refused_alike(small_pages: int) -> None:
    erp = PagedErp(parts=parts(120))
    erp.budget = Budget(2000, 21, AT)
    with pytest.raises(TooCostly):
        await list_kind(context_of(erp), "parts", Shown(), conditions=[("n", "=", "1", ())])
    assert len(erp.asked) == 1


# ------------------------------------------------------------------------------------------- cancelling, and being told


async def test_cancelling_stops_the_requests(small_pages: int) -> None:
    erp = PagedErp(parts=parts(500))
    never = anyio.Event()

    async def holding(number: int) -> None:
        if number > 3:
            await never.wait()

    erp.holding = holding
    async with anyio.create_task_group() as group:
        group.start_soon(counted, erp)
        with anyio.fail_after(25):
            while erp.under_way < 8:
                await checkpoint()
        group.cancel_scope.cancel()
    assert erp.under_way == 0
    assert max(erp.pages) < 50


async def test_whoever_asked_is_told_how_far_it_is(small_pages: int) -> None:
    told: list[tuple[float, float | None, str]] = []

    async def tell(done: float, total: float | None, what: str) -> None:
        told.append((done, total, what))

    token = reporter.set(tell)
    try:
        await counted(PagedErp(parts=parts(50)))
    finally:
        reporter.reset(token)
    assert told == [(page, 5, "pages read") for page in range(2, 6)]
