"""The connection for the write cannot be made: nothing was sent, the write waits again, and a person is asked anew."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp.types import ElicitResult

from fraction_mcp import sandbox
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

ASKED = ("asked", "answered")

PART = {"part_number": "UNSENT-1"}
YES = ElicitResult(action="accept", content={"decision": "approve"})


class Gateway:
    """A relay in front of the ERP. Shut, it takes no new connection; those that are open stay: reads go on."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def aclose(self) -> None:
        self.shut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(_pumped(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pumped(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()


@pytest.fixture
async def gateway(firm: Firm) -> AsyncIterator[Gateway]:
    made = Gateway(firm.url)
    await made.open()
    yield made
    await made.aclose()


def through(gateway: Gateway) -> dict[str, Any]:
    return {"wired": True, "fraction_base_url": gateway.url + sandbox.FRACTION_PATH}


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_connection_that_cannot_be_made_sends_nothing_and_the_write_waits_again(
    firm: Firm, gateway: Gateway, mode: str
) -> None:
    answers = 0

    async def yes(_context: Any, _question: Any) -> ElicitResult:
        nonlocal answers
        answers += 1
        if answers == 1:
            gateway.shut()
        return YES

    async with firm.seat(yes, mode=mode, **through(gateway)) as seat:
        told = await seat.call("create_part", **PART)
        assert (told["outcome"], told["is_error"]) == ("awaiting_approval", False)
        assert "nothing was sent" in told["summary"]
        assert firm.sent() == []
        await gateway.open()
        again = await seat.call("create_part", **PART)
        assert (again["write_id"], again["outcome"]) == (told["write_id"], "done")
        assert answers == 2, "the person was asked anew"
        events = [event.kind for event in await (await seat.runtime.write_service()).journal.events(told["write_id"])]
        assert events == ["proposed", *ASKED, "approved", "claimed", "not_sent", *ASKED, "approved", "claimed", "done"]
    assert len(firm.parts("UNSENT-1")) == len(firm.sent()) == 1


async def test_the_yes_to_a_write_that_was_not_sent_does_not_count_for_it_again(firm: Firm, gateway: Gateway) -> None:
    """A host that repeats a confirmed call by itself would otherwise send what nobody was asked about anew."""
    async with firm.seat("yes", **through(gateway)) as seat:
        question = await seat.round("create_part", PART)
        gateway.shut()
        unsent = await seat.round("create_part", PART, question.request_state, YES)
        assert unsent.structured_content["outcome"] == "awaiting_approval"
        await gateway.open()
        replayed = await seat.round("create_part", PART, question.request_state, YES)
        assert replayed.result_type == "input_required"
        assert firm.sent() == []


@pytest.mark.parametrize("together", [False, True], ids=["alone", "in a batch"])
async def test_a_second_step_that_could_not_be_sent_is_given_a_new_token_and_the_used_one_counts_no_more(
    firm: Firm, gateway: Gateway, together: bool
) -> None:
    parts = [PART, {"part_number": "UNSENT-2"}] if together else [PART]
    items = [{"tool": "create_part", "arguments": part} for part in parts]
    call = ("submit_writes", {"writes": items}) if together else ("create_part", PART)
    async with firm.seat(confirm="two_step", elicitation="off", **through(gateway)) as seat:
        first = await seat.call(call[0], **call[1])
        names = {"write_id": first["write_id"], "confirmation_token": first["confirmation_token"]}
        gateway.shut()
        unsent = await seat.call("confirm_write", **names)
        assert (unsent["outcome"], unsent["is_error"]) == ("confirmation_required", False)
        assert "nothing was sent" in unsent["summary"]
        assert "confirm_write" in unsent["next"]
        await gateway.open()
        used = await seat.call("confirm_write", **names)
        assert (used["error"]["code"], firm.sent()) == ("CONFIRMATION_INVALID", [])
        done = await seat.call("confirm_write", **{**names, "confirmation_token": unsent["confirmation_token"]})
        assert done["outcome"] == "done"
    assert [len(firm.parts(part["part_number"])) for part in parts] == [1] * len(parts)
    assert len(firm.sent()) == len(parts)
