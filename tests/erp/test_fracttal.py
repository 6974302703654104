"""Fracttal over the embedded one: pages by `start`, codes with anything in them, and orders written exactly."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from tests.erp.conftest import World

pytestmark = pytest.mark.anyio

SINCE = {"since": "2000-01-01", "until": (datetime.now(UTC) + timedelta(days=366)).date().isoformat()}


def order(document: str, item: str, quantity: str = "9", cost: str = "5000.05") -> dict[str, Any]:
    total = Decimal(quantity) * Decimal(cost)
    line = {"code": item, "qty": quantity, "unit_cost": Decimal(cost), "total_cost": total}
    return {"document": document, "items": [line]}


async def test_codes_that_are_awkward_in_a_url_are_there_to_be_tested(near: World) -> None:
    codes = " ".join(row["code"] for row in (await near.fracttal().call(e.WAREHOUSES)).records())
    assert all(character in codes for character in " /%Ü")


async def test_an_order_is_created_in_every_warehouse_whatever_its_code(world: World) -> None:
    client = world.fracttal()
    for number, warehouse in enumerate((await client.call(e.WAREHOUSES)).records()):
        stock = (await client.call(e.WAREHOUSE_ITEMS, query={"code": warehouse["code"]})).records()
        if not stock:
            continue
        document = f"OC / {number} & 50% – {warehouse['code']}"
        sent = order(document, stock[0]["code"])
        made = (await client.call(e.CREATE_WAREHOUSE_ORDER, path={"code": warehouse["code"]}, body=sent)).record()
        assert made["document"] == document
        (line,) = made["movement_details"]
        assert (line["code"], line["unit_cost"], line["total_cost"]) == (
            stock[0]["code"], Decimal("5000.05"), Decimal("45000.45"),
        )  # fmt: skip
        listed = (
            await client.call(e.WAREHOUSE_ORDERS, query={"warehouse_code": warehouse["code"], "limit": 100, **SINCE})
        ).records()
        assert document in {row["document"] for row in listed}


async def test_pages_follow_one_another_without_a_gap_or_a_repeat(world: World) -> None:
    client = world.fracttal()
    whole = (await client.call(e.WAREHOUSE_ORDERS, query={"limit": 100, **SINCE})).records()
    pages, start = [], 0
    while True:
        answer = await client.call(e.WAREHOUSE_ORDERS, query={"start": start, "limit": 7, **SINCE})
        pages += answer.records()
        assert (answer.page.first_row, answer.page.last_row) == (start + 1, start + len(answer.records()))
        if not answer.page.has_more:
            break
        start += 7
    assert len(pages) == answer.page.total
    assert pages[:100] == whole


async def test_a_single_object_is_a_list_of_one(world: World) -> None:
    answer = await world.fracttal().call(e.WAREHOUSES, query={"code": "A/1"})
    assert [row["code"] for row in answer.records()] == ["A/1"]


async def test_an_item_that_is_not_the_warehouses_is_fracttals_refusal(world: World) -> None:
    client = world.fracttal()
    with pytest.raises(errors.ErpRejected, match="Fracttal refused to create a purchase order"):
        await client.call(e.CREATE_WAREHOUSE_ORDER, path={"code": "A/1"}, body=order("OC-X", "NO SUCH ITEM"))
    with pytest.raises(errors.NotFound):
        await client.call(e.CREATE_WAREHOUSE_ORDER, path={"code": "no/such"}, body=order("OC-X", "X"))


@pytest.mark.parametrize(
    "fault", [{"kind": "drop_before"}, {"kind": "drop_after"}, {"kind": "after_500"}, {"kind": "empty"}]
)
async def test_an_order_is_sent_once_whatever_happens(wired: World, fault: dict[str, Any]) -> None:
    client = wired.fracttal()
    wired.arm(**fault, method="POST", system="fracttal", path="/api/warehouse_purchase_orders/*", times=9)
    wired.arm(**fault, method="POST", system="fracttal", path="/warehouse_purchase_orders/*", times=9)
    with pytest.raises(errors.ErpOutcomeUnknown):
        await client.call(e.CREATE_WAREHOUSE_ORDER, path={"code": "A/1"}, body=order("OC-1", "DEST01"))
    assert wired.count("POST /warehouse_purchase_orders/A%2F1") == 1


async def test_408_is_a_duplicate_and_is_not_sent_again(world: World) -> None:
    client = world.fracttal()
    world.arm("status", status=408, method="POST", path="/warehouse_purchase_orders/*", times=9)
    with pytest.raises(errors.Duplicate):
        await client.call(e.CREATE_WAREHOUSE_ORDER, path={"code": "A/1"}, body=order("OC-2", "DEST01"))
    assert world.count("POST /warehouse_purchase_orders/A%2F1") == 1


async def test_closing_does_not_ask_fracttal_for_anything(world: World) -> None:
    client = world.fracttal()
    await client.call(e.WAREHOUSES)
    before = len(world.log())
    await client.aclose()
    assert len(world.log()) == before
    assert not client.connection().signed_in
