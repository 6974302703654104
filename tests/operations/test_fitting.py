"""A record within the room of a result: what a person would look at first stays, and what is cut is told."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.operations.customers import customer_record
from fraction_mcp.operations.fitting import ROOM, presented, whole
from fraction_mcp.operations.parts import part_record
from fraction_mcp.operations.pricing.one_part import price_for_quantity
from fraction_mcp.operations.records.detail import record_detail
from tests.support import ListedErp, context_of, customer, part, sent_prices

pytestmark = pytest.mark.anyio

LINES = [
    {"id": n, "part": {"part_number": f"P-{n}"}, "description": "A line of an order", "qty": n} for n in range(900)
]


def size(value: Any) -> int:
    return len(json.dumps(value))


# ------------------------------------------------------------------------------------------------------------ one value


def test_what_fits_is_shown_whole_in_the_order_in_which_it_came() -> None:
    record = {"id": 1, "lines": LINES[:20], "notes": "x", "customer": {"name": "Acme"}, "tags": []}
    shown = whole(record)
    assert (shown.value, shown.left_out) == (record, ())
    assert list(shown.value) == list(record)


def test_a_long_list_is_cut_between_entries_and_its_number_told() -> None:
    shown = whole({"id": 1, "lines": LINES, "status": "Order", "notes": "x" * 1_000})
    lines = shown.value["lines"]
    assert lines[:-1] == LINES[: len(lines) - 1]
    assert 100 < len(lines) - 1 <= 200
    assert lines[-1] == f"… {900 - len(lines) + 1} more"
    assert shown.left_out == (f"lines ({len(lines) - 1} of 900)",)
    assert (shown.value["status"], len(shown.value["notes"])) == ("Order", 1_000), "what stands behind it stays"


def test_several_long_lists_share_the_room() -> None:
    long = [{"text": "x" * 150}] * 150
    shown = whole({"a": long, "b": long, "c": [1, 2, 3], "d": long})
    assert all(len(shown.value[name]) > 20 for name in "abd")
    assert shown.value["c"] == [1, 2, 3]
    assert [name[0] for name in shown.left_out] == ["a", "b", "d"]


def test_an_entry_that_is_too_long_by_itself_is_cut_within() -> None:
    shown = whole({"lines": [{"id": 1, "steps": [{"text": "x" * 500}] * 100}, {"id": 2}]})
    line = shown.value["lines"][0]
    assert line["id"] == 1
    assert line["steps"][-1].startswith("… ")
    assert shown.left_out[0] == f"lines[].steps ({len(line['steps']) - 1} of 100)"


def test_a_text_that_is_cut_says_so() -> None:
    shown = whole({"notes": "x" * 50_000})
    assert (len(shown.value["notes"]), shown.left_out) == (2_000, ("notes (1,999 of 50,000 characters)",))


def test_a_record_of_thousands_of_fields_keeps_its_id_and_says_how_many_are_missing() -> None:
    shown = whole({**{f"field_{n}": "x" * 100 for n in range(5_000)}, "id": 7} | {"id": 7})
    kept = len(shown.value) - 1
    assert shown.value["…"] == f"{5_001 - kept:,} more fields"
    assert shown.value["id"] == 7
    assert shown.left_out[-1] == f"the record ({kept:,} of 5,001 fields)"


def test_names_that_are_cut_alike_stay_two() -> None:
    long = "x" * 200
    assert list(whole({long + "a": 1, long + "b": 2, long + "c": 3}).value.values()) == [1, 2, 3]
    assert list(whole({"a (2)": 1, "a": 2, "a\u00a0": 3}).value) == ["a (2)", "a", "a (3)"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3_000)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=300) | st.dictionaries(st.text(max_size=100), inner, max_size=30),
    max_leaves=300,
)


@pytest.mark.slow
@given(VALUES, st.integers(500, ROOM))
def test_whatever_it_is_it_fits_and_nothing_is_missing_silently(value: Any, room: int) -> None:
    shown = whole(value, room)
    assert len(str(shown.value)) < 3 * room + 2_000
    json.dumps(shown.value, ensure_ascii=False)
    if count(shown.value) < count(value):
        assert shown.left_out


def count(value: Any) -> int:
    """How many single values there are in it."""
    if isinstance(value, dict):
        return sum(map(count, value.values()))
    return sum(map(count, value)) if isinstance(value, list) else 1


def test_eight_megabytes_are_cut_in_passing() -> None:
    record = {f"list_{n}": [{f"name_{k}": "x" * 2_000 for k in range(10)}] * 10 for n in range(40)}
    assert size(record) > 8_000_000
    began = time.process_time()
    assert size(presented(record)) < 2 * ROOM
    assert time.process_time() - began < 2


# -------------------------------------------------------------------------------------------------------- in an answer


async def test_a_record_that_does_not_fit_says_what_is_missing_and_how_to_see_it() -> None:
    erp = ListedErp(contracts=[{"id": 600, "status": "Order", "lines": LINES, "history": LINES}])
    answer = await record_detail(context_of(erp), "contracts", "600")
    fit = [len(answer.record[name]) - 1 for name in ("lines", "history")]
    assert answer.summary == (
        f"Contract 600, with its 4 fields, 900 lines, 900 history; only a part fits into a result of "
        f"'lines ({fit[0]} of 900)', "
        f"'history ({fit[1]} of 900)'."
    )
    assert "summarise_records(kind='contracts')" in answer.next
    assert size(answer.to_wire()) < 2 * ROOM
    small = await record_detail(context_of(ListedErp(contracts=[{"id": 600, "lines": LINES[:5]}])), "contracts", "600")
    assert (small.summary, small.next) == ("Contract 600, with its 2 fields, 5 lines.", "")


async def test_a_part_of_many_customers_shows_whole_price_lists_only_and_says_how_many() -> None:
    lists = [sent_prices(n, f"Customer {n}", {str(q): "1.5" for q in range(1, 40)}) for n in range(300)]
    erp = ListedErp(parts=[part(4, "MANIFOLD-220", notes="x" * 50_000)], price_lists={4: lists})
    answer = await part_record(context_of(erp), "MANIFOLD-220")
    fit = len(answer.price_lists)
    assert 0 < fit < 300
    assert all(len(one.price_breaks) == 39 for one in answer.price_lists)
    assert answer.summary.startswith(
        f"Part 'MANIFOLD-220' (id 4), with price lists of 300 customers, of which {fit} fit into a result; "
        "only a part fits into a result of 'notes (1,999 of 50,000 characters)'. 'Customer 0' pays 1.50 each from 1, "
    )
    assert "1.50 from 10 and at 29 further breaks; below 1 there is no price" in answer.summary
    assert len(answer.summary) < 2_000
    assert answer.next == "get_price_for_quantity with a customer prices any of the others."
    assert size(answer.to_wire()) < 2 * ROOM


async def test_a_price_list_that_fits_into_no_result_is_not_shown_in_part() -> None:
    breaks = {str(q): "1.5" for q in range(1, 3_000)}
    erp = ListedErp(parts=[part(4, "MANIFOLD-220")], price_lists={4: [sent_prices(52, "Acme", breaks)]})
    answer = await part_record(context_of(erp), "MANIFOLD-220")
    assert answer.price_lists == ()
    assert "price lists of 1 customer, of which 0 fit into a result" in answer.summary


async def test_a_customer_of_many_contacts_says_how_many_are_shown() -> None:
    contacts = [{"id": n, "name": f"Contact {n}", "email": f"{n}@acme.example"} for n in range(1_000)]
    erp = ListedErp(customers=[customer(52, "Acme Corp", contacts=contacts)])
    answer = await customer_record(context_of(erp), "52")
    fit = len(answer.contacts)
    assert answer.contacts == tuple(contacts[:fit])
    assert answer.summary == (
        "Customer 'Acme Corp' (id 52), with 1000 contacts; only a part fits into a result of "
        f"'contacts ({fit} of 1,000)'."
    )
    assert answer.next == "The other contacts are to be seen in FractionERP itself."
    assert size(answer.to_wire()) < ROOM


async def test_the_prices_of_many_customers_are_cut_and_the_sentence_speaks_of_all() -> None:
    lists = [sent_prices(n, f"Customer {n}", {"1": str(n + 1)}) for n in range(500)]
    lists += [sent_prices(n, f"Customer {n}", {}) for n in range(500, 900)]
    erp = ListedErp(parts=[part(1, "WIDGET-001")], price_lists={1: lists})
    answer = await price_for_quantity(context_of(erp), "WIDGET-001", Decimal(1))
    assert 0 < len(answer.prices) < 500
    assert answer.summary == (
        "1 EA of 'WIDGET-001' cost between 1.00 ('Customer 0') and 500.00 GBP ('Customer 499'), a difference of "
        "499.00, depending on which of 500 customers buys; 400 price lists more have no price for it. "
        f"Only {len(answer.prices)} of 500 prices and "
        f"{len(answer.unpriced)} of 400 lists without one fit into a result."
    )
    assert answer.next == "Name a customer for a price that is not shown."
    assert size(answer.to_wire()) < 2 * ROOM
