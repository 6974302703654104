"""The inbox as a process of its own: it outlives its server, is proved before it is used, and ends when needless."""

import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters

from fraction_mcp.approvals import process
from fraction_mcp.approvals.known import Known, Proofs, ask, new_known, read_known, say_known
from fraction_mcp.approvals.senders import heartbeat, is_anybody_alive
from tests.support import child_environment, end_inbox, wait_until

from .conftest import Writer, come_in
from .test_opening import StandIn, inbox_of_servers, stand_in

__all__ = ["stand_in"]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="a browser is a shell script here"),
]


@pytest.fixture
def state(company: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.copy(company, folder / "sandbox.sqlite3")
    yield folder
    end_inbox(folder)


@asynccontextmanager
async def server(state: Path, **environment: str) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "fraction_mcp", "serve", "--sandbox"],
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state), **environment),
    )
    async with Client(command) as client:
        yield client


async def wanted(client: Client, number: str) -> str:
    data = (await client.call_tool("create_part", {"part_number": number})).structured_content or {}
    assert data["outcome"] == "awaiting_approval"
    return str(data["write_id"])


def text_of(folder: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------- it outlives servers


@pytest.mark.smoke
async def test_an_approval_is_carried_out_after_the_server_that_asked_has_gone_and_the_inbox_then_ends(
    state: Path, stand_in: StandIn
) -> None:
    with anyio.fail_after(60):
        async with server(state) as client:
            write = await wanted(client, "ALONE-1")
            link = await stand_in.link()
        said = json.loads((state / "inbox.json").read_text())
        assert stat.S_IMODE((state / "inbox.json").stat().st_mode) == 0o600
        async with httpx.AsyncClient(follow_redirects=True) as http:
            await come_in(http, link)
            page = (await http.get("/")).text
            assert "Once approved: This inbox sends it." in page
            form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf", "digest")}
            after = await http.post(f"/writes/{write}/approve", data=form)
            assert "It is done, as &#39;ALONE-1&#39;" in after.text
        await wait_until(lambda: not is_running(said["pid"]), 30)
        assert not (state / "inbox.json").exists()
        assert said["secret"] not in text_of(state)


@pytest.mark.slow
async def test_the_next_server_finds_the_inbox_that_runs(state: Path, stand_in: StandIn) -> None:
    with anyio.fail_after(60):
        async with server(state) as client:
            await wanted(client, "FOUND-1")
            await stand_in.link()
        first = (state / "inbox.json").read_text()
        async with server(state) as client:
            await wanted(client, "FOUND-2")
        assert (state / "inbox.json").read_text() == first


@pytest.mark.slow
async def test_where_no_inbox_shall_be_opened_none_is_started(state: Path, stand_in: StandIn) -> None:
    with anyio.fail_after(60):
        async with server(state, FRACTION_MCP_OPEN_INBOX="false") as client:
            await wanted(client, "NONE-1")
    assert not (state / "inbox.json").exists()


async def test_who_was_shown_the_inbox_is_left_alone_for_a_while_though_somebody_asks_how_a_write_stands(
    writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with inbox_of_servers(writer):
        inbox = process.InboxProcess(writer.state_folder, ["false"])
        assert await inbox.show_again(), "nobody was shown it"
        assert not await inbox.show_again()
        monkeypatch.setattr(process, "_LEFT_ALONE_S", 0)
        assert await inbox.show_again()


@pytest.mark.slow
async def test_asking_how_a_write_stands_opens_an_inbox_that_has_gone(state: Path, stand_in: StandIn) -> None:
    with anyio.fail_after(60):
        async with server(state) as client:
            write = await wanted(client, "AGAIN-1")
            await stand_in.link()
            (state / "browser-opened").write_text("0")  # a minute has passed, in which nobody came in
            said = json.loads((state / "inbox.json").read_text())
            os.kill(said["pid"], signal.SIGKILL)
            await wait_until(lambda: not is_running(said["pid"]))
            await client.call_tool("get_write_status", {"write_id": write})
            await stand_in.link(2)
            assert json.loads((state / "inbox.json").read_text())["pid"] != said["pid"]


# ------------------------------------------------------------------------------------------------- proved, both ways


@pytest.mark.parametrize(
    "body", [b'{"proof": "%b", "number": "1"}' % (b"0" * 64), b"[" * 4_000, b'{"proof": "\\ud800"}', b"[]", b"\xff"]
)
async def test_a_stranger_on_the_inbox_s_port_is_not_taken_for_it(tmp_path: Path, body: bytes) -> None:
    async def stranger(stream: Any) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, stranger)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        say_known(tmp_path, new_known(port))
        known = read_known(tmp_path)
        assert known is not None
        assert not await ask(known)
        assert not await ask(known, "show")
        group.cancel_scope.cancel()


async def test_whoever_does_not_hold_the_secret_opens_no_browser(writer: Writer, stand_in: StandIn) -> None:
    async with inbox_of_servers(writer):
        known = read_known(writer.state_folder)
        assert known is not None
        assert await ask(known)
        assert not await ask(Known(known.port, "guessed"), "show")
        async with httpx.AsyncClient(base_url=known.address) as http:
            number = (await http.post("/known?number=1")).json()["number"]
            assert (await http.post(f"/known/show?number={number}&proof=0")).status_code == 404
            proof = known.proof("server", number, "show")
            assert (await http.post(f"/known/show?number={number}&proof={proof}")).status_code == 404, "it is used up"
    assert stand_in.asked() == []


def test_a_proof_is_of_one_side_one_port_and_one_number() -> None:
    known = new_known(1)
    proofs = Proofs(known)
    number = proofs.answer("x")["number"]
    assert not proofs.holds(number, known.proof("inbox", number, "show"), "show")
    number = proofs.answer("x")["number"]
    assert not proofs.holds(number, Known(2, known.secret).proof("server", number, "show"), "show")
    number = proofs.answer("x")["number"]
    assert proofs.holds(number, known.proof("server", number, "show"), "show")
    assert not proofs.holds(number, known.proof("server", number, "show"), "show")


# ------------------------------------------------------------------------------------------- needless, and who sends


async def test_it_goes_on_while_something_waits_and_ends_when_it_is_needless(
    writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_NEEDLESS_S", 0.5)
    write = await writer.part("NEEDED-1")
    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            from fraction_mcp.approvals import serve_for_servers

            group.start_soon(serve_for_servers, writer.service, writer.state_folder)
            await wait_until(lambda: read_known(writer.state_folder) is not None)
            await anyio.sleep(2.5)
            assert read_known(writer.state_folder) is not None
            await writer.service.decline(write, by="a person")
        assert read_known(writer.state_folder) is None


async def test_a_card_says_who_will_send(writer: Writer, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write = await writer.part("WHO-1")
    assert "Once approved: This inbox sends it." in await browser.load()
    monkeypatch.setattr(writer.service, "reaches", lambda _write: False)
    page = await browser.load()
    assert "Once approved: Nobody can send it now: it is sent when a server for demo@harrow-pike.example runs" in page
    assert "else it expires" in page
    folder = writer.state_folder
    async with anyio.create_task_group() as group:
        group.start_soon(heartbeat, folder, writer.service.identities())
        await wait_until(lambda: is_anybody_alive(folder, write))
        (file,) = folder.glob("server-*.json")
        os.utime(file, (file.stat().st_mtime - 11,) * 2)
        assert not is_anybody_alive(folder, write), "a process that was killed"
        group.cancel_scope.cancel()
    assert not list(folder.glob("server-*.json"))


# ----------------------------------------------------------------------------------------------- a write's own address


async def test_to_a_stranger_a_write_s_address_shows_nothing_and_opens_the_person_s_own_browser_on_it(
    writer: Writer, stand_in: StandIn
) -> None:
    write = await writer.part("SECRET-1")
    async with inbox_of_servers(writer):
        known = read_known(writer.state_folder)
        assert known is not None
        async with httpx.AsyncClient(base_url=known.address) as http:
            page = await http.get(f"/writes/{write.id}")
            other = await http.get("/writes/w000000000000")
            assert page.status_code == other.status_code == 403
            assert page.text.replace(write.id, "") == other.text.replace("w000000000000", "")
            assert "SECRET-1" not in page.text
            assert "Open on this computer" in page.text
            assert "fraction-mcp approvals" in page.text
            pressed = await http.post("/open", data={"write": write.id})
            assert "is being opened in a browser on this computer" in pressed.text
            assert "token" not in pressed.text
            again = await http.post("/open", data={"write": write.id})
            assert "not opened again for" in again.text
            cross = await http.post("/open", data={"write": write.id}, headers={"sec-fetch-site": "cross-site"})
            assert cross.status_code == 403
        link = (await stand_in.link()).replace("&amp;", "&")
        async with httpx.AsyncClient() as person:
            assert f"?write={write.id}" in (await person.get(link)).text
    assert (await writer.state(write)) == "awaiting_approval"
