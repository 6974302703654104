"""What a person bookmarks: a file of theirs alone that leads into the inbox that runs, and into nothing else."""

import re
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from fraction_mcp.approvals import bookmark, serve_inbox
from fraction_mcp.approvals.auth import InboxAuth
from tests.support import wait_until

from .conftest import Writer, come_in
from .test_browser import SWITCHES, another_server, chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def inbox(writer: Writer) -> AsyncIterator[None]:
    there = anyio.Event()

    async def serve() -> None:
        await serve_inbox(writer.service, writer.state_folder, open_browser=False, announce=lambda _link: there.set())

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await there.wait()
            yield
            group.cancel_scope.cancel()


def kept(writer: Writer) -> Path:
    return writer.state_folder / "inbox.html"


def in_it(page: str) -> tuple[str, str, str]:
    """The question, the proof and the link of a bookmark's page."""
    question, proof, link = re.findall(r'(?:fetch\(|said === |replace\()"([^"]*)"', page)
    return question, proof, link


async def test_it_is_its_user_s_alone_and_leads_in_once_and_then_by_a_new_link(writer: Writer) -> None:
    async with inbox(writer):
        file = kept(writer)
        if sys.platform != "win32":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        question, proof, link = in_it(first := file.read_text())
        async with httpx.AsyncClient() as http:
            said = await http.get(question, headers={"Origin": "null", "Sec-Fetch-Site": "cross-site"})
            assert (said.text, said.headers["access-control-allow-origin"]) == (proof, "null")
            await come_in(http, link)
            page = (await http.get("/")).text
            assert f"bookmark this file, which leads here while an inbox runs: <code>{file}</code>" in page
        await wait_until(lambda: file.read_text() != first)
        async with httpx.AsyncClient() as http:
            assert (await http.get(link)).status_code == 403
            await come_in(http, in_it(file.read_text())[2])
    assert not list(writer.state_folder.glob(".inbox*"))


async def test_when_the_inbox_has_ended_no_link_and_no_port_is_left_in_it(writer: Writer) -> None:
    async with inbox(writer):
        port = re.findall(r"127\.0\.0\.1:(\d+)", kept(writer).read_text())[0]
    page = kept(writer).read_text()
    assert "No approval inbox runs" in page
    assert "token" not in page
    assert "127.0.0.1" not in page
    assert port not in page


async def test_of_two_inboxes_it_leads_into_the_last_and_then_into_the_one_that_is_left(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmark, "_LOOK_S", 0.1)
    async with inbox(writer):
        first = in_it(kept(writer).read_text())[2]
        async with inbox(writer):
            second = in_it(kept(writer).read_text())[2]
            assert first.partition("/enter")[0] != second.partition("/enter")[0]
        await wait_until(lambda: "token" in kept(writer).read_text())
        again = in_it(kept(writer).read_text())[2]
        assert again.partition("/enter")[0] == first.partition("/enter")[0]
        async with httpx.AsyncClient() as http:
            assert (await http.get(first)).status_code == 403, "a link that no file holds any more counts no more"
            await come_in(http, again)


async def test_a_link_that_was_used_while_the_file_was_another_s_or_could_not_be_written_keeps_nobody_busy(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmark, "_LOOK_S", 0.2)
    looks = 0
    read = bookmark._Keeper._read

    def counted(keeper: bookmark._Keeper) -> str:
        nonlocal looks
        looks += 1
        return read(keeper)

    monkeypatch.setattr(bookmark._Keeper, "_read", counted)
    async with inbox(writer):
        link = in_it(kept(writer).read_text())[2]
        kept(writer).write_text("another inbox's")
        async with httpx.AsyncClient() as http:
            await come_in(http, link)
        await wait_until(lambda: looks > 3)
        began, before = anyio.current_time(), looks
        await wait_until(lambda: looks > before + 2)
        assert anyio.current_time() - began > 0.15
        assert kept(writer).read_text() == "another inbox's"
        kept(writer).unlink()
        await wait_until(kept(writer).exists)
        async with httpx.AsyncClient() as http:
            await come_in(http, in_it(kept(writer).read_text())[2])


async def test_a_link_that_lasts_is_not_pushed_out_by_those_that_have_expired() -> None:
    now = 0.0
    auth = InboxAuth(1, clock=lambda: now)
    lasting = auth.new_link()
    for _ in range(100):
        auth.new_link(lasts_s=60)
        now += 61
    assert auth.enter(lasting.address.partition("token=")[2]) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="no uids")
async def test_where_the_file_cannot_be_kept_the_inbox_is_served_all_the_same(writer: Writer) -> None:
    kept(writer).mkdir(parents=True)
    async with inbox(writer):
        assert kept(writer).is_dir()
    shutil.rmtree(kept(writer))


@pytest.mark.slow
@pytest.mark.browser
async def test_a_browser_comes_in_by_it_and_goes_nowhere_when_a_stranger_has_the_port(
    writer: Writer, chromium: str
) -> None:
    from playwright.async_api import async_playwright

    with anyio.fail_after(60):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
            page = await browser.new_page()
            page.set_default_timeout(60_000)
            async with inbox(writer):
                for _ in range(2):
                    stale = kept(writer).read_text()
                    await page.goto(kept(writer).as_uri())
                    await page.wait_for_selector("#list")
                    await wait_until(lambda before=stale: kept(writer).read_text() != before)  # type: ignore[misc]
                stale = kept(writer).read_text()
            await page.goto(kept(writer).as_uri())
            assert "No approval inbox runs at the moment" in await page.inner_text("body")
            with another_server(b"0" * 64) as (there, seen):  # the inbox was killed, and its port is a stranger's now
                kept(writer).write_text(re.sub(r"http://127\.0\.0\.1:\d+", there, stale))
                await page.goto(kept(writer).as_uri())
                await page.locator("#none").wait_for()
                assert page.url == kept(writer).as_uri()
                assert [path.partition("?")[0] for path, _ in seen] == [bookmark.HERE]
            await browser.close()
