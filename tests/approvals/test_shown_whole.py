"""What stands on a card in a real browser: all of it, within its edges, and in so many characters as are sent."""

from typing import Any

import pytest

from .conftest import Writer
from .test_browser import chromium, person

__all__ = ["chromium"]  # a fixture

pytestmark = pytest.mark.anyio

# The texts that no edge may cut, and how far each goes beyond its own box.
BEYOND = """() => [...document.querySelectorAll("article :not(.unseen)")].filter(one =>
    one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline").map(one => one.outerHTML)"""
LONG = "C" * 119


@pytest.mark.matrix
@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 360])
async def test_nothing_that_is_sent_stands_beyond_an_edge_or_looks_alike(
    writer: Writer, chromium: str, width: int
) -> None:
    items = [{"code": LONG + end, "quantity": 1, "unit_cost": "1"} for end in "12"]
    with writer.erps.state.store.writing() as db:
        db.execute("DELETE FROM warehouse_items")  # whose list then proves nothing
    order = await writer.asked(
        "create_fracttal_purchase_order", warehouse_code="1254", document="D" * 120, items=items, note="W" * 300
    )
    note = "n" * 3_000 + "  END\u00a0END"
    enquiry = await writer.asked("create_enquiry", customer="52", notes=note)
    async with person(writer, chromium, viewport={"width": width, "height": 900}) as page:
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert await page.evaluate(BEYOND) == []
        shown = await page.locator(f"#{order.id}").inner_text()
        assert f"'{LONG}1': 1 × 1.00" in shown
        assert f"'{LONG}2': 1 × 1.00" in shown
        assert "D" * 120 in shown
        assert "“" + "W" * 300 + "”" in shown
        told = await page.locator(f"#{enquiry.id}").inner_text()
        assert "n" * 3_000 + "[2 spaces]END[U+00A0 NO-BREAK SPACE]END" in told
        assert "n" * 3_000 + r"\u0020\u0020END\u00a0END" in told


@pytest.mark.slow
@pytest.mark.browser
async def test_a_price_list_has_a_table_of_what_the_customer_pays_now_and_would_pay(
    writer: Writer, chromium: str
) -> None:
    steps: list[Any] = [{"quantity": 1, "unit_price": "12.50"}, {"quantity": 10, "unit_price": "0.01"}]
    write = await writer.asked("set_price_list", part="WIDGET-001", customer="Acme Corp", price_breaks=steps)
    async with person(writer, chromium) as page:
        card = page.locator(f"#{write.id}")
        table = card.get_by_role("table", name="What the customer pays for one, at each quantity")
        assert (await table.inner_text()).split("\n")[1:] == [
            "Quantity\tPays now\tWould pay",
            "At 1\t12.50 each\t12.50 each",
            "At 10\t12.50 each\t0.01 each (−99.9 %) changed",
            "At 100\t10.00 each\t0.01 each (−99.9 %) changed",
            "At 500\t8.50 each\t0.01 each (−99.9 %) changed",
        ]
        first = card.locator(".warnings li").first
        assert await first.inner_text() == (
            "At 10 the customer would pay 0.01 instead of 12.50 (−99.9 %): more than 20 % less from 10 on."
        )
