"""What is said of a list that was not read whole, that moved while it was read, or that says little of itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from fraction_mcp.erp.endpoints import WAREHOUSE_ORDERS
from fraction_mcp.erp.response import ErpAnswer, Page
from fraction_mcp.errors import ErpBroken, InputError
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.all_pages import Reading, read_all
from fraction_mcp.operations.records.filters import Condition
from fraction_mcp.operations.records.listing import Shown, list_kind
from fraction_mcp.operations.records.summary import summarise
from tests.support import AT, Record, context_of

from .conftest import PagedErp, counted, parts, read

pytestmark = pytest.mark.anyio


def broken() -> ErpBroken:
    return ErpBroken("FractionERP failed", system="fractionerp", operation="list parts", status=500)


# ------------------------------------------------------------------------------------------------------ partial answers


async def test_a_cap_is_told_in_the_sentence_the_coverage_and_the_warnings(small_pages: int) -> None:
    found = await counted(PagedErp(parts=parts(120)), max_pages=5)
    assert found.summary.startswith("Partial: only 50 parts of 120 were read")
    assert (found.coverage.total, found.coverage.scanned, found.coverage.complete) == (120, 50, False)
    assert found.warnings == ("Partial: 50 of 120 records were read, as max_pages allows.",)
    assert found.next == "Narrow it with search, or raise max_pages, to cover everything."
    assert found.totals == {"count": 50}


async def test_a_cap_that_the_list_does_not_reach_is_no_cap(small_pages: int) -> None:
    found = await counted(PagedErp(parts=parts(120)), max_pages=12)
    assert found.coverage.complete
    assert found.next == ""


async def test_a_page_that_fails_ends_the_reading_and_takes_back_the_requests_behind_it(small_pages: int) -> None:
    erp = PagedErp(parts=parts(300))
    never = anyio.Event()

    async def holding(number: int) -> None:
        if number == 7:
            raise broken()
        if number > 7:
            await never.wait()

    erp.holding = holding
    with anyio.fail_after(25):
        found = await counted(erp)
    assert erp.under_way == 0
    assert found.summary.startswith("Partial: only 60 parts of 300 were read")
    assert (found.coverage.scanned, found.coverage.complete) == (60, False)
    assert found.warnings == ("Partial: reading stopped after 60 of 300 records: FractionERP failed.",)
    assert found.next == "Ask again in a moment to cover everything."


async def test_without_a_stated_total_too_a_part_is_never_called_the_whole(small_pages: int) -> None:
    erp = PagedErp(parts=parts(120), states=())
    capped = await counted(erp, max_pages=5)
    unstated = "50 records of a list whose length is not stated"
    assert capped.summary.startswith("Partial: only 50 parts were read")
    assert capped.warnings == (f"Partial: {unstated} were read, as max_pages allows.",)
    assert (capped.coverage.total, capped.coverage.complete) == (None, False)

    async def holding(number: int) -> None:
        if number == 6:
            raise broken()

    erp.holding = holding
    interrupted = await counted(erp)
    assert interrupted.summary.startswith("Partial: only 50 parts were read")
    assert interrupted.warnings == (f"Partial: reading stopped after {unstated}: FractionERP failed.",)
    assert (interrupted.coverage.total, interrupted.coverage.complete) == (None, False)


async def test_a_first_page_that_fails_is_an_error_of_its_own() -> None:
    erp = PagedErp(parts=parts(300))

    async def holding(_: int) -> None:
        raise broken()

    erp.holding = holding
    with pytest.raises(ErpBroken):
        await counted(erp)
    assert len(erp.asked) == 1


async def test_a_filtered_list_that_broke_off_says_so_and_calls_no_count_a_total(small_pages: int) -> None:
    erp = PagedErp(parts=parts(300))

    async def holding(number: int) -> None:
        if number == 7:
            raise broken()

    erp.holding = holding
    conditions: list[Condition] = [("n", "=", "1", ())]
    found = await list_kind(context_of(erp), "parts", Shown(limit=5), conditions=conditions)
    assert found.summary == "Partial: 9 of 60 parts meet the filters; rows 1 to 5 of them."
    assert (found.coverage.total, found.coverage.scanned, found.coverage.complete) == (None, 60, False)
    assert found.warnings[0].startswith("Partial: reading stopped after 60 of 300 records")
    beyond = await list_kind(context_of(erp), "parts", Shown(limit=5, page=9), conditions=conditions)
    assert beyond.summary == "Partial: 9 of 60 parts meet the filters; none are on page 9."


async def test_of_what_was_read_no_more_is_claimed_than_that(small_pages: int) -> None:
    erp = PagedErp(parts=parts(100))
    with pytest.raises(InputError, match="no record of the 20 that were read has 'colour'"):
        await summarise(context_of(erp), "parts", Asked(group_by=["colour"]), max_pages=2)


# ----------------------------------------------------------------------------------------------------- lists that move


Change = Callable[[list[Record]], object]


async def while_it_changes(change: Change, *, after_page: int = 3) -> tuple[Reading, list[int]]:
    """A list of 120 that changes once, when a page has been read and those behind it have not."""
    erp = PagedErp(parts=parts(120))

    async def holding(number: int) -> None:
        while number > after_page and len([one for one in erp.ended if one <= after_page]) < after_page:
            await checkpoint()

    erp.holding = holding
    done = False

    def changing(number: int, answer: ErpAnswer) -> ErpAnswer:
        nonlocal done
        if number <= after_page:
            return answer
        if not done:
            change(erp.records["parts"])
            done = True
        rows = erp.records["parts"]
        data = rows[(number - 1) * 10 : number * 10]
        last = -(-len(rows) // 10)
        return replace(answer, data=data, page=Page(total=len(rows), last=last, current=number))

    erp.changing = changing
    with anyio.fail_after(25):
        return await read(erp)


async def test_records_added_at_the_end_are_read_as_well(small_pages: int) -> None:
    reading, ids = await while_it_changes(lambda rows: rows.extend({"id": n} for n in range(121, 136)))
    assert ids == list(range(1, 136))
    assert (reading.total, reading.complete, reading.repeated) == (135, True, 0)
    assert reading.warnings() == ["The list changed while it was read."]


async def test_a_record_that_comes_twice_is_counted_once_and_the_answer_is_called_partial(small_pages: int) -> None:
    reading, ids = await while_it_changes(lambda rows: rows.insert(0, {"id": 999}))
    assert ids == list(range(1, 121))  # 30 came twice, 999 was not seen
    assert (reading.repeated, reading.total, reading.scanned, reading.complete) == (1, 121, 120, False)
    assert reading.warnings() == [
        "Partial: 120 of 121 records were found while the list was changing.",
        "The list changed while it was read.",
        "1 record came twice and was counted once.",
    ]


async def test_a_list_that_got_shorter_is_never_called_complete(small_pages: int) -> None:
    reading, ids = await while_it_changes(lambda rows: rows.pop(0))
    assert 31 not in ids  # it moved onto a page that had been read
    assert (len(ids), reading.total) == (119, 119)  # the figures alone would look right
    assert not reading.complete
    assert reading.warnings()[0].startswith("Partial: 119 of 119 records were read while the list was getting shorter")


async def test_a_record_that_comes_twice_without_a_move_is_noticed_too(small_pages: int) -> None:
    erp = PagedErp(parts=[*parts(40), {"id": 7}, {"id": 41}])
    reading, ids = await read(erp)
    assert ids == list(range(1, 42))
    assert (reading.repeated, reading.moved, reading.complete) == (1, False, False)
    assert reading.warnings()[0] == "Partial: 41 of 42 records were found while the list was changing."


@pytest.mark.parametrize("identity", [None, {"uuid": "x"}, ["x"]])
async def test_records_that_nothing_tells_apart_are_each_counted(identity: object, small_pages: int) -> None:
    erp = PagedErp(parts=[{"id": identity, "n": 1}] * 25)
    found = await counted(erp)
    assert (found.totals, found.coverage.complete) == ({"count": 25}, True)


# ---------------------------------------------------------------------------------- lists that say little of themselves


@pytest.mark.parametrize("states", [("total",), ("last",), ("has_more",), ()])
@pytest.mark.parametrize("count", [0, 1, 10, 11, 40, 45])
async def test_every_page_is_found_by_whatever_the_erp_states(small_pages: int, states: Any, count: int) -> None:
    erp = PagedErp(parts=parts(count), states=states)
    reading, ids = await read(erp)
    assert ids == list(range(1, count + 1))
    assert reading.complete
    looked_behind = bool(count) and not states  # only an empty page says that the one before was the last
    assert len(erp.asked) == max(-(-count // 10), 1) + looked_behind


@pytest.mark.parametrize("told", [None, Page()])
async def test_an_erp_that_gives_fewer_a_page_than_asked_and_states_nothing_is_read_to_its_end(
    told: Page | None,
) -> None:
    erp = PagedErp(parts=parts(100))
    erp.changing = lambda number, answer: replace(
        answer, data=erp.records["parts"][(number - 1) * 25 : number * 25], page=told
    )
    reading, ids = await read(erp)
    assert ids == list(range(1, 101))
    assert (reading.complete, erp.pages) == (True, [1, 2, 3, 4, 5])
    capped, ids = await read(erp, max_pages=2)
    assert (len(ids), capped.complete, capped.capped) == (50, False, True)


async def test_an_erp_that_takes_no_notice_of_the_page_is_not_asked_for_ever(small_pages: int) -> None:
    erp = PagedErp(parts=parts(5), states=())
    erp.changing = lambda _, answer: replace(answer, data=list(erp.records["parts"]))
    reading, ids = await read(erp)
    assert (ids, erp.pages, reading.complete) == ([1, 2, 3, 4, 5], [1, 2], False)
    assert reading.warnings()[0] == (
        "Partial: reading stopped after 5 records of a list whose length is not stated: page 2 brought nothing new."
    )


async def test_shorter_pages_than_were_asked_for_do_not_pass_for_the_whole(small_pages: int) -> None:
    erp = PagedErp(parts=parts(40))
    erp.changing = lambda _, answer: replace(answer, data=answer.data[:5])
    reading, ids = await read(erp)
    assert (len(ids), reading.total, reading.complete) == (20, 40, False)


async def test_fracttals_list_of_unstated_length_goes_on_behind_the_rows_that_came(small_pages: int) -> None:
    starts: list[int] = []

    class Fracttal(PagedErp):
        async def call(self, endpoint: Any, *, query: Any = None, **more: Any) -> ErpAnswer:
            starts.append(query["start"])
            return ErpAnswer(endpoint, 200, parts(20)[query["start"] : query["start"] + 8], Page(), AT)

    ids: list[int] = []
    reading = await read_all(
        Fracttal(), WAREHOUSE_ORDERS, {}, lambda rows: ids.extend(row["id"] for row in rows), max_pages=99
    )
    assert (ids, reading.complete) == (list(range(1, 21)), True)
    assert starts == [0, 8, 16, 20]


async def test_fracttals_lists_are_read_by_their_start(small_pages: int) -> None:
    asked: list[Any] = []

    class Fracttal(PagedErp):
        async def call(self, endpoint: Any, *, query: Any = None, **more: Any) -> ErpAnswer:
            asked.append(query)
            rows = parts(35)[query["start"] : query["start"] + query["limit"]]
            return ErpAnswer(endpoint, 200, rows, Page(total=35), AT)

    ids: list[int] = []
    query = {"since": "2026-01-01"}
    reading = await read_all(
        Fracttal(), WAREHOUSE_ORDERS, query, lambda rows: ids.extend(row["id"] for row in rows), max_pages=99
    )
    assert ids == list(range(1, 36))
    assert reading.complete
    assert asked == [{"since": "2026-01-01", "start": start, "limit": 10} for start in (0, 10, 20, 30)]
