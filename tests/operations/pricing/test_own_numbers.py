"""A customer's own part numbers: found in the price lists that were read, always said, and never a write's ground."""

from decimal import Decimal
from typing import Any

import pytest

from fraction_mcp.erp.records import PriceList
from fraction_mcp.errors import AmbiguousReference
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.own_numbers import OwnNumbers
from fraction_mcp.operations.parts import part_record
from fraction_mcp.operations.plans.own_numbers import exactly_the_part
from fraction_mcp.operations.pricing.one_part import PriceResult, price_for_quantity
from fraction_mcp.operations.pricing.order_lines import AskedLine, OrderPrices, price_lines
from tests.support import ListedErp, Record, context_of, customer, part, sent_prices

pytestmark = pytest.mark.anyio


def listed(number: str | None, customer_id: int = 52, name: str = "Acme Corp", price: str = "8") -> Record:
    return sent_prices(customer_id, name, {"1": price}, customer_part_number=number)


def erp(**lists: Any) -> ListedErp:
    """BRKT-1 is Acme's ACM-B1; 7 is WIDGET-001's id and Acme's number for BRKT-1, too, where a test says so."""
    return ListedErp(
        parts=[part(1, "BRKT-1"), part(7, "WIDGET-001"), part(9, "GASKET-41")],
        customers=[customer(52, "Acme Corp"), customer(3, "Müller GmbH")],
        price_lists={1: [listed("ACM-B1")], 7: [listed("ACM-100", price="12.50")], 9: []},
    )


async def seen(context: ErpContext, *parts: str) -> ErpContext:
    """A context in which the price lists of these parts were read."""
    for said in parts:
        await part_record(context, said)
    return context


async def price(context: ErpContext, said: str, who: str = "Acme Corp") -> PriceResult:
    return await price_for_quantity(context, said, Decimal(10), who)


async def quote(context: ErpContext, *parts: str) -> OrderPrices:
    return await price_lines(context, "Acme Corp", [AskedLine(part=said, quantity=Decimal(10)) for said in parts])


# -------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("said", ["ACM-B1", " acm-b1 "])
async def test_a_part_is_priced_by_the_number_that_the_customer_gives_it_and_the_answer_says_so(said: str) -> None:
    answer = await price(await seen(context_of(erp()), "BRKT-1"), said)
    assert answer.status == "priced"
    assert answer.part
    assert (answer.part.id, answer.part.part_number) == (1, "BRKT-1")
    assert answer.summary.startswith(
        f"'{said.strip()}' is the own number of 'Acme Corp' for 'BRKT-1'. 10 EA of 'BRKT-1'"
    )


async def test_an_order_s_lines_may_carry_the_customer_s_own_numbers() -> None:
    answer = await quote(await seen(context_of(erp()), "BRKT-1"), "ACM-B1", "WIDGET-001", "ACM-7")
    assert [(line.part_number, line.status) for line in answer.lines] == [
        ("BRKT-1", "priced"),
        ("WIDGET-001", "priced"),
        ("ACM-7", "not_found"),
    ]
    assert answer.summary.endswith(" 'ACM-B1' is their own number for 'BRKT-1'.")
    assert answer.lines[0].reason == "'ACM-B1' is the own number of 'Acme Corp' for 'BRKT-1'."
    assert answer.lines[1].reason == ""


@pytest.mark.parametrize("lines", [("ACM-100", "WIDGET-001"), ("WIDGET-001", "ACM-100")])
async def test_a_line_s_list_is_looked_through_for_the_other_lines_whatever_their_order(lines: tuple[str, ...]) -> None:
    answer = await quote(context_of(erp()), *lines)
    assert [line.part_number for line in answer.lines] == ["WIDGET-001", "WIDGET-001"]


async def test_a_quote_teaches_the_numbers_of_the_lists_that_it_read() -> None:
    context = context_of(erp())
    await quote(context, "WIDGET-001")
    assert (await quote(context, "ACM-100")).lines[0].part_number == "WIDGET-001"


async def test_where_no_list_of_the_customer_was_read_the_answer_says_that_it_was_not_searched() -> None:
    context = context_of(erp())
    told = "Own part numbers of 'Acme Corp' were not searched: no price list of theirs was read here yet."
    answer = await price(context, "ACM-B1")
    assert (answer.status, answer.summary) == ("not_found", f"No part is called 'ACM-B1'. {told}")
    assert told in (await quote(context, "ACM-B1")).lines[0].reason


async def test_where_lists_were_read_the_answer_says_in_how_many_it_was_looked_for() -> None:
    answer = await price(await seen(context_of(erp()), "WIDGET-001"), "ACM-B1")
    assert answer.summary.endswith("None of the 1 price list of 'Acme Corp' that was read here holds it either.")
    answer = await price(await seen(context_of(erp()), "WIDGET-001", "BRKT-1"), "ACM-77")
    assert answer.summary.endswith("None of the 2 price lists of 'Acme Corp' that were read here holds it either.")


async def test_without_a_customer_nobody_s_own_numbers_are_looked_through() -> None:
    answer = await price(await seen(context_of(erp()), "BRKT-1"), "ACM-B1", who="")
    assert (answer.status, answer.summary) == ("not_found", "No part is called 'ACM-B1'.")


async def test_one_customer_s_number_means_nothing_on_another_s_order() -> None:
    answer = await price(await seen(context_of(erp()), "BRKT-1"), "ACM-B1", who="Müller GmbH")
    assert answer.status == "not_found"
    assert "Own part numbers of 'Müller GmbH' were not searched" in answer.summary


async def test_a_list_that_was_changed_since_is_read_again_and_not_believed() -> None:
    source = erp()
    context = await seen(context_of(source, keep_s=0), "BRKT-1")
    source.price_lists = {**source.price_lists, 1: [listed("ACM-B2")]}
    assert (await price(context, "ACM-B1")).status == "not_found"
    assert (await price(context, "ACM-B2")).part is not None, "the new number was learnt in looking"


async def test_a_part_that_is_no_more_is_forgotten() -> None:
    source = erp()
    context = await seen(context_of(source, keep_s=0), "BRKT-1")
    source.records["parts"] = [one for one in source.records["parts"] if one["id"] != 1]
    assert (await price(context, "ACM-B1")).status == "not_found"
    assert context.own_numbers.lists_of(52) == 0


# ------------------------------------------------------------------------------------------------ what else it may mean


async def test_our_exact_number_wins_and_the_answer_says_what_else_the_customer_calls_so() -> None:
    source = erp()
    source.price_lists = {**source.price_lists, 1: [listed("WIDGET-001")]}
    context = await seen(context_of(source), "BRKT-1")
    answer = await price(context, "WIDGET-001")
    assert answer.part
    assert answer.part.part_number == "WIDGET-001"
    assert answer.summary.startswith("'Acme Corp' calls 'BRKT-1' so as well. 10 EA of 'WIDGET-001'")
    assert (await quote(context, "WIDGET-001")).lines[0].reason == "'Acme Corp' calls 'BRKT-1' so as well."


async def test_a_number_of_theirs_that_is_an_id_of_ours_is_ambiguous() -> None:
    source = erp()
    source.price_lists = {**source.price_lists, 1: [listed("7")]}
    context = await seen(context_of(source), "BRKT-1")
    answer = await price(context, "7")
    assert answer.status == "ambiguous"
    assert [(one.id, one.name, one.description) for one in answer.candidates] == [
        (1, "BRKT-1", "'Acme Corp' calls it so"),
        (7, "WIDGET-001", "by its id"),
    ]
    assert (await quote(context, "7")).lines[0].status == "ambiguous"


async def test_two_parts_that_the_customer_calls_alike_are_ambiguous() -> None:
    source = erp()
    source.price_lists = {**source.price_lists, 7: [listed("ACM-B1")]}
    answer = await price(await seen(context_of(source), "BRKT-1", "WIDGET-001"), "ACM-B1")
    assert (answer.status, [one.id for one in answer.candidates]) == ("ambiguous", [1, 7])


async def test_their_exact_number_goes_before_a_near_match_of_ours() -> None:
    source = erp()
    source.records["parts"].append(part(11, "ACM-B1-OLD"))
    unseen = await price(context_of(source), "ACM-B1")
    assert unseen.summary.startswith("'ACM-B1-OLD' is the only part like 'ACM-B1'.")
    answer = await price(await seen(context_of(source), "BRKT-1"), "ACM-B1")
    assert answer.summary.startswith("'ACM-B1' is the own number of 'Acme Corp' for 'BRKT-1'.")


# ------------------------------------------------------------------------------------------------------ cost and bounds


async def test_a_part_of_our_own_number_costs_no_request_more() -> None:
    source = erp()
    context = await seen(context_of(source), "BRKT-1")
    before = source.requests
    await price(context, "WIDGET-001")
    assert source.requests - before == 2, "the part and its lists"


async def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    numbers = OwnNumbers(most=2)
    for part_id, number in ((1, "A"), (2, "B"), (3, "C")):
        numbers.look(part_id, [PriceList.model_validate(listed(number))])
    assert (numbers.parts_called("A", 52), numbers.parts_called("c", "52"), numbers.lists_of(52)) == ([], [3], 2)
    numbers.look(2, [PriceList.model_validate(listed(None))])
    assert numbers.parts_called("B", 52) == []
    assert numbers.parts_called("", 52) == []
    numbers.look("a text", [PriceList.model_validate(listed("D"))])
    assert numbers.parts_called("D", 52) == [], "no part that could be read by it"


# -------------------------------------------------------------------------------------------------------------- writing


async def test_a_write_takes_no_number_of_theirs_and_names_the_part_as_the_candidate() -> None:
    context = await seen(context_of(erp()), "BRKT-1")
    with pytest.raises(AmbiguousReference) as refused:
        await exactly_the_part(context, "ACM-B1", "Acme Corp")
    error = refused.value
    assert error.status == "not_found"
    assert error.message == (
        "'ACM-B1' is the own number of 'Acme Corp' for 'BRKT-1'; a write takes our number or id alone."
    )
    assert error.hint == "Ask the user whether 'BRKT-1' is meant, then call again with our number."
    assert [getattr(one, "name", "") for one in error.candidates] == ["BRKT-1"]


async def test_a_write_to_an_unknown_part_is_refused_as_before_where_nobody_calls_it_so() -> None:
    context = context_of(erp())
    with pytest.raises(AmbiguousReference, match=r"^No part is called 'ACM-B1'.$"):
        await exactly_the_part(context, "ACM-B1", "Acme Corp")
    with pytest.raises(AmbiguousReference, match=r"^No part is called 'ACM-B1'.$"):
        await exactly_the_part(await seen(context, "BRKT-1"), "ACM-B1", "Müller GmbH")
