"""`get_write_status` without an id: what waits and what was written lately, for whoever has lost it; and where a person
decides."""

from typing import Any

import pytest

from fraction_mcp.operations.writes.overview import _MOST_DECIDED, writes_lately
from tests.writes.firm import Firm
from tests.writes.made import ELSEWHERE, draft

pytestmark = pytest.mark.anyio


def rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]


async def test_without_an_id_it_lists_what_waits_and_then_what_was_written_lately_with_how_each_is_called(
    firm: Firm,
) -> None:
    async with firm.seat("yes") as seat:
        made = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-A")
    async with firm.seat() as seat:
        first = await seat.call("create_part", part_number="WAITS-1")
        firm.clock.passes(5)
        second = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-B")
        told = await seat.call("get_write_status")
    assert told["summary"] == "2 writes wait for a person."
    assert told["next"] == "Ask the user to decide in the approval inbox, then call get_write_status."
    assert told["columns"][0] == "id"
    assert [(row["id"], row["outcome"], row["reference"]) for row in rows(told)] == [
        (second["write_id"], "awaiting_approval", "PO-B"),
        (first["write_id"], "awaiting_approval", "WAITS-1"),
        (made["write_id"], "done", made["result"]["quote_number"]),
    ]
    assert rows(told)[2]["title"] == "Create an enquiry for 'Acme Corp'"


async def test_where_nothing_was_asked_for_it_says_so(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("get_write_status", write_id=None)
    assert (told["summary"], told["rows"], told["is_error"]) == ("Nothing waits for a person.", [], False)
    assert "next" not in told


async def test_a_write_of_which_nobody_knows_what_became_is_counted_and_stands_before_those_that_are_over(
    firm: Firm,
) -> None:
    async with firm.seat("yes") as seat:
        firm.arm("html", method="POST", path="/parts", status=502)
        unsure = await seat.call("create_part", part_number="UNSURE-1")
        await seat.call("create_part", part_number="LATER-1")
        told = await seat.call("get_write_status")
    assert told["summary"] == "Nothing waits for a person. 1 write has an unknown outcome."
    assert "settle it in the approval inbox" in told["next"]
    assert rows(told)[0]["id"] == unsure["write_id"]


@pytest.mark.slow
async def test_of_many_that_were_decided_the_last_are_shown_and_it_says_so(firm: Firm) -> None:
    async with firm.seat() as seat:
        service = await seat.runtime.write_service()
        for number in range(_MOST_DECIDED + 3):
            told = await seat.call("create_part", part_number=f"MANY-{number}")
            firm.clock.passes(1)
            await service.decline(await service.write(told["write_id"]), by="a test")
        told = await seat.call("get_write_status")
    assert told["summary"] == (
        f"Nothing waits for a person. Of those that were decided, the last {_MOST_DECIDED} are shown."
    )
    assert [row["reference"] for row in rows(told)] == [f"MANY-{number}" for number in range(12, 2, -1)]


async def test_writes_of_others_and_of_other_companies_are_not_told(firm: Firm) -> None:
    async with firm.seat() as seat:
        service = await seat.runtime.write_service()
        mine = await seat.call("create_part", part_number="MINE-1")
        own = await service.write(mine["write_id"])
        await service.journal.propose(draft(identity=own.identity, asker="another person"))
        await service.journal.propose(draft(identity=ELSEWHERE, asker=own.asker))
        assert len((await writes_lately(service)).rows) == 1


async def test_a_read_only_server_lists_them_as_well(firm: Firm) -> None:
    async with firm.seat() as seat:
        waits = await seat.call("create_part", part_number="WAITS-1")
    async with firm.seat(read_only=True) as seat:
        told = await seat.call("get_write_status")
    assert rows(told)[0]["id"] == waits["write_id"]


async def test_it_says_where_the_person_finds_the_page_and_neither_a_command_nor_a_link(firm: Firm) -> None:
    async with firm.seat() as seat:
        service = await seat.runtime.write_service()
        service.place = "on the page “Approval inbox”, opened in the browser of the computer where this server runs"
        asked = await seat.call("create_part", part_number="WAITS-1")
        status = await seat.call("get_write_status", write_id=asked["write_id"])
        listed = await seat.call("get_write_status")
    for told in (asked, status, listed):
        assert told["next"] == f"Ask the user to decide {service.place}, then call get_write_status."
        assert "fraction-mcp" not in told["next"]
        assert "http" not in told["next"]


async def test_a_server_that_opens_the_page_says_its_title(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    from fraction_mcp.runtime import Runtime

    monkeypatch.setenv("DISPLAY", ":99")
    settings = firm.settings(open_inbox=True)
    async with Runtime(settings, firm.app, inbox_command=["false"]) as runtime:
        assert "“Approval inbox”, opened in the browser" in (await runtime.write_service()).place
    for other in ({"open_inbox": False}, {"confirm": "two_step"}):
        async with Runtime(settings.model_copy(update=other), firm.app, inbox_command=["false"]) as runtime:
            assert (await runtime.write_service()).place == "", "no page is opened"
