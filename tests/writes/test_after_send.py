"""After the send, over real sockets: what came back, what the journal makes of it, and what the ERP then holds.

Never more than one landed record, never a second send, and never a claim that the ERP does not bear out.
"""

import time
from typing import Any

import pytest

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.tools.catalogue import catalogue
from tests.writes.firm import Case, Firm

pytestmark = pytest.mark.anyio

ASKED = ("asked", "answered")

LANDED: list[tuple[str, dict[str, Any]]] = [
    ("after_500", {}),
    ("drop_after", {}),  # a reset instead of an answer
    ("cut", {}),
    ("truncate", {}),  # an unreadable 200
    ("timeout_after", {}),
]
LOST: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("html", {"status": 502}),
    ("html", {"status": 403}),  # a proxy's refusal proves nothing
    ("html", {"status": 401}),
    ("html", {"status": 200}),
    ("empty", {}),
    ("garbage", {}),
    ("drop_before", {}),
    ("timeout", {}),
]
REFUSED = [
    (422, "VALIDATION_ERROR"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (429, "RATE_LIMITED"),
]
TOOLS = [name for name, spec in catalogue().items() if spec.effect.plans]
PART = {"part_number": "AFTER-1"}
ENQUIRY = {"customer": "Acme Corp", "customer_ref": "PO-AFTER"}


def crossed(faults: list[tuple[str, dict[str, Any]]], usual: set[str]) -> pytest.MarkDecorator:
    """Every fault with one tool, and every tool with the usual faults."""
    return pytest.mark.parametrize(
        ("case", "fault", "how"),
        [
            pytest.param(tool, fault, how, id=f"{tool}-{fault} {how.get('status', '')}".strip())
            for tool in TOOLS
            for fault, how in faults
            if tool == "create_part" or (fault in usual and how.get("status") in {None, 500})
        ],
        indirect=["case"],
    )


def armed(firm: Firm, fault: str, endpoint: str, **more: Any) -> None:
    method = "PUT" if endpoint.endswith("price-lists") else "POST"
    firm.arm(fault, method=method, path=endpoint, **more)


async def approved(firm: Firm, tool: str, **arguments: Any) -> dict[str, Any]:
    async with firm.seat("yes", wired=True, timeout_s=0.75) as seat:
        return await seat.call(tool, **arguments)


async def kinds(firm: Firm, write_id: str) -> list[str]:
    journal = await Journal.open("", firm.state)
    try:
        return [event.kind for event in await journal.events(write_id)]
    finally:
        await journal.aclose()


@pytest.mark.matrix
@crossed(LANDED, {"after_500", "drop_after"})
async def test_what_landed_although_no_good_answer_came_is_found_and_done(
    firm: Firm, case: Case, fault: str, how: dict[str, Any]
) -> None:
    armed(firm, fault, case.endpoint, **how)
    told = await approved(firm, case.tool, **case.arguments)
    assert (told["outcome"], told["is_error"]) == ("done", False), told
    assert told["result"][case.number]
    assert case.held(firm) == 1
    assert len(firm.sent()) == 1
    events = await kinds(firm, told["write_id"])
    assert events == ["proposed", *ASKED, "approved", "claimed", "unknown", "done"]


@pytest.mark.matrix
@crossed(LOST, {"status", "drop_before"})
async def test_what_may_have_landed_and_is_not_seen_stays_unknown(
    firm: Firm, case: Case, fault: str, how: dict[str, Any]
) -> None:
    armed(firm, fault, case.endpoint, **how)
    told = await approved(firm, case.tool, **case.arguments)
    assert (told["outcome"], told["is_error"]) == ("unknown", True), told
    assert (told["error"]["code"], told["error"]["written"]) == ("OUTCOME_UNKNOWN", "maybe")
    assert told["write_id"]
    assert case.held(firm) == 0
    assert len(firm.sent()) == 1
    events = await kinds(firm, told["write_id"])
    assert events == ["proposed", *ASKED, "approved", "claimed", "unknown", "looked"]


@pytest.mark.matrix
@pytest.mark.parametrize(("status", "code"), REFUSED)
@pytest.mark.parametrize("asked", [("create_part", "/parts", PART), ("create_enquiry", "/contracts", ENQUIRY)])
async def test_a_refusal_in_the_erp_s_own_words_wrote_nothing(
    firm: Firm, status: int, code: str, asked: tuple[str, str, dict[str, Any]]
) -> None:
    tool, endpoint, arguments = asked
    armed(firm, "status", endpoint, status=status, seconds=1)  # a 429 that ends soon would be worth a second try
    told = await approved(firm, tool, **arguments)
    assert (told["outcome"], told["is_error"]) == ("failed", True)
    assert (told["error"]["code"], told["error"]["written"]) == (code, "no")
    assert len(firm.sent()) == 1
    assert (await kinds(firm, told["write_id"]))[-1] == "failed"


async def test_after_a_refusal_the_same_request_is_a_new_write(firm: Firm) -> None:
    armed(firm, "status", "/parts", status=422)
    first = await approved(firm, "create_part", **PART)
    second = await approved(firm, "create_part", **PART)
    assert (first["outcome"], second["outcome"]) == ("failed", "done")
    assert first["write_id"] != second["write_id"]


# ---------------------------------------------------------------------------------------------------------- signing in


async def test_a_token_that_ended_is_renewed_and_the_write_sent_once_more_under_the_same_claim(firm: Firm) -> None:
    armed(firm, "expire", "/parts")
    told = await approved(firm, "create_part", **PART)
    assert told["outcome"] == "done"
    statuses = [
        entry.status for entry in firm.app.state.requests if (entry.method, entry.endpoint) == ("POST", "/parts")
    ]
    assert statuses == [401, 201]
    assert (await kinds(firm, told["write_id"])).count("claimed") == 1
    assert len(firm.parts("AFTER-1")) == 1


async def test_a_sign_in_that_is_refused_again_and_again_wrote_nothing(firm: Firm) -> None:
    armed(firm, "status", "/parts", status=401, times=9)
    told = await approved(firm, "create_part", **PART)
    assert (told["outcome"], told["error"]["code"], told["error"]["written"]) == ("failed", "NOT_AUTHENTICATED", "no")
    assert len(firm.sent()) == 2
    assert firm.parts("AFTER-1") == []


# -------------------------------------------------------------------------------------------------------- looking again


def enquiry_of_somebody_else(firm: Firm) -> None:
    """The same customer and reference, made by another hand."""
    firm.run(
        """INSERT INTO contracts (doc, haystack) SELECT json_set(doc, '$.id', (SELECT max(id) + 1 FROM contracts),
           '$.customer.id', 52, '$.customer_ref', 'PO-AFTER'), 'po-after' FROM contracts LIMIT 1"""
    )


async def later(seat: Any, by_s: float = 60) -> None:
    """The ERP is not looked into again and again within a few seconds."""
    journal = (await seat.runtime.write_service()).journal
    journal._clock = lambda: time.time() + by_s


async def test_a_record_that_appears_later_settles_an_unknown_write(firm: Firm) -> None:
    armed(firm, "status", "/contracts", status=500)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
        assert told["outcome"] == "unknown"
        enquiry_of_somebody_else(firm)
        await later(seat)
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert (status["outcome"], status["result"]["customer_ref"]) == ("done", "PO-AFTER")


async def test_who_asks_hears_what_came_of_looking_and_whether_the_erp_could_be_asked_at_all(firm: Firm) -> None:
    """Not seen is a reason to look for oneself, and not asked is one to ask again."""
    armed(firm, "status", "/contracts", status=500)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
        assert "It was not seen there" in told["summary"]
        assert "settle it in the approval inbox" in told["next"]
        enquiry_of_somebody_else(firm)
        await later(seat)
        firm.arm("status", method="GET", path="/contracts", status=403, times=100)
        for _ in range(2):  # the second looks for nothing: it is too soon
            unasked = await seat.call("get_write_status", write_id=told["write_id"])
            assert unasked["outcome"] == "unknown"
            assert "The ERP could not be asked: FractionERP" in unasked["summary"]
            assert unasked["next"].startswith("Call get_write_status again in a few seconds")
        firm.app.state.faults.clear()
        await later(seat, 120)
        assert (await seat.call("get_write_status", write_id=told["write_id"]))["outcome"] == "done"


async def test_of_several_that_could_be_it_none_is_taken(firm: Firm) -> None:
    armed(firm, "status", "/contracts", status=500)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
        enquiry_of_somebody_else(firm)
        enquiry_of_somebody_else(firm)
        await later(seat)
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert (status["outcome"], status["is_error"]) == ("unknown", True)
        events = await (await seat.runtime.write_service()).journal.events(told["write_id"])
        assert [event.detail["found"] for event in events if event.kind == "looked"] == ["none", "several"]


async def test_a_record_that_was_there_before_is_not_taken_for_the_write(firm: Firm) -> None:
    enquiry_of_somebody_else(firm)
    armed(firm, "status", "/contracts", status=500)
    told = await approved(firm, "create_enquiry", **ENQUIRY)
    assert told["outcome"] == "unknown"


async def test_a_record_that_came_between_preview_and_send_is_not_taken_for_the_write(firm: Firm) -> None:
    enquiry = {"customer": "Acme Corp", "notes": "without a reference"}
    async with firm.seat() as seat:
        told = await seat.call("create_enquiry", **enquiry)
        firm.run(
            """INSERT INTO contracts (doc, haystack) SELECT json_set(doc, '$.id', (SELECT max(id) + 1 FROM contracts),
               '$.customer.id', 52, '$.customer.name', 'Acme Corp', '$.customer_ref', NULL), 'acme corp'
               FROM contracts LIMIT 1"""
        )
        armed(firm, "status", "/contracts", status=500)
        service = await seat.runtime.write_service()
        write = await service.write(told["write_id"])
        assert (await service.approve(write, digest=write.digest, by=Decider("a person"))).state == "unknown"


async def test_where_what_was_there_before_could_not_be_read_nothing_seen_later_is_taken_for_the_write(
    firm: Firm,
) -> None:
    enquiry_of_somebody_else(firm)
    armed(firm, "status", "/contracts", status=500)
    firm.arm("status", status=403, code="FORBIDDEN", method="GET", path="/contracts", times=2)  # plan and re-read
    told = await approved(firm, "create_enquiry", **ENQUIRY)
    assert told["outcome"] == "unknown", "the older one with this reference proves nothing"

    order = {
        "warehouse_code": "A/1",
        "document": "OC_337",
        "items": [{"code": "GREASE", "quantity": 1, "unit_cost": "1"}],
    }
    firm.arm("status", status=500, method="POST", path="/warehouse_purchase_orders/*")
    firm.arm("status", status=403, method="GET", path="/warehouse_purchase_orders/", times=2)
    told = await approved(firm, "create_fracttal_purchase_order", **order)
    assert told["outcome"] == "unknown"
    assert len(firm.orders("OC_337")) == 1


async def test_what_cannot_be_read_just_before_the_send_is_no_change_and_the_write_waits_again(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
        service = await seat.runtime.write_service()
        write = await service.write(told["write_id"])
        firm.arm("status", status=403, code="FORBIDDEN", method="GET", path="/contracts")
        waiting = await service.approve(write, digest=write.digest, by=Decider("a person"))
        assert (waiting.state, firm.sent()) == ("awaiting_approval", [])
        assert waiting.outcome.error.written == "no"
        assert waiting.outcome.error.message.startswith("what it was based on could not be read")
        written = await service.approve(waiting, digest=waiting.digest, by=Decider("a person"))
        assert (written.state, len(firm.enquiries("PO-AFTER"))) == ("done", 1)


@pytest.mark.matrix
@pytest.mark.parametrize("landed", [True, False])
async def test_a_person_settles_what_stays_unknown_and_the_key_is_free_again(firm: Firm, landed: bool) -> None:
    armed(firm, "status", "/contracts", status=500)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_enquiry", **ENQUIRY)
        service = await seat.runtime.write_service()
        await service.settle(await service.write(told["write_id"]), landed=landed, by="a person")
        status = await seat.call("get_write_status", write_id=told["write_id"])
        assert status["outcome"] == ("done" if landed else "failed")
        if not landed:
            assert status["error"]["written"] == "no"
        again = await seat.call("create_enquiry", **ENQUIRY)
        assert again["write_id"] != told["write_id"]
        assert any("identical write landed" in warning for warning in again["warnings"]) is landed


async def test_where_the_journal_fails_after_the_send_nobody_is_told_that_nothing_was_written(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Journal, "finish", broken)
    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", **PART)
        assert (told["error"]["code"], told["error"]["written"]) == ("OUTCOME_UNKNOWN", "maybe")
        assert "nothing was written" not in told["error"]["message"]
        monkeypatch.undo()
        (write,) = await (await seat.runtime.write_service()).journal.latest()
        assert write.state == "sending", "its lease runs out, and then it is unknown"
    assert len(firm.parts("AFTER-1")) == 1
