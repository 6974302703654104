"""The inbox on a real socket: how it begins, what streams, and how it ends."""

import logging
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from fraction_mcp.approvals import serve_inbox
from fraction_mcp.approvals.serving import browser_is_there
from fraction_mcp.errors import ConfigError
from fraction_mcp.operations.lifecycle import State, Write
from tests.support import child_environment

from .conftest import Desk

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(desk: Desk, *, open_browser: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has signed in at an inbox on a socket of its own."""
    links: list[str] = []
    there = anyio.Event()

    def announced(link: str) -> None:
        links.append(link)
        there.set()

    async def serve() -> None:
        await serve_inbox(desk.clerk, open_browser=open_browser, announce=announced)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await there.wait()
            base = links[0].partition("/enter")[0]
            async with httpx.AsyncClient(base_url=base, timeout=10) as http:
                assert (await http.get(links[0])).status_code == 200
                yield http
            group.cancel_scope.cancel()


async def events(stream: httpx.Response) -> AsyncIterator[str]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield line


async def test_a_page_that_is_open_is_told_when_something_changed_and_only_then(desk: Desk) -> None:
    await desk.part("LIVE-0")
    async with served(desk) as http, http.stream("GET", "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = events(stream)
        first = await anext(told)
        write = await desk.part("LIVE-1")
        second = await anext(told)
        assert first != second == f"data: {await desk.clerk.journal.head()}"
        assert write.id in (await http.get("/cards")).text
        silent = True
        with anyio.move_on_after(1.5):  # longer than it looks at the journal
            await anext(told)
            silent = False
        assert silent


async def test_the_inbox_ends_at_once_even_while_pages_watch_it(desk: Desk) -> None:
    async with served(desk) as http:
        stream = await http.send(http.build_request("GET", "/events"), stream=True)
        await anext(events(stream))
        base = str(http.base_url)
        began = anyio.current_time()
    assert anyio.current_time() - began < 4
    async with httpx.AsyncClient(base_url=base) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/")


async def test_a_decision_is_carried_out_though_the_browser_leaves(desk: Desk) -> None:
    write = await desk.part("LIVE-2")
    desk.erps.state.faults.arm("timeout_after", method="POST", seconds=0.3)
    async with served(desk) as http:
        page = (await http.get("/")).text
        form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf", "digest")}
        with anyio.move_on_after(0.15):
            await http.post(f"/writes/{write.id}/approve", data=form)
        await reaches(desk, write, State.DONE)
    assert desk.parts("LIVE-2") == 1


async def reaches(desk: Desk, write: Write, state: State) -> None:
    with anyio.fail_after(10):
        while await desk.state(write) is not state:
            await anyio.lowlevel.checkpoint()


async def test_signals_stdout_and_logs_are_left_alone(
    desk: Desk, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.DEBUG):
        async with served(desk) as http:
            assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
            assert (await http.get("/")).status_code == 200
    assert capfd.readouterr().out == ""
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in ours if "token=" in line]  # httpx here is the test's own browser


async def test_a_port_that_is_taken_is_told(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="cannot listen on port"):
        await serve_inbox(desk.clerk, port=taken.getsockname()[1], open_browser=False)


# ------------------------------------------------------------------------------------------------------------- browsers


@pytest.mark.skipif(sys.platform == "win32", reason="a browser is a shell script here")
async def test_the_browser_gets_a_link_of_its_own_and_its_output_goes_nowhere(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = stand_in_browser(tmp_path, monkeypatch)
    async with served(desk, open_browser=True) as http:
        link = (await until(opened))[0]
        assert link.startswith(f"{http.base_url}/enter?token=")
        async with httpx.AsyncClient() as other:
            assert (await other.get(link)).status_code == 200
            assert (await other.get(str(http.base_url))).status_code == 200
    assert "noise" not in "".join(capfd.readouterr())


@pytest.mark.skipif(sys.platform == "win32", reason="a browser is a shell script here")
async def test_the_browser_is_opened_again_for_a_later_write_unless_somebody_looks(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stand_in_browser(tmp_path, monkeypatch)
    give, take = anyio.create_memory_object_stream[None](0)
    async with give, take, anyio.create_task_group() as group:

        async def serve() -> None:
            await serve_inbox(desk.clerk, open_browser=True, recalled=take.receive)

        group.start_soon(serve)
        link = (await until(opened))[0]
        await give.send(None)
        assert len(set(await until(opened, 2))) == 2
        async with httpx.AsyncClient(base_url=link.partition("/enter")[0]) as http:
            await http.get(link)
            async with http.stream("GET", "/events") as stream:
                await anext(events(stream))
                await give.send(None)
                await give.send(None)  # taken once the one before has been seen to
                assert len(opened()) == 2
        group.cancel_scope.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="a browser is a shell script here")
async def test_a_stdio_server_opens_the_inbox_by_itself_and_sends_what_is_approved_there(
    company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stand_in_browser(tmp_path, monkeypatch)
    shutil.copy(company, tmp_path / "sandbox.sqlite3")
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "fraction_mcp", "serve", "--sandbox"],
        env=child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path), FRACTION_MCP_LOG_LEVEL="DEBUG"),
    )
    with (tmp_path / "stderr").open("w+") as log, anyio.fail_after(40):
        async with Client(stdio_client(server, errlog=log)) as client:
            asked = await client.call_tool("create_part", {"part_number": "SELF-1"})
            data = asked.structured_content or {}
            assert data["outcome"] == "awaiting_approval"
            link = (await until(opened))[0]
            async with httpx.AsyncClient(base_url=link.partition("/enter")[0], follow_redirects=True) as http:
                await http.get(link)
                page = (await http.get("/")).text
                form = {
                    part: page.partition(f'name="{part}" value="')[2].partition('"')[0] for part in ("csrf", "digest")
                }
                after = await http.post(f"/writes/{data['write_id']}/approve", data=form)
                assert "It is done, as &#39;SELF-1&#39;" in after.text
            status = await client.call_tool("get_write_status", {"write_id": data["write_id"]})
            assert (status.structured_content or {})["outcome"] == "done"
        log.seek(0)
        token = link.partition("token=")[2]
        for told in (log.read(), asked.model_dump_json(), status.model_dump_json()):
            assert token not in told
            assert "/enter" not in told


def stand_in_browser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    script, seen = folder / "browser", folder / "opened"
    script.write_text(f'#!/bin/sh\necho noise\necho noise >&2\necho "$1" >> {seen}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(script))
    return lambda: seen.read_text().split() if seen.exists() else []


async def until(opened: Callable[[], list[str]], count: int = 1) -> list[str]:
    with anyio.fail_after(20):
        while len(links := opened()) < count:  # noqa: ASYNC110 - another process writes the file
            await anyio.sleep(0.01)
    return links


@pytest.mark.parametrize(
    ("environment", "platform", "there"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"TERM": "xterm"}, "linux", False),
        ({"BROWSER": "firefox"}, "linux", True),
        ({"BROWSER": "/usr/bin/lynx %s"}, "linux", False),
        ({"BROWSER": "w3m:firefox", "DISPLAY": ":0"}, "linux", False),
        ({"BROWSER": " "}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_browser_is_opened_only_where_there_is_one_with_windows(
    environment: dict[str, str], platform: str, there: bool
) -> None:
    assert browser_is_there(environment, platform) is there
