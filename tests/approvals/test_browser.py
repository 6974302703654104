"""A real browser (Chromium) at a real inbox: a person reads a card, approves one write, declines another, and the ERP
holds what it should."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from fraction_mcp.approvals import serve_inbox
from fraction_mcp.operations.lifecycle import State

from .conftest import Desk

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.anyio

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
async def person(desk: Desk, chromium: str, **settings: Any) -> AsyncIterator["Page"]:
    """Somebody who has followed the sign-in link. What the page complains of fails the test."""
    from playwright.async_api import async_playwright

    links, complaints = [], []
    there = anyio.Event()

    def announced(link: str) -> None:
        links.append(link)
        there.set()

    async def serve() -> None:
        await serve_inbox(desk.clerk, open_browser=False, announce=announced)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await there.wait()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
                page = await browser.new_page(**settings)
                page.set_default_timeout(15_000)
                page.on("console", lambda message: complaints.append(message.text))
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.on("dialog", lambda dialog: complaints.append(dialog.message))
                await page.goto(links[0])
                await page.wait_for_selector("#list")
                yield page
                await browser.close()
            group.cancel_scope.cancel()
    assert complaints == []


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_a_person_reads_a_card_approves_one_write_and_declines_another(
    desk: Desk, chromium: str, script: bool
) -> None:
    wanted = await desk.asked(
        "create_enquiry", customer="<script>alert(1)</script> Ltd", customer_ref="REAL-1", by="Claude Desktop 1.4"
    )
    unwanted = await desk.part("REAL-2")
    async with person(desk, chromium, java_script_enabled=script) as page:
        assert "token" not in page.url
        card = page.locator(f"#{wanted.id}")
        assert await card.locator("h3").inner_text() == "Create an enquiry for '<script>alert(1)</script> Ltd'"
        assert "REAL-1" in await card.inner_text()
        assert "Claude Desktop 1.4" in await card.inner_text()
        await card.locator("summary").click()
        assert '"customer_ref": "REAL-1"' in await card.locator("pre").inner_text()

        await page.locator(f"#{wanted.id}-approve").click()
        told = await page.locator("p[role=alert].done").inner_text()
        after = await desk.clerk.write(wanted.id)
        assert f"It is done, as '{after.outcome['result']['quote_number']}'" in told

        await page.locator(f"#{unwanted.id}-decline").click()
        await page.locator("p[role=alert].off").wait_for()
    assert (desk.enquiries("REAL-1"), desk.parts("REAL-2")) == (1, 0)
    assert await desk.state(unwanted) is State.DECLINED


async def test_the_list_follows_what_happens_without_being_loaded_again(desk: Desk, chromium: str) -> None:
    first = await desk.part("REAL-3")
    async with person(desk, chromium) as page:
        await page.evaluate("window.notLoadedAgain = true")
        await page.locator(f"#{first.id} summary").click()

        second = await desk.part("REAL-4")
        await page.locator(f"#{second.id}").wait_for()
        assert await page.locator("#headline").inner_text() == "2 writes wait for you"
        assert await page.title() == "(2) Approval inbox"
        assert await page.locator(f"#{first.id} pre").is_visible()  # what was unfolded stays so

        await desk.clerk.decline(first, by="somebody in a terminal")
        await page.locator(f"#{first.id}.over").wait_for()
        assert await page.locator("#headline").inner_text() == "1 write waits for you"
        assert await page.evaluate("window.notLoadedAgain")


async def test_a_click_that_meets_a_list_that_has_just_moved_decides_nothing(desk: Desk, chromium: str) -> None:
    first, second = await desk.part("REAL-5"), await desk.part("REAL-6")
    async with person(desk, chromium) as page:
        # Pressed in the very moment in which the first card leaves and the second comes up to where it was.
        await page.evaluate(
            """id => { window.pressed = new Promise(done => new MutationObserver((_, observer) => {
                 observer.disconnect();
                 const press = new MouseEvent("click", { bubbles: true, cancelable: true });
                 queueMicrotask(() => done(document.getElementById(id).dispatchEvent(press) ? "taken" : "ignored"));
               }).observe(document.querySelector("main"), { childList: true })); }""",
            f"{second.id}-approve",
        )
        await desk.clerk.decline(first, by="somebody in a terminal")
        assert await page.evaluate("window.pressed") == "ignored"
        assert await desk.state(second) is State.AWAITING
        await page.evaluate("new Promise(done => setTimeout(done, guardedUntil - performance.now()))")
        await page.locator(f"#{second.id}-approve").click()
        await page.locator("p[role=alert].done").wait_for()
    assert (desk.parts("REAL-5"), desk.parts("REAL-6")) == (0, 1)


async def test_a_page_says_when_the_inbox_is_gone(desk: Desk, chromium: str) -> None:
    async with person(desk, chromium) as page:
        await page.route("**/events", lambda route: route.abort())
        assert not await page.locator("#lost").is_visible()
        await page.evaluate("events.close(), events.onerror()")
        assert await page.locator("#lost").is_visible()


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_is_wider_than_its_window_and_buttons_are_large_enough_for_a_thumb(
    desk: Desk, chromium: str, width: int
) -> None:
    await desk.asked(
        "set_price_list",
        part="WIDGET-001",
        customer="Acme Corp",
        price_breaks=[{"quantity": 500, "unit_price": "11.25"}],
        customer_part_number="A-VERY-LONG-NUMBER-" * 5,
    )
    await desk.asked("create_enquiry", customer="Acme Corp", notes="long" * 200)
    async with person(desk, chromium, viewport={"width": width, "height": 740}) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        for button in await page.locator("form button").all():
            box = await button.bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["width"] >= 44
