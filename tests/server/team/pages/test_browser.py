"""A real browser (Chromium) at the pages: somebody signs in, does not allow a client, and allows it."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fraction_mcp.loopback import Server, listening
from fraction_mcp.server.team.store import TeamStore

from .conftest import ANNA, HERS, Clock, Team, query, team_at

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

Made = TypeVar("Made")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> str:
    pytest.importorskip("playwright", reason="Playwright drives the browser")
    found = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        pytest.skip("no chromium is installed here")
    return found


@asynccontextmanager
async def served(make: Callable[[str], tuple[ASGIApp, Made]]) -> AsyncIterator[tuple[str, Made]]:
    """What `make` makes for an address, at that address."""
    with closing(listening("127.0.0.1", 0, what="a test")) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app, made = make(url)
        server = Server(app, most=32, lifespan=False)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            try:
                yield url, made
            finally:
                server.should_exit = True


def client(_: str) -> tuple[ASGIApp, None]:
    """A client that is led to one address, and leads on to another host, as clients do."""

    async def called(request: Request) -> Response:
        on = str(request.url.replace(hostname="localhost", path="/done"))
        return RedirectResponse(on)

    async def done(_: Request) -> Response:
        return HTMLResponse("<!doctype html><title>done</title><link rel=icon href=data:,><h1>Connected</h1>")

    return Starlette(routes=[Route("/callback", called), Route("/done", done)]), None


@asynccontextmanager
async def person(
    store: TeamStore, clock: Clock, chromium: str, **settings: Any
) -> AsyncIterator[tuple["Page", Team, str]]:
    """A browser, the pages, and where a client waits. What a page complains of fails the test."""
    from playwright.async_api import async_playwright

    def pages(url: str) -> tuple[ASGIApp, Team]:
        team = team_at(url, store, clock)
        return team.app, team

    complaints: list[str] = []
    with anyio.fail_after(120):
        async with (
            served(pages) as (_, team),
            served(client) as (there, _),
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
            page = await browser.new_page(**settings)
            page.set_default_timeout(60_000)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield page, team, f"{there}/callback"
            await browser.close()
    assert [each for each in complaints if "Failed to load resource" not in each] == []


@pytest.mark.slow
async def test_a_person_signs_in_does_not_allow_a_client_and_then_allows_it(
    store: TeamStore, clock: Clock, chromium: str
) -> None:
    async with person(store, clock, chromium, java_script_enabled=False) as (page, team, callback):
        await page.goto(team.asks(redirect=callback))
        assert await page.title() == "Sign in with FractionERP"
        await page.keyboard.type(ANNA)  # its field is in focus
        await page.keyboard.press("Tab")
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await page.locator("#told").wait_for()
        assert await page.locator("#password").input_value() == ""
        await page.keyboard.type(HERS)
        await page.keyboard.press("Enter")

        await page.locator("#host").wait_for()
        assert await page.locator("#host").inner_text() == callback.removeprefix("http://").removesuffix("/callback")
        await page.keyboard.press("Enter")  # nothing is in focus that it would press
        await page.locator("button[value=deny]").click()
        await page.wait_for_url("**/done?**")
        denied = query(page.url)
        assert (denied["error"], denied["state"], denied["iss"]) == ("access_denied", "the client's state", team.url)

        await page.goto(team.asks(redirect=callback))
        await page.locator("button[value=allow]").click()
        await page.wait_for_url("**/done?**")
        assert await team.store.find_code(query(page.url)["code"])

        await page.goto(f"{team.url}/account")
        await page.locator("button", has_text="Sign out").click()
        await page.locator("h1", has_text="You are signed out").wait_for()


@pytest.mark.slow
async def test_a_press_that_meets_the_page_as_it_comes_up_allows_nothing(
    store: TeamStore, clock: Clock, chromium: str
) -> None:
    """The second half of a double click that began in another site's window."""
    async with person(store, clock, chromium, java_script_enabled=False) as (page, team, callback):
        await page.goto(f"{team.url}/sign-in")
        await page.locator("#email").fill(ANNA)
        await page.locator("#password").fill(HERS)
        await page.locator("button").click()
        await page.locator("#account").wait_for()
        await page.goto(team.asks(redirect=callback))
        await page.evaluate("document.getAnimations().forEach(each => { each.pause(); each.currentTime = 500 })")
        button = page.locator("button[value=allow]")
        await button.scroll_into_view_if_needed()
        box = await button.bounding_box()
        assert box
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.mouse.click(*middle)
        await page.mouse.click(*middle)
        await page.evaluate("document.getAnimations().forEach(each => each.finish())")
        assert "/consent" in page.url
        await page.mouse.click(*middle)
        await page.wait_for_url("**/done?**")


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_is_wider_than_its_window_and_buttons_are_large_enough_for_a_thumb(
    store: TeamStore, clock: Clock, chromium: str, width: int
) -> None:
    long = "https://" + "a-very-long-name-of-a-host." * 6 + "example/cb"
    async with person(store, clock, chromium, viewport={"width": width, "height": 740}) as (page, team, _):
        for where in ("/sign-in", "/consent", "/sign-out"):
            await page.goto(team.url + where)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.goto(f"{team.url}/sign-in")
        await page.locator("#email").fill(ANNA)
        await page.locator("#password").fill(HERS)
        await page.locator("button").click()
        await page.locator("#account").wait_for()
        for where in (team.asks(redirect=long, name="N" * 80, client_id=long), f"{team.url}/account"):
            await page.goto(where)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            for button in await page.locator("form button").all():
                box = await button.bounding_box()
                assert box
                assert min(box["height"], box["width"]) >= 44
