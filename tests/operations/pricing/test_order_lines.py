"""The lines of an order: each at its own quantity, each part fetched once, a total only where all have a price."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.errors import ErpTimedOut
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.pricing.order_lines import AskedLine, OrderPrices, price_lines
from tests.support import ListedErp, context_of, customer, part, sent_prices

pytestmark = pytest.mark.anyio


def erp(sorting: str = "sorts") -> ListedErp:
    return ListedErp(
        sorting=sorting,
        parts=[
            part(1, "WIDGET-001"),
            part(2, "WIDGET-0011"),
            part(4, "MANIFOLD-220"),
            part(6, "GASKET-41"),
            part(26, "19"),
        ],
        customers=[customer(52, "Acme Corp"), customer(3, "Müller & Söhne GmbH")],
        price_lists={
            1: [
                sent_prices(52, "Acme Corp", {"1": "12.50", "100": "10", "500": "8.50"}),
                sent_prices(3, "M", {"1": "1"}),
            ],
            4: [sent_prices(52, "Acme Corp", {"10": "131.5"}, selling_price="145.00000")],
            6: [sent_prices(3, "Müller & Söhne GmbH", {"1": "0.4"})],
            26: [sent_prices(52, "Acme Corp", {"5": "11"})],
        },
    )


async def quote(context: ErpContext, *lines: tuple[str, str], customer: str = "Acme Corp") -> OrderPrices:
    return await price_lines(
        context, customer, [AskedLine(part=said, quantity=Decimal(count)) for said, count in lines]
    )


async def test_every_line_is_priced_at_its_own_quantity_and_the_total_is_their_sum() -> None:
    answer = await quote(context_of(erp()), ("WIDGET-001", "500"), ("MANIFOLD-220", "3"), ("19", "7.5"))
    wire = answer.to_wire()
    assert [(one["unit_price"], one["line_total"], one["break_quantity"]) for one in wire["lines"]] == [
        ("8.50", "4250.00", "500"),
        ("145.00", "435.00", None),
        ("11.00", "82.50", "5"),
    ]
    assert (wire["status"], wire["priced_lines"], wire["priced_total"], wire["total"]) == (
        "priced",
        3,
        "4767.50",
        "4767.50",
    )
    assert wire["customer"] == {"id": 52, "name": "Acme Corp"}
    assert answer.summary == "All 3 lines are priced for 'Acme Corp': 4767.50 GBP in total."
    assert "next" not in wire


async def test_one_line_without_a_price_and_there_is_no_total() -> None:
    answer = await quote(context_of(erp()), ("WIDGET-001", "1"), ("GASKET-41", "1"), ("19", "4"))
    assert [one.status for one in answer.lines] == ["priced", "no_price", "no_price"]
    assert answer.lines[1].reason == "no price list"
    assert answer.lines[2].reason == (
        "19 was taken as the part number, not as an id. "
        "4 is below the lowest break of 5, and there is no base selling price"
    )
    assert (answer.status, answer.priced_lines, answer.priced_total, answer.total) == (
        "partly_priced",
        1,
        Decimal("12.50"),
        None,
    )
    assert answer.summary.endswith("12.50 GBP for those, and no total, since 'GASKET-41', '19' lack a price.")
    assert "next" not in answer.to_wire()


async def test_where_no_line_has_a_price_there_is_neither_a_sum_nor_a_total() -> None:
    wire = (await quote(context_of(erp()), ("GASKET-41", "1"))).to_wire()
    assert (wire["status"], wire["priced_total"], wire["total"]) == ("no_price", "0.00", None)
    assert wire["summary"] == "The line has no price for 'Acme Corp': 'GASKET-41'."


async def test_the_same_part_on_two_lines_is_fetched_once_and_each_line_has_its_own_break() -> None:
    fraction = erp()
    answer = await quote(context_of(fraction), ("WIDGET-001", "99"), (" widget-001", "100"))
    assert [one.unit_price for one in answer.lines] == [Decimal("12.50"), Decimal(10)]
    assert sorted(path for path, _ in fraction.asked) == ["/customers", "/parts", "/parts/1/price-lists"]
    assert answer.summary.endswith("'WIDGET-001' stands on several lines, each priced at its own quantity.")


async def test_an_order_costs_one_request_for_the_customer_and_two_for_each_part() -> None:
    fraction = erp()
    context = context_of(fraction)
    await quote(context, ("WIDGET-001", "1"), ("MANIFOLD-220", "1"), ("19", "5"))
    assert fraction.requests == 1 + 2 * 3
    await quote(context, ("WIDGET-001", "2"), ("MANIFOLD-220", "2"), ("19", "6"), customer="Müller & Söhne GmbH")
    assert fraction.requests == 7 + 1 + 3  # the parts are known by now


async def test_only_the_named_customers_price_list_is_asked_for() -> None:
    fraction = erp()
    await quote(context_of(fraction), ("WIDGET-001", "1"))
    assert fraction.asked[-1] == ("/parts/1/price-lists", {"customer_id": "52"})


async def test_another_customers_price_list_is_never_taken_though_the_erp_sends_it() -> None:
    """The filter is documented; that it is honoured is the ERP's affair."""
    fraction = erp()
    fraction.price_lists = {1: [{**one, "customer_id": 3} for one in fraction.price_lists[1]]}
    fraction.price_lists[1][0]["customer_id"] = "52"  # text, as it is compared by the filter of the fake
    answer = await quote(context_of(fraction), ("WIDGET-001", "1"))
    assert answer.lines[0].unit_price == Decimal("12.50")


async def test_candidates_carry_the_line_that_they_are_for() -> None:
    answer = await quote(context_of(erp()), ("WIDGET-001", "1"), ("WIDGET", "1"), ("WIDGET-009", "1"))
    assert [one.status for one in answer.lines] == ["priced", "ambiguous", "not_found"]
    assert {(one.argument, one.name) for one in answer.candidates} == {
        ("lines[1].part", "WIDGET-001"),
        ("lines[1].part", "WIDGET-0011"),
        ("lines[2].part", "WIDGET-001"),
        ("lines[2].part", "WIDGET-0011"),
    }
    assert answer.next.startswith("Ask the user which parts are meant")


async def test_an_unknown_customer_and_an_unknown_part_are_told_in_one_call_and_no_price_is_read() -> None:
    fraction = erp()
    lines = ("WIDGET-001", "1"), ("WIDGET", "1"), ("WIDGET", "5")
    answer = await quote(context_of(fraction), *lines, customer="Acme Holdings")
    assert (answer.status, answer.lines, answer.total) == ("not_found", (), None)
    assert [(one.argument, one.name) for one in answer.candidates] == [
        ("customer", "Acme Corp"),
        ("lines[1].part", "WIDGET-001"),
        ("lines[1].part", "WIDGET-0011"),
        ("lines[2].part", "WIDGET-001"),
        ("lines[2].part", "WIDGET-0011"),
    ]
    assert "No customer is called 'Acme Holdings'" in answer.summary
    assert answer.summary.count("No part is called exactly 'WIDGET'") == 1
    assert {path for path, _ in fraction.asked} == {"/customers", "/parts"}


async def test_a_line_says_its_unit_its_basis_and_what_more_of_it_would_cost() -> None:
    fraction = erp()
    fraction.records["parts"][0]["uom"] = "KG"
    fraction.price_lists[1][0]["price_breaks"][0]["price"] = Decimal("2.675")
    answer = await quote(context_of(fraction), ("WIDGET-001", "3"), ("WIDGET-001", "450"), ("WIDGET-001", "500"))
    small, many, last = answer.to_wire()["lines"]
    assert (small["uom"], small["basis"], small["line_total"], small["line_total_exact"]) == (
        "KG",
        "price_break",
        "8.03",
        "8.025",
    )
    then = {"quantity": "100", "unit_price": "10.00", "line_total": "1000.00", "extra_cost": "991.97"}
    assert small["next_break"] == then
    assert (many["next_break"], "line_total_exact" in many) == (None, False)
    assert many["cheaper_at_more"] == {
        "quantity": "500",
        "unit_price": "8.50",
        "line_total": "4250.00",
        "saving": "250.00",
    }
    assert (last["next_break"], last["cheaper_at_more"]) == (None, None)
    assert "Mention that more costs less on line 2:" in answer.next


async def test_a_line_in_packs_is_said_to_be_and_the_user_is_asked_what_is_meant() -> None:
    fraction = erp()
    fraction.records["parts"][0]["uom"] = "100PK"
    answer = await quote(context_of(fraction), ("WIDGET-001", "3"))
    assert "of 'WIDGET-001', quantity and price count units of '100PK', not single pieces" in answer.summary
    assert answer.next.startswith("Ask the user whether packs ('100PK') or single pieces are meant.")


async def test_a_sum_of_a_hundred_lines_is_exact() -> None:
    fraction = erp()
    fraction.price_lists = {1: [sent_prices(52, "Acme Corp", {"1": "99999999999999999999.99"})]}
    answer = await quote(context_of(fraction), *[("WIDGET-001", "999999999999.999999")] * 100)
    (line,) = {Fraction(one.line_total or 0) for one in answer.lines}
    assert line == Fraction("99999999999999999899990000000000")
    assert Fraction(answer.priced_total) == Fraction(answer.total or 0) == line * 100


async def test_an_erp_that_fails_is_its_own_error_though_lines_are_fetched_at_once() -> None:
    fraction = erp()
    context = context_of(fraction)
    await quote(context, ("WIDGET-001", "1"))

    class Halting(ListedErp):
        async def call(self, endpoint: Endpoint, **asked: Any) -> ErpAnswer:
            answer = await super().call(endpoint, **asked)
            if "parts" in self.asked[-1][0]:
                raise ErpTimedOut("no answer in time", system="fractionerp", operation="list parts")
            return answer

    halting = Halting(parts=fraction.records["parts"], customers=fraction.records["customers"])
    with pytest.raises(ErpTimedOut, match="no answer in time"):
        await quote(context_of(halting), ("WIDGET-001", "1"), ("MANIFOLD-220", "1"), ("19", "5"))


async def test_of_two_price_lists_for_one_customer_none_is_picked() -> None:
    fraction = erp()
    fraction.price_lists = {1: [sent_prices(52, "Acme Corp", {"1": "12.50"}), sent_prices(52, "Acme Corp", {"1": "9"})]}
    answer = await quote(context_of(fraction), ("WIDGET-001", "1"))
    (line,) = answer.lines
    assert (line.status, line.unit_price, answer.total) == ("no_price", None, None)
    assert line.reason == "the ERP holds two price lists for this customer"
