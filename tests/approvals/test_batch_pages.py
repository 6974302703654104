"""Writes that are decided together stand on one card, and its buttons are about all of them."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from fraction_mcp.approvals.board import result_of
from fraction_mcp.config import Settings
from fraction_mcp.operations.writes.states import State
from fraction_mcp.runtime import Runtime

from .conftest import Browser, Writer, browser_at
from .test_pages import PRICES, text

pytestmark = pytest.mark.anyio

PRICED: dict[str, Any] = {"tool": "set_price_list", "arguments": PRICES}
ORDERED: dict[str, Any] = {
    "tool": "create_fracttal_purchase_order",
    "arguments": {
        "warehouse_code": "1254",
        "document": "OC_CARD",
        "items": [{"code": "DEST01", "quantity": 9, "unit_cost": "5000"}],
    },
}


async def test_one_card_has_every_write_in_order_with_the_gravest_warnings_above_them(
    writer: Writer, browser: Browser
) -> None:
    batch = await writer.batch("CARD-1", more=[PRICED, ORDERED])
    page = await browser.load()
    assert len(re.findall("<article", page)) == 1
    card = text(browser.card(batch.writes[0]))
    assert "3 writes wait for you" in text(page)
    order = [
        "3 writes, approved or declined together",
        "Warning 2. ",
        "1. Create the part 'CARD-1'",
        "2. Set the price list of 'WIDGET-001' for 'Acme Corp'",
        "3. Order 1 item under 'OC_CARD'",
        "Goes to Fracttal",
        "Approve all 3",
        "Decline all 3",
    ]
    places = [card.index(words) for words in order]
    assert places == sorted(places)
    assert card.count("Exactly what is sent") == 3


async def test_a_yes_on_the_card_writes_all_of_it(writer: Writer, browser: Browser) -> None:
    batch = await writer.batch("CARD-1", "CARD-2", "CARD-3")
    await browser.load()
    page = text(await browser.press(batch.writes[0], "approve"))
    assert "All 3 writes are done." in page
    assert [writer.parts(f"CARD-{number}") for number in (1, 2, 3)] == [1, 1, 1]
    assert {await writer.by(write, "approved") for write in batch.writes} == {
        await writer.by(batch.writes[0], "approved")
    }


async def test_a_no_on_the_card_declines_all_of_it(writer: Writer, browser: Browser) -> None:
    batch = await writer.batch("CARD-1", "CARD-2")
    await browser.load()
    assert "each was declined: nothing was written" in text(await browser.press(batch.writes[0], "decline"))
    assert [await writer.state(write) for write in batch.writes] == [State.DECLINED] * 2


@pytest.mark.matrix
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_the_page_of_any_of_them_is_the_card_of_all(writer: Writer, browser: Browser, place: int) -> None:
    batch = await writer.batch("CARD-1", "CARD-2", "CARD-3")
    page = text(await browser.load(f"?write={batch.writes[place].id}"))
    assert "3. Create the part 'CARD-3'" in page
    assert "Approve all 3" in page


async def test_a_form_that_was_made_for_one_of_them_approves_nothing(writer: Writer, browser: Browser) -> None:
    batch = await writer.batch("CARD-1", "CARD-2")
    await browser.load()
    fields = browser.form(batch.writes[0])
    for write in batch.writes:
        answer = await browser.http.post(f"/writes/{write.id}/approve", data={**fields, "digest": write.digest})
        assert "changed=" in answer.headers["location"]
    assert [await writer.state(write) for write in batch.writes] == [State.AWAITING] * 2


async def test_what_waits_after_a_stop_stands_on_one_card_that_says_why(writer: Writer, browser: Browser) -> None:
    batch = await writer.batch("CARD-1", "CARD-2", "CARD-3", "CARD-4")
    writer.erps.state.faults.arm("status", status=403, method="POST", path="/parts", after=1)
    await browser.load()
    page = text(await browser.press(batch.writes[0], "approve"))
    told = "1 of 4 writes are done. Create the part 'CARD-2': it failed: nothing was written."
    assert told in page
    card = text(browser.card(batch.writes[2]))
    assert told in card
    assert "2 writes, approved or declined together" in card
    writer.erps.state.faults.clear()
    await browser.press(batch.writes[2], "approve")
    assert [writer.parts(f"CARD-{number}") for number in (1, 2, 3, 4)] == [1, 0, 1, 1]


async def test_what_is_approved_and_not_sent_yet_is_withdrawn_as_a_whole(writer: Writer, tmp_path: Path) -> None:
    batch = await writer.batch("CARD-1", "CARD-2", "CARD-3")
    async with (
        Runtime(Settings(state_dir=tmp_path / "state")) as runtime,
        browser_at(await runtime.write_service()) as browser,
    ):
        await browser.load()
        page = text(await browser.press(batch.writes[0], "approve"))
        assert "Withdraw the approval of all 3" in page
        await browser.press(batch.writes[0], "decline")
    await writer.service.watch()
    assert [await writer.state(write) for write in batch.writes] == [State.CANCELLED] * 3
    assert writer.parts("CARD-1") == 0


async def test_a_server_sends_in_order_what_an_inbox_without_an_account_approved(
    writer: Writer, tmp_path: Path
) -> None:
    batch = await writer.batch("CARD-1", "CARD-2", "CARD-3")
    async with (
        Runtime(Settings(state_dir=tmp_path / "state")) as runtime,
        browser_at(await runtime.write_service()) as browser,
    ):
        await browser.load()
        await browser.press(batch.writes[0], "approve")
    with anyio.fail_after(25):
        await writer.service.watch()
    assert [await writer.state(write) for write in batch.writes] == [State.DONE] * 3
    sent = [event for event in await writer.service.journal.events() if event.kind == "claimed"]
    assert [event.write_id for event in sent] == [write.id for write in batch.writes]


async def test_of_several_batches_each_has_its_card(writer: Writer, browser: Browser) -> None:
    one, two = await writer.batch("CARD-1", "CARD-2"), await writer.batch("CARD-3", "CARD-4")
    alone = await writer.part("CARD-5")
    page = await browser.load()
    assert re.findall(r'<article id="(\w+)"', page) == [one.writes[0].id, two.writes[0].id, alone.id]
    assert "5 writes wait for you" in text(page)


async def test_what_a_button_did_is_told_though_it_was_decided_between_two_reads(writer: Writer) -> None:
    batch = await writer.batch("CARD-1", "CARD-2")
    read_before = batch.writes[0]
    for write in batch.writes:
        await writer.service.decline(write, by="a test")
    told = await result_of(writer.service, read_before, "Declined")
    assert "each was declined" in told.words
    assert told.card is None
