"""`set_price_list` beside whole lists: some breaks among others, and every price by a percentage."""

import json
from typing import Any

import pytest

from fraction_mcp.operations.writes.approvers import Decider
from tests.writes.firm import Firm
from tests.writes.test_plans_selling import breaks, rows, shown

pytestmark = pytest.mark.anyio

ACME = {"part": "WIDGET-001", "customer": "Acme Corp"}  # 1 at 12.50, 100 at 10.00, 500 at 8.50; base 10.50


async def asked(firm: Firm, **arguments: Any) -> dict[str, Any]:
    return await shown(firm, "set_price_list", **{**ACME, **arguments})


async def sent(firm: Firm, **arguments: Any) -> dict[str, Any]:
    async with firm.seat("yes") as seat:
        told = await seat.call("set_price_list", **{**ACME, **arguments})
        assert told["outcome"] == "done", told
        content = (await (await seat.runtime.write_service()).write(told["write_id"])).plan.content
    body: dict[str, Any] = json.loads(content, parse_float=str, parse_int=str)
    return {"base": body.get("selling_price"), **{step["qty"]: step["price"] for step in body["price_breaks"]}}


def hold(firm: Firm, base: str | None, **prices: str) -> None:
    """What FractionERP holds of Acme's list."""
    whose = "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)"
    firm.run(f"DELETE FROM price_breaks WHERE part_customer_id = {whose}")
    firm.run("UPDATE price_lists SET selling_price = ? WHERE part_id = 1 AND customer_id = 52", base)
    for quantity, price in prices.items():
        firm.run(f"INSERT INTO price_breaks (part_customer_id, qty, price) VALUES ({whose}, ?, ?)", quantity[1:], price)


# ----------------------------------------------------------------------------------------------------------- a per cent


async def test_a_percentage_changes_every_break_and_the_base_selling_price(firm: Firm) -> None:
    assert await sent(firm, change_percent="4") == {"base": "10.92", "1": "13", "100": "10.4", "500": "8.84"}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("held", "percent", "then"),
    [
        ("10.5", "5", "11.03"),  # 11.025, half up
        ("10.1", "-5", "9.60"),  # 9.595
        ("0.03125", "10", "0.03438"),  # 0.034375: five decimals, as it was
        ("0.125", "-50", "0.063"),  # 0.0625
        ("7", "1.5", "7.11"),  # 7.105: at least two
        ("0.01", "-99.99", "0.00"),
    ],
)
async def test_each_price_is_rounded_half_up_to_its_own_decimals_and_at_least_two(
    firm: Firm, held: str, percent: str, then: str
) -> None:
    hold(firm, None, q1=held)
    told = await asked(firm, change_percent=percent)
    assert rows(told)["price breaks"][1] == f"1 at {then}"


async def test_zeros_that_the_erp_pads_with_are_no_decimals_of_a_price(firm: Firm) -> None:
    """FractionERP sends a base selling price as "10.50000"."""
    told = await asked(firm, change_percent="3.33")
    assert rows(told)["base selling price"] == ("10.50", "10.85 (+3.3 %)")


async def test_the_preview_of_a_percentage_shows_each_break_and_the_rule_of_its_rounding(firm: Firm) -> None:
    told = await asked(firm, change_percent="-2.5 %")
    assert told["summary"].startswith("Set the price list of 'WIDGET-001' for 'Acme Corp', every price −2.5 %")
    assert rows(told)["change"][1] == "−2.5 % on every price, each rounded half up to its own decimals, at least 2"
    assert rows(told)["pays at 1"] == ("12.50 each", "12.19 each (−2.5 %)")
    assert rows(told)["pays at 100"] == ("10.00 each", "9.75 each (−2.5 %)")
    assert rows(told)["pays at 500"] == ("8.50 each", "8.29 each (−2.5 %)")
    assert rows(told)["price breaks"] == (
        "1 at 12.50, 100 at 10.00, 500 at 8.50",
        "1 at 12.19, 100 at 9.75, 500 at 8.29",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "price_breaks: either price_breaks or change_percent is required"),
        ({"change_percent": "5", "price_breaks": breaks(q1="9")}, "change_percent: not together with price_breaks"),
        ({"change_percent": "5", "selling_price": "9"}, "selling_price: not together with change_percent"),
        ({"change_percent": "5", "keep_other_breaks": True}, "keep_other_breaks: not together with change_percent"),
        ({"change_percent": "-100"}, "change_percent: must be above -100 and not 0"),
        ({"change_percent": "0"}, "change_percent: must be above -100 and not 0"),
        ({"change_percent": "a tenth"}, "change_percent: must be a plain decimal number"),
        ({"change_percent": "5", "customer": "3"}, "change_percent: this customer has no prices of the part"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_nobody_is_asked(
    firm: Firm, arguments: dict[str, Any], problem: str
) -> None:
    told = await asked(firm, **arguments)
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert problem in told["error"]["message"]


async def test_the_same_percentage_again_is_said_to_repeat_what_has_just_landed(firm: Firm) -> None:
    """The second has other bytes than the first, which it rests on: by those alone it would pass for a new write."""
    async with firm.seat("yes") as seat:
        await seat.call("set_price_list", **ACME, change_percent="10")
        again = await seat.call("set_price_list", part="1", customer="52", change_percent="+10.0")
    assert again["warnings"][0] == "An identical write landed a moment ago; this repeats it."


async def test_the_same_percentage_again_changes_nothing_while_the_first_is_unsure(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        firm.arm("html", method="PUT", path="/parts/1/price-lists", status=502)
        first = await seat.call("set_price_list", **ACME, change_percent="10")
        firm.run(
            "UPDATE price_breaks SET price = price * 1.1 WHERE qty = '100' AND part_customer_id IN "
            "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)"
        )
        again = await seat.call("set_price_list", **ACME, change_percent="10")
    assert first["outcome"] == "unknown"
    assert again["write_id"] == first["write_id"]
    assert len(firm.sent("/parts/1/price-lists")) == 1


async def test_a_percentage_is_refused_when_the_prices_have_changed_since_it_was_shown(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("set_price_list", **ACME, change_percent="10")
        hold(firm, "10.50000", q1="13")
        service = await seat.runtime.write_service()
        write = await service.write(told["write_id"])
        after = await service.approve(write, digest=write.digest, by=Decider("a test"))
    assert str(after.state) == "failed"
    assert firm.breaks("WIDGET-001", 52) == {"1": "13"}


# -------------------------------------------------------------------------------------------------------- other breaks


async def test_breaks_that_are_not_named_are_kept_where_that_is_asked_for(firm: Firm) -> None:
    held = await sent(firm, price_breaks=breaks(q100="9.75", q250="9"), keep_other_breaks=True)
    assert held == {"base": "10.5", "1": "12.5", "100": "9.75", "250": "9", "500": "8.5"}


async def test_a_break_that_is_kept_does_not_disappear_from_the_preview(firm: Firm) -> None:
    told = await asked(firm, price_breaks=breaks(q100="9.75"), keep_other_breaks=True)
    assert told["warnings"] == ["The price is above the base selling price at 1, as before."]
    assert rows(told)["price breaks"][1] == "1 at 12.50, 100 at 9.75, 500 at 8.50"
    assert rows(told)["pays at 100"] == ("10.00 each", "9.75 each (−2.5 %)")


@pytest.mark.parametrize("argument", ["keep_other_breaks", "change_percent"])
async def test_a_break_at_two_prices_can_be_neither_kept_nor_changed(firm: Firm, argument: str) -> None:
    hold(firm, None, q1="12", q10="9")
    whose = "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)"
    firm.run(f"INSERT INTO price_breaks (part_customer_id, qty, price) VALUES ({whose}, '10.0', '8')")
    how: dict[str, Any] = (
        {"change_percent": "5"}
        if argument == "change_percent"
        else {"keep_other_breaks": True, "price_breaks": breaks(q1="9")}
    )
    told = await asked(firm, **how)
    assert told["error"]["message"].startswith(f"{argument}: the list holds the break of 10 at several prices")


async def test_a_break_at_two_prices_that_is_named_is_replaced(firm: Firm) -> None:
    hold(firm, None, q1="12", q10="9")
    whose = "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)"
    firm.run(f"INSERT INTO price_breaks (part_customer_id, qty, price) VALUES ({whose}, '10.0', '8')")
    told = await asked(firm, keep_other_breaks=True, price_breaks=breaks(q10="8.50"))
    assert rows(told)["price breaks"][1] == "1 at 12.00, 10 at 8.50"


# ------------------------------------------------------------------------------------------------------------ as before


async def test_a_warning_that_was_true_before_says_so_and_stands_behind_what_is_new(firm: Firm) -> None:
    hold(firm, "10.50", q1="12.50", q10="13", q100="10")
    told = await asked(firm, price_breaks=breaks(q1="12.50", q10="13", q100="10.60", q500="11"))
    assert told["warnings"] == [
        "The unit price rises with the quantity at 500.",
        "The unit price rises with the quantity at 10, as before.",
        "The price is above the base selling price at 100, 500.",
        "The price is above the base selling price at 1, 10, as before.",
    ]
