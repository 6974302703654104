"""Journals of several ERPs and accounts side by side: a write planned for one is never sent to another."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import text

from fraction_mcp import sandbox
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.runtime import Runtime
from tests.writes.conftest import Until
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

ENQUIRY = {"customer": "Acme Corp", "customer_ref": "PO-HERE"}


@pytest.fixture
def elsewhere(company: Path, tmp_path: Path) -> Iterator[Any]:
    """Another company's ERP, in which there is no Acme Corp."""
    app = sandbox.open_sandbox(Path(shutil.copy(company, tmp_path / "elsewhere.db")))
    with app.state.store.writing() as db:
        db.execute("UPDATE customers SET name = 'Someone ' || id, haystack = 'someone ' || id")
    yield app
    app.state.store.close()


@asynccontextmanager
async def service_of(firm: Firm, other: str, app: Any = None) -> AsyncIterator[tuple[Runtime, Any]]:
    """A write service of another ERP, account or company on the same journal."""
    changes: dict[str, Any] = {
        "another ERP": {"fraction_base_url": "http://localhost:1" + sandbox.FRACTION_PATH},
        "another account": {"fraction_email": "sam@harrow-pike.example"},
        "another company": {"fraction_email": "robin@other-works.example"},
        "the same": {},
    }[other]
    async with Runtime(firm.settings(**changes), app or firm.app) as runtime:
        yield runtime, await runtime.write_service()


async def planned(firm: Firm, **arguments: Any) -> str:
    async with firm.seat() as seat:
        return (await seat.call("create_enquiry", **(ENQUIRY | arguments)))["write_id"]


@pytest.mark.matrix
@pytest.mark.parametrize("other", ["another ERP", "another account", "another company"])
async def test_an_approval_in_another_place_sends_nothing_there_and_is_carried_out_at_home(
    firm: Firm, elsewhere: Any, other: str
) -> None:
    write_id = await planned(firm)
    async with service_of(firm, other, elsewhere) as (_, service):
        write = await service.write(write_id)
        decided = await service.approve(write, digest=write.digest, by=Decider("the inbox of another place"))
        assert decided.state == "approved"
        assert (await service.follow_up(decided)).state == "approved", "and it is not refused for what is missing there"
    assert [e for e in elsewhere.state.requests if e.method != "GET" and "/auth/" not in e.endpoint] == []
    assert firm.sent() == []
    async with service_of(firm, "the same") as (_, service):
        assert (await service.follow_up(await service.write(write_id))).state == "done"
    assert len(firm.enquiries("PO-HERE")) == 1


@pytest.mark.parametrize("knows_the_customer", [True, False])
async def test_another_company_of_the_same_account_is_another_place(
    firm: Firm, elsewhere: Any, knows_the_customer: bool
) -> None:
    """The company shows with the sign-in only, and what it lacks says nothing about the write."""
    write_id = await planned(firm)
    async with service_of(firm, "the same", firm.app if knows_the_customer else elsewhere) as (_, service):
        (write,) = await service.journal.latest()
        system, base_url, _, account = json.loads(write.identity.text)
        moved = json.dumps([system, base_url, "9/Another Company Ltd", account])
        async with service.journal.database.engine.begin() as connection:
            await connection.execute(text("UPDATE writes SET identity = :identity"), {"identity": moved})
        write = await service.write(write_id)
        assert (await service.approve(write, digest=write.digest, by=Decider("a person"))).state == "approved"
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize("other", ["another ERP", "another account", "another company"])
async def test_a_process_that_watches_carries_out_its_own_writes_alone(
    firm: Firm, other: str, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr("fraction_mcp.operations.writes.service._WATCH_S", 0)
    foreign = await planned(firm)
    async with service_of(firm, other) as (runtime, service):
        await service.context.fraction.call(*_me())
        arguments = {"customer": "Acme Corp", "customer_ref": "PO-OWN"}
        plan = await _plan(service, arguments)
        own = await service.propose(plan, tool="create_enquiry", arguments=arguments, asked_by="a test")
        for write_id in (foreign, own.id):
            write = await service.write(write_id)
            await service.journal.approve(write_id, digest=write.digest, by=Decider("an inbox without credentials"))
        await runtime.watch()

        async def landed() -> bool:
            return (await service.write(own.id)).state == "done"

        await until(landed)
        for _ in range(20):  # and more turns of the watch
            await anyio.lowlevel.checkpoint()
        assert (await service.write(foreign)).state == "approved"
    assert (len(firm.enquiries("PO-OWN")), len(firm.enquiries("PO-HERE"))) == (1, 0)


async def test_the_process_that_planned_a_write_carries_out_what_was_approved_elsewhere(
    firm: Firm, until: Until
) -> None:
    async with firm.seat() as seat:
        write_id = (await seat.call("create_enquiry", **ENQUIRY))["write_id"]
        service = await seat.runtime.write_service()
        write = await service.write(write_id)
        await service.journal.approve(write_id, digest=write.digest, by=Decider("an inbox without credentials"))
        await until(lambda: firm.enquiries("PO-HERE"))

        async def done() -> bool:
            return (await service.write(write_id)).state == "done"

        await until(done)
    assert len(firm.sent()) == 1


async def test_a_question_that_is_open_can_be_decided_in_the_inbox_meanwhile(firm: Firm, until: Until) -> None:
    """The process that asks looks for approvals, too; the form's late answer then changes nothing."""
    from mcp.types import ElicitResult

    async with firm.seat() as inbox:
        service = await inbox.runtime.write_service()

        async def late_no(_context: Any, _question: Any) -> ElicitResult:
            (write,) = await service.journal.latest()
            await service.journal.approve(write.id, digest=write.digest, by=Decider("the inbox"))
            await until(lambda: firm.enquiries("PO-HERE"))
            return ElicitResult(action="decline")

        async with firm.seat(late_no, mode="legacy") as seat:
            told = await seat.call("create_enquiry", **ENQUIRY)
    assert told["outcome"] in {"done", "in_progress"}
    assert len(firm.enquiries("PO-HERE")) == len(firm.sent()) == 1


@pytest.mark.parametrize("other", ["another ERP", "another account"])
async def test_the_same_request_in_another_place_is_another_write(firm: Firm, other: str) -> None:
    here = await planned(firm)
    async with service_of(firm, other) as (_, service):
        plan = await _plan(service, ENQUIRY)
        there = await service.propose(plan, tool="create_enquiry", arguments=ENQUIRY, asked_by="a test")
    assert there.id != here
    assert there.state == "awaiting_approval"


async def test_what_is_unknown_here_is_not_looked_for_elsewhere(firm: Firm) -> None:
    firm.arm("status", method="POST", path="/contracts", status=500)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
    assert told["outcome"] == "unknown"
    firm.app.state.requests.clear()
    async with service_of(firm, "another account") as (_, service):
        assert (await service.follow_up(await service.write(told["write_id"]))).state == "unknown"
    assert len(firm.app.state.requests) == 0


def _me() -> tuple[Any, ...]:
    from fraction_mcp.erp import endpoints

    return (endpoints.ME,)


async def _plan(service: Any, arguments: dict[str, Any]) -> Any:
    return await service._committer._replan(service.context, "create_enquiry", arguments)


async def test_a_watch_that_lasts_rests_where_nothing_waits_and_can_be_ended(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked the journal again and again, out of reach of who cancels it."""
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        looked = 0
        seen_to = service._seen_to

        async def counted() -> bool:
            nonlocal looked
            looked += 1
            return await seen_to()

        monkeypatch.setattr(service, "_seen_to", counted)
        with anyio.move_on_after(0.5):
            await service.watch_for_ever()
        assert looked <= 2
