"""Where a rule wants a second pair of eyes, whoever asked approves nothing, whichever way they come; and whoever may,
does. Each attack is a test."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import anyio.to_thread
import pytest

from fraction_mcp.errors import ConsentError, NotTheApprover, WriteNotFound
from fraction_mcp.operations.writes.approvers import SIGNED_IN, Decider, Viewer
from fraction_mcp.operations.writes.journal_rows import chained, dumped
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

ANNA, BO, BOSS = "anna@x.example", "bo@x.example", "boss@x.example"
PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]}
RULES = f"set_price_list: {ANNA}, {BO}; create_fracttal_purchase_order > 5000: {BOSS}"


def order(*costs: str) -> dict[str, Any]:
    items = [{"code": "DEST01", "quantity": 1, "unit_cost": cost} for cost in costs]
    return {"warehouse_code": "1254", "document": "OC_2", "items": items}


@pytest.fixture(autouse=True)
def anna_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process runs under Anna's account, which is spelt as the company spells people."""
    monkeypatch.setattr("fraction_mcp.runtime.who_is_here", lambda: ANNA)


@asynccontextmanager
async def asked(firm: Firm, tool: str, arguments: dict[str, Any], **facts: Any) -> AsyncIterator[Any]:
    """A session of Anna's, her write service, and the write that she has asked for."""
    async with firm.seat(**{"approvers": RULES, **facts}) as seat:
        told = await seat.call(tool, **arguments)
        service = await seat.runtime.write_service()
        yield seat, service, told


async def decided(service: WriteService, told: dict[str, Any], subject: str) -> Any:
    write = await service.write(told["write_id"])
    batch = await service.batch(write)
    return await service.approve(write, digest=batch.digest, by=Decider(f"{subject} on a page", subject))


async def tampered(firm: Firm, *statements: str) -> None:
    def done() -> None:
        with closing(sqlite3.connect(firm.state / "journal.sqlite3")) as db, db:
            for statement in statements:
                assert db.execute(statement).rowcount, statement

    await anyio.to_thread.run_sync(done)


# --------------------------------------------------------------------------------------------------------- who may


async def test_whoever_a_rule_names_approves_it_and_the_journal_says_who(firm: Firm) -> None:
    async with asked(firm, "set_price_list", PRICES) as (_, service, told):
        assert told["outcome"] == "awaiting_approval"
        assert told["warnings"][0] == "It needs the approval of bo@x.example, and never of who asked."
        assert "bo@x.example must approve it" in told["next"]
        assert (await decided(service, told, BO)).state is State.DONE
        events = await service.journal.events(told["write_id"])
        approval = next(one for one in events if one.kind == "approved")
        assert (approval.detail["by"], approval.detail["subject"]) == ("bo@x.example on a page", BO)
        assert await service.journal.verify() == ""
    assert firm.breaks("WIDGET-001", 52) == {"5": "9.125"}


async def test_what_no_rule_concerns_is_approved_as_ever(firm: Firm) -> None:
    async with asked(firm, "create_part", {"part_number": "FREE-1"}, answer="yes") as (_, _, told):
        assert told["outcome"] == "done"
        assert told["warnings"] == []


async def test_anybody_who_sees_it_may_decline_it(firm: Firm) -> None:
    async with asked(firm, "set_price_list", PRICES) as (_, service, told):
        write = await service.write(told["write_id"])
        assert (await service.decline(write, by="Anna")).state is State.DECLINED


# -------------------------------------------------------------------------------------------------------- the attacks


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_no_form_is_sent_to_who_asked_and_it_waits_for_the_other(firm: Firm, mode: str) -> None:
    async with asked(firm, "set_price_list", PRICES, answer="yes", mode=mode) as (_, service, told):
        assert told["outcome"] == "awaiting_approval"
        assert [event.kind for event in await service.journal.events(told["write_id"])] == ["proposed"]
    assert firm.sent() == []


async def test_a_form_s_yes_from_before_the_rule_approves_nothing(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        came = await seat.round("set_price_list", PRICES)
        assert came.request_state
        service = await seat.runtime.write_service()
        service._rules = service._rules.read(RULES)  # an operator has set them meanwhile
        answer = await seat.round("set_price_list", PRICES, came.request_state, accepting())
        assert answer.is_error
        assert "needs a yes from bo@x.example; you asked for it" in answer.content[0].text
    assert firm.sent() == []


def accepting() -> Any:
    from mcp.types import ElicitResult

    return ElicitResult(action="accept", content={"decision": "approve"})


async def test_who_asked_approves_nothing_however_their_e_mail_is_spelt(firm: Firm) -> None:
    async with asked(firm, "set_price_list", PRICES) as (_, service, told):
        for spelling in (ANNA, "Anna@X.example", " anna@x.example ", "anna@x\u002eexample"):
            with pytest.raises(NotTheApprover, match=r"needs a yes from bo@x\.example; you asked for it"):
                await decided(service, told, spelling)
        for other in ("b\u043e@x.example", "bo@x.example.evil.example", "", "root"):
            with pytest.raises(NotTheApprover, match=r"needs a yes from bo@x\.example"):
                await decided(service, told, other)
        assert (await service.write(told["write_id"])).state is State.AWAITING
    assert firm.sent() == []


async def test_whoever_has_the_erp_account_that_it_is_written_under_is_taken_for_who_asked(firm: Firm) -> None:
    """On her own desk Anna is `anna`, and signs in elsewhere with her ERP account."""
    account = firm.settings().fraction_email
    rules = f"set_price_list: {account}, {BO}"
    async with asked(firm, "set_price_list", PRICES, approvers=rules) as (_, service, told):
        with pytest.raises(NotTheApprover, match="you asked for it"):
            await decided(service, told, account)


async def test_no_token_confirms_it(firm: Firm) -> None:
    async with asked(firm, "set_price_list", PRICES, confirm="two_step") as (seat, service, told):
        assert told["outcome"] == "awaiting_approval"
        assert "confirmation_token" not in told
        token = await service.new_token(await service.write(told["write_id"]))  # somebody has got hold of one
        answer = await seat.call("confirm_write", write_id=told["write_id"], confirmation_token=token)
        assert answer["is_error"]
        assert "you asked for it" in answer["error"]["message"]
    assert firm.sent() == []


async def test_within_a_batch_one_item_s_rule_holds_for_the_whole_question(firm: Firm) -> None:
    writes = [
        {"tool": "create_part", "arguments": {"part_number": "HIDES-1"}},
        {"tool": "set_price_list", "arguments": PRICES},
    ]
    async with asked(firm, "submit_writes", {"writes": writes}, answer="yes") as (_, service, told):
        assert told["outcome"] == "awaiting_approval"
        for each in told["writes"]:
            assert each["warnings"][0] == "It needs the approval of bo@x.example, and never of who asked."
        with pytest.raises(NotTheApprover, match=r"these writes need a yes from bo@x\.example; you asked for it"):
            await decided(service, told, ANNA)
        assert firm.sent() == []
        assert (await decided(service, told, BO)).state is State.DONE
    assert firm.sent() == ["POST /parts", "PUT /parts/1/price-lists"]


async def test_a_batch_that_nobody_may_approve_as_a_whole_is_not_entered_and_says_who_must(firm: Firm) -> None:
    writes = [
        {"tool": "create_fracttal_purchase_order", "arguments": order("5000.01")},
        {"tool": "set_price_list", "arguments": PRICES},
    ]
    async with asked(firm, "submit_writes", {"writes": writes}) as (_, service, told):
        assert told["is_error"]
        assert "from anna@x.example or bo@x.example and from boss@x.example" in told["error"]["message"]
        assert await service.journal.latest() == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("costs", "waits_for_another"),
    [(["5000"], False), (["5000.01"], True), (["2500", "2500"], False), (["2500", "2500.01"], True)],
)
async def test_a_threshold_is_straddled_by_no_splitting_into_lines(
    firm: Firm, costs: list[str], waits_for_another: bool
) -> None:
    async with asked(firm, "create_fracttal_purchase_order", order(*costs), answer="yes") as (_, service, told):
        assert told["outcome"] == ("awaiting_approval" if waits_for_another else "done")
        if waits_for_another:
            with pytest.raises(NotTheApprover, match=r"needs a yes from boss@x\.example"):
                await decided(service, told, ANNA)
            assert (await decided(service, told, BOSS)).state is State.DONE


async def test_what_was_asked_for_under_a_rule_keeps_it_in_a_process_without_rules(firm: Firm) -> None:
    async with asked(firm, "set_price_list", PRICES) as (_, _, told):
        pass
    async with firm.seat("yes") as seat:
        service = await seat.runtime.write_service()
        assert (await seat.call("set_price_list", **PRICES))["outcome"] == "awaiting_approval"
        with pytest.raises(NotTheApprover, match=r"needs a yes from bo@x\.example; you asked for it"):
            await decided(service, told, ANNA)
        firm.run(
            "UPDATE price_breaks SET price = '77'"
        )  # the same bytes, shown otherwise: it is planned anew, without rules
        await seat.call("set_price_list", **PRICES)
        assert (await service.write(told["write_id"])).approvers == (BO,)
        assert await service.journal.verify() == ""
    assert firm.sent() == []


async def test_what_was_asked_for_without_rules_is_held_to_those_of_who_approves(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("set_price_list", **PRICES)
    async with firm.runtime(approvers=RULES) as runtime:
        with pytest.raises(NotTheApprover, match="you asked for it"):
            await decided(await runtime.write_service(), told, ANNA)
    async with firm.seat(approvers=RULES) as seat:  # asked for again, it says so
        again = await seat.call("set_price_list", **PRICES)
        assert again["write_id"] == told["write_id"]
        assert again["warnings"][0].startswith("It needs the approval of bo@x.example")


async def test_what_was_approved_without_rules_is_held_to_those_of_who_sends(firm: Firm) -> None:
    async with firm.runtime() as runtime:  # which watches nothing, and so sends nothing
        service = await runtime.write_service()
        plan = await service._committer._replan(service.context, "set_price_list", PRICES)
        write = await service.propose(plan, tool="set_price_list", arguments=PRICES, asked_by="a client")
        await service.journal.approve(write.id, digest=write.digest, by=Decider("Anna in a form", ANNA))
    async with firm.runtime(approvers=RULES) as runtime:
        service = await runtime.write_service()
        after = await service.follow_up(await service.write(write.id))
        assert after.state is State.FAILED
        assert "does not count: this write needs a yes from bo@x.example" in after.outcome.error.message
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE writes SET approvers = ''",),
        (f"UPDATE writes SET approvers = ',{ANNA},'",),
        ("UPDATE writes SET asker = 'somebody'",),
        ("UPDATE writes SET approvers = ''", "UPDATE events SET detail = json_remove(detail, '$.approvers')"),
        ("UPDATE writes SET asker = 'x'", "UPDATE events SET detail = json_set(detail, '$.asker', 'x')"),
    ],
)
async def test_a_row_or_event_that_was_changed_before_the_yes_sends_nothing(
    firm: Firm, statements: tuple[str, ...]
) -> None:
    rules = f"set_price_list: {ANNA}, {BO}"
    async with asked(firm, "set_price_list", PRICES, approvers=rules) as (_, service, told):
        await tampered(firm, *statements)
        service._rules = service._committer._rules = type(service._rules)()  # a process that knows no rules
        try:
            after = await decided(service, told, ANNA)
        except NotTheApprover:
            after = await service.write(told["write_id"])
        assert after.state in {State.FAILED, State.AWAITING}
        assert await service.journal.verify() != ""
    assert firm.sent() == []


async def test_an_approval_of_who_asked_that_was_put_into_the_journal_sends_nothing(firm: Firm) -> None:
    """By somebody who knows how the chain is made, and tells the head of it: not even `verify` sees it."""
    async with asked(firm, "set_price_list", PRICES) as (_, service, told):

        def put_in() -> None:
            with closing(sqlite3.connect(firm.state / "journal.sqlite3")) as db, db:
                write_id, at, digest, before = db.execute(
                    "SELECT write_id, at, detail ->> '$.digest', hash FROM events"
                ).fetchone()
                detail = dumped({"by": "Bo on a page", "subject": ANNA, "digest": digest})
                end = chained(before, 2, write_id, at, "approved", detail)
                db.execute("INSERT INTO events VALUES (2, ?, ?, 'approved', ?, ?)", (write_id, at, detail, end))
                db.execute("UPDATE head SET seq = 2, hash = ?", (end,))
                db.execute("UPDATE writes SET state = 'approved'")

        await anyio.to_thread.run_sync(put_in)
        assert await service.journal.verify() == ""
        after = await service.follow_up(await service.write(told["write_id"]))
        assert after.state is State.FAILED
        assert after.outcome.error.code == "CONFIRMATION_INVALID"
        assert "does not count: this write needs a yes from bo@x.example; you asked" in after.outcome.error.message
    assert firm.sent() == []


# ------------------------------------------------------------------------------------------------ people of one journal


def person(service: WriteService, subject: str) -> WriteService:
    """The hand of somebody who has signed in, on the same ERPs and journal."""
    whole, asker = service._whole, SIGNED_IN + subject
    return WriteService(
        service.context,
        whole,
        replan=service._committer._replan,
        terms=service._terms,
        asker=asker,
        rules=service._rules,
        viewer=Viewer(asker, subject),
    )


async def repricing(service: WriteService) -> Any:
    arguments = {"part": "WIDGET-001", "customer": "Acme Corp", "change_percent": "2"}
    plan = await service._committer._replan(service.context, "set_price_list", arguments)
    return await service.propose(plan, tool="set_price_list", arguments=arguments, asked_by="a client")


async def test_who_may_approve_sees_it_and_a_third_person_sees_nothing(firm: Firm) -> None:
    async with firm.runtime(approvers=RULES) as runtime:
        desk = await runtime.write_service()
        anna, bo, cy = (person(desk, each) for each in (ANNA, BO, "cy@x.example"))
        write = await repricing(anna)
        assert [one.id for one in await bo.journal.latest()] == [write.id]
        assert await cy.journal.latest() == []
        with pytest.raises(WriteNotFound):
            await cy.write(write.id)
        with pytest.raises(NotTheApprover, match="you asked for it"):
            await anna.approve(write, digest=write.digest, by=anna.decider("a form"))
        assert (await bo.approve(write, digest=write.digest, by=bo.decider("a page"))).state is State.DONE


async def test_what_is_under_way_for_somebody_else_is_not_done_twice_and_not_shown(firm: Firm) -> None:
    async with firm.runtime() as runtime:
        desk = await runtime.write_service()
        anna, cy = person(desk, ANNA), person(desk, "cy@x.example")
        write = await repricing(anna)
        await desk.journal.approve(write.id, digest=write.digest, by=Decider("Anna", ANNA))
        with pytest.raises(ConsentError, match="the same is being written already") as refused:
            await repricing(cy)
        assert write.id not in f"{refused.value.message} {refused.value.hint}"
        assert (await anna.follow_up(await anna.write(write.id))).state is State.DONE
        again = await repricing(cy)
        assert again.warnings[0].startswith("An identical write landed a moment ago")
