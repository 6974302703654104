"""The inbox on a real socket: how it begins, what streams, and how it ends."""

import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from fraction_mcp.approvals import serve_inbox
from fraction_mcp.errors import ConfigError
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write

from .conftest import Writer, come_in

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(writer: Writer) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has signed in at an inbox on a socket of its own."""
    links: list[str] = []
    there = anyio.Event()

    def announced(link: str) -> None:
        links.append(link)
        there.set()

    async def serve() -> None:
        await serve_inbox(writer.service, writer.state_folder, open_browser=False, announce=announced)

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await there.wait()
            async with httpx.AsyncClient(timeout=60) as http:
                await come_in(http, links[0])
                yield http
            group.cancel_scope.cancel()


async def events(stream: httpx.Response) -> AsyncIterator[str]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield line


async def test_a_page_that_is_open_is_told_when_something_changed_and_only_then(writer: Writer) -> None:
    await writer.part("LIVE-0")
    async with served(writer) as http, http.stream("GET", "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = events(stream)
        first = await anext(told)
        write = await writer.part("LIVE-1")
        second = await anext(told)
        assert first != second == f"data: {await writer.service.journal.head()}"
        assert write.id in (await http.get("/cards")).text
        silent = True
        with anyio.move_on_after(1.5):  # longer than it looks at the journal
            await anext(told)
            silent = False
        assert silent


async def test_the_inbox_ends_at_once_even_while_pages_watch_it(writer: Writer) -> None:
    async with served(writer) as http:
        stream = await http.send(http.build_request("GET", "/events"), stream=True)
        watching = events(stream)  # whoever drops it hangs up
        await anext(watching)
        base = str(http.base_url)
        began = anyio.current_time()
        assert not stream.is_closed
    assert anyio.current_time() - began < 25, "it did not wait for the page to leave"
    async with httpx.AsyncClient(base_url=base) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/")


async def test_a_decision_is_carried_out_though_the_browser_leaves(writer: Writer) -> None:
    write = await writer.part("LIVE-2")
    writer.erps.state.faults.arm("timeout_after", method="POST", seconds=0.3)
    async with served(writer) as http:
        page = (await http.get("/")).text
        form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf", "digest")}
        with anyio.move_on_after(0.15):
            await http.post(f"/writes/{write.id}/approve", data=form)
        await reaches(writer, write, State.DONE)
    assert writer.parts("LIVE-2") == 1


async def reaches(writer: Writer, write: Write, state: State) -> None:
    with anyio.fail_after(25):
        while await writer.state(write) is not state:
            await anyio.lowlevel.checkpoint()


async def test_signals_stdout_and_logs_are_left_alone(
    writer: Writer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.DEBUG):
        async with served(writer) as http:
            assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
            assert (await http.get("/")).status_code == 200
    assert capfd.readouterr().out == ""
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in ours if "token=" in line]  # httpx here is the test's own browser


async def test_a_port_that_is_taken_is_told(writer: Writer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"the inbox cannot listen on port {port} of 127.0.0.1: "):
            await serve_inbox(writer.service, writer.state_folder, port=port, open_browser=False, announce=print)


async def test_where_nobody_could_come_in_nothing_is_served(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with anyio.fail_after(25):
        await serve_inbox(writer.service, writer.state_folder, open_browser=True)
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "`fraction-mcp approvals`" in told
