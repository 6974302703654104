"""Is there a further page? Over ERPs that page in every way, state any of their figures, and get some of them wrong:
what is called complete is complete, every record is handed on once, and nothing is asked for ever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from fraction_mcp.erp.endpoints import CUSTOMER_CONTACTS, PARTS, WAREHOUSE_ORDERS, Endpoint, Paging
from fraction_mcp.erp.response import ErpAnswer, Page
from fraction_mcp.operations.candidates import CUSTOMER, PART, NotOne
from fraction_mcp.operations.lookup import Found, Lookup
from fraction_mcp.operations.pricing.reading import price_lists
from fraction_mcp.operations.records import all_pages
from fraction_mcp.operations.records.all_pages import Reading, counted, read_all
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.fresh_pages import read_fresh_pages
from tests.support import AT, ListedErp, Record, context_of, sent_prices

SETTINGS = settings(max_examples=4 * settings().max_examples, suppress_health_check=[HealthCheck.too_slow])
SIZE = 10
DECISIVE = ("total", "last", "has_more")


@dataclass
class PagingErp(ListedErp):
    """A list of `count` records, `cap` a page at most whatever was asked for; with `deaf`, the first page for ever.

    `states` maps each figure that it states to how: the truth, or too little or too much of it.
    """

    count: int = 0
    cap: int = 1000
    deaf: bool = False
    ids: str = "numbers"
    states: Mapping[str, str] = field(default_factory=dict)  # type: ignore[assignment]
    named: str = "x"

    def __post_init__(self) -> None:
        super().__init__(states=(), parts=())
        self.states = self.states or {}

    async def call(self, endpoint: Endpoint, *, path: Any = None, query: Any = None, **_: Any) -> ErpAnswer:
        query = dict(query or {})
        self.asked.append((endpoint.path, query))
        assert len(self.asked) < 2_000, "it is asked for ever"
        size = min(self.cap, query.get("per_page", query.get("limit", 25)))
        if endpoint.paging is Paging.START:
            start, number = query["start"], query["start"] // size + 1
        else:
            number = query.get("page", 1)
            start = (number - 1) * size
        if self.deaf:
            start, number = 0, 1
        rows = [self._record(n) for n in range(start, min(self.count, start + size))]
        return ErpAnswer(endpoint, 200, rows, self._page(number, start, size, len(rows)), AT)

    def _record(self, n: int) -> Record:
        spelt: Any = {"numbers": n, "texts": f"P-{n}", "both": str(n) if n % 2 else n}[self.ids]
        return {"id": spelt, "name": f"{self.named} {n:05}", "part_number": f"{self.named} {n:05}"}

    def _page(self, number: int, start: int, size: int, rows: int) -> Page | None:
        if not self.states:
            return None
        last = max(-(-self.count // size), 1)
        truth: dict[str, Any] = {
            "total": self.count,
            "last": last,
            "has_more": number < last,
            "per_page": size,
            "current": number,
            "first_row": start + 1 if rows else None,
            "last_row": start + rows if rows else None,
        }
        little = {"total": min(self.count, rows), "last": 1, "has_more": False, "per_page": 1}
        much = {"total": self.count * 2 + 7, "last": last + 3, "has_more": True, "per_page": 1000}
        told = {"truth": truth, "little": {**truth, **little}, "much": {**truth, **much}}
        return Page(**{name: told[how][name] for name, how in self.states.items()})

    @property
    def truthful(self) -> bool:
        """Whether a figure by which the end can be told is right, or nothing is said of it."""
        said = [self.states[name] for name in DECISIVE if name in self.states]
        return not said or "truth" in said


HOW = st.sampled_from(["truth", "truth", "little", "much"])
FIGURES = {
    **dict.fromkeys(DECISIVE, HOW),
    "per_page": HOW,
    **dict.fromkeys(("current", "first_row", "last_row"), st.just("truth")),
}
STATES = st.fixed_dictionaries({}, optional=FIGURES)
ERPS = st.builds(
    PagingErp,
    count=st.integers(0, 64) | st.sampled_from([9, 10, 11, 20, 50]),
    cap=st.sampled_from([1000, 1000, 5, 7, 1]),
    deaf=st.sampled_from([False, False, False, True]),
    ids=st.sampled_from(["numbers", "texts", "both"]),
    states=STATES,
)
ENDPOINTS = st.sampled_from([PARTS, WAREHOUSE_ORDERS])


def folded(erp: PagingErp, endpoint: Endpoint = PARTS, max_pages: int = 500) -> tuple[Reading, list[str]]:
    names: list[str] = []

    async def run() -> Reading:
        return await read_all(
            erp, endpoint, {}, lambda rows: names.extend(row["name"] for row in rows), max_pages=max_pages
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_pages, "PAGE", SIZE)
        return anyio.run(run), names


def everything(erp: PagingErp) -> list[str]:
    return [f"x {n:05}" for n in range(erp.count)]


# ------------------------------------------------------------------------------------------------------------ folds


@SETTINGS
@given(erp=ERPS, endpoint=ENDPOINTS)
@example(erp=PagingErp(count=25, states={"total": "truth", "last": "little"}), endpoint=PARTS)
@example(erp=PagingErp(count=25, states={"last": "little", "has_more": "truth"}), endpoint=PARTS)
@example(erp=PagingErp(count=12, cap=5, states={"total": "truth"}), endpoint=WAREHOUSE_ORDERS)
@example(erp=PagingErp(count=12, cap=5), endpoint=PARTS)
def test_a_fold_hands_on_every_record_once_and_calls_complete_what_is(erp: PagingErp, endpoint: Endpoint) -> None:
    reading, names = folded(erp, endpoint)
    assert len(names) == len(set(names)) == reading.scanned
    if reading.complete:
        assert not reading.warnings()
        assert names == everything(erp) or not erp.truthful
    else:
        assert reading.warnings()
    if erp.truthful and not erp.deaf:
        assert names == everything(erp), "whatever is said wrongly beside it, one right figure leads to the end"


@SETTINGS
@given(erp=ERPS)
def test_an_erp_that_is_right_is_read_whole_and_believed(erp: PagingErp) -> None:
    assume(not erp.deaf)
    erp.states = dict.fromkeys(erp.states, "truth")
    reading, names = folded(erp)
    assert (names, reading.complete) == (everything(erp), True)
    pages = max(-(-erp.count // min(erp.cap, SIZE)), 1)
    if erp.cap >= SIZE and set(DECISIVE) & set(erp.states):
        assert erp.requests == pages, "not one request more than there are pages"
    else:
        assert erp.requests <= pages + 1


@SETTINGS
@given(erp=ERPS, endpoint=ENDPOINTS)
def test_an_erp_that_says_for_ever_that_there_is_more_is_given_up_soon(erp: PagingErp, endpoint: Endpoint) -> None:
    erp.states = {**erp.states, "has_more": "much"}
    reading, names = folded(erp, endpoint)
    assert not reading.complete
    assert "page" in reading.interrupted
    assert len(names) == len(set(names))
    assert erp.requests <= -(-erp.count // min(erp.cap, SIZE)) + 8 + all_pages._AT_ONCE


def test_a_last_page_that_moves_on_for_ever_is_given_up_and_the_reason_told() -> None:
    class Moving(PagingErp):
        def _page(self, number: int, start: int, size: int, rows: int) -> Page:
            return Page(last=len(self.asked) + 5)

    erp = Moving(count=25)
    reading, names = folded(erp)
    assert (names, reading.complete) == (everything(erp), False)
    assert reading.interrupted == "page 5 was empty, and more was stated"
    assert reading.warnings()[0].endswith(f"of a list whose length is not stated: {reading.interrupted}.")
    assert erp.requests < 25


def test_a_total_that_was_passed_is_wrong_and_ends_nothing() -> None:
    class Zero(PagingErp):
        def _page(self, number: int, start: int, size: int, rows: int) -> Page:
            return Page(total=0)

    reading, names = folded(Zero(count=25))
    assert (len(names), reading.complete) == (25, False)
    assert reading.warnings() == [
        "Partial: 25 records (the ERP counts 0) were found, and the ERP's own figures do not agree with that."
    ]


def test_an_endless_list_ends_where_half_of_the_rate_budget_is_used() -> None:
    class Endless(PagingErp):
        def connection(self) -> Any:
            from dataclasses import replace

            from fraction_mcp.erp.budget import Budget

            return replace(super().connection(), budget=Budget(2000, 40, AT))

    erp = Endless(count=10**6, states={"has_more": "truth"})
    reading, names = folded(erp)
    assert (len(names), erp.requests) == (210, 21)
    assert not reading.complete
    assert reading.interrupted == "reading on would take more than half of the requests that are left"


# ---------------------------------------------------------------------------------------------------------- a count


@SETTINGS
@given(erp=ERPS)
def test_a_count_of_one_request_is_one_that_no_other_figure_denies(erp: PagingErp) -> None:
    total = anyio.run(counted, erp, PARTS, {})
    lies = [name for name in DECISIVE if erp.states.get(name, "truth") != "truth"]
    if total is not None and total != erp.count:
        assert "total" in lies
        assert lies == [name for name in DECISIVE if name in erp.states] or erp.count < 3, "a right figure beside it"
    if not lies and "total" in erp.states and erp.states.get("per_page", "truth") == "truth":
        assert total == erp.count


# ------------------------------------------------------------------------------------------------------------ plans


@SETTINGS
@given(erp=ERPS)
@example(erp=PagingErp(count=120, cap=50))
@example(erp=PagingErp(count=120, cap=50, states={"total": "truth", "last": "little"}))
def test_what_a_write_rests_on_is_all_where_it_is_called_all(erp: PagingErp) -> None:
    records, whole = anyio.run(read_fresh_pages, erp, CUSTOMER_CONTACTS, {})
    names = [record["name"] for record in records]
    assert len(names) == len(set(names))
    if whole and erp.truthful:
        assert names == everything(erp)
    if erp.truthful and not erp.deaf and erp.count <= 5 * erp.cap:
        assert names == everything(erp)


# ------------------------------------------------------------------------------------------------------------ lists


@SETTINGS
@given(erp=ERPS, page=st.integers(1, 9))
def test_a_list_is_called_complete_only_where_it_is_and_its_next_pages_lead_to_the_end(
    erp: PagingErp, page: int
) -> None:
    def shown(number: int) -> tuple[Coverage, list[Record]]:
        async def run() -> ErpAnswer:
            return await erp.call(PARTS, query={"page": number, "per_page": SIZE})

        answer = anyio.run(run)
        return Coverage.of_page(answer, number, SIZE), answer.records()

    coverage, rows = shown(page)
    if coverage.complete:
        assert page == 1
        assert not erp.truthful or len(rows) == erp.count
    found: list[str] = []
    number: int | None = 1
    for _ in range(80):
        if number is None:
            break
        coverage, rows = shown(number)
        found += [row["name"] for row in rows]
        number = coverage.next_page
    if erp.truthful and not erp.deaf:
        assert found == everything(erp)


# ---------------------------------------------------------------------------------------------------------- lookups


@settings(SETTINGS, max_examples=settings().max_examples)
@given(erp=ERPS, subject=st.sampled_from([PART, CUSTOMER]), strict=st.booleans(), place=st.integers(0, 70))
@example(
    erp=PagingErp(count=70, cap=7, states={"last": "little", "total": "truth"}), subject=PART, strict=True, place=69
)
@example(erp=PagingErp(count=70, cap=7), subject=CUSTOMER, strict=True, place=69)
def test_a_record_that_is_there_is_found_or_not_said_not_to_be(
    erp: PagingErp, subject: Any, strict: bool, place: int
) -> None:
    found = anyio.run(lambda: Lookup(erp).find(subject, f"x {place:05}", strict=strict))
    if isinstance(found, Found):
        assert found.record["name"] == f"x {place:05}"
    elif found.complete and erp.truthful:
        assert place >= erp.count, found.summary
    if erp.truthful and not erp.deaf and place < min(erp.count, 50 * erp.cap):
        assert isinstance(found, Found) or (strict and not found.complete)


def test_a_customer_of_a_list_that_could_not_be_read_whole_is_named_as_such_and_no_write_rests_on_it() -> None:
    erp = PagingErp(count=30, deaf=True, states={"has_more": "much"})
    read = anyio.run(lambda: Lookup(erp).find(CUSTOMER, "x 00003"))
    assert isinstance(read, Found)
    assert read.remark(CUSTOMER) == (
        "The list could not be read to its end: another customer may be called 'x 00003'. "
    )
    strict = anyio.run(lambda: Lookup(erp).find(CUSTOMER, "x 00003", strict=True))
    assert isinstance(strict, NotOne)
    assert strict.summary == (
        "One customer is called 'x 00003', but the list could not be read to its end; nothing was assumed."
    )
    assert [one.id for one in strict.candidates[:1]] == [3]


# ------------------------------------------------------------------------------------------------- ids as text or not


def test_ids_in_either_spelling_are_one_record() -> None:
    erp = PagingErp(count=5)
    answers = iter(
        [[{"id": 1, "name": "a"}, {"id": "2", "name": "b"}], [{"id": "1", "name": "a"}, {"id": 3, "name": "c"}], []]
    )
    erp._record = None  # type: ignore[assignment,method-assign]

    async def call(endpoint: Endpoint, **_: Any) -> ErpAnswer:
        return ErpAnswer(endpoint, 200, next(answers), None, AT)

    erp.call = call  # type: ignore[method-assign]
    reading, names = folded(erp)
    assert (names, reading.repeated) == (["a", "b", "c"], 1)


@pytest.mark.parametrize("lists_id", [52, "52"])
@pytest.mark.parametrize("customer_id", [52, "52"])
@pytest.mark.parametrize("part_id", [1, "1"])
def test_a_customers_price_list_is_found_whichever_way_its_id_is_spelt(
    lists_id: Any, customer_id: Any, part_id: Any
) -> None:
    erp = ListedErp(price_lists={1: [sent_prices(lists_id, "Acme Corp", {"1": "12.50"}), sent_prices(7, "B", {})]})
    (found,) = anyio.run(lambda: price_lists(context_of(erp), part_id, customer_id))
    assert (found.customer_id, len(found.price_breaks)) == (52, 1)
