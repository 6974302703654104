"""A part's price lists as sentences: every break, what the base selling price is for, and what to do without any."""

import pytest

from fraction_mcp.operations.parts import part_record
from tests.support import ListedErp, Record, context_of, part, sent_prices

pytestmark = pytest.mark.anyio


async def said(*lists: Record, uom: str = "EA") -> tuple[str, str]:
    erp = ListedErp(parts=[part(1, "WIDGET-001", uom=uom)], price_lists={1: lists})
    answer = await part_record(context_of(erp), "WIDGET-001")
    return answer.summary, answer.next


LISTS: list[tuple[list[tuple[str, str]], str | None, str]] = [
    (
        [("100", "10"), ("1", "12.50")],
        "10.50",
        "pays 12.50 each from 1, 10.00 from 100; below 1 the base selling price of 10.50 holds.",
    ),
    ([("10", "0.62")], None, "pays 0.62 each from 10; below 10 there is no price."),
    ([], "4.75", "pays 4.75 each at any quantity (the base selling price)."),
    ([("1", "6"), ("10", "5"), ("10", "4")], None, ", 5.00 or 4.00 from 10 (which of them holds is not known); below"),
    ([], None, "has a list with neither breaks nor a base selling price."),
]


@pytest.mark.parametrize(("breaks", "base", "words"), LISTS)
async def test_each_break_is_said_and_what_holds_below_the_first(
    breaks: list[tuple[str, str]], base: str | None, words: str
) -> None:
    summary, step = await said(sent_prices(52, "Acme Corp", breaks, selling_price=base))
    assert words in summary
    rule = "A base selling price holds below the first break; prices are in GBP."
    assert summary.endswith(rule if base else " Prices are in GBP.")
    assert step == ""


async def test_a_part_without_a_price_list_says_what_to_do() -> None:
    summary, step = await said()
    assert summary == "Part 'WIDGET-001' (id 1), with no price list."
    assert step == "Say that no customer has a price for this part; set_price_list makes one."


async def test_a_part_in_packs_is_said_to_be() -> None:
    summary, step = await said(sent_prices(52, "Acme Corp", {"1": "3"}), uom="100PK")
    assert "pays 3.00 per 100PK from 1;" in summary
    assert "Here quantity and price count units of '100PK', not single pieces." in summary
    assert step == "Ask the user whether packs ('100PK') or single pieces are meant."
