"""A confirmed call of 2026-07-28 sent again: to the same process, to another, changed, forged, or late."""

import stat
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult, InputRequiredResult
from pydantic import SecretStr

from fraction_mcp import sandbox
from tests.process import command
from tests.writes.conftest import Until
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

PART = {"part_number": "ROUND-1"}
YES = ElicitResult(action="accept", content={"decision": "approve"})
NO = ElicitResult(action="decline")
KEY = SecretStr("k" * 48)


async def asked(seat: Any, tool: str = "create_part", arguments: Any = PART) -> str:
    question = await seat.round(tool, arguments)
    assert isinstance(question, InputRequiredResult)
    assert list(question.input_requests or ()) == ["decision"]
    assert question.request_state is not None
    return question.request_state


async def outcome(seat: Any, state: str, answer: Any = YES, arguments: Any = PART) -> dict[str, Any]:
    return (await seat.round("create_part", arguments, state, answer)).structured_content


async def test_a_verbatim_replay_sends_nothing_and_tells_what_came_of_it(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        state = await asked(seat)
        first = await outcome(seat, state)
        assert [await outcome(seat, state) for _ in range(3)] == [first] * 3
        assert first["outcome"] == "done"
    assert len(firm.parts("ROUND-1")) == len(firm.sent()) == 1


async def test_a_replay_with_the_other_answer_changes_nothing(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        state = await asked(seat)
        assert (await outcome(seat, state, NO))["outcome"] == "declined"
        assert (await outcome(seat, state, YES))["outcome"] == "declined"
    assert firm.sent() == []


async def test_concurrent_replays_send_once(firm: Firm) -> None:
    async with firm.seat("yes", secret_key=KEY) as one, firm.seat("yes", secret_key=KEY) as two:
        state = await asked(one)
        told: list[dict[str, Any]] = []

        async def answer(seat: Any) -> None:
            told.append(await outcome(seat, state))

        async with anyio.create_task_group() as group:
            for seat in (one, two, one, two):
                group.start_soon(answer, seat)
        assert {answer["outcome"] for answer in told} <= {"done", "in_progress"}
    assert len(firm.parts("ROUND-1")) == len(firm.sent()) == 1


@pytest.mark.process
async def test_another_process_with_the_same_key_and_journal_takes_the_answer_once(firm: Firm, until: Until) -> None:
    """The question is asked here and answered in a process of its own, twice; then here again."""
    settings = firm.settings(wired=True)
    environment = {
        "FRACTION_BASE_URL": settings.fraction_base_url,
        "FRACTION_EMAIL": sandbox.EMAIL,
        "FRACTION_PASSWORD": sandbox.PASSWORD,
        "FRACTION_MCP_STATE_DIR": str(firm.state),
        "FRACTION_MCP_SECRET_KEY": KEY.get_secret_value(),
        "FRACTION_MCP_ELICITATION": "full",
    }
    python, *words = command("serve")
    server = StdioServerParameters(command=python, args=words, env=environment)

    async def unused(context: ClientRequestContext, params: ElicitRequestParams) -> Any:
        raise AssertionError("the rounds are played by hand")

    async with (
        firm.seat(unused, wired=True, secret_key=KEY) as seat,
        Client(server, elicitation_callback=unused) as other,
    ):
        state = await asked(seat)
        await anyio.sleep(1.1)  # by the other process's own clock
        answers: dict[str, Any] = {
            "input_responses": {"decision": YES},
            "request_state": state,
            "allow_input_required": True,
        }
        told = [(await other.session.call_tool("create_part", PART, **answers)).structured_content for _ in range(2)]

        async def over() -> dict[str, Any] | None:
            found = await outcome(seat, state)
            return found if found["outcome"] == "done" else None

        done = await until(over)
        # The process that asked watches as well, and may be the one that sends it.
        assert all(one == done or (one or {})["outcome"] == "in_progress" for one in told)
    assert len(firm.parts("ROUND-1")) == len(firm.sent()) == 1


async def test_a_process_with_another_key_refuses_the_answer(firm: Firm) -> None:
    async with firm.seat("yes", secret_key=KEY) as one, firm.seat("yes", secret_key=SecretStr("z" * 48)) as two:
        state = await asked(one)
        with pytest.raises(MCPError) as refused:
            await outcome(two, state)
        assert refused.value.error.code == -32602
        assert (await outcome(one, state))["outcome"] == "done"
    assert len(firm.sent()) == 1


async def test_without_a_key_one_is_kept_and_a_question_counts_after_a_restart(firm: Firm) -> None:
    async with firm.seat("yes") as before:
        state = await asked(before)
    assert stat.S_IMODE((firm.state / "secret.key").stat().st_mode) == 0o600
    async with firm.seat("yes") as after:
        assert (await outcome(after, state))["outcome"] == "done"
    assert len(firm.sent()) == 1


async def test_a_state_that_was_changed_or_made_up_is_refused(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        state = await asked(seat)
        middle = len(state) // 2
        for forged in (state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :], "x", state[:-3]):
            with pytest.raises(MCPError) as refused:
                await outcome(seat, forged)
            assert refused.value.error.code == -32602
    assert firm.sent() == []


async def test_a_state_counts_for_its_own_call_alone(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        state = await asked(seat)
        with pytest.raises(MCPError) as refused:
            await outcome(seat, state, arguments={"part_number": "ROUND-2"})
        assert refused.value.error.code == -32602
        with pytest.raises(MCPError):
            await seat.round("add_contact", {"customer": "52", "name": "Jo"}, state, YES)
    assert firm.sent() == []


async def test_an_answer_without_its_question_s_state_is_asked_anew(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        assert isinstance(await seat.round("create_part", PART, None, YES), InputRequiredResult)
    assert firm.sent() == []


async def test_a_yes_to_a_question_that_has_changed_meanwhile_is_asked_anew(firm: Firm) -> None:
    steps = [{"quantity": 1, "unit_price": "9"}]
    arguments = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": steps}
    async with firm.seat("yes") as seat:
        state = await asked(seat, "set_price_list", arguments)
        firm.run("UPDATE price_breaks SET price = '11' WHERE part_customer_id = 1 AND qty = '1'")
        await asked(seat, "set_price_list", arguments)  # it was asked for again, and shown with the new price
        again = await seat.round("set_price_list", arguments, state, YES)
        assert isinstance(again, InputRequiredResult)
        assert "pays at 1: 11.00 each → 9.00 each (−18.2 %)" in again.input_requests["decision"].params.message
        told = await seat.round("set_price_list", arguments, again.request_state, YES)
        assert told.structured_content["outcome"] == "done"
    assert firm.breaks("WIDGET-001", 52) == {"1": "9"}


async def test_a_yes_that_comes_after_the_write_expired_writes_nothing(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        state = await asked(seat)
        journal = (await seat.runtime.write_service()).journal
        (write,) = await journal.latest()
        journal._clock = lambda: write.expires_at
        assert (await outcome(seat, state))["outcome"] == "expired"
    assert firm.sent() == []


async def test_the_answer_may_take_as_long_as_the_approval_lives(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own default would refuse an answer after ten minutes."""
    import time

    real = time.time
    async with firm.seat("yes", approval_ttl_s=7200) as seat:
        state = await asked(seat)
        monkeypatch.setattr(time, "time", lambda: real() + 7000)
        assert (await outcome(seat, state))["outcome"] == "done"
    assert len(firm.sent()) == 1


async def test_with_elicitation_off_an_answer_counts_for_nothing_whoever_sealed_its_question(
    firm: Firm, until: Until
) -> None:
    async with firm.seat("yes", secret_key=KEY) as one, firm.seat("yes", secret_key=KEY, elicitation="off") as two:
        state = await asked(one)
        assert (await outcome(two, state))["outcome"] == "awaiting_approval"
        assert firm.sent() == []

        assert (await outcome(one, state))["outcome"] in {
            "done",
            "in_progress",
        }  # the other one watches, and may send it

        async def done() -> bool:
            return (await outcome(one, state))["outcome"] == "done"

        assert await until(done)
    assert len(firm.sent()) == 1
