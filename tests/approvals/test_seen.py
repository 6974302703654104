"""The inbox as different people meet it, in Chromium: by keyboard alone, by a screen reader, on a phone, in the dark,
with very much waiting, away from the page, and while another process works."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import platformdirs
import pytest

from fraction_mcp.operations.writes.states import State
from tests.support import child_environment

from .conftest import Writer
from .test_browser import chromium, person

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["chromium"]

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
slow = pytest.mark.slow

AXE = "4.14.1"
PRICES: dict[str, Any] = {
    "part": "WIDGET-001",
    "customer": "Acme Corp",
    "price_breaks": [{"quantity": 100, "unit_price": "10.00"}, {"quantity": 500, "unit_price": "11.25"}],
}


async def tabbed_to(page: "Page", element: str) -> None:
    for _ in range(60):
        if await page.evaluate("document.activeElement.id") == element:
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"Tab never came to {element}")


@pytest.mark.slow
async def test_by_keyboard_alone_one_write_is_approved_and_another_declined_with_a_reason(
    writer: Writer, chromium: str
) -> None:
    wanted = await writer.asked("create_enquiry", customer="Acme Corp", customer_ref="KEY-1")
    unwanted = await writer.part("KEY-2")
    async with person(writer, chromium) as page:
        await tabbed_to(page, f"{wanted.id}-approve")
        name = "Approve: Create an enquiry for 'Acme Corp'"
        assert await page.get_by_role("button", name=name, exact=True).count() == 1
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/?decided=*")
        told = page.get_by_role("status").and_(page.locator("#told"))
        assert await page.evaluate("document.activeElement.id") == "told"
        assert "It is done, as 'Q" in await told.inner_text()
        await tabbed_to(page, f"{unwanted.id}-reason")
        await page.keyboard.type("wrong number")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/?decided={unwanted.id}")
        assert await page.evaluate("document.activeElement.id") == "told"
        assert "The reason given: 'wrong number'" in await told.inner_text()
    assert (writer.enquiries("KEY-1"), writer.parts("KEY-2")) == (1, 0)


# ------------------------------------------------------------------------------------------------------ screen readers


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's own source. It is installed once, below the user's cache folder."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which axe-core comes by, is not installed")
    folder = platformdirs.user_cache_path("fraction-mcp-tests", appauthor=False) / f"axe-core-{AXE}"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run([*install, f"axe-core@{AXE}"], check=True, capture_output=True, timeout=180)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"npm could not install axe-core: {type(error).__name__}")
    return source.read_text(encoding="utf-8")


async def violations(page: "Page", axe: str) -> list[str]:
    await page.evaluate(axe)
    found: Mapping[str, Any] = await page.evaluate("axe.run()")
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


@slow
async def test_no_state_of_the_page_breaks_a_rule_of_accessibility_in_any_light_or_width(
    writer: Writer, chromium: str, axe: str
) -> None:
    price = await writer.asked("set_price_list", note="by phone", **PRICES)
    await writer.unsure("AXE-1")
    for ref in ("PO-1", "PO-2"):
        await writer.asked("create_enquiry", customer="Acme Corp", customer_ref=ref)
    declined = await writer.part("AXE-2")
    await writer.service.decline(declined, by="a test", reason="not now")
    async with person(writer, chromium, complains=("403",)) as page:
        host = page.url.partition("/s/")[0]
        assert await violations(page, axe) == []
        for summary in await page.locator("summary").all():
            await summary.click()
        with writer.erps.state.store.writing() as db:
            db.execute("UPDATE price_breaks SET price = '7.77' WHERE price = '8.50'")
        await page.locator(f"#{price.id}-approve").click()
        await page.locator("#told.bad").wait_for()
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            for width in (360, 1280):
                await page.set_viewport_size({"width": width, "height": 740})
                assert await violations(page, axe) == [], (scheme, width)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.locator("#find summary").click()
        await page.evaluate("events.onerror()")
        assert await violations(page, axe) == []
        await page.context.clear_cookies()
        await page.goto(f"{host}/enter?token=used")
        await page.wait_for_load_state("networkidle")
        assert await violations(page, axe) == []


# --------------------------------------------------------------------------------------------------- very much waiting


@slow
async def test_fifty_writes_that_wait_are_counted_shown_and_decided_one_by_one(writer: Writer, chromium: str) -> None:
    writes = [await writer.part(f"MANY-{number:02}") for number in range(51)]
    async with person(writer, chromium, viewport={"width": 360, "height": 740}) as page:
        assert await page.locator("#headline").inner_text() == "51 writes wait for you"
        assert await page.locator("article").count() == 50
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        last = writes[49]
        await page.locator(f"#{last.id}-approve").scroll_into_view_if_needed()
        await page.locator(f"#{last.id}-approve").click()
        await page.locator("#told.done").wait_for()
        assert await page.evaluate("document.activeElement.id") == "told"
        assert await page.locator("#told").is_visible()
        assert await page.locator("#headline").inner_text() == "50 writes wait for you"
        await page.locator(f"#{writes[50].id}-approve").wait_for()
    assert (writer.parts("MANY-49"), writer.parts("MANY-48")) == (1, 0)


# ------------------------------------------------------------------------------------------------- away from the page

RECORDER = """
  window.told = [];
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { return this.permission = "granted"; }
    constructor(title, options) { window.told.push([title, options.body]); }
  };
  Document.prototype.hasFocus = () => window.looking;
"""


@slow
async def test_who_asked_to_be_notified_is_told_that_a_write_waits_and_nothing_of_it_but_only_when_away(
    writer: Writer, chromium: str
) -> None:
    """Chromium without a screen has no notifications: what the page hands to the browser is looked at."""
    await writer.part("AWAY-1")
    async with person(writer, chromium) as page:
        await page.context.add_init_script(RECORDER)
        await page.reload()
        await page.evaluate("window.looking = true")
        await page.get_by_role("button", name="Notify me when a write waits").click()
        await page.locator("#notify").wait_for(state="hidden")
        assert await page.evaluate("document.activeElement.id") == "headline"
        second = await writer.part("AWAY-2")
        await page.locator(f"#{second.id}").wait_for()
        assert await page.evaluate("told") == []
        await page.evaluate("window.looking = false")
        third = await writer.part("AWAY-3")
        await page.locator(f"#{third.id}").wait_for()
        assert await page.evaluate("told") == [["Approval inbox", "3 writes wait for you"]]
        await writer.service.decline(third, by="somebody else")
        await page.locator(f"#{third.id}.over").wait_for()
        assert len(await page.evaluate("told")) == 1


# ----------------------------------------------------------------------------------------------------- another process


@slow
@pytest.mark.process
async def test_beside_a_second_process_what_it_asks_for_appears_and_what_is_decided_reaches_it(
    writer: Writer, chromium: str, company: Path, tmp_path: Path
) -> None:
    await writer.part("FIRST-1")
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    shutil.copy(company, folder / "sandbox.sqlite3")
    journal = f"sqlite+aiosqlite:///{writer.state_folder / 'journal.sqlite3'}"
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(folder), FRACTION_MCP_DATABASE_URL=journal)

    async def other(*words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "fraction_mcp", "call", *words, "--sandbox", "--json"]
        run = await anyio.run_process(command, env=environment, check=False, stdin=subprocess.DEVNULL)
        return dict(json.loads(run.stdout))

    async with person(writer, chromium) as page:
        write_id = (await other("create_part", "part_number=SECOND-1"))["write_id"]
        card = page.locator(f"#{write_id}")
        await card.wait_for()
        assert "SANDBOX FractionERP" in await card.inner_text()
        await page.locator(f"#{write_id}-reason").fill("ask me first")
        await page.evaluate("new Promise(done => setTimeout(done, guardedUntil - performance.now()))")
        await page.locator(f"#{write_id}-decline").click()
        await page.locator("#told.off").wait_for()
        told = await other("get_write_status", f"write_id={write_id}")
        assert (told["outcome"], "'ask me first'" in told["summary"]) == ("declined", True)
    assert (await writer.service.write(write_id)).state is State.DECLINED
