"""Connections that ask nothing, or never finish asking: they are few, they end, they make way, and no log fills."""

import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import SocketStream
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp import loopback
from fraction_mcp.errors import ConfigError
from fraction_mcp.loopback import Bounds, Server, listening, listening_to_others
from tests.support import child_environment, free_port, wait_for

pytestmark = pytest.mark.anyio

HEAD = b"GET /now HTTP/1.1\r\nhost: here\r\n\r\n"
BODY = b"POST /now HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a whole request; at /early half of one, at /stream without an end, at /flood more than buffers hold."""
    while scope["path"] != "/early" and (await receive()).get("more_body"):
        pass
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    await send(start)
    if scope["path"] in {"/now", "/early"}:
        await send({"type": "http.response.body", "body": b"now"})
        return
    await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
    if scope["path"] == "/flood":
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def served(most: int, bounds: Bounds | None = None, serving: ASGIApp = app) -> AsyncIterator[int]:
    with closing(listening("127.0.0.1", 0, what="a test")) as listener:
        server = Server(serving, most=most, lifespan=False, bounds=bounds)
        async with anyio.create_task_group() as group:
            with anyio.fail_after(25):
                group.start_soon(lambda: server.serve(sockets=[listener]))
                yield listener.getsockname()[1]
                server.should_exit = True


async def closed(connection: SocketStream) -> bytes:
    """What came before the other side closed the connection."""
    came = b""
    try:
        async with connection:
            while True:
                came += await connection.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return came


async def answer(port: int) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as http:
        return await http.get(f"http://127.0.0.1:{port}/now")


@pytest.mark.parametrize(
    "begun", [b"", HEAD[:20], HEAD[:-2], BODY, BODY + b"half"], ids=["nothing", "a line", "a head", "no body", "half"]
)
async def test_a_request_that_does_not_come_in_whole_is_given_up(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.2)
    async with served(most=8) as port:
        connection = await anyio.connect_tcp("127.0.0.1", port)
        if begun:
            await connection.send(begun)
        assert await closed(connection) == b""


async def test_a_request_that_comes_a_byte_at_a_time_has_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.3)
    async with served(most=8) as port:
        connection = await anyio.connect_tcp("127.0.0.1", port)

        async def drip() -> None:
            for byte in HEAD * 100:
                await connection.send(bytes([byte]))
                await anyio.sleep(0.02)  # as slowly as somebody who wants to stay

        with pytest.raises(anyio.BrokenResourceError):
            await drip()
        await connection.aclose()


async def test_a_second_request_on_a_connection_has_its_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.3)
    async with served(most=8) as port:
        connection = await anyio.connect_tcp("127.0.0.1", port)
        await connection.send(HEAD)
        assert b"now" in await connection.receive()
        await connection.send(HEAD[:20])
        assert await closed(connection) == b""


async def test_a_stream_is_not_cut_however_long_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.1)
    async with served(most=2) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(HEAD.replace(b"/now", b"/stream"))
        came = b""
        while b"first" not in came:
            came += await stream.receive()
        for _ in range(5):  # others come and go, and are more than there is room for
            assert await closed(await anyio.connect_tcp("127.0.0.1", port)) == b""
        with anyio.move_on_after(0.1) as still_open:
            await stream.receive()
        assert still_open.cancelled_caught


async def test_whoever_waits_longest_makes_way_for_a_new_connection() -> None:
    async with served(most=4) as port:
        idle = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(4)]
        assert (await answer(port)).text == "now"
        assert await closed(idle[0]) == b""
        for connection in idle[1:]:  # one came, so one went
            await connection.send(HEAD)
            assert b"now" in await connection.receive()
            await connection.aclose()


async def test_where_every_connection_is_being_answered_a_new_one_is_refused() -> None:
    async with served(most=2) as port:
        streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(2)]
        for stream in streams:
            await stream.send(HEAD.replace(b"/now", b"/stream"))
            assert b"200 OK" in await stream.receive()
        assert (await closed(await anyio.connect_tcp("127.0.0.1", port))).startswith(b"HTTP/1.1 503 ")
        await streams.pop().aclose()
        while (await answer(port)).status_code != 200:
            pass
        await streams.pop().aclose()


async def test_whoever_reads_nothing_makes_way_too() -> None:
    async with served(most=2) as port:
        unread = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(2)]
        for connection in unread:
            await connection.send(HEAD.replace(b"/now", b"/flood"))
        while True:
            try:
                if (await answer(port)).status_code == 200:
                    break
            except httpx.TransportError:  # the buffers of this machine are not full yet
                await anyio.sleep(0.01)
        for connection in unread:
            await connection.aclose()


async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "STALL_S", 0.2)
    async with served(most=1) as port, await anyio.connect_tcp("127.0.0.1", port) as connection:
        await connection.send(HEAD.replace(b"/now", b"/flood"))
        while True:
            try:
                if (await answer(port)).status_code == 200:
                    break
            except httpx.TransportError:  # refused, and closed before its request was read
                await anyio.sleep(0.01)


# ------------------------------------------------------------------------------------------------------------- the log


@pytest.mark.matrix
@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"GET /now HTTP/1.1\r\n\r\n",
        HEAD[:-2] + b"connection: close\r\n\r\n" + b"garbage",
        HEAD + b"garbage\r\n\r\n",
        b"GET /now HTTP/1.0\r\n\r\ngarbage",
        b"POST /now HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\ngarbage\r\n",
        b"GET /stream HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\ngarbage",
        b"POST /early HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET /now HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"GET /" + b"x" * 100_000,
    ],
)
async def test_what_is_no_request_leaves_no_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.1)
    with caplog.at_level(logging.INFO):
        async with served(most=4) as port:
            connection = await anyio.connect_tcp("127.0.0.1", port)
            await connection.send(sent)
            if sent.startswith(b"POST /early"):
                assert b"now" in await connection.receive()
                await connection.send(b"garbage\r\n")
            with anyio.move_on_after(0.3):
                await closed(connection)
            assert (await answer(port)).status_code == 200
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == []


# --------------------------------------------------------------------------------------- a machine that is shared: 250

HOLD = """
import socket, sys
held = []
for number in range(250):
    try:
        held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5))
        held[-1].sendall(b"POST /mcp HTTP/1.1\\r\\nHost: 127.0" if number % 2 else b"")
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["serve --http", pytest.param("approvals", marks=pytest.mark.slow)])
def face(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str, Path]]:
    """Each face as a process that may open 256 files, as on macOS; its address, and the file that its log goes to."""
    resource = pytest.importorskip("resource", reason="limits on open files are POSIX")
    port, log = free_port(), tmp_path / "log"
    face = ["serve", "--http"] if request.param == "serve --http" else ["approvals", "--no-open"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "fraction_mcp", *face, "--sandbox", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
            env=child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path / "state")),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),  # noqa: PLW1509 - no thread runs
        ) as process,
    ):
        try:
            wait_for(process, port)
            path = "mcp" if face[0] == "serve" else "static/inbox.css"
            yield process, f"http://127.0.0.1:{port}/{path}", log
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files and memory of another process are read in /proc")
def test_250_idle_connections_take_neither_its_files_nor_its_memory_nor_its_log(
    face: tuple["subprocess.Popen[str]", str, Path],
) -> None:
    process, url, log = face
    folder = Path(f"/proc/{process.pid}")

    def memory_mb() -> int:
        found = re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())
        return int(found[1]) // 1024 if found else 0

    assert httpx.get(url, timeout=60).status_code in {200, 400}
    before, said = memory_mb(), log.stat().st_size
    hold = [sys.executable, "-c", HOLD, str(httpx.URL(url).port)]
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout
            assert int(attacker.stdout.readline()) > 200
            for _ in range(20):
                assert httpx.get(url, timeout=60).status_code in {200, 400}
            assert len(list((folder / "fd").iterdir())) < 128
            assert memory_mb() - before < 16
            assert log.stat().st_size == said
        finally:
            attacker.kill()


# ------------------------------------------------------------------------------------------- a server that others reach


@pytest.mark.parametrize("proxy", [False, True])
async def test_one_address_has_few_connections_and_a_trusted_proxy_as_many_as_there_are(proxy: bool) -> None:
    """The oldest of its own that waits makes way; where all are being answered, the new one is refused."""
    bounds = Bounds(each=2, is_proxy=lambda _: proxy, largest_head=16_384, grace_s=5)
    async with served(most=8, bounds=bounds) as port:
        idle = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(3)]
        if proxy:
            await idle[0].send(HEAD)
            assert b"now" in await idle[0].receive()
        else:
            assert await closed(idle[0]) == b""
        streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(2)]
        for stream in streams:
            await stream.send(HEAD.replace(b"/now", b"/stream"))
            assert b"200 OK" in await stream.receive()
        another = await anyio.connect_tcp("127.0.0.1", port)
        if proxy:
            await another.send(HEAD)
            assert b"now" in await another.receive()
        else:
            assert (await closed(another)).startswith(b"HTTP/1.1 503 ")
        for one in [*idle, *streams, another]:
            await one.aclose()


@pytest.mark.parametrize("proxy", [False, True])
async def test_a_proxys_idle_connection_is_kept_and_a_request_on_it_has_no_longer_than_any(
    monkeypatch: pytest.MonkeyPatch, proxy: bool
) -> None:
    monkeypatch.setattr(loopback, "REQUEST_S", 0.2)
    bounds = Bounds(each=8, is_proxy=lambda _: proxy, largest_head=16_384, grace_s=5)
    async with served(most=8, bounds=bounds) as port:
        connection = await anyio.connect_tcp("127.0.0.1", port)
        await connection.send(HEAD)
        assert b"now" in await connection.receive()
        if proxy:
            with anyio.move_on_after(0.5) as still_open:
                await connection.receive()
            assert still_open.cancelled_caught
            await connection.send(HEAD)
            assert b"now" in await connection.receive()
            await connection.send(HEAD[:20])
        assert await closed(connection) == b""


async def test_the_connections_of_an_address_that_are_over_are_not_counted() -> None:
    bounds = Bounds(each=1, is_proxy=lambda _: False, largest_head=16_384, grace_s=5)
    async with served(most=8, bounds=bounds) as port:
        for _ in range(5):
            assert (await answer(port)).text == "now"


async def test_a_head_that_goes_on_beyond_its_bound_is_refused_and_one_within_is_not() -> None:
    bounds = Bounds(each=8, is_proxy=lambda _: False, largest_head=16_384, grace_s=5)
    async with served(most=8, bounds=bounds) as port, httpx.AsyncClient(timeout=60) as http:
        url = f"http://127.0.0.1:{port}/now"
        assert (await http.get(url, headers={"x": "y" * 8_000})).status_code == 200
        with suppress(httpx.TransportError):  # it was closed while the rest was still being sent
            assert (await http.get(url, headers={"x": "y" * 1_000_000})).status_code == 400


async def test_what_a_neighbour_says_of_where_it_comes_from_is_not_believed() -> None:
    seen: list[Scope] = []

    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await app(scope, receive, send)

    async with served(most=8, serving=looks) as port, httpx.AsyncClient(timeout=60) as http:
        said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        await http.get(f"http://127.0.0.1:{port}/now", headers=said)
    assert (seen[0]["client"][0], seen[0]["scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2", "::", "localhost"])
def test_another_address_is_listened_on_where_people_sign_in(host: str) -> None:
    with closing(listening_to_others(host, 0, what="a test")) as listener:
        assert listener.getsockname()[1] > 0
    with pytest.raises(KeyError):
        listening("0.0.0.0", 0, what="a test")


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(ConfigError, match=r"a test cannot listen on port 0 of 192\.0\.2\.1"):
        listening_to_others("192.0.2.1", 0, what="a test")
