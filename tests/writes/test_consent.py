"""Who is asked, and how: two_step, clients that cannot deliver, read-only servers, repeated and unclear requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import ElicitResult, ErrorData

from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.tools.catalogue import catalogue
from tests.process import command
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

PART = {"part_number": "CONSENT-1"}
WRITES = {name for name, spec in catalogue().items() if spec.effect.plans}


# ------------------------------------------------------------------------------------------------------------ two_step


async def test_two_steps_a_wrong_token_uses_nothing_up_and_the_right_one_counts_once(firm: Firm) -> None:
    async with firm.seat(confirm="two_step") as seat:
        asked = await seat.call("create_part", **PART)
        assert asked["outcome"] == "confirmation_required"
        assert asked["expires_at"]
        assert "confirm_write" in asked["next"]
        assert firm.sent() == []
        names = {"write_id": asked["write_id"], "confirmation_token": asked["confirmation_token"]}

        wrong = await seat.call("confirm_write", **{**names, "confirmation_token": "wrong"})
        assert (wrong["error"]["code"], wrong["error"]["written"]) == ("CONFIRMATION_INVALID", "no")
        assert wrong["is_error"]
        assert firm.sent() == []

        right = await seat.call("confirm_write", **names)
        assert (right["outcome"], right["write_id"]) == ("done", asked["write_id"])
        assert "confirmation_token" not in right
        again = await seat.call("confirm_write", **names)
        assert again["error"]["code"] == "CONFIRMATION_INVALID"
    assert len(firm.parts("CONSENT-1")) == 1
    assert len(firm.sent()) == 1


async def test_asking_again_under_two_step_keeps_the_id_and_replaces_the_token(firm: Firm) -> None:
    async with firm.seat(confirm="two_step") as seat:
        first = await seat.call("create_part", **PART)
        second = await seat.call("create_part", **PART)
        assert first["write_id"] == second["write_id"]
        old = await seat.call(
            "confirm_write", write_id=first["write_id"], confirmation_token=first["confirmation_token"]
        )
        assert old["error"]["code"] == "CONFIRMATION_INVALID"
        new = await seat.call(
            "confirm_write", write_id=first["write_id"], confirmation_token=second["confirmation_token"]
        )
        assert new["outcome"] == "done"


async def test_a_token_of_a_write_that_was_not_sent_does_not_count_a_second_time(firm: Firm) -> None:
    async with firm.seat(confirm="two_step") as seat:
        asked = await seat.call("create_part", **PART)
        names = {"write_id": asked["write_id"], "confirmation_token": asked["confirmation_token"]}
        firm.arm("status", status=500, path="/parts", method="GET", times=9)  # the plan cannot be read anew
        back = await seat.call("confirm_write", **names)
        assert back["outcome"] == "confirmation_required"
        assert back["confirmation_token"] != asked["confirmation_token"]
        firm.app.state.faults.clear()
        assert (await seat.call("confirm_write", **names))["error"]["code"] == "CONFIRMATION_INVALID"
    assert firm.parts("CONSENT-1") == []


async def test_an_unknown_write_cannot_be_confirmed(firm: Firm) -> None:
    async with firm.seat(confirm="two_step") as seat:
        told = await seat.call("confirm_write", write_id="w000000000000", confirmation_token="x")
        assert (told["error"]["code"], told["error"]["written"]) == ("NOT_FOUND", "no")


async def test_what_failed_after_the_confirmation_is_a_tool_error(firm: Firm) -> None:
    firm.arm("status", status=422, path="/parts", method="POST")
    async with firm.seat(confirm="two_step") as seat:
        asked = await seat.call("create_part", **PART)
        told = await seat.call(
            "confirm_write", write_id=asked["write_id"], confirmation_token=asked["confirmation_token"]
        )
        assert (told["outcome"], told["error"]["code"], told["is_error"]) == ("failed", "VALIDATION_ERROR", True)
        status = await seat.call("get_write_status", write_id=asked["write_id"])
        assert (status["outcome"], status["is_error"]) == ("failed", True)


# ---------------------------------------------------------------------------------------------------- what is listed


async def test_confirm_write_is_offered_under_two_step_only(firm: Firm) -> None:
    async with firm.seat(confirm="two_step") as seat:
        assert {"confirm_write", "get_write_status", *WRITES} <= await seat.tools()
    async with firm.seat() as seat:
        assert "confirm_write" not in await seat.tools()
        with pytest.raises(MCPError) as refused:
            await seat.call("confirm_write", write_id="w0", confirmation_token="x")
        assert refused.value.error.code == -32602


@pytest.mark.parametrize("confirm", ["human", "two_step"])
async def test_a_read_only_server_offers_the_status_of_writes_and_no_write(firm: Firm, confirm: str) -> None:
    async with firm.seat("yes", read_only=True, confirm=confirm) as seat:
        offered = await seat.tools()
        assert offered & (WRITES | {"get_write_status", "confirm_write"}) == {"get_write_status"}
        assert "read-only" in (seat.client.instructions or "")
        assert "awaiting_approval" not in (seat.client.instructions or "")
        assert (
            "This server is read-only: nothing can be written."
            in (await seat.call("get_connection_status", system="fractionerp"))["summary"]
        )


@pytest.mark.parametrize("arguments", [{}, {"part_number": "NEW-1"}, {"nonsense": 1}])
async def test_the_name_of_a_write_on_a_read_only_server_says_so_and_that_nothing_was_written(
    firm: Firm, arguments: dict[str, Any]
) -> None:
    """An assistant may know the name from another session: it is not told that there is no such tool."""
    async with firm.seat("yes", read_only=True) as seat:
        for tool in (*WRITES, "confirm_write"):
            told = await seat.call(tool, **arguments)
            assert (told["is_error"], told["error"]["code"]) == (True, "READ_ONLY")
            assert (told["error"]["written"], told["error"]["retryable"]) == ("no", False)
            assert "nothing was written" in told["error"]["message"]
            assert "whoever runs this server" in told["error"]["hint"]
        with pytest.raises(MCPError) as refused:
            await seat.call("write_anything")
        assert refused.value.error.code == -32602
    assert firm.sent() == []


async def test_a_read_only_server_does_not_commit_what_others_approved(firm: Firm) -> None:
    async with firm.seat() as seat:
        told = await seat.call("create_part", **PART)
    async with firm.seat(read_only=True) as seat:
        service = await seat.runtime.write_service()
        write = await service.write(told["write_id"])
        await service.approve(write, digest=write.digest, by=Decider("a person"))
        status = await seat.call("get_write_status", write_id=write.id)
        assert status["outcome"] == "in_progress"
    assert firm.sent() == []


# ------------------------------------------------------------------------------------------------- who can be asked


async def test_with_elicitation_off_a_client_that_says_yes_to_everything_is_not_asked(firm: Firm) -> None:
    for mode in ("auto", "legacy"):
        async with firm.seat("yes", mode=mode, elicitation="off") as seat:
            assert (await seat.call("create_part", **PART))["outcome"] == "awaiting_approval"
    assert firm.sent() == []


async def failing(_context: Any, _question: Any) -> Any:
    raise RuntimeError("there is no window to show it in")


async def refusing(_context: Any, _question: Any) -> Any:
    return ErrorData(code=-32601, message="Method not found")


@pytest.mark.parametrize("answer", [failing, refusing])
async def test_an_older_client_that_claims_forms_and_cannot_show_one_leaves_the_write_waiting(
    firm: Firm, answer: Any
) -> None:
    async with firm.seat(answer, mode="legacy") as seat:
        told = await seat.call("create_part", **PART)
        assert told["outcome"] == "awaiting_approval"
    assert firm.sent() == []


async def test_a_newer_client_that_claims_forms_and_cannot_show_one_leaves_the_write_waiting(firm: Firm) -> None:
    async with firm.seat(refusing) as seat:
        with pytest.raises(MCPError):
            await seat.call("create_part", **PART)
        service = await seat.runtime.write_service()
        (write,) = await service.journal.latest()
        assert write.state == "awaiting_approval"
    assert firm.sent() == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    "content", [{}, None, {"decision": True}, {"decision": "yes"}, {"approve": True}, {"decision": "approve", "x": 1}]
)
async def test_only_the_explicit_choice_is_a_yes_and_anything_else_is_no_answer(firm: Firm, content: Any) -> None:
    async def answer(_context: Any, _question: Any) -> ElicitResult:
        return ElicitResult(action="accept", content=content)

    for mode in ("auto", "legacy"):
        async with firm.seat(answer, mode=mode) as seat:
            told = await seat.call("create_part", **PART)
            assert told["outcome"] == "awaiting_approval"
    assert firm.sent() == []


async def test_a_client_that_gives_up_while_the_question_is_open_finds_the_write_waiting(firm: Firm) -> None:
    """2025-11-25: the call is cancelled; the late yes is lost, and the same request asks again under the same id."""
    open_question, late = anyio.Event(), anyio.Event()

    async def slow(_context: Any, _question: Any) -> ElicitResult:
        open_question.set()
        await late.wait()
        return ElicitResult(action="accept", content={"decision": "approve"})

    async with firm.seat(slow, mode="legacy") as seat:
        async with anyio.create_task_group() as group:
            group.start_soon(seat.client.call_tool, "create_part", PART)
            await open_question.wait()
            group.cancel_scope.cancel()
        late.set()
        service = await seat.runtime.write_service()
        (write,) = await service.journal.latest()
        assert write.state == "awaiting_approval"
        assert firm.sent() == []
        again = await seat.call("create_part", **PART)  # now the answer comes in time
        assert (again["write_id"], again["outcome"]) == (write.id, "done")
    assert len(firm.parts("CONSENT-1")) == 1


# ------------------------------------------------------------------------------------------- repeated and unclear


@pytest.mark.parametrize("second", ["yes", None])
async def test_a_write_that_waits_keeps_its_id_when_it_is_asked_for_again(firm: Firm, second: str | None) -> None:
    async with firm.seat() as seat:
        first = await seat.call("create_part", **PART)
    async with firm.seat(second) as seat:
        again = await seat.call("create_part", **PART)
    assert again["write_id"] == first["write_id"]
    assert again["outcome"] == ("done" if second else "awaiting_approval")


async def test_while_one_is_unknown_the_same_request_makes_no_new_write(firm: Firm) -> None:
    firm.arm("status", status=500, path="/contracts", method="POST")
    async with firm.seat("yes") as seat:
        first = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-UNSURE")
        again = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-UNSURE")
        assert (first["outcome"], again["outcome"]) == ("unknown", "unknown")
        assert again["write_id"] == first["write_id"]
        assert again["is_error"]
        assert "Do not ask for it again" in again["next"]
    assert len(firm.sent()) == 1


async def test_an_identical_write_that_landed_minutes_ago_is_the_first_warning(firm: Firm) -> None:
    contact = {"customer": "Acme Corp", "name": "Jo Twice"}
    async with firm.seat("yes") as seat:
        first = await seat.call("add_contact", **contact)
        second = await seat.call("add_contact", **contact)
    assert first["warnings"] == []
    assert "identical write landed a moment ago as 'Jo Twice'" in second["warnings"][0]
    assert second["write_id"] != first["write_id"]
    assert len(firm.contacts("Jo Twice")) == 2


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "names"),
    [
        ("create_enquiry", {"customer": "Northgate Engineering Ltd"}, "ambiguous", ["Northgate Engineering Ltd"] * 2),
        ("create_enquiry", {"customer": "Pemberton"}, "ambiguous", ["Pemberton's Pumps?"]),
        ("create_enquiry", {"customer": "Acme Nowhere plc"}, "not_found", None),
        ("create_enquiry", {"customer": "37", "contact": "Dev Patel"}, "ambiguous", ["Dev Patel"] * 2),
        ("create_enquiry", {"customer": "52", "contact": "Nobody"}, "not_found", None),
        ("add_contact", {"customer": "zzzz", "name": "Jo"}, "not_found", []),
        ("set_price_list", {"part": "19", "customer": "52"}, "ambiguous", ["19", "MANIFOLD-220"]),
    ],
)
async def test_what_is_not_exactly_one_record_is_not_written(
    firm: Firm, tool: str, arguments: dict[str, Any], outcome: str, names: list[str] | None
) -> None:
    if tool == "set_price_list":
        arguments = {**arguments, "price_breaks": [{"quantity": 1, "unit_price": "1"}]}
    async with firm.seat("yes") as seat:
        told = await seat.call(tool, **arguments)
        assert told["outcome"] == outcome
        assert told["write_id"] is None
        assert not told["is_error"]
        assert len(told["candidates"]) <= 10
        found = [candidate["name"] for candidate in told["candidates"]]
        assert found if names is None else sorted(found) == sorted(names)
        assert await (await seat.runtime.write_service()).journal.latest() == []
    assert firm.sent() == []


# ---------------------------------------------------------------------------------------------------------- over stdio


@asynccontextmanager
async def stdio(firm: Firm, answer: Any, mode: str, **environment: str) -> AsyncIterator[Client]:
    settings = firm.settings(wired=True)
    python, *words = command("serve")
    parameters = StdioServerParameters(
        command=python,
        args=words,
        env={
            "FRACTION_BASE_URL": settings.fraction_base_url,
            "FRACTION_EMAIL": settings.fraction_email,
            "FRACTION_PASSWORD": settings.fraction_password.get_secret_value(),
            "FRACTION_MCP_STATE_DIR": str(firm.state),
            "FRACTION_MCP_OPEN_INBOX": "false",
            "FRACTION_MCP_ELICITATION": "full",
            **environment,
        },
    )
    with anyio.fail_after(30):
        async with Client(parameters, mode=mode, elicitation_callback=answer) as client:
            yield client


@pytest.mark.smoke
@pytest.mark.process
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_stdio_a_person_says_yes_to_one_write_and_no_to_another(firm: Firm, mode: str) -> None:
    async def judged(_context: Any, question: Any) -> ElicitResult:
        await anyio.sleep(1.1)  # a person reads: what comes faster is no person's, by the clock of another process
        return ElicitResult(
            action="accept", content={"decision": "approve" if "GOOD-1" in question.message else "decline"}
        )

    async with stdio(firm, judged, mode) as client:
        good = (await client.call_tool("create_part", {"part_number": "GOOD-1"})).structured_content
        bad = (await client.call_tool("create_part", {"part_number": "BAD-1"})).structured_content
    assert (good["outcome"], bad["outcome"]) == ("done", "declined")
    assert (len(firm.parts("GOOD-1")), len(firm.parts("BAD-1"))) == (1, 0)


@pytest.mark.process
async def test_over_stdio_two_steps_write_once(firm: Firm) -> None:
    async with stdio(firm, None, "legacy", FRACTION_MCP_CONFIRM="two_step") as client:
        asked = (await client.call_tool("create_part", PART)).structured_content
        names = {"write_id": asked["write_id"], "confirmation_token": asked["confirmation_token"]}
        assert (await client.call_tool("confirm_write", names)).structured_content["outcome"] == "done"
    assert len(firm.parts("CONSENT-1")) == 1
