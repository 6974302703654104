"""How a person's browser is opened: what it is given, who else can see that, how often, and what is left behind."""

import functools
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from fraction_mcp.approvals import browser, serve_for_servers, serve_inbox
from fraction_mcp.approvals.browser import browser_is_there, readable_folder, wait_to_open_s
from fraction_mcp.approvals.known import ask, read_known
from tests.process import command
from tests.support import child_environment, end_inbox, wait_until

from .conftest import Writer, come_in

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="a browser is a shell script here"),
]

NOBODY = 65534


@dataclass
class StandIn:
    """A browser that is a shell script: it reads what it is given, and writes down what it saw."""

    folder: Path

    def asked(self) -> list[str]:
        """The address of each opening."""
        seen = self.folder / "asked"
        return seen.read_text().split() if seen.exists() else []

    def links(self) -> list[str]:
        """The sign-in links that it was led to."""
        seen = self.folder / "links"
        return seen.read_text().split() if seen.exists() else []

    async def link(self, count: int = 1) -> str:
        await wait_until(lambda: len(self.links()) >= count)
        return self.links()[count - 1]

    def environment(self) -> str:
        return (self.folder / "environment").read_text()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    folder = tmp_path / "stand-in"
    folder.mkdir()
    script = folder / "browser"
    script.write_text(
        f"""#!/bin/sh
        echo noise
        echo noise >&2
        cd {shlex.quote(str(folder))}
        env > environment
        echo "$1" >> asked
        sed -n 's/.*href="\\([^"]*\\)".*/\\1/p' "${{1#file://}}" >> links
        sleep 0.5
        """
    )  # a browser is there for a while, for others to see
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(script))
    return StandIn(folder)


@asynccontextmanager
async def inbox(writer: Writer, **given: object) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        with anyio.fail_after(30):
            group.start_soon(
                functools.partial(serve_inbox, writer.service, writer.state_folder, open_browser=True, **given)  # type: ignore[arg-type]
            )
            yield
            group.cancel_scope.cancel()


@asynccontextmanager
async def inbox_of_servers(writer: Writer) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The inbox as servers have it: what each of them asks of it."""

    async def show() -> None:
        known = read_known(writer.state_folder)
        assert known is not None
        assert await ask(known, "show")

    async with anyio.create_task_group() as group:
        with anyio.fail_after(30):
            group.start_soon(serve_for_servers, writer.service, writer.state_folder)
            await wait_until(lambda: read_known(writer.state_folder) is not None)
            yield show
            group.cancel_scope.cancel()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------------------------------------------------- the way in


@pytest.mark.process
async def test_the_browser_is_given_a_file_of_its_user_alone_that_goes_once_somebody_has_come_in(
    writer: Writer, stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    async with inbox(writer):
        link = await stand_in.link()
        (address,) = stand_in.asked()
        way = Path(address.removeprefix("file://"))
        assert way.parent == writer.state_folder
        assert (mode(way), mode(way.parent)) == (0o600, 0o700)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter\?token=[\w-]{32}", link)
        async with httpx.AsyncClient() as http:
            await come_in(http, link)
            assert (await http.get("/")).status_code == 200
        await wait_until(lambda: not way.exists())
    assert "".join(capfd.readouterr()) == ""  # nothing of the browser's noise, and nobody was missed


@pytest.mark.process
async def test_where_nobody_comes_in_the_file_goes_and_one_line_says_what_to_do(
    writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert browser.ENTER_S == 15
    monkeypatch.setattr(browser, "ENTER_S", 0.5)
    async with inbox(writer):
        link = await stand_in.link()
        await wait_until(lambda: not list(writer.state_folder.glob("inbox-*.html")))
        told = ""
        while not told:
            told += capfd.readouterr().err
            await anyio.sleep(0.01)
        async with httpx.AsyncClient() as http:  # a browser that had read it, and was slow to start, still comes in
            await come_in(http, link)
    assert told.count("\n") == 1
    assert "nobody has come in" in told
    assert "`fraction-mcp approvals`" in told
    assert "token" not in told


@pytest.mark.process
async def test_a_way_in_that_a_killed_process_left_behind_is_cleared_away(writer: Writer, stand_in: StandIn) -> None:
    left, other = writer.state_folder / "inbox-left.html", writer.state_folder / "inbox-of-another-process.html"
    left.touch()
    other.touch()
    os.utime(left, (time.time() - 61, time.time() - 61))
    async with inbox(writer):
        await stand_in.link()
        assert not left.exists()
        assert other.exists()


@pytest.mark.process
async def test_the_browser_gets_no_password_and_runs_no_module_of_the_folder_that_it_is_started_in(
    writer: Writer, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webbrowser.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRACTION_PASSWORD", "s3cret")
    monkeypatch.setenv("KEPT", "for the browser")
    async with inbox(writer):
        await stand_in.link()
    assert not (tmp_path / "run").exists()
    assert "s3cret" not in stand_in.environment()
    assert "KEPT=for the browser" in stand_in.environment()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away")
async def test_no_browser_is_opened_by_way_of_a_folder_that_is_another_user_s(
    writer: Writer, stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    os.chown(writer.state_folder, NOBODY, NOBODY)
    links: list[str] = []
    async with inbox(writer, announce=links.append):
        told = ""
        while not told:
            told += capfd.readouterr().err
            await anyio.sleep(0.01)
        async with httpx.AsyncClient() as http:  # it is served all the same
            await come_in(http, links[0])
    assert told.startswith("fraction-mcp: the browser cannot be opened: ")
    assert "belongs to another user" in told
    assert stand_in.asked() == []


# --------------------------------------------------------------------------------------------------------- other users

LOOK = """
import json, os, re, select, sys, urllib.request
print("looking", flush=True)
found = set()
while not select.select([sys.stdin], [], [], 0)[0]:
    for number in filter(str.isdigit, os.listdir("/proc")):
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{number}/{what}", "rb") as file:
                    seen = file.read().replace(b"\\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if int(number) != os.getpid():
                found.update(re.findall(r"(?:http|file):\\S+", seen))
ours = sys.stdin.readline().split()  # other inboxes of this machine are no business of this one
def tried(address):
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return "got in: " + answer.read().decode()
    except OSError as error:
        return str(error)
print(json.dumps({address: tried(address) for address in found if any(mark in address for mark in ours)}))
"""


@contextmanager
def another_user(code: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of another user of this machine, which runs `code`."""
    python = "/usr/bin/python3"
    if os.geteuid() != 0:
        pytest.skip("only root can start a process of another user")
    if not Path(python).exists() or not Path("/proc/self/cmdline").exists():
        pytest.skip("another user needs a Python, and a process list, that are open to all")
    with subprocess.Popen(
        [python, "-c", code],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def open_state(company: Path) -> Iterator[Path]:
    """A state folder that another user may look into, as an operator may have made it."""
    folder = Path(tempfile.mkdtemp())
    state = folder / "state"
    state.mkdir()
    shutil.copy(company, state / "sandbox.sqlite3")
    folder.chmod(0o755)
    state.chmod(0o755)
    yield state
    end_inbox(state)
    shutil.rmtree(folder, ignore_errors=True)  # the inbox clears its own files away meanwhile


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("command", ["serve", "approvals"])
async def test_another_user_who_reads_the_process_list_finds_no_link_and_comes_in_nowhere(
    command: str, open_state: Path, stand_in: StandIn
) -> None:
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(open_state))
    with another_user(LOOK) as user, anyio.fail_after(60):
        assert user.stdout
        assert user.stdin
        assert user.stdout.readline() == "looking\n"
        async with opening(command, environment):
            link = await stand_in.link()
            user.stdin.write(f"{open_state} {link.partition('/enter')[0]}\n")
            user.stdin.close()
            tried = json.loads(await anyio.to_thread.run_sync(user.stdout.readline))
            assert list(tried) == stand_in.asked()  # the address of the file, which it saw, and no other
            assert "Permission denied" in tried[stand_in.asked()[0]]
            async with httpx.AsyncClient() as http:
                await come_in(http, link)


@asynccontextmanager
async def opening(name: str, environment: dict[str, str]) -> AsyncIterator[None]:
    """A process that opens the browser: a server that was asked for a write, or a person's own command."""
    start = command(name, "--sandbox")
    if name == "serve":
        server = StdioServerParameters(command=start[0], args=start[1:], env=environment)
        async with Client(server) as client:
            await client.call_tool("create_part", {"part_number": "OPEN-1"})
            yield
        return
    process = await anyio.open_process(start, stdin=subprocess.DEVNULL, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        await process.aclose()


@pytest.mark.process
async def test_a_stdio_server_opens_the_inbox_by_itself_and_sends_what_is_approved_there(
    company: Path, tmp_path: Path, stand_in: StandIn
) -> None:
    shutil.copy(company, tmp_path / "sandbox.sqlite3")
    python, *words = command("serve", "--sandbox")
    server = StdioServerParameters(
        command=python,
        args=words,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path), FRACTION_MCP_LOG_LEVEL="DEBUG"),
    )
    with (tmp_path / "stderr").open("w+") as log, anyio.fail_after(40):
        async with Client(stdio_client(server, errlog=log)) as client:
            asked = await client.call_tool("create_part", {"part_number": "SELF-1"})
            data = asked.structured_content or {}
            assert data["outcome"] == "awaiting_approval"
            link = await stand_in.link()
            async with httpx.AsyncClient(follow_redirects=True) as http:
                place = await come_in(http, link)
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
            assert not [secret for secret in (token, "/enter", place) if secret in told]


# ----------------------------------------------------------------------------------------------------------- how often


def a_minute_passes(folder: Path) -> None:
    clock = folder / "browser-opened"
    clock.write_text(str(float(clock.read_text()) - 60))


def asked_by_three_processes(folder: Path) -> list[float]:
    ask = "import pathlib, sys; from fraction_mcp.approvals.browser import wait_to_open_s as ask; "
    command = [sys.executable, "-c", ask + "print(ask(pathlib.Path(sys.argv[1])))", str(folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    return sorted(float(process.communicate(timeout=30)[0]) for process in processes)


@pytest.mark.slow
@pytest.mark.process
def test_a_browser_is_opened_at_most_once_a_minute_whichever_process_asks(tmp_path: Path) -> None:
    assert wait_to_open_s(tmp_path) == 0
    assert all(59 < wait_to_open_s(tmp_path) <= 60 for _ in range(100))
    assert all(wait > 0 for wait in asked_by_three_processes(tmp_path))
    a_minute_passes(tmp_path)
    assert [wait > 0 for wait in asked_by_three_processes(tmp_path)] == [False, True, True]
    (tmp_path / "browser-opened").write_text(str(time.time() + 10_000))  # a clock that was set back
    assert wait_to_open_s(tmp_path) == 0


@pytest.mark.process
async def test_the_browser_is_opened_again_for_a_later_write_that_nobody_looks_at(
    writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_APART_S", 0.5)
    async with inbox_of_servers(writer) as show:
        await show()
        async with httpx.AsyncClient() as early:
            await come_in(early, await stand_in.link())  # and leaves again: no page of it listens
        await writer.part("LATER-1")
        await show()
        link = await stand_in.link(2)
        assert len(set(stand_in.links())) == 2
        async with httpx.AsyncClient() as http:
            await come_in(http, link)
            async with http.stream("GET", "/events") as stream:
                watching = stream.aiter_lines()  # whoever drops it hangs up
                await anext(watching)
                await show()
                await anyio.wait_all_tasks_blocked()
                assert len(stand_in.links()) == 2


@pytest.mark.process
async def test_an_opening_that_had_to_wait_is_left_out_where_nothing_waits_any_longer(
    writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_APART_S", 0.5)
    wait_to_open_s(writer.state_folder)  # some other process has just opened it
    async with inbox_of_servers(writer) as show:
        await show()
        await anyio.sleep(1)  # beyond its turn, in which it is left out
        assert stand_in.asked() == []
        await writer.part("LATER-2")
        await show()
        await stand_in.link()


async def test_a_person_whose_browser_was_just_opened_gets_a_link_and_is_told_when_it_is_opened_again(
    writer: Writer, stand_in: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    wait_to_open_s(writer.state_folder)
    links: list[str] = []
    async with inbox(writer, announce=links.append):
        told = ""
        while not told:
            told += capfd.readouterr().err
            await anyio.sleep(0.01)
        async with httpx.AsyncClient() as http:
            await come_in(http, links[0])
    assert re.fullmatch(r"The browser was opened a moment ago, and is not opened again for (59|60) s\.\n", told)
    assert stand_in.asked() == []


# --------------------------------------------------------------------------------------------------------------- snaps

FIREFOX = "[Desktop Entry]\nMimeType=text/html;x-scheme-handler/http;x-scheme-handler/https;\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, programs on a path, and snaps, of which a browser is one."""
    for folder in ("home/.local/state", "bin", "snap/bin", "snaps"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(browser, "_SNAPS", tmp_path / "snaps")
    for name, script in (
        ("bin/brave", "#!/bin/sh\nexec /opt/brave"),
        ("bin/chromium-browser", '#!/bin/sh\nexec /snap/bin/chromium "$@"'),
        ("snap/bin/firefox", "a link to snapd"),
    ):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "snaps", "visible"),
    [
        ("", ["firefox"], True),
        ("", ["code"], False),
        ("", [], False),
        ("firefox", ["firefox"], True),
        ("chromium-browser %s", [], True),
        ("brave", ["firefox"], False),
        ("not-installed", ["firefox"], False),
    ],
)
def test_a_snap_finds_its_way_in_where_it_can_see_it(
    machine: Path, named: str, snaps: list[str], visible: bool
) -> None:
    for name in snaps:
        (machine / "snaps" / f"{name}_{name}.desktop").write_text(FIREFOX if name == "firefox" else "[Desktop Entry]\n")
    environment = {"BROWSER": named, "PATH": f"{machine / 'snap' / 'bin'}:{machine / 'bin'}"}
    state = machine / "home" / ".local" / "state"
    shown = machine / "home" / "fraction-mcp-inbox"
    assert readable_folder(state, environment) == (shown if visible else state)
    assert readable_folder(machine / "elsewhere", environment) == (shown if visible else machine / "elsewhere")
    assert readable_folder(machine / "home" / "state", environment) == machine / "home" / "state"  # in sight already


@pytest.mark.process
async def test_the_folder_in_sight_is_its_user_s_alone_and_keeps_nothing_but_what_is_bookmarked(
    machine: Path, writer: Writer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_is_snap", lambda _: True)
    shown = machine / "home" / "fraction-mcp-inbox"
    async with inbox(writer):
        link = await stand_in.link()
        assert Path(stand_in.asked()[0].removeprefix("file://")).parent == shown
        assert mode(shown) == 0o700
        async with httpx.AsyncClient() as http:
            await come_in(http, link)
        await wait_until(lambda: [file.name[:10] for file in shown.iterdir()] == ["approvals-"])
        assert [mode(file) for file in shown.iterdir()] == [0o600]


# --------------------------------------------------------------------------------------------------- is there a browser


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
