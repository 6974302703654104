"""Several writes under one question: planned as a whole, approved as a whole, sent in order up to the first that is not
done."""

from typing import Any

import anyio
import pytest
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.states import State
from tests.writes.batch.conftest import Batches, Behind
from tests.writes.conftest import Until
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio


async def events_of(seat: Any, write_id: str) -> list[Any]:
    return await (await seat.runtime.write_service()).journal.events(write_id)


# ------------------------------------------------------------------------------------------------------- one approval


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_one_yes_writes_all_of_them_in_order_and_tells_each(
    firm: Firm, batches: type[Batches], mode: str
) -> None:
    async with firm.seat("yes", mode=mode) as seat:
        told = await seat.call("submit_writes", writes=batches.mixed())
        assert (told["outcome"], told["operation"], told["is_error"]) == ("done", "submit_writes", False)
        assert told["system"] is None, "they go to both ERPs"
        assert [write["operation"] for write in told["writes"]] == [one["tool"] for one in batches.mixed()]
        assert batches.states(told) == ["done"] * 4
        assert told["writes"][1]["result"]["quote_number"].startswith("Q")
        assert told["summary"] == "All 4 writes are done."
        assert await (await seat.runtime.write_service()).journal.verify() == ""
    assert firm.sent() == [
        "POST /parts",
        "POST /contracts",
        "PUT /parts/1/price-lists",
        "POST /warehouse_purchase_orders/1254",
    ]


async def test_every_item_has_an_approval_of_its_own_that_names_the_one_before_it(
    firm: Firm, batches: type[Batches]
) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        ids = [write["write_id"] for write in told["writes"]]
        given = [[event.detail for event in await events_of(seat, each) if event.kind == "approved"] for each in ids]
        assert [len(each) for each in given] == [1, 1, 1]
        assert len({each[0]["digest"] for each in given}) == 1, "the digest over all of them"
        assert len({each[0]["item"] for each in given}) == 3
        assert [each[0]["after"] for each in given] == ["", ids[0], ids[1]]


async def test_the_question_holds_every_item_with_the_gravest_warnings_first(
    firm: Firm, batches: type[Batches]
) -> None:
    shown: list[str] = []

    async def read(_: ClientRequestContext, question: ElicitRequestParams) -> ElicitResult:
        shown.append(question.message)
        return ElicitResult(action="decline")

    async with firm.seat(read) as seat:
        told = await seat.call("submit_writes", writes=batches.mixed())
        assert batches.states(told) == ["declined"] * 4
    (message,) = shown
    first, second, *_ = message.splitlines()
    assert first.startswith("Warning 1 of 2: Write 3: At 5 the customer would pay 9.125")
    assert second.startswith("Warning 2 of 2: Write 3: 3 breaks disappear")
    assert "4 writes, approved or declined together?" in message
    for words in ("1 of 4: Create the part 'BATCH-1'?", "customer_ref: PO-BATCH", "OC_B", "Fracttal of"):
        assert words in message
    assert firm.sent() == []


async def test_a_paragraph_that_does_not_hold_all_of_a_batch_is_not_sent(firm: Firm, batches: type[Batches]) -> None:
    async def never(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
        raise AssertionError("nobody would see all of it")

    async with firm.seat(never, elicitation="auto") as seat:
        told = await seat.call("submit_writes", writes=batches.mixed())
        assert batches.states(told) == ["awaiting_approval"] * 4


# ------------------------------------------------------------------------------------------------ refused when planned


@pytest.mark.parametrize(
    ("writes", "named"),
    [
        pytest.param(
            [{"tool": "create_part", "arguments": {"part_number": ""}},
             {"tool": "set_price_list", "arguments": {"part": "WIDGET-001", "customer": "Acme Corp",
                                                      "price_breaks": [{"quantity": 0, "unit_price": "1"}]}}],
            ["writes[0].arguments.part_number: must not be empty",
             "writes[1].arguments.price_breaks[0].quantity: must be greater than 0"],
            id="arguments of two items",
        ),
        pytest.param(
            [{"tool": "submit_writes", "arguments": {"writes": []}}, {"tool": "confirm_write", "arguments": {}},
             {"tool": "get_part", "arguments": {"part": "WIDGET-001"}}],
            ["writes[0].tool: 'submit_writes'", "writes[1].tool: 'confirm_write'", "writes[2].tool: 'get_part'"],
            id="tools that it may not hold",
        ),
        pytest.param(
            [{"tool": "create_part", "arguments": {"part_number": "WIDGET-001"}},
             {"tool": "create_enquiry", "arguments": {"customer": "Nobody Ltd"}}],
            ["writes[0] (create_part): the part 'WIDGET-001' exists", "writes[1] (create_enquiry): No customer"],
            id="what the ERP is known to refuse, and a name that is none",
        ),
    ],
)  # fmt: skip
async def test_whatever_is_wrong_with_any_item_is_told_at_once_and_nothing_is_entered(
    firm: Firm, writes: list[dict[str, Any]], named: list[str]
) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call(
            "submit_writes", writes=[*writes, {"tool": "create_part", "arguments": {"part_number": "FINE"}}]
        )
        assert (told["is_error"], told["error"]["code"], told["error"]["written"]) == (True, "INVALID_INPUT", "no")
        for words in named:
            assert words in told["error"]["message"]
        assert "FINE" not in told["error"]["message"]
        assert "nothing was written" in told["error"]["message"]
        assert await (await seat.runtime.write_service()).journal.latest() == []
    assert firm.sent() == []


async def test_names_that_are_not_one_record_answer_with_the_candidates_of_every_item(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        enquiry = {"tool": "create_enquiry", "arguments": {"customer": "Acme"}}
        told = await seat.call(
            "submit_writes",
            writes=[enquiry, {**enquiry, "tool": "add_contact", "arguments": {"customer": "Acme", "name": "Jo"}}],
        )
        assert (told["outcome"], told["is_error"]) == ("ambiguous", False)
        assert {one["argument"] for one in told["candidates"]} == {
            "writes[0].arguments.customer", "writes[1].arguments.customer"
        }  # fmt: skip
        assert "None of these writes was entered" in told["summary"]


def item(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


def price(**changes: Any) -> dict[str, Any]:
    breaks = [{"quantity": 5, "unit_price": "9"}]
    return item("set_price_list", **{"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": breaks, **changes})


def contact(**changes: Any) -> dict[str, Any]:
    return item("add_contact", **{"customer": "Acme Corp", "name": "Jo New", "email": "jo@new.example", **changes})


def enquiry(**arguments: Any) -> dict[str, Any]:
    return item("create_enquiry", **{"customer": "52", **arguments})


NEW = item("create_part", part_number="NEW-1")
IN_EACH_OTHER_S_WAY = {
    "the same": (NEW, NEW),
    "a part nearly the same": (NEW, item("create_part", part_number="new -1")),
    "prices of a part that is only created": (NEW, price(part="NEW-1")),
    "one price list, named otherwise": (price(), price(part="1", customer="52")),
    "a contact that is only added": (contact(), enquiry(contact="jo new")),
    "the same by its e-mail": (contact(), enquiry(contact="jo@new.example")),
    "contacts of one name": (contact(), contact(phone="1")),
    "enquiries of one reference": (enquiry(customer_ref="R-1"), enquiry(customer_ref="r-1", notes="x")),
}
BESIDE_ONE_ANOTHER = {
    "one part for two customers": (price(), price(customer="53")),
    "two enquiries without a reference": (enquiry(notes="one"), enquiry(notes="two")),
    "one name at two customers": (contact(email=""), contact(email="", customer="53")),
    "another contact": (enquiry(contact="Ruth Adeyemi"), contact()),
}


@pytest.mark.matrix
@pytest.mark.parametrize("pair", IN_EACH_OTHER_S_WAY.values(), ids=IN_EACH_OTHER_S_WAY)
async def test_an_item_that_rests_on_an_earlier_one_is_refused_naming_both(
    firm: Firm, batches: type[Batches], pair: Any
) -> None:
    earlier, later = pair
    async with firm.seat("yes") as seat:
        told = await seat.call("submit_writes", writes=[batches.part("FIRST"), earlier, later])
        assert told["error"]["code"] == "INVALID_INPUT"
        assert f"writes[2] ({later['tool']})" in told["error"]["message"]
        assert f"writes[1] ({earlier['tool']})" in told["error"]["message"]
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize("pair", BESIDE_ONE_ANOTHER.values(), ids=BESIDE_ONE_ANOTHER)
async def test_items_that_only_look_alike_stand_beside_one_another(firm: Firm, pair: Any) -> None:
    async with firm.seat("yes") as seat:
        assert (await seat.call("submit_writes", writes=list(pair)))["outcome"] == "done"
    assert len(firm.sent()) == 2


async def test_one_item_over_fifty_is_refused(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("submit_writes", writes=batches.parts(51))
        assert told["error"]["message"] == "writes: must hold at most 50"


# ------------------------------------------------------------------------------------------------------ asked for again


async def test_the_same_batch_asked_for_again_is_the_same_writes(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        first = await seat.call("submit_writes", writes=batches.parts(3))
        again = await seat.call("submit_writes", writes=batches.parts(3))
        assert [one["write_id"] for one in again["writes"]] == [one["write_id"] for one in first["writes"]]
        assert len(await (await seat.runtime.write_service()).journal.latest()) == 3


@pytest.mark.matrix
@pytest.mark.parametrize("order", [[2, 1, 3], [1, 2], [1, 2, 3, 4]])
async def test_a_batch_with_what_waits_in_another_is_refused_naming_it(
    firm: Firm, batches: type[Batches], order: list[int]
) -> None:
    async with firm.seat() as seat:
        first = await seat.call("submit_writes", writes=batches.parts(3))
        told = await seat.call("submit_writes", writes=[batches.part(f"BATCH-{each}") for each in order])
        waits = first["writes"][order[0] - 1]["write_id"]
        assert (
            f"writes[0] (create_part) is the same write as {waits}, which is awaiting approval"
            in told["error"]["message"]
        )
        assert len(await (await seat.runtime.write_service()).journal.latest()) == 3


async def test_what_waits_alone_is_not_taken_into_a_batch(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        alone = await seat.call("create_part", part_number="BATCH-2")
        told = await seat.call("submit_writes", writes=batches.parts(3))
        assert f"writes[1] (create_part) is the same write as {alone['write_id']}" in told["error"]["message"]
        assert len(await (await seat.runtime.write_service()).journal.latest()) == 1


async def test_the_single_tool_asks_nothing_about_what_waits_in_a_batch(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        first = await seat.call("submit_writes", writes=batches.parts(3))
    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", part_number="BATCH-2")
        assert (told["outcome"], told["write_id"]) == ("awaiting_approval", first["writes"][1]["write_id"])
    assert firm.sent() == []


# ------------------------------------------------------------------------------------------------------------- stopping


async def stopped_at_the_second(firm: Firm, seat: Any, batches: type[Batches], **fault: Any) -> dict[str, Any]:
    firm.arm(**{"kind": "status", "method": "POST", "path": "/parts", "after": 1, **fault})
    return await seat.call("submit_writes", writes=batches.parts(4))


async def test_after_a_refusal_the_rest_waits_anew_and_the_outcome_is_the_refusal_s(
    firm: Firm, batches: type[Batches]
) -> None:
    async with firm.seat("yes") as seat:
        told = await stopped_at_the_second(firm, seat, batches, status=403)
        assert batches.states(told) == ["done", "failed", "awaiting_approval", "awaiting_approval"]
        assert (told["outcome"], told["is_error"], told["error"]["written"]) == ("failed", True, "no")
        assert told["error"] == told["writes"][1]["error"]
        assert "1 of 4 writes are done." in told["summary"]
        assert "2 were not sent, and wait for a new approval." in told["summary"]
        kinds = [event.kind for event in await events_of(seat, told["writes"][2]["write_id"])]
        assert kinds == ["proposed", "asked", "answered", "approved", "stopped"]
    assert len(firm.sent()) == 2


async def test_an_unknown_outcome_stops_the_batch_even_if_it_is_found_at_once(
    firm: Firm, batches: type[Batches]
) -> None:
    async with firm.seat("yes") as seat:
        told = await stopped_at_the_second(firm, seat, batches, kind="after_500")
        assert batches.states(told) == ["done", "done", "awaiting_approval", "awaiting_approval"]
        assert (told["outcome"], told["is_error"]) == ("awaiting_approval", False)
    assert len(firm.sent()) == 2


async def test_after_a_drift_the_rest_waits_anew(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=[batches.part("D-1"), batches.mixed()[2], batches.part("D-3")])
        firm.run("UPDATE price_breaks SET price = '77' WHERE part_customer_id IN "
                 "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)")  # fmt: skip
        service = await seat.runtime.write_service()
        first = await service.write(told["writes"][0]["write_id"])
        batch = await service.batch(first)
        await service.approve(first, digest=batch.digest, by=Decider("a person"))
        assert [write.state for write in (await service.batch(first)).writes] == ["done", "failed", "awaiting_approval"]
    assert len(firm.sent()) == 1


async def test_what_waits_after_a_stop_is_approved_anew_all_together(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat("yes") as seat:
        told = await stopped_at_the_second(firm, seat, batches, status=403)
        firm.app.state.faults.clear()
        again = await seat.call("submit_writes", writes=batches.parts(4))
        assert [one["write_id"] for one in again["writes"]] == [one["write_id"] for one in told["writes"]]
        assert batches.states(again) == ["done", "failed", "done", "done"]
        assert again["outcome"] == "failed", "of the first that is not done"
    assert len(firm.parts("BATCH-2")) == 0
    assert len(firm.sent()) == 4


async def test_an_approval_from_before_the_stop_sends_nothing_more(
    firm: Firm, batches: type[Batches], behind: Behind
) -> None:
    async with firm.seat("yes") as seat:
        told = await stopped_at_the_second(firm, seat, batches, status=403)
        firm.app.state.faults.clear()
        await behind("UPDATE writes SET state = 'approved' WHERE state = 'awaiting_approval'")
        status = await seat.call("get_write_status", write_id=told["writes"][2]["write_id"])
        assert status["outcome"] == "failed"
    assert len(firm.sent()) == 2


# ------------------------------------------------------------------------------------- decided together, by every path


async def test_a_status_of_one_item_shows_all_that_is_decided_with_it(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        for write in told["writes"]:
            status = await seat.call("get_write_status", write_id=write["write_id"])
            assert (status["outcome"], status["write_id"]) == ("awaiting_approval", write["write_id"])
            assert [one["write_id"] for one in status["writes"]] == [one["write_id"] for one in told["writes"]]


async def test_an_item_s_own_digest_approves_nothing(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        service = await seat.runtime.write_service()
        for each in told["writes"]:
            write = await service.write(each["write_id"])
            assert (
                await service.approve(write, digest=write.digest, by=Decider("a page of one"))
            ).state == "awaiting_approval"
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_yes_or_a_no_through_any_item_is_one_to_all(firm: Firm, batches: type[Batches], place: int) -> None:
    async with firm.seat() as seat:
        service = await seat.runtime.write_service()
        for prefix, decide, state in (("YES", service.approve, "done"), ("NO", service.decline, "declined")):
            told = await seat.call("submit_writes", writes=batches.parts(3, prefix))
            write = await service.write(told["writes"][place]["write_id"])
            digest = (await service.batch(write)).digest
            said: dict[str, Any] = {"by": Decider("a person"), "digest": digest} if state == "done" else {"by": "she"}
            await decide(write, **said)
            assert [one.state for one in (await service.batch(write)).writes] == [state] * 3
    assert len(firm.sent()) == 3


@pytest.mark.matrix
@pytest.mark.parametrize("place", [0, 2])
async def test_one_token_confirms_all_of_a_batch_and_a_wrong_one_uses_nothing_up(
    firm: Firm, batches: type[Batches], place: int
) -> None:
    async with firm.seat(confirm="two_step") as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        assert (told["outcome"], told["write_id"]) == ("confirmation_required", told["writes"][0]["write_id"])
        names = {"write_id": told["writes"][place]["write_id"], "confirmation_token": told["confirmation_token"]}
        wrong = await seat.call("confirm_write", **{**names, "confirmation_token": "wrong"})
        assert (wrong["error"]["code"], firm.sent()) == ("CONFIRMATION_INVALID", [])
        done = await seat.call("confirm_write", **names)
        assert (done["outcome"], batches.states(done)) == ("done", ["done"] * 3)
        replayed = await seat.call("confirm_write", **names)
        assert replayed["error"]["code"] == "CONFIRMATION_INVALID"
    assert len(firm.sent()) == 3


@pytest.mark.slow
async def test_a_token_of_a_batch_that_was_planned_anew_counts_no_more(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat(confirm="two_step") as seat:
        writes = [batches.part("T-1"), batches.mixed()[2]]
        told = await seat.call("submit_writes", writes=writes)
        firm.run("UPDATE price_breaks SET price = '77' WHERE part_customer_id IN "
                 "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)")  # fmt: skip
        again = await seat.call("submit_writes", writes=writes)
        assert [one["write_id"] for one in again["writes"]] == [one["write_id"] for one in told["writes"]]
        names = {"write_id": told["write_id"], "confirmation_token": told["confirmation_token"]}
        assert (await seat.call("confirm_write", **names))["error"]["code"] == "CONFIRMATION_INVALID"
        done = await seat.call("confirm_write", **{**names, "confirmation_token": again["confirmation_token"]})
        assert batches.states(done) == ["done", "done"]


@pytest.mark.slow
async def test_an_unanswered_question_about_a_batch_is_the_last_about_any_of_it(
    firm: Firm, batches: type[Batches]
) -> None:
    async with firm.seat("cancel") as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        assert batches.states(told) == ["awaiting_approval"] * 3
        for each in told["writes"]:
            kinds = [event.kind for event in await events_of(seat, each["write_id"])]
            assert kinds == ["proposed", "asked", "answered"]
    async with firm.seat("yes") as seat:
        again = await seat.call("submit_writes", writes=batches.parts(3))
        assert batches.states(again) == ["awaiting_approval"] * 3


async def test_two_processes_that_approve_at_once_send_each_once(
    firm: Firm, batches: type[Batches], until: Until
) -> None:
    async with firm.runtime() as one, firm.runtime() as two, firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(5))
        services = [await each.write_service() for each in (one, two)]
        write = await services[0].write(told["writes"][0]["write_id"])
        digest = (await services[0].batch(write)).digest
        async with anyio.create_task_group() as group:
            for service in services:
                group.start_soon(lambda each: each.approve(write, digest=digest, by=Decider("a person")), service)

        async def done() -> bool:
            return [each.state for each in (await services[0].batch(write)).writes] == ["done"] * 5

        await until(done)  # a third, which asked for them, watches, and may be sending what these two left to it
    assert [len(firm.parts(f"BATCH-{number}")) for number in range(1, 6)] == [1] * 5
    assert len(firm.sent()) == 5


@pytest.mark.slow
async def test_a_batch_that_expires_half_way_is_not_sent_to_its_end(
    firm: Firm, batches: type[Batches], monkeypatch: Any
) -> None:
    from fraction_mcp.operations.writes.journal import Journal

    finish = Journal.finish

    async def slow(journal: Any, *args: Any, **facts: Any) -> Any:
        after = await finish(journal, *args, **facts)
        firm.clock.passes(100_000)
        return after

    monkeypatch.setattr(Journal, "finish", slow)
    async with firm.seat("yes") as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        assert batches.states(told) == ["done", "expired", "expired"]
        assert told["outcome"] == "expired"
    assert len(firm.sent()) == 1


async def test_a_batch_is_not_listed_and_not_carried_out_where_nothing_may_be_written(firm: Firm) -> None:
    async with firm.seat("yes", read_only=True) as seat:
        assert "submit_writes" not in await seat.tools()


async def test_it_holds_only_tools_of_the_erps_that_are_configured(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat("yes", fracttal_client_id="") as seat:
        told = await seat.call("submit_writes", writes=batches.mixed())
        assert (
            "writes[3].tool: 'create_fracttal_purchase_order' is no tool that it may hold" in told["error"]["message"]
        )


async def test_arguments_are_taken_as_json_text_too(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        writes = [{"tool": "create_part", "arguments": '{"part_number": "TEXT-1"}'}]
        assert (await seat.call("submit_writes", writes=writes))["outcome"] == "done"


@pytest.mark.parametrize("text", ["", "create it", "[1]", "{" * 9, "[" * 100_000])
async def test_a_text_that_is_no_json_object_is_refused(firm: Firm, text: str) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("submit_writes", writes=[{"tool": "create_part", "arguments": text}])
        assert told["error"]["message"].startswith("writes[0].arguments: must be an object")


async def test_where_nothing_may_be_written_its_name_says_so(firm: Firm, batches: type[Batches]) -> None:
    async with firm.seat("yes", read_only=True) as seat:
        told = await seat.call("submit_writes", writes=batches.parts(2))
        assert (told["error"]["code"], told["error"]["written"]) == ("READ_ONLY", "no")


# -------------------------------------------------------------------------------------------- what comes from elsewhere


@pytest.mark.slow
async def test_a_row_that_cannot_be_read_keeps_the_others_of_its_batch_from_nothing(
    firm: Firm, batches: type[Batches], behind: Behind
) -> None:
    async with firm.runtime() as runtime, firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        await behind("UPDATE writes SET plan = '{}' WHERE position = 2")
        service = await runtime.write_service()
        first = await service.write(told["writes"][0]["write_id"])
        batch = await service.batch(first)
        assert [write.position for write in batch.waiting] == [1, 3]
        await service.approve(first, digest=batch.digest, by=Decider("a person who saw two"))
        assert [write.state for write in (await service.batch(first)).writes] == ["done", "done"]
    assert firm.parts("BATCH-2") == []


@pytest.mark.slow
async def test_a_percentage_that_landed_is_not_applied_again_with_the_rest_of_its_batch(
    firm: Firm, batches: type[Batches]
) -> None:
    writes = [item("set_price_list", part="WIDGET-001", customer="Acme Corp", change_percent="10"), *batches.parts(3)]
    async with firm.seat("yes") as seat:
        firm.arm("status", status=403, method="POST", path="/parts", after=1)
        told = await seat.call("submit_writes", writes=writes)
        assert batches.states(told) == ["done", "done", "failed", "awaiting_approval"]
        raised = firm.breaks("WIDGET-001", 52)
        firm.app.state.faults.clear()
        again = await seat.call("submit_writes", writes=writes)
        assert [one["write_id"] for one in again["writes"]] == [one["write_id"] for one in told["writes"]]
        assert batches.states(again) == ["done", "done", "failed", "done"]
        assert firm.breaks("WIDGET-001", 52) == raised


async def test_a_caller_that_leaves_half_way_stops_nothing_and_doubles_nothing(
    firm: Firm, batches: type[Batches], until: Until
) -> None:
    async with firm.seat() as seat, firm.runtime() as runtime:
        told = await seat.call("submit_writes", writes=batches.parts(6))
        service = await runtime.write_service()
        first = await service.write(told["writes"][0]["write_id"])
        batch = await service.batch(first)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: service.approve(first, digest=batch.digest, by=Decider("a person")))
            await until(lambda: len(firm.sent()) >= 2)
            group.cancel_scope.cancel()
        async with anyio.create_task_group() as group:
            group.start_soon(service.watch)
            await until(lambda: len(firm.sent()) == 6)
        assert [write.state for write in (await service.batch(first)).writes] == ["done"] * 6
    assert len(firm.sent()) == 6


@pytest.mark.slow
async def test_a_process_that_ends_half_way_leaves_what_is_approved_to_the_next(
    firm: Firm, batches: type[Batches], until: Until
) -> None:
    async with firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(6))
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        first = await service.write(told["writes"][0]["write_id"])
        digest = (await service.batch(first)).digest
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: service.approve(first, digest=digest, by=Decider("a person")))
            await until(lambda: len(firm.sent()) >= 2)
            group.cancel_scope.cancel()
    async with firm.seat() as seat:
        service = await seat.runtime.write_service()
        states = [str(write.state) for write in (await service.batch(first)).writes]
        assert set(states) == {"done", "approved"}, "none of them is half way"
        last = told["writes"][-1]["write_id"]
        assert (await seat.call("get_write_status", write_id=last))["outcome"] == "done"
    assert len(firm.sent()) == 6


async def test_a_form_s_no_racing_an_inbox_s_yes_to_a_batch_has_one_outcome(firm: Firm, batches: type[Batches]) -> None:
    async with firm.runtime() as one, firm.runtime() as two, firm.seat() as seat:
        told = await seat.call("submit_writes", writes=batches.parts(3))
        services = [await each.write_service() for each in (one, two)]
        write = await services[0].write(told["writes"][1]["write_id"])
        digest = (await services[0].batch(write)).digest
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: services[0].decline(write, by="a form"))
            group.start_soon(lambda: services[1].approve(write, digest=digest, by=Decider("the inbox")))
        states = {str(each.state) for each in (await services[0].batch(write)).writes}
        # A no that comes after the yes withdraws what is not on its way yet.
        assert states in ({"declined"}, {"cancelled"}, {"done"}, {"done", "cancelled"})
        assert len(firm.sent()) == [each.state for each in (await services[0].batch(write)).writes].count(State.DONE)


@pytest.mark.slow
async def test_of_a_batch_for_two_erps_a_process_of_one_sends_up_to_the_other_s(
    firm: Firm, batches: type[Batches]
) -> None:
    writes = [batches.part("TWO-1"), batches.mixed()[3], batches.part("TWO-3")]
    async with firm.seat() as seat, firm.runtime(fracttal_client_id="") as half:
        told = await seat.call("submit_writes", writes=writes)
        service = await half.write_service()
        first = await service.write(told["writes"][0]["write_id"])
        await service.approve(first, digest=(await service.batch(first)).digest, by=Decider("a person"))
        assert [write.state for write in (await service.batch(first)).writes] == ["done", "approved", "approved"]
        last = await seat.call("get_write_status", write_id=told["writes"][2]["write_id"])
        assert last["outcome"] == "done"
    assert len(firm.sent()) == 3


# --------------------------------------------------------------------------------------------------- what it costs


async def test_what_several_items_rest_on_is_read_once_for_their_plans_and_anew_for_each_send(firm: Firm) -> None:
    numbers = [row["part_number"] for row in firm.rows("SELECT part_number FROM parts LIMIT 6")]
    async with firm.seat("yes") as seat:
        await seat.call("get_connection_status")
        before = len(firm.app.state.requests)
        planned: list[str] = []

        async def asked(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
            planned.extend(f"{one.method} {one.endpoint}" for one in list(firm.app.state.requests)[before:])
            return ElicitResult(action="accept", content={"decision": "approve"})

        async with firm.seat(asked) as asking:
            told = await asking.call("submit_writes", writes=[price(part=number) for number in numbers])
        assert told["outcome"] == "done"
        assert planned.count("GET /customers") == 1
        every = [f"{one.method} {one.endpoint}" for one in list(firm.app.state.requests)[before:]]
        assert every.count("GET /customers") == 1 + len(numbers)


@pytest.mark.slow
async def test_a_question_about_a_batch_that_was_planned_anew_since_is_asked_anew(
    firm: Firm, batches: type[Batches]
) -> None:
    writes = {"writes": [batches.part("R-1"), price()]}
    async with firm.seat("yes") as seat:
        state = (await seat.round("submit_writes", writes)).request_state
        firm.run("UPDATE price_breaks SET price = '77' WHERE part_customer_id IN "
                 "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)")  # fmt: skip
        newer = (await seat.round("submit_writes", writes)).request_state
        yes = ElicitResult(action="accept", content={"decision": "approve"})
        again = await seat.round("submit_writes", writes, state, yes)
        assert again.request_state not in {None, state}, "another question"
        assert firm.sent() == []
        assert newer is not None
        done = await seat.round("submit_writes", writes, again.request_state, yes)
        assert done.structured_content["outcome"] == "done"
        replayed = await seat.round("submit_writes", writes, again.request_state, yes)
        assert replayed.structured_content["outcome"] == "done"
    assert len(firm.sent()) == 2
