"""Pages of records with honest coverage; single records, parts and customers whole."""

from typing import Any, cast

import pytest

from fraction_mcp.erp.endpoints import KINDS, PARTS
from fraction_mcp.erp.response import ErpAnswer, Page
from fraction_mcp.errors import AmbiguousReference, NotFound
from fraction_mcp.operations.customers import customer_record
from fraction_mcp.operations.parts import part_record
from fraction_mcp.operations.records.coverage import Coverage
from fraction_mcp.operations.records.detail import record_detail
from fraction_mcp.operations.records.listing import Listing, Shown, list_kind
from tests.support import AT, ListedErp, context_of, customer, part, sent_prices

pytestmark = pytest.mark.anyio

PARTS_25 = [part(number, f"P-{number:02}") for number in range(1, 26)]
EVERYTHING = ("total", "last", "first_row", "last_row", "has_more")


async def listed(erp: ListedErp, kind: str = "parts", *, search: str = "", **shown: Any) -> Listing:
    return await list_kind(context_of(erp), kind, Shown(**shown), search=search)


# ------------------------------------------------------------------------------------------------------------ coverage


@pytest.mark.parametrize(
    ("page", "limit", "states", "expected"),
    [
        (1, 10, EVERYTHING, {"total": 25, "from": 1, "to": 10, "last_page": 3, "complete": False, "next_page": 2}),
        (3, 10, EVERYTHING, {"total": 25, "from": 21, "to": 25, "last_page": 3, "complete": False, "next_page": None}),
        (1, 25, EVERYTHING, {"total": 25, "from": 1, "to": 25, "last_page": 1, "complete": True, "next_page": None}),
        (
            9,
            10,
            EVERYTHING,
            {"total": 25, "from": None, "to": None, "last_page": 3, "complete": False, "next_page": None},
        ),
        (2, 10, ("total",), {"total": 25, "from": 11, "to": 20, "last_page": None, "complete": False, "next_page": 3}),
        (1, 25, ("total",), {"total": 25, "from": 1, "to": 25, "last_page": None, "complete": True, "next_page": None}),
        (1, 25, ("has_more",), {"total": None, "from": 1, "to": 25, "complete": True, "next_page": None}),
        (1, 10, ("has_more",), {"total": None, "from": 1, "to": 10, "complete": False, "next_page": 2}),
        (1, 10, (), {"total": None, "from": 1, "to": 10, "last_page": None, "complete": False, "next_page": 2}),
        (3, 10, (), {"total": None, "from": 21, "to": 25, "last_page": None, "complete": False, "next_page": 4}),
        (1, 100, (), {"total": None, "from": 1, "to": 25, "last_page": None, "complete": False, "next_page": 2}),
        (4, 10, (), {"total": None, "from": None, "to": None, "complete": False, "next_page": None}),
    ],
)
async def test_coverage_says_what_the_erp_states_and_invents_nothing(
    page: int, limit: int, states: tuple[str, ...], expected: dict[str, object]
) -> None:
    shown = await listed(ListedErp(parts=PARTS_25, states=states), page=page, limit=limit)
    coverage = shown.to_wire()["coverage"]
    assert set(coverage) == {
        "total",
        "scanned",
        "returned",
        "from",
        "to",
        "page",
        "last_page",
        "complete",
        "next_page",
    }
    assert {name: coverage[name] for name in expected} == expected
    assert coverage["page"] == page
    assert coverage["scanned"] == coverage["returned"] == len(shown.rows)


def coverage_of(rows: int, told: Page | None, *, page: int = 1, limit: int = 10) -> Coverage:
    return Coverage.of_page(ErpAnswer(PARTS, 200, [{"id": n} for n in range(rows)], told, AT), page, limit)


@pytest.mark.parametrize("told", [None, Page()])
def test_where_nothing_is_stated_only_an_empty_page_is_known_to_be_the_last(told: Page | None) -> None:
    for rows in (10, 9, 1):
        coverage = coverage_of(rows, told)
        assert (coverage.next_page, coverage.complete) == (2, False)
    nothing = coverage_of(0, told)
    assert (nothing.next_page, nothing.complete) == (None, True)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (10, Page(total=250, last=1)),
        (10, Page(total=250, last=1, has_more=False)),
        (10, Page(total=10, last=1, has_more=True)),
        (10, Page(total=10, last=2)),
        (10, Page(last=1, has_more=True)),
        (5, Page(total=10, last=1)),
        (0, Page(total=250, last=1)),
    ],
    ids=str,
)
def test_a_page_is_never_called_all_where_a_stated_figure_says_that_there_is_more(rows: int, told: Page) -> None:
    coverage = coverage_of(rows, told)
    assert (coverage.next_page, coverage.complete) == (2, False)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (5, Page(total=3, last=1)),  # more than there are
        (5, Page(first_row=11, last_row=15)),  # not from the beginning
        (5, Page(total=5, first_row=1, last_row=10)),  # rows that did not come
        (0, Page(has_more=True)),
    ],
    ids=str,
)
def test_figures_that_disagree_with_what_came_are_never_called_complete(rows: int, told: Page) -> None:
    assert not coverage_of(rows, told).complete


@pytest.mark.parametrize(
    ("asked", "sentence", "next_step"),
    [
        ({"limit": 100}, "All 25 parts.", ""),
        ({"limit": 10}, "Rows 1 to 10 of 25 parts.", "Call again with page=2 for more, or narrow the search."),
        ({"limit": 10, "page": 3}, "Rows 21 to 25 of 25 parts.", ""),
        ({"limit": 10, "page": 4}, "No parts on page 4.", ""),
        ({"search": "P-07"}, "1 part matching 'P-07'.", ""),
        ({"search": "nothing 'like' it"}, "No parts matching 'nothing ’like’ it'.", ""),
        ({"limit": 100, "sort": "part_number", "order": "desc"}, "All 25 parts, sorted by part_number descending.", ""),
    ],
)
async def test_the_sentence_says_how_much_of_the_whole_is_shown(
    asked: dict[str, Any], sentence: str, next_step: str
) -> None:
    shown = await listed(ListedErp(parts=PARTS_25), **asked)
    assert (shown.summary, shown.next) == (sentence, next_step)


async def test_a_total_that_nobody_stated_is_not_made_up_in_words_either() -> None:
    shown = await listed(ListedErp(parts=PARTS_25, states=()), limit=10)
    assert shown.summary == "Rows 1 to 10 of the parts, whose number is not stated."


async def test_only_what_was_asked_for_is_sent() -> None:
    erp = ListedErp(parts=PARTS_25)
    await listed(erp, limit=5)
    await listed(erp, search="Größe & Co/7", limit=5, page=2, sort="id", order="desc")
    assert [query for _, query in erp.asked] == [
        {"per_page": 5, "page": 1},
        {"search": "Größe & Co/7", "sort": "id", "order": "desc", "per_page": 5, "page": 2},
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_listed_and_read_from_its_own_address(kind: str) -> None:
    erp = ListedErp(**cast("dict[str, Any]", {kind: [{"id": 7, "status": "Open", "notes": "x"}]}))
    page = await listed(erp, kind)
    one = await record_detail(context_of(erp), kind, "7")
    assert (page.kind, page.rows, one.record) == (
        kind,
        ((7, "Open", "x"),),
        {"id": 7, "status": "Open", "notes": "x"},
    )
    assert [path for path, _ in erp.asked] == [
        f"/{kind.replace('_', '-')}",
        f"/{kind.replace('_', '-')}/7",
    ]


# ------------------------------------------------------------------------------------------------------ single records


@pytest.mark.parametrize("said", ["Q1235", "-1", "1.5", "../1", "७", "9" * 19, "007"])
async def test_what_can_be_no_id_is_looked_for_as_a_number_and_never_put_into_an_address(said: str) -> None:
    erp = ListedErp(contracts=[{"id": 1, "quote_number": "Q1234"}, {"id": 7}])
    with pytest.raises(AmbiguousReference, match="No contract goes by the number or id") as caught:
        await record_detail(context_of(erp), "contracts", said)
    assert "list_records" in caught.value.hint
    assert [path for path, _ in erp.asked] == ["/contracts"]


@pytest.mark.parametrize("said", ["Q1234", " q1234", "SO77", "000123"])
async def test_a_record_is_read_by_the_number_that_people_use(said: str) -> None:
    erp = ListedErp(
        contracts=[
            {"id": 1, "quote_number": "Q1234", "order_number": "SO77", "vat_number": "Q12345", "job_no": "000123"},
            {"id": 2, "quote_number": "Q12345", "vat_number": "SO77"},
        ]
    )
    answer = await record_detail(context_of(erp), "contracts", said)
    assert answer.record["id"] == 1
    assert answer.summary == "Contract Q1234 (id 1), with its 5 fields and no lines."
    assert [path for path, _ in erp.asked] == ["/contracts", "/contracts/1"]


async def test_a_number_of_digits_alone_is_an_id_first_and_a_number_where_no_record_has_that_id() -> None:
    erp = ListedErp(invoices=[{"id": 1, "invoice_number": "77"}, {"id": 55, "invoice_number": "1"}])
    assert (await record_detail(context_of(erp), "invoices", "1")).record["id"] == 1
    assert (await record_detail(context_of(erp), "invoices", "77")).record["id"] == 1
    with pytest.raises(NotFound):
        await record_detail(context_of(erp), "invoices", "99")


async def test_a_number_that_two_records_go_by_is_asked_about() -> None:
    erp = ListedErp(invoices=[{"id": 1, "invoice_number": "INV-7"}, {"id": 2, "invoice_number": "inv-7"}])
    with pytest.raises(AmbiguousReference, match="2 invoices go by 'INV-7': their ids are 1, 2") as caught:
        await record_detail(context_of(erp), "invoices", "INV-7")
    assert caught.value.hint == "Ask the user which is meant."


@pytest.mark.parametrize(
    ("kind", "record", "words"),
    [
        ("contracts", {"id": 1, "lines": []}, "Contract 1, with its 2 fields, no lines."),
        ("contracts", {"id": 1, "lines": [{"qty": 1}]}, "Contract 1, with its 2 fields, 1 lines."),
        ("shipments", {"id": 1}, "Shipment 1, with its 1 fields and no lines."),
        ("parts", {"id": 1, "part_number": "A B"}, "Part 'A B' (id 1), with its 2 fields."),
    ],
)
async def test_a_record_says_how_many_lines_it_has(kind: str, record: dict[str, Any], words: str) -> None:
    erp = ListedErp()
    erp.records[kind] = [record]
    assert (await record_detail(context_of(erp), kind, "1")).summary == words


async def test_a_record_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        await record_detail(context_of(ListedErp(contracts=[{"id": 1}])), "contracts", "2")


async def test_a_part_comes_with_every_customers_price_list_in_order_of_quantity() -> None:
    lists = [
        sent_prices(52, "Acme Corp", [("50", "118.25"), ("1", "145"), ("10", "131.50000")], selling_price="145.00000"),
        sent_prices(14, "Northgate", [], customer_part_number=None),
    ]
    erp = ListedErp(parts=[part(4, "MANIFOLD-220")], price_lists={4: lists})
    answer = await part_record(context_of(erp), "manifold-220")
    assert answer.summary == (
        "Part 'MANIFOLD-220' (id 4), with price lists of 2 customers. 'Acme Corp' pays 145.00 each from 1, 131.50 from "
        "10, 118.25 from 50; below 1 the base selling price of 145.00 holds. 'Northgate' has a list with neither "
        "breaks nor a base selling price. A base selling price holds below the first break; prices are in GBP."
    )
    acme, northgate = answer.to_wire()["price_lists"]
    assert acme["price_breaks"] == [
        {"quantity": "1", "unit_price": "145.00"},
        {"quantity": "10", "unit_price": "131.50"},
        {"quantity": "50", "unit_price": "118.25"},
    ]
    assert (acme["selling_price"], northgate["selling_price"], northgate["customer_part_number"]) == (
        "145.00",
        None,
        "",
    )


async def test_a_part_that_is_not_one_is_answered_with_candidates() -> None:
    answer = await part_record(context_of(ListedErp(parts=PARTS_25)), "P-")
    assert (answer.status, answer.part, len(answer.candidates)) == ("ambiguous", None, 10)


async def test_a_customer_comes_with_its_contacts_which_the_single_record_carries() -> None:
    whole = customer(52, "Acme Corp", contacts=[{"id": 42, "name": "Ruth"}, "not a record"], notes="\u202eevil")
    erp = ListedErp(customers=[whole])
    answer = await customer_record(context_of(erp), "acme corp")
    assert [path for path, _ in erp.asked] == ["/customers", "/customers/52"]
    assert answer.customer == {"id": 52, "name": "Acme Corp", "notes": "evil"}
    assert answer.contacts == ({"id": 42, "name": "Ruth"},)
    assert answer.summary == "Customer 'Acme Corp' (id 52), with 1 contact."


async def test_a_customer_named_by_its_id_is_read_once() -> None:
    erp = ListedErp(customers=[customer(52, "Acme Corp")])
    answer = await customer_record(context_of(erp), "52")
    assert [path for path, _ in erp.asked] == ["/customers", "/customers/52"]
    assert answer.summary == "Customer 'Acme Corp' (id 52), with 0 contacts."
