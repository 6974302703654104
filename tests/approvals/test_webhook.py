"""A webhook is told that a write waits: once, little, in bounded time, and never in the way of the write."""

import io
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import pytest
from mcp import Client
from pydantic import SecretStr
from starlette.applications import Starlette

from fraction_mcp.erp.cache import RememberingErp
from fraction_mcp.erp.client import fraction_client
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.runtime import Runtime, Seat
from fraction_mcp.server.app import create_server
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store import TeamStore
from tests.support import wait_until

from .conftest import settings_for

pytestmark = pytest.mark.anyio

PATH = "/hooks/secret-of-the-chat"


class Told(list[dict[str, Any]]):
    """What a webhook was told, and with which signatures and bytes (`received`)."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[tuple[dict[str, str | None], bytes]] = []


@contextmanager
def webhook(status: int = 200, *, held: threading.Event | None = None) -> Iterator[tuple[str, "Told"]]:
    """Somebody's: its address, and what it was told. One that is `held` answers only once the event is set."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = {name: self.headers[f"Webhook-{name}"] for name in ("Id", "Timestamp", "Signature")}
            told.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
            told.received.append((signed, body))
            if held:
                held.wait(20)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            told.append({"path": self.path, "followed": True})

        def log_message(self, *_: object) -> None:
            """It keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    with server:
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{PATH}", told
        finally:
            if held:
                held.set()
            server.shutdown()
            thread.join()


@contextmanager
def quickly(most_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < most_s


def settings(tmp_path: Path, address: str) -> Any:
    return settings_for(tmp_path / "state", notify_url=SecretStr(address))


async def asked(runtime: Runtime, number: str) -> Any:
    async with Client(create_server(runtime)) as client:
        return (await client.call_tool("create_part", {"part_number": number, "note": "urgent"})).structured_content


async def test_what_waits_is_told_once_and_nothing_beyond_its_title_its_id_and_how_many_wait(
    erps: Starlette, tmp_path: Path
) -> None:
    with webhook() as (address, told):
        async with Runtime(settings(tmp_path, address), erps) as runtime:
            first = await asked(runtime, "HOOK-1")
            await asked(runtime, "HOOK-1")  # the same again
            await asked(runtime, "HOOK-2")
            await wait_until(lambda: len(told) == 2)
    assert told[0] == {
        "path": PATH,
        "type": "application/json",
        "text": "1 write waits for approval.",
        "title": "Create the part 'HOOK-1'",
        "id": first["write_id"],
        "count": 1,
    }
    assert (told[1]["text"], told[1]["count"]) == ("2 writes wait for approval.", 2)


@pytest.mark.matrix
@pytest.mark.parametrize("status", [302, 404, 500])
async def test_one_that_refuses_is_logged_once_without_its_address_and_the_write_waits_all_the_same(
    erps: Starlette, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with webhook(status) as (address, told), caplog.at_level(logging.DEBUG):
        async with Runtime(settings(tmp_path, address), erps) as runtime:
            for number in range(3):
                assert (await asked(runtime, f"HOOK-{number}"))["outcome"] == "awaiting_approval"
    assert len(told) == 3, "a redirect is not followed"
    lines = [record.getMessage() for record in caplog.records if "webhook" in record.getMessage()]
    assert lines == [f"the webhook at 127.0.0.1 could not be told that a write waits: it answered HTTP {status}"]
    assert "secret-of-the-chat" not in caplog.text


async def test_one_that_does_not_answer_holds_up_neither_a_write_nor_the_end_of_the_server(
    erps: Starlette, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.approvals.webhook.LONGEST_S", 1.0)
    with webhook(held=threading.Event()) as (address, told), quickly(15):
        async with Runtime(settings(tmp_path, address), erps) as runtime:
            with anyio.fail_after(25):
                assert (await asked(runtime, "HOOK-1"))["outcome"] == "awaiting_approval"
        assert len(told) == 1
    assert "it did not answer within 1 s" in caplog.text


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/hooks/secret", "https://127.0.0.1:1/hooks/secret"])
async def test_one_that_is_not_there_is_logged(
    erps: Starlette, tmp_path: Path, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    async with Runtime(settings(tmp_path, address), erps) as runtime:
        await asked(runtime, "HOOK-1")
    assert "the webhook at 127.0.0.1 could not be told that a write waits: Connection refused" in caplog.text
    assert "secret" not in caplog.text


async def test_what_answers_something_else_than_http_is_logged_without_what_it_said(
    erps: Starlette, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:

        async def nonsense(stream: Any) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"\x00canary\r\n\r\n")

        group.start_soon(listener.serve, nonsense)
        port = listener.extra_attributes[anyio.abc.SocketAttribute.local_port]()
        async with Runtime(settings(tmp_path, f"http://127.0.0.1:{port}/secret"), erps) as runtime:
            await asked(runtime, "HOOK-1")
        group.cancel_scope.cancel()
    assert "could not be told that a write waits: it answered something else than HTTP" in caplog.text
    assert "canary" not in caplog.text


# ---------------------------------------------------------------------------------------------------------- signatures

KEY, NEW_KEY = "k" * 32, "n" * 32
VERIFYING = re.search(
    r"```python\n(# Whether.*?)```", (Path(__file__).parents[2] / "docs" / "deployment.md").read_text("utf-8"), re.S
)


def verified(secret: str, headers: dict[str, Any], body: bytes, now: float) -> bool:
    """By the example that docs/deployment.md gives to whoever receives."""
    assert VERIFYING
    names: dict[str, Any] = {}
    exec(VERIFYING[1], names)
    given = {f"webhook-{name.lower()}": value for name, value in headers.items()}
    return bool(names["is_genuine"](secret, given, body, now))


def secret_of(key: str) -> str:
    """By the command that docs/deployment.md gives to the operator."""
    page = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text("utf-8")
    found = re.search(r"python -c '(import base64.*?)'$", page, re.M)
    assert found
    with mock.patch.dict(os.environ, {"FRACTION_MCP_SECRET_KEY": f"{key},{'o' * 32}"}), io.StringIO() as printed:
        with redirect_stdout(printed):
            exec(found[1], {})
        return printed.getvalue().strip()


async def test_with_a_key_it_is_signed_as_the_documentation_says_and_nobody_else_can(
    erps: Starlette, tmp_path: Path
) -> None:
    with webhook() as (address, told):
        keys = SecretStr(f"{NEW_KEY}, {KEY}")
        own = settings(tmp_path, address).model_copy(update={"secret_key": keys})
        async with Runtime(own, erps) as runtime:
            await asked(runtime, "HOOK-1")
            await wait_until(lambda: len(told) == 1)
    headers, body = told.received[0]
    at = float(headers["Timestamp"] or 0)
    for key in (KEY, NEW_KEY):
        assert verified(secret_of(key), headers, body, at + 60)
    assert not verified(secret_of("x" * 32), headers, body, at), "another key"
    assert not verified(secret_of(KEY), headers, body.replace(b"HOOK-1", b"HOOK-2"), at), "another body"
    assert not verified(secret_of(KEY), {**headers, "Timestamp": str(int(at) + 1)}, body, at), "another time"
    assert not verified(secret_of(KEY), {**headers, "Id": "msg_0"}, body, at), "another event"
    assert not verified(secret_of(KEY), headers, body, at + 301), "sent again later"


async def test_on_a_desk_without_a_key_it_is_not_signed(erps: Starlette, tmp_path: Path) -> None:
    with webhook() as (address, told):
        async with Runtime(settings(tmp_path, address), erps) as runtime:
            await asked(runtime, "HOOK-1")
            await wait_until(lambda: len(told) == 1)
    assert told.received[0][0]["Signature"] is None
    assert (told.received[0][0]["Id"] or "").startswith("msg_")


# -------------------------------------------------------------------------------------------------------------- a team


async def test_in_a_team_it_says_whose_it_is_who_may_decide_and_where_once_from_all_replicas(
    erps: Starlette, tmp_path: Path
) -> None:
    journal = await Journal.open("", tmp_path / "state")
    store = TeamStore(journal.database, KeyRing([KEY.encode()]))

    async def once(what: str, until: float) -> bool:
        return await store.once(what, until=until)

    with webhook() as (address, told):
        own = settings(tmp_path, address).model_copy(
            update={"approvers": "create_part: boss@example.com, anna@example.com"}
        )
        inbox = "https://tools.example.com/approvals"
        for _replica in range(2):
            erp = RememberingErp(fraction_client(own, erps), keep_s=0)
            seat = Seat("signed-in:anna@example.com", "anna@example.com", (erp,), journal, inbox, once)
            async with Runtime(own, seat=seat) as runtime:
                first = await asked(runtime, "HOOK-1")
                await wait_until(lambda: len(told) == 1)
    assert len(told) == 1
    assert told[0] == {
        "path": PATH,
        "type": "application/json",
        "text": "1 write waits for approval.",
        "title": "Create the part 'HOOK-1'",
        "id": first["write_id"],
        "count": 1,
        "person": "anna@example.com",
        "approvers": ["boss@example.com"],
        "address": f"{inbox}/writes/{first['write_id']}",
    }
    await journal.aclose()
