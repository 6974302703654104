"""A real browser (Chromium) at a real inbox: a person reads a card, approves one write, declines another, and the ERP
holds what it should."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from fraction_mcp.approvals import serve_inbox
from fraction_mcp.operations.writes.states import State
from tests.support import child_environment, wait_until

from .conftest import Writer

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
slow = pytest.mark.slow

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> str:
    pytest.importorskip("playwright", reason="Playwright drives the browser")
    found = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        pytest.skip("no chromium is installed here")
    return found


@asynccontextmanager
async def person(
    writer: Writer, chromium: str, *, complains: tuple[str, ...] = (), without: str = "", **settings: Any
) -> AsyncIterator["Page"]:
    """Somebody who has followed the sign-in link, and whose browser does not get the file `without`.

    What the page complains of fails the test, but for `complains`.
    """
    from playwright.async_api import async_playwright

    links, complaints = [], []
    there = anyio.Event()

    def announced(link: str) -> None:
        links.append(link)
        there.set()

    async def serve() -> None:
        await serve_inbox(writer.service, writer.state_folder, open_browser=False, announce=announced)

    with anyio.fail_after(240):  # a browser, and fifty sends, on a machine that may be busy
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await there.wait()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
                page = await browser.new_page(**settings)
                page.set_default_timeout(60_000)
                page.on("console", lambda message: complaints.append(message.text))
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.on("dialog", lambda dialog: complaints.append(dialog.message))
                if without:
                    await page.route(f"**/{without}", lambda route: route.abort())
                await page.goto(links[0])
                await page.wait_for_selector("#list")
                yield page
                await browser.close()
            group.cancel_scope.cancel()
    assert [one for one in complaints if not any(word in one for word in complains)] == []


@pytest.mark.smoke
@pytest.mark.parametrize(
    "script", [True, pytest.param(False, marks=slow)], ids=["with JavaScript", "without JavaScript"]
)
async def test_a_person_reads_a_card_approves_one_write_and_declines_another(
    writer: Writer, chromium: str, script: bool
) -> None:
    wanted = await writer.asked(
        "create_enquiry", customer="<script>alert(1)</script> Ltd", customer_ref="REAL-1", by="Claude Desktop 1.4"
    )
    unwanted = await writer.part("REAL-2")
    async with person(writer, chromium, java_script_enabled=script) as page:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/s/[\w-]{43}/", page.url)
        card = page.locator(f"#{wanted.id}")
        assert await card.locator("h3").inner_text() == "Create an enquiry for '<script>alert(1)</script> Ltd'"
        assert "REAL-1" in await card.inner_text()
        assert "Claude Desktop 1.4" in await card.inner_text()
        await card.locator("summary").click()
        assert '"customer_ref": "REAL-1"' in await card.locator("pre").inner_text()

        await page.locator(f"#{wanted.id}-approve").click()
        told = await page.locator("#told.done").inner_text()
        after = await writer.service.write(wanted.id)
        assert f"It is done, as '{after.outcome.result['quote_number']}'" in told

        await page.locator(f"#{unwanted.id}-decline").click()
        await page.locator("#told.off").wait_for()
    assert (writer.enquiries("REAL-1"), writer.parts("REAL-2")) == (1, 0)
    assert await writer.state(unwanted) is State.DECLINED


@pytest.mark.slow
async def test_a_card_of_fifty_is_approved_with_one_press_and_the_page_shows_how_far_it_has_come(
    writer: Writer, chromium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.approvals.writes_pages._BATCH_S", 0)  # all of it is sent while the page is there
    batch = await writer.batch(*(f"FIFTY-{number}" for number in range(50)))
    async with person(writer, chromium) as page:
        card = page.locator(f"#{batch.writes[0].id}")
        assert await card.locator("li[aria-labelledby]").count() == 50
        await page.locator("button", has_text="Approve all 50").click()
        await page.locator("#told", has_text=re.compile("(of|All) 50 writes are done")).wait_for(timeout=90_000)
        await page.locator("h2", has_text="On their way").wait_for(state="detached", timeout=90_000)  # 50 sends
        assert await page.locator("#headline").inner_text() == "Nothing waits for you"
        assert await page.locator("#told").inner_text() == "All 50 writes are done."
    assert {write.state for write in (await writer.service.batch(batch.writes[0])).writes} == {State.DONE}


@pytest.mark.slow
async def test_the_list_follows_what_happens_without_being_loaded_again(writer: Writer, chromium: str) -> None:
    first = await writer.part("REAL-3")
    async with person(writer, chromium) as page:
        await page.evaluate("window.notLoadedAgain = true")
        await page.locator(f"#{first.id} summary").click()
        await page.locator(f"#{first.id}-reason").fill("half a reason")

        second = await writer.part("REAL-4")
        await page.locator(f"#{second.id}").wait_for()
        assert await page.locator("#headline").inner_text() == "2 writes wait for you"
        assert await page.title() == "(2) Approval inbox"
        assert await page.locator(f"#{first.id} pre").is_visible()  # what was unfolded stays so
        assert await page.locator(f"#{first.id}-reason").input_value() == "half a reason"
        assert await page.evaluate("document.activeElement.id") == f"{first.id}-reason"

        await writer.service.decline(first, by="somebody in a terminal")
        await page.locator(f"#{first.id}.over").wait_for()
        assert await page.locator("#headline").inner_text() == "1 write waits for you"
        assert await page.evaluate("window.notLoadedAgain")


@pytest.mark.slow
async def test_a_click_that_meets_a_list_that_has_just_moved_decides_nothing(writer: Writer, chromium: str) -> None:
    first, second = await writer.part("REAL-5"), await writer.part("REAL-6")
    async with person(writer, chromium) as page:
        # Pressed in the very moment in which the first card leaves and the second comes up to where it was.
        await page.evaluate(
            """id => { window.pressed = new Promise(done => new MutationObserver((_, observer) => {
                 observer.disconnect();
                 const press = new MouseEvent("click", { bubbles: true, cancelable: true });
                 queueMicrotask(() => done(document.getElementById(id).dispatchEvent(press) ? "taken" : "ignored"));
               }).observe(document.querySelector("main"), { childList: true })); }""",
            f"{second.id}-approve",
        )
        await writer.service.decline(first, by="somebody in a terminal")
        assert await page.evaluate("window.pressed") == "ignored"
        assert await writer.state(second) is State.AWAITING
        await page.evaluate("new Promise(done => setTimeout(done, guardedUntil - performance.now()))")
        await page.locator(f"#{second.id}-approve").click()
        await page.locator("#told.done").wait_for()
    assert (writer.parts("REAL-5"), writer.parts("REAL-6")) == (0, 1)


@slow
async def test_a_page_whose_inbox_is_gone_says_so_and_asks_no_more(writer: Writer, chromium: str) -> None:
    """Whoever gets the port next is sent neither the page's questions nor a button's press."""
    write = await writer.part("GONE-1")
    async with person(writer, chromium, complains=("net::ERR_FAILED",)) as page:
        assert not await page.locator("#lost").is_visible()
        assert await page.locator(f"#{write.id}-approve").is_enabled()
        await page.route("**/events", lambda route: route.abort())
        await page.reload()
        await page.locator("#lost").wait_for()
        assert await page.evaluate("events.readyState === EventSource.CLOSED")
        assert await page.locator(f"#{write.id}-approve").is_disabled()
        assert await page.locator("button:enabled:visible, input:enabled:visible, a[href]").count() == 0
        said = await page.locator("#lost").inner_text()
        assert "ask your assistant how its writes stand" in said
        assert "fraction-mcp" not in said.replace(str(writer.state_folder), ""), "nobody needs a terminal"


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=slow)])
async def test_no_page_is_wider_than_its_window_and_buttons_are_large_enough_for_a_thumb(
    writer: Writer, chromium: str, width: int
) -> None:
    await writer.asked(
        "set_price_list",
        part="WIDGET-001",
        customer="Acme Corp",
        price_breaks=[{"quantity": 500, "unit_price": "11.25"}],
        customer_part_number="A-VERY-LONG-NUMBER-" * 5,
    )
    await writer.asked("create_enquiry", customer="Acme Corp", notes="long" * 200)
    await writer.batch("WIDE-" + "W" * 180, "WIDE-2")
    async with person(writer, chromium, viewport={"width": width, "height": 740}) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        for button in await page.locator("form button").all():
            box = await button.bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["width"] >= 44


# --------------------------------------------------------------------------------------------- other ports, other users


@contextmanager
def another_server(body: bytes = b"") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Somebody else's server on another port of this host: its address, and the (path, cookies) that reached it. It
    lets every page read its answer."""
    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Cookie", "")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Set-Cookie", "mine=1; Path=/")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body or b"<!doctype html><title>another</title><link rel=icon href=data:,>")

        def log_message(self, *_: object) -> None:
            """It keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    with server:
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


@slow
@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_a_server_on_another_port_never_gets_the_session_s_cookie(
    writer: Writer, chromium: str, script: bool
) -> None:
    write = await writer.part("PORT-1")
    with another_server() as (there, seen):
        async with person(writer, chromium, java_script_enabled=script) as page:
            own = page.url
            cookies = await page.context.cookies(own)
            assert [cookie["path"] for cookie in cookies] == [own.removeprefix(own[: own.index("/s/")])]
            for path in ("/", "/enter", "/s/", "/s/guessed/", "/static/inbox.css", f"/writes/{write.id}"):
                await page.goto(there + path)
            assert [path for path, _ in seen] == ["/", "/enter", "/s/", "/s/guessed/", "/static/inbox.css",
                                                  f"/writes/{write.id}"]  # fmt: skip
            assert {sent for _, sent in seen} == {"", "mine=1"}  # a browser does carry a host's cookies between ports
            await page.goto(own)  # where its own pages are, this browser is still signed in
            await page.locator(f"#{write.id}-approve").click()
            await page.locator("#told.done").wait_for()
    assert writer.parts("PORT-1") == 1


@slow
async def test_a_write_s_address_leads_the_browser_on_that_is_signed_in_and_shows_others_nothing(
    writer: Writer, chromium: str
) -> None:
    write, other = await writer.part("LED-1"), await writer.part("LED-2")
    # Without its script: whoever sees the inbox is led back to it, though the script has not come yet.
    async with person(writer, chromium, complains=("403", "ERR_FAILED"), without="inbox.js") as page:
        own, host = page.url, page.url.partition("/s/")[0]
        await go(page, f"{host}/writes/{write.id}")
        await page.wait_for_url(f"{own}?write={write.id}")
        await page.locator(f"#{write.id}-approve").wait_for()
        assert await page.locator(f"#{other.id}").count() == 0
        await go(page, f"{host}/enter?token=used-long-ago")
        await page.wait_for_url(own)
        await go(page, f"{host}/s/somebody-else-s/")
        await page.wait_for_url(own)
        await go(page, host)
        await page.wait_for_url(own)

        assert page.context.browser
        stranger = await page.context.browser.new_context()
        shown = await stranger.new_page()
        await shown.goto(f"{host}/writes/{write.id}")
        await shown.wait_for_load_state("networkidle")
        assert shown.url == f"{host}/writes/{write.id}"
        assert "LED-1" not in await shown.content()
        await shown.goto(own)  # even one that was told the path has no cookie
        assert "fresh sign-in link" in await shown.inner_text("h1")
        await stranger.close()


async def go(page: "Page", address: str) -> None:
    """To an address that may lead on before it has been loaded."""
    await page.goto(address, wait_until="commit")


@slow
async def test_a_session_that_another_site_had_led_to_without_its_cookie_is_led_back_to_again(
    writer: Writer, chromium: str
) -> None:
    """A cookie that is for this site alone does not come with a click elsewhere: as if the session were over."""
    write = await writer.part("BACK-1")
    async with person(writer, chromium, complains=("403",)) as page:
        own, host = page.url, page.url.partition("/s/")[0]
        await page.goto(f"data:text/html,<a href='{own}'>the inbox, from a page of somebody else's</a>")
        await page.get_by_role("link").click()
        await page.wait_for_url(own)
        assert "fresh sign-in link" in await page.inner_text("h1")
        await page.goto(own)
        await page.locator(f"#{write.id}-approve").wait_for()
        await go(page, f"{host}/writes/{write.id}")
        await page.wait_for_url(f"{own}?write={write.id}")


@slow
async def test_a_session_that_is_over_leads_nowhere_and_not_in_circles(writer: Writer, chromium: str) -> None:
    await writer.part("OVER-1")
    async with person(writer, chromium, complains=("403",)) as page:
        own, host = page.url, page.url.partition("/s/")[0]
        await page.context.clear_cookies()  # as if another inbox had the port now
        await go(page, host)
        await page.wait_for_url(own)
        assert "fresh sign-in link" in await page.inner_text("h1")
        await go(page, host)
        await page.wait_for_load_state("networkidle")
        assert page.url == f"{host}/"
        await page.evaluate("localStorage.setItem('inbox', '//evil.example/')")  # by whoever had the port before
        await go(page, host)
        await page.wait_for_load_state("networkidle")
        assert page.url == f"{host}/"


@slow
@pytest.mark.process
async def test_a_real_browser_finds_its_way_in_by_the_file_and_no_process_is_started_with_the_link(
    company: Path, tmp_path: Path, chromium: str
) -> None:
    """`approvals` as a person starts it, with Chromium as the browser: it comes in by itself, and the file goes."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    shutil.copy(company, state / "sandbox.sqlite3")
    script, pid = tmp_path / "browser", tmp_path / "pid"
    switches = [*SWITCHES, "--headless=new", f"--user-data-dir={tmp_path / 'profile'}"]
    script.write_text(f'#!/bin/sh\necho $$ > {pid}\nexec {shlex.join([chromium, *switches])} "$1"\n')
    script.chmod(0o755)
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(state), BROWSER=str(script))
    command = [sys.executable, "-m", "fraction_mcp", "approvals", "--sandbox"]
    started: set[str] = set()
    with (tmp_path / "stderr").open("w+") as log, anyio.fail_after(60):
        process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=log, env=environment)
        try:
            await wait_until(lambda: bool(list(state.glob("inbox-*.html"))))

            def gone() -> bool:
                started.update(command_lines(str(tmp_path)))
                return not list(state.glob("inbox-*.html"))

            await wait_until(gone)
        finally:
            process.terminate()
            await process.aclose()
            with suppress(OSError, ValueError):
                os.kill(int(pid.read_text()), signal.SIGTERM)
        log.seek(0)
        told = log.read()
    assert "nobody has come in" not in told
    assert [line for line in started if "inbox-" in line]
    token = told.partition("token=")[2].split()[0]  # the announced one is not the browser's, and is nowhere else either
    assert not [line for line in started if "token=" in line or "/enter" in line or token in line]


def command_lines(mark: str) -> Iterator[str]:
    """Of the processes that were started with `mark`."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if mark in line:
                yield line
