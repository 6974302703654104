"""A process is told to end (SIGTERM, SIGHUP, Ctrl-C) while an ERP holds its answer to a write: the write ends first.

The ERP is real, behind a socket, and answers when the test says so; every process is one of its own.
"""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client
from starlette.types import Message, Receive, Scope, Send

from fraction_mcp.operations.writes.approvers import Decider
from tests.process import Started, command, real
from tests.support import child_environment, free_port, wait_for
from tests.terminal import LONG_ENOUGH_S, terminal
from tests.writes.firm import Firm

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

ENDINGS = pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda one: one.name)
ANSWERS_S = 30
PART = {"part_number": "SIGNAL-1"}


class SlowErp:
    """An ERP that has done what a POST asks for, and answers it when it is told to."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.asked = threading.Event()
        self._answer = threading.Event()

    def answers(self) -> None:
        self._answer.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/parts"):
            await self._app(scope, receive, send)
            return

        async def later(message: Message) -> None:
            self.asked.set()
            await anyio.to_thread.run_sync(self._answer.wait, LONG_ENOUGH_S)
            await send(message)

        await self._app(scope, receive, later)


@pytest.fixture
def slow(firm: Firm, socketed: Any) -> Iterator[SlowErp]:
    current, _ = socketed
    current.app = SlowErp(firm.app)
    yield current.app
    current.app.answers()
    current.app = firm.app


@pytest.fixture
def environment(firm: Firm) -> dict[str, str]:
    settings = firm.settings(wired=True)
    firm.state.mkdir(parents=True, exist_ok=True)
    return child_environment(
        FRACTION_BASE_URL=settings.fraction_base_url,
        FRACTION_EMAIL=settings.fraction_email,
        FRACTION_PASSWORD=settings.fraction_password.get_secret_value(),
        FRACTION_MCP_STATE_DIR=str(firm.state),
        FRACTION_MCP_TIMEOUT_S=str(ANSWERS_S),
        FRACTION_MCP_OPEN_INBOX="false",
    )


def states(firm: Firm) -> list[str]:
    with closing(sqlite3.connect(firm.state / "journal.sqlite3")) as db:
        return [row[0] for row in db.execute("SELECT state FROM writes")]


def landed_once(firm: Firm) -> None:
    assert states(firm) == ["done"]
    assert len(firm.parts("SIGNAL-1")) == len(firm.sent()) == 1


async def ends_after_its_write(
    process: "subprocess.Popen[Any] | Started",
    slow: SlowErp,
    end: Callable[[], object],
    code: int,
    *,
    held_s: float = 0.5,
) -> None:
    """Told to end while the ERP holds its answer, it stays; once the ERP answers, it ends with this code."""
    assert await anyio.to_thread.run_sync(slow.asked.wait, LONG_ENOUGH_S)
    end()
    with pytest.raises(subprocess.TimeoutExpired):
        await anyio.to_thread.run_sync(process.wait, held_s)
    slow.answers()
    assert await anyio.to_thread.run_sync(process.wait, LONG_ENOUGH_S) == code


# --------------------------------------------------------------------------------------------------------------- stdio


class Host:
    """A host that speaks JSON-RPC by hand to `serve` on a pipe."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def send(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        assert self.process.stdin is not None
        told = {"jsonrpc": "2.0", "method": method, "params": params}
        self.process.stdin.write(json.dumps(told if number is None else {**told, "id": number}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        result: dict[str, Any] = json.loads(self.process.stdout.readline())["result"]
        return result

    def confirms(self) -> None:
        """Ask for a part under the policy two_step, and confirm it without waiting for what comes of it."""
        told = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "0"}}
        self.send("initialize", told, 1)
        self.answer()
        self.send("notifications/initialized", {})
        self.send("tools/call", {"name": "create_part", "arguments": PART}, 2)
        data = self.answer()["structuredContent"]
        token = {"write_id": data["write_id"], "confirmation_token": data["confirmation_token"]}
        self.send("tools/call", {"name": "confirm_write", "arguments": token}, 3)


@contextmanager
def host(environment: dict[str, str], *through: str) -> Iterator[Host]:
    process = subprocess.Popen(
        [*through, *real("serve")] if through else command("serve"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "FRACTION_MCP_CONFIRM": "two_step"},
    )
    with process:
        try:
            yield Host(process)
        finally:
            process.kill()


@ENDINGS
async def test_serve_on_a_pipe_ends_after_its_write(
    firm: Firm, slow: SlowErp, environment: dict[str, str], ending: signal.Signals
) -> None:
    with host(environment) as one:
        one.confirms()
        await ends_after_its_write(one.process, slow, lambda: one.process.send_signal(ending), 128 + ending)
        assert "Traceback" not in one.process.stderr.read()
    landed_once(firm)


async def test_serve_on_a_pipe_ends_after_its_write_when_its_host_leaves(
    firm: Firm, slow: SlowErp, environment: dict[str, str]
) -> None:
    with host(environment) as one:
        one.confirms()
        await ends_after_its_write(one.process, slow, one.process.stdin.close, 0)
    landed_once(firm)


# ---------------------------------------------------------------------------------------------------------------- HTTP


@contextmanager
def http_server(environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    port = free_port()
    process = subprocess.Popen(
        command("serve", "--http", "--port", str(port)),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "FRACTION_MCP_CONFIRM": "two_step"},
    )
    with process:
        try:
            wait_for(process, port)
            yield process, f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()


async def confirmed(url: str, mode: str) -> None:
    """Ask for a part and confirm it: the answer may never come, since the server is told to end meanwhile."""
    async with Client(url, mode=mode) as client:
        data = (await client.call_tool("create_part", PART)).structured_content or {}
        token = {"write_id": data["write_id"], "confirmation_token": data["confirmation_token"]}
        await client.call_tool("confirm_write", token)


@dataclass
class Ended:
    """How an HTTP server is told to end, while a client of which era waits, and how long its ERP then still holds."""

    mode: str = "auto"
    ending: signal.Signals = signal.SIGTERM
    held_s: float = 0.5


@pytest.mark.matrix
@pytest.mark.parametrize(
    "told",
    [
        Ended(),
        Ended(mode="legacy"),
        Ended(ending=signal.SIGHUP),
        Ended(ending=signal.SIGINT),
        Ended(held_s=6.5),  # beyond the seconds that answers are given
        Ended(mode="legacy", held_s=6.5),
    ],
    ids=str,
)
async def test_serve_on_http_ends_after_its_write(
    firm: Firm, slow: SlowErp, environment: dict[str, str], told: Ended
) -> None:
    end, code = told.ending, 128 + told.ending
    with http_server(environment) as (process, url), anyio.fail_after(LONG_ENOUGH_S):
        async with anyio.create_task_group() as group:

            async def host_of_its_own() -> None:
                try:
                    await confirmed(url, told.mode)
                except Exception:  # noqa: BLE001 - however the client takes it that its server has left
                    return

            group.start_soon(host_of_its_own)
            await ends_after_its_write(process, slow, lambda: process.send_signal(end), code, held_s=told.held_s)
            group.cancel_scope.cancel()
    landed_once(firm)


# ---------------------------------------------------------------------------------------------------- people's commands


async def waiting(firm: Firm) -> str:
    async with firm.seat(wired=True) as seat:
        return str((await seat.call("create_part", **PART))["write_id"])


@pytest.mark.matrix
@ENDINGS
async def test_approvals_ends_after_the_write_that_was_approved_in_it(
    firm: Firm, slow: SlowErp, environment: dict[str, str], ending: signal.Signals
) -> None:
    write_id = await waiting(firm)
    with terminal(firm.state, "approvals", "--no-open", environment=environment) as screen:
        link = re.search(r"http://127\.0\.0\.1:\d+/\S*token=\S+", screen.until(r"token=\S+\n"))
        assert link
        async with httpx.AsyncClient(follow_redirects=True, timeout=LONG_ENOUGH_S) as http:
            place = re.search(r"/s/[\w-]+/", (await http.get(link[0])).text)
            assert place
            inbox = httpx.URL(link[0]).join(place[0])
            page = (await http.get(inbox)).text
            form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf", "digest")}
            action = re.search(rf'formaction="([^"]*writes/{write_id}/approve)"', page)
            assert action
            press = inbox.join(action[1])

            async def pressed() -> None:
                try:
                    await http.post(press, data=form)
                except httpx.HTTPError:
                    return

            async with anyio.create_task_group() as group:
                group.start_soon(pressed)
                await ends_after_its_write(
                    screen.process, slow, lambda: screen.process.send_signal(ending), 128 + ending
                )
    landed_once(firm)


@pytest.mark.matrix
@ENDINGS
async def test_approve_ends_after_its_write_and_says_what_came_of_it(
    firm: Firm, slow: SlowErp, environment: dict[str, str], ending: signal.Signals
) -> None:
    write_id = await waiting(firm)
    with terminal(firm.state, "approve", write_id, environment=environment) as screen:
        screen.until("Type yes: ")
        screen.types("yes\n")

        def end() -> None:
            for _ in range(3):  # an impatient person changes nothing
                screen.process.send_signal(ending)

        await ends_after_its_write(screen.process, slow, end, 128 + ending)
        assert screen.until(r"it is done").count("A write may be on its way: it ends first") == 1
        assert "it is done, as 'SIGNAL-1'" in screen.seen
        assert "Traceback" not in screen.seen
    landed_once(firm)


@pytest.mark.smoke
@pytest.mark.matrix
@ENDINGS
async def test_call_ends_after_the_write_of_its_child_and_says_what_came_of_it(
    firm: Firm, slow: SlowErp, environment: dict[str, str], ending: signal.Signals
) -> None:
    with terminal(firm.state, "call", "create_part", "part_number=SIGNAL-1", environment=environment) as screen:
        screen.until("Type yes: ")
        screen.types("yes\n")
        await ends_after_its_write(screen.process, slow, lambda: screen.process.send_signal(ending), 128 + ending)
        assert "it is done, as 'SIGNAL-1'" in screen.until(r"it is done")
        assert "Traceback" not in screen.seen
    landed_once(firm)


async def test_a_call_that_is_interrupted_leaves_its_child_the_time_that_its_write_takes(
    firm: Firm, slow: SlowErp, environment: dict[str, str]
) -> None:
    write_id = await waiting(firm)
    async with firm.runtime() as runtime:
        journal = (await runtime.write_service()).journal
        write = await journal.get(write_id)
        await journal.approve(write_id, digest=write.digest, by=Decider("a person elsewhere"))
    words = ("call", "get_write_status", f"write_id={write_id}")  # whoever looks at it sends it
    with terminal(firm.state, *words, environment=environment) as screen:
        # Longer than the SDK's own transport would let the child live.
        await ends_after_its_write(screen.process, slow, lambda: screen.types("\x03"), 130, held_s=5)
    landed_once(firm)


async def test_a_terminal_that_hangs_up_in_mid_write_does_not_tear_it(
    firm: Firm, slow: SlowErp, environment: dict[str, str]
) -> None:
    with terminal(firm.state, "call", "create_part", "part_number=SIGNAL-1", environment=environment) as screen:
        screen.until("Type yes: ")
        screen.types("yes\n")
        assert await anyio.to_thread.run_sync(slow.asked.wait, LONG_ENOUGH_S)
        screen.hangs_up()
        with pytest.raises(subprocess.TimeoutExpired):
            await anyio.to_thread.run_sync(screen.process.wait, 0.5)
        slow.answers()
        assert await anyio.to_thread.run_sync(screen.process.wait, LONG_ENOUGH_S) != 0
    landed_once(firm)


@pytest.mark.matrix
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
@pytest.mark.parametrize(
    "words", [("call", "create_part", "part_number=SIGNAL-1"), ("approve",)], ids=lambda one: one[0]
)
async def test_told_to_end_at_its_question_a_command_ends_and_nothing_is_decided(
    firm: Firm, environment: dict[str, str], words: tuple[str, ...], ending: signal.Signals
) -> None:
    if words == ("approve",):
        words = ("approve", await waiting(firm))
    with terminal(firm.state, *words, environment=environment) as screen:
        screen.until("Type yes: ")
        screen.process.send_signal(ending)
        assert await anyio.to_thread.run_sync(screen.process.wait, LONG_ENOUGH_S) == 128 + ending
    assert states(firm) == ["awaiting_approval"]
    assert firm.sent() == []


@pytest.mark.slow
async def test_a_signal_that_was_ignored_at_the_start_stays_ignored(firm: Firm, environment: dict[str, str]) -> None:
    """As under nohup."""

    with host(environment, "sh", "-c", 'trap "" HUP; exec "$@"', "sh") as one:
        one.send("ping", {}, 1)
        assert one.answer() == {}
        one.process.send_signal(signal.SIGHUP)
        one.send("ping", {}, 2)
        assert one.answer() == {}
        one.process.stdin.close()
        assert await anyio.to_thread.run_sync(one.process.wait, LONG_ENOUGH_S) == 0
