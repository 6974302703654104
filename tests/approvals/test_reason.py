"""A no with a reason: the assistant is told it, the journal holds it, and it decides nothing by itself."""

from dataclasses import replace
from typing import Any

import pytest

from fraction_mcp.operations.results import ToolError
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.wording import result_for, result_for_batch
from fraction_mcp.operations.writes.write import WriteOutcome
from fraction_mcp.tools.batch import SubmitWrites, submit_writes

from .conftest import Browser, Writer

pytestmark = pytest.mark.anyio


async def test_a_reason_reaches_the_assistant_and_the_journal_and_the_chain_stays_whole(
    writer: Writer, browser: Browser
) -> None:
    write = await writer.part("WHY-1")
    await browser.load()
    await browser.press(write, "decline", reason="wrong\u202e material:\n ask  for 'S355'")
    told = result_for(await writer.service.write(write.id))
    assert told.outcome == "declined"
    assert told.summary.endswith("nothing was written. The reason given: 'wrong material: ask for ’S355’'.")
    (event,) = [one for one in await writer.service.journal.events(write.id) if one.kind == Step.DECLINED]
    assert event.detail["reason"] == "wrong material: ask for 'S355'"
    assert await writer.service.journal.verify() == ""


async def test_a_long_reason_is_cut_and_an_empty_one_is_none(writer: Writer, browser: Browser) -> None:
    long, empty = await writer.part("WHY-2"), await writer.part("WHY-3")
    await browser.load()
    await browser.press(long, "decline", reason="x" * 5_000)
    await browser.press(empty, "decline", reason=" \n ")
    assert len((await writer.service.write(long.id)).outcome.reason) == 300
    assert "reason" not in result_for(await writer.service.write(empty.id)).summary
    assert await writer.service.journal.verify() == ""


async def test_a_reason_beside_the_other_buttons_is_not_heard(writer: Writer, browser: Browser) -> None:
    write = await writer.part("WHY-4")
    await browser.load()
    await browser.press(write, "approve", reason="because")
    after = await writer.service.write(write.id)
    assert (after.state, after.outcome.reason) == (State.DONE, "")


@pytest.mark.parametrize("reason", ["", "no longer wanted"])
async def test_what_was_tried_before_stands_beside_the_no(writer: Writer, reason: str) -> None:
    write = await writer.part("WHY-5")
    error = ToolError(code="UPSTREAM_ERROR", message="it was down", hint="", retryable=True, written="no")
    await writer.service.journal.approve(write.id, digest=write.digest, by=Decider("a test"))
    await writer.service.journal.finish(write.id, Step.PUT_BACK, WriteOutcome(error=error))
    after = await writer.service.decline(await writer.service.write(write.id), by="a test", reason=reason)
    assert (after.state, after.outcome) == (State.DECLINED, replace(WriteOutcome(error=error), reason=reason))
    assert await writer.service.journal.verify() == ""


async def test_all_of_a_batch_is_declined_for_the_same_reason(writer: Writer) -> None:
    calls: list[dict[str, Any]] = [
        {"tool": "create_part", "arguments": {"part_number": f"WHY-{number}"}} for number in (6, 7)
    ]
    planned = await submit_writes(writer.service.context, SubmitWrites.model_validate({"writes": calls}))
    batch = await writer.service.propose_batch(planned.writes(), asked_by="a test")
    await writer.service.decline(batch.writes[0], by="a test", reason="too many at once")
    after = await writer.service.batch(batch.writes[0])
    assert [(one.state, one.outcome.reason) for one in after.writes] == [(State.DECLINED, "too many at once")] * 2
    told = result_for_batch(after)
    assert told.summary.endswith("nothing was written. The reason given: 'too many at once'.")
    assert all("'too many at once'" in one.summary for one in told.writes)
