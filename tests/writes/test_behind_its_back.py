"""What is sent is what was approved, whoever has written in the journal's database meanwhile, and however long the way
to the first byte was."""

import sqlite3
import time
from contextlib import closing
from typing import Any

import anyio.to_thread
import pytest

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.states import State
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

ASKED = ("asked", "answered")

PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]}
PART = {"part_number": "BACK-1"}


async def tamper(firm: Firm, *statements: str) -> None:
    """What somebody with the database's own tools could do."""

    def done() -> None:
        with closing(sqlite3.connect(firm.state / "journal.sqlite3")) as db, db:
            for statement in statements:
                assert db.execute(statement).rowcount, statement

    await anyio.to_thread.run_sync(done)  # whoever holds the journal meanwhile must be able to let go of it


async def approved_after(firm: Firm, *statements: str) -> Any:
    """A write that waits, is tampered with, and then approved by a person who saw what the row then said."""
    async with firm.seat() as seat:
        told = await seat.call("set_price_list", **PRICES)
        assert told["outcome"] == "awaiting_approval"
        service = await seat.runtime.write_service()
        await tamper(firm, *statements)
        write = await service.write(told["write_id"])
        return await service.approve(write, digest=write.digest, by=Decider("a person"))


@pytest.mark.matrix
@pytest.mark.parametrize(
    "change",
    [
        "plan = json_set(plan, '$.content', replace(plan ->> '$.content', '9.125', '0.01'))",
        "plan = json_set(plan, '$.target', '/parts/2/price-lists', '$.path.id', 2)",
        "plan = json_set(plan, '$.path.id', 2)",
        "plan = json_set(plan, '$.method', 'POST')",
        "plan = json_set(plan, '$.endpoint', 'fractionerp:POST /parts')",
        "plan = json_set(plan, '$.arguments.price_breaks[0].unit_price', '0.01')",
        "plan = json_set(plan, '$.arguments.part', 'BRKT-1')",
        "plan = json_set(plan, '$.tool', 'a_tool_of_another_version')",
        "plan = json_set(plan, '$.title', 'Nothing to see')",
        "plan = json_set(plan, '$.preview', json('[]'))",
        "plan = json_set(plan, '$.warnings', json('[]'))",
        "plan = json_set(plan, '$.look.known', json('[]'), '$.look.match', '{}')",
        "outcome = json_object('preview', json_array(json_object('field', 'a note', 'before', NULL, 'after', 'x')))",
        "outcome = json_object('conflict', 'Your administrator has looked at this and asks you to approve it.')",
        "expires_at = expires_at + 86400",
        "asked_by = 'the boss'",
        "key = 'another'",
    ],
)
async def test_a_row_that_was_changed_before_the_yes_sends_nothing(firm: Firm, change: str) -> None:
    after = await approved_after(firm, f"UPDATE writes SET {change}")
    assert after.state is State.FAILED
    assert after.outcome.error.code == "CONFIRMATION_INVALID"
    assert "nothing was written" in after.outcome.error.message
    assert firm.sent() == []


async def test_what_is_shown_of_a_waiting_write_is_its_plan_whatever_its_outcome_says(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("set_price_list", **PRICES)
        harmless = "json_object('field', 'a note', 'before', NULL, 'after', 'x')"
        await tamper(firm, f"UPDATE writes SET outcome = json_object('preview', json_array({harmless}))")
        assert await (await seat.runtime.write_service()).journal.verify() != ""
        shown = await seat.call("get_write_status", write_id=told["write_id"])
        assert shown["preview"] == told["preview"]


async def test_a_row_that_took_on_another_write_s_plan_sends_nothing(firm: Firm) -> None:
    async with firm.seat() as seat:
        await seat.call("create_part", **PART)
    change = "SET (plan, digest) = (SELECT plan, digest FROM writes WHERE plan ->> '$.tool' = 'create_part')"
    after = await approved_after(firm, f"UPDATE writes {change} WHERE plan ->> '$.tool' = 'set_price_list'")
    assert after.state is State.FAILED
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE writes SET state = 'approved'",
        """INSERT INTO events SELECT 2, write_id, at, 'approved', json_object('digest', detail ->> '$.digest'), ''
           FROM events LIMIT 1""",
        "UPDATE events SET kind = 'approved', detail = '{}'",
    ],
)
async def test_an_approval_that_nobody_gave_sends_nothing(firm: Firm, statement: str) -> None:
    async with firm.seat() as seat:
        told = await seat.call("create_part", **PART)
        await tamper(firm, statement, *(["UPDATE writes SET state = 'approved'"] if "events" in statement else []))
        assert await (await seat.runtime.write_service()).journal.verify() != ""
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert status["is_error"], "a journal whose chain is broken is no ground for a write"
        assert firm.sent() == []


async def test_an_approval_from_before_the_write_was_put_back_does_not_count_again(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        firm.arm("status", status=403, method="GET", path="/parts/1/price-lists", after=1, times=9)
        told = await seat.call("set_price_list", **PRICES)
        service = await seat.runtime.write_service()
        kinds = [event.kind for event in await service.journal.events(told["write_id"])]
        assert kinds == ["proposed", *ASKED, "approved", "put_back"]
        firm.app.state.faults.clear()
        await tamper(firm, "UPDATE writes SET state = 'approved'")
        assert (await seat.call("get_write_status", write_id=told["write_id"]))["outcome"] == "failed"
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    "spoilt",
    ["plan = '{}'", "identity = '[]'", "plan = replace(plan, 'fractionerp', 'nope')", "expires_at = 'never'",
     "outcome = '[]'"],
)  # fmt: skip
async def test_a_row_that_cannot_be_read_keeps_no_other_write_waiting(firm: Firm, spoilt: str) -> None:
    async with firm.runtime() as runtime, firm.seat() as seat:
        first = await seat.call("create_part", part_number="SPOILT")
        second = await seat.call("create_part", part_number="SOUND")
        service = await runtime.write_service()
        sound = await service.write(second["write_id"])
        await service.journal.approve(sound.id, digest=sound.digest, by=Decider("another process"))
        await tamper(firm, f"UPDATE writes SET {spoilt} WHERE id = '{first['write_id']}'")
        await service._seen_to()
        assert (await service.write(sound.id)).state is State.DONE
        assert [write.id for write in await service.journal.latest()] == [sound.id]
        assert first["write_id"] in await service.journal.verify()
    assert firm.parts("SPOILT") == []


async def test_a_token_that_was_put_into_the_row_confirms_nothing(firm: Firm) -> None:
    async with firm.seat(None, confirm="two_step") as seat:
        told = await seat.call("create_part", **PART)
        sha256_of_mine = "8ce86a6ae65d3692e7305e2c58ac62eebd97d3d943e093f577da25c36988246b"  # of "N"
        await tamper(firm, f"UPDATE writes SET token_hash = '{sha256_of_mine}'")
        forged = await seat.call("confirm_write", write_id=told["write_id"], confirmation_token="N")
        assert forged["error"]["code"] == "CONFIRMATION_INVALID"
        assert firm.sent() == []
        again = await seat.call("create_part", **PART)
        names = {"write_id": again["write_id"], "confirmation_token": again["confirmation_token"]}
        assert (await seat.call("confirm_write", **names))["outcome"] == "done"


async def test_the_claim_holds_the_hash_of_what_goes_out(firm: Firm) -> None:
    import hashlib

    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", **PART)
        events = await (await seat.runtime.write_service()).journal.events(told["write_id"])
    (claimed,) = [event.detail for event in events if event.kind == "claimed"]
    assert claimed["content_sha256"] == hashlib.sha256(b'{"part_number":"BACK-1"}').hexdigest()


# ------------------------------------------------------------------------------------------------------------- leases


async def test_a_write_whose_lease_ran_out_on_the_way_is_not_sent_beside_its_successor(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 401, then a sign-in that takes longer than the lease: meanwhile another process has called it unknown, a person
    has settled it as absent, asked again, and it was written."""
    hold, holds = Journal.hold, []

    async def slow(journal: Journal, write_id: str, **facts: Any) -> bool:
        holds.append(write_id)
        if holds.count(write_id) == 2:
            firm.clock.passes(10_000)
            async with firm.seat("yes") as other:
                service = await other.runtime.write_service()
                write = await service.write(write_id)
                assert write.state is State.UNKNOWN
                await service.settle(write, landed=False, by="a person")
                assert (await other.call("create_part", **PART))["outcome"] == "done"
        return await hold(journal, write_id, **facts)

    monkeypatch.setattr(Journal, "hold", slow)
    firm.arm("expire", method="POST", path="/parts")
    async with firm.seat("yes", wired=True) as seat:
        told = await seat.call("create_part", **PART)
        assert await (await seat.runtime.write_service()).journal.verify() == ""
    statuses = [one.status for one in firm.app.state.requests if (one.method, one.endpoint) == ("POST", "/parts")]
    assert statuses == [401, 201]
    assert told["outcome"] == "failed", "as the person settled it"
    assert len(firm.parts("BACK-1")) == 1


async def test_a_write_that_is_late_but_nobody_has_touched_goes_back_to_its_person(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Journal.hold

    async def late(journal: Journal, *args: Any, **facts: Any) -> bool:
        journal._clock = lambda: time.time() + 10_000
        return await hold(journal, *args, **facts)

    monkeypatch.setattr(Journal, "hold", late)
    async with firm.seat("yes", wired=True) as seat:
        told = await seat.call("create_part", **PART)
    assert (told["outcome"], firm.sent()) == ("awaiting_approval", [])
    assert "its claim ran out; nothing was sent" in told["summary"]


async def test_a_journal_that_fails_just_before_the_send_sends_nothing(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> bool:
        raise OSError("disk I/O error")

    monkeypatch.setattr(Journal, "hold", broken)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", **PART)
    assert (told["outcome"], firm.sent()) == ("awaiting_approval", [])


async def test_the_sign_in_is_made_before_the_claim(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, seen = Journal.claim, []

    async def noted(journal: Journal, *args: Any, **facts: Any) -> bool:
        seen.append([f"{one.method} {one.endpoint}" for one in firm.app.state.requests][-1])
        firm.arm("timeout", path="/auth/login", times=9)  # whoever signs in now waits for long
        return await claim(journal, *args, **facts)

    async with firm.seat("yes", wired=True) as seat:
        service = await seat.runtime.write_service()
        write_id = (await firm_write(seat)).id
        firm.app.state.store.expire_tokens("*")
        monkeypatch.setattr(Journal, "claim", noted)
        write = await service.write(write_id)
        assert (await service.approve(write, digest=write.digest, by=Decider("a person"))).state is State.DONE
    assert seen


async def firm_write(seat: Any) -> Any:
    from fraction_mcp.runtime import _replan

    service = await seat.runtime.write_service()
    plan = await _replan(service.context, "create_part", PART)
    return await service.propose(plan, tool="create_part", arguments=PART, asked_by="a test")


# ---------------------------------------------------------------------------------------------------------- very many


@pytest.mark.slow
async def test_however_many_wait_whatever_is_approved_is_sent(firm: Firm) -> None:
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        from fraction_mcp.runtime import _replan

        oldest = []
        for number in range(3):
            arguments = {"part_number": f"OLD-{number}"}
            plan = await _replan(service.context, "create_part", arguments)
            oldest.append(await service.propose(plan, tool="create_part", arguments=arguments, asked_by="a test"))
        draft = service.journal  # two hundred and fifty newer ones, straight into the journal
        from dataclasses import replace as changed

        from fraction_mcp.operations.writes.identity import ErpIdentity
        from fraction_mcp.operations.writes.plan import FrozenPlan
        from fraction_mcp.operations.writes.write import Draft

        plan = await _replan(service.context, "create_part", {"part_number": "NEWER"})
        one = Draft.of(
            plan,
            FrozenPlan.of(plan, tool="create_part", arguments={"part_number": "NEWER"}),
            identity=ErpIdentity.of(service.context.fraction),
            asker="somebody else",
            asked_by="a test",
            expires_at=time.time() + 900,
        )
        for number in range(250):
            await draft.propose(changed(one, key=f"{number:064}", asker=f"{number % 3}"))
        for write in oldest:
            await service.journal.approve(write.id, digest=write.digest, by=Decider("another process"))
        await service._seen_to()
        assert [(await service.write(write.id)).state for write in oldest] == [State.DONE] * 3
