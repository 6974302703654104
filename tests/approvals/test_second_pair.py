"""A write that needs the yes of somebody else: whoever asked sees it in the inbox, and no button of it approves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.runtime import Runtime

from .conftest import Writer, browser_at, settings_for

pytestmark = pytest.mark.anyio

RULES = "create_part: bo@x.example"


@pytest.fixture
async def writer(erps: Starlette, tmp_path: Path) -> AsyncIterator[Writer]:
    async with Runtime(settings_for(tmp_path / "state", approvers=RULES), erps) as runtime:
        yield Writer(await runtime.write_service(), erps, tmp_path / "state")


def of_bo(service: WriteService) -> WriteService:
    """The inbox of the one who may."""
    return WriteService(
        service.context,
        service.journal,
        replan=service._committer._replan,
        terms=service._terms,
        asker="bo@x.example",
        rules=service._rules,
    )


async def test_the_asker_s_card_has_no_approve_button_and_says_who_may(writer: Writer) -> None:
    write = await writer.part()
    async with browser_at(writer.service) as browser:
        await browser.load()
        card = browser.card(write)
        assert "/approve" not in card
        assert "needs a yes from bo@x.example; " in card
        assert "It needs the approval of bo@x.example, and never of who asked." in card
        await browser.press(write, "decline")
    assert await writer.state(write) is State.DECLINED


async def test_a_press_that_the_page_did_not_offer_approves_nothing_and_says_who_may(writer: Writer) -> None:
    write = await writer.part()
    async with browser_at(writer.service) as browser:
        await browser.load()
        answer = await browser.http.post(f"/writes/{write.id}/approve", data=browser.form(write))
        assert answer.status_code == 403
        assert "this write needs a yes from bo@x.example; " in answer.text
        assert "nothing was approved" in answer.text
    assert await writer.state(write) is State.AWAITING
    assert writer.parts("PART-1") == 0


async def test_the_one_whom_the_rule_names_approves_it_there(writer: Writer) -> None:
    batch = await writer.batch("PAIR-1", "PAIR-2")
    async with browser_at(of_bo(writer.service)) as browser:
        await browser.load()
        await browser.press(batch.writes[0], "approve")
    assert writer.parts("PAIR-1") == writer.parts("PAIR-2") == 1
