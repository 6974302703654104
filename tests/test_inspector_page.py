"""The MCP Inspector's page in a real browser: a person connects, prices, completes a customer's name, and asks for a
write that another person's means decide."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from tests.approvals.test_browser import SWITCHES, chromium
from tests.support import child_environment, free_port
from tests.terminal import small_company, standing, state, terminal
from tests.test_inspector import inspector

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["chromium", "inspector", "small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.browser, pytest.mark.slow]


@contextmanager
def page_of(inspector: list[str], state: Path) -> Iterator[str]:
    """The address of the Inspector's page, which starts a server of ours on stdio when it connects."""
    home = state.parent / "home"  # its own settings and secrets stay out of whoever's home this is
    home.mkdir()
    server = {
        "command": sys.executable,
        "args": ["-m", "fraction_mcp", "serve", "--sandbox"],
        "env": {"FRACTION_MCP_STATE_DIR": str(state), "FRACTION_MCP_OPEN_INBOX": "false"},
    }
    (home / "servers.json").write_text(json.dumps({"mcpServers": {"fraction": server}}), encoding="utf-8")
    environment = child_environment(
        HOME=str(home), MCP_AUTO_OPEN_ENABLED="false", MCP_INSPECTOR_SECRET_STORE="memory",
        CLIENT_PORT=str(free_port()), MCP_SANDBOX_PORT=str(free_port()),
    )  # fmt: skip
    process = subprocess.Popen(
        [*inspector[:-1], "--web", "--config", str(home / "servers.json")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    told = ""
    try:
        for line in process.stdout:
            told += line
            if found := re.search(r"http://127\.0\.0\.1:\S+TOKEN=\S+", line):
                yield found[0]
                return
        raise AssertionError(f"the Inspector's page did not come up:\n{told}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def connected(chromium: str, address: str) -> AsyncIterator["Page"]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        page = await browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(60_000)
        await page.goto(address)
        await page.get_by_text("fraction").first.wait_for()
        await page.get_by_role("switch").first.click(force=True)
        await page.get_by_text("Prompts", exact=True).first.wait_for()
        yield page
        await browser.close()


async def test_a_person_at_the_inspectors_page_gets_what_an_assistant_gets(
    inspector: list[str], chromium: str, state: Path
) -> None:
    with page_of(inspector, state) as address:
        async with connected(chromium, address) as page:
            await tools_are_listed_without_a_warning(page)
            await a_price_is_told(page)
            await a_customer_is_completed(page)
            await a_part_is_read_at_its_address(page)
            await a_price_list_waits(page)
            assert standing(state) == ["awaiting_approval"]
            await anyio.to_thread.run_sync(somebody_approves, state)
            assert standing(state) == ["done"]


async def tools_are_listed_without_a_warning(page: "Page") -> None:
    await page.get_by_text("Tools", exact=True).first.click()
    await page.get_by_text("get_price_for_quantity").first.wait_for()
    assert await page.get_by_label(re.compile("^Schema portability")).count() == 0


async def a_price_is_told(page: "Page") -> None:
    await page.get_by_text("get_price_for_quantity").first.click()
    await page.get_by_role("textbox", name=re.compile("^part")).fill("WIDGET-001")
    await page.get_by_label(re.compile("^quantity")).first.fill("250")
    await page.get_by_role("textbox", name=re.compile("^customer")).fill("Acme Corp")
    await page.get_by_role("button", name="Execute Tool").click()
    await page.get_by_text("cost 2500.00 GBP").first.wait_for()


async def a_customer_is_completed(page: "Page") -> None:
    await page.get_by_text("Prompts", exact=True).first.click()
    await page.get_by_text("Price a quote for a customer").first.click()
    await page.get_by_role("textbox", name=re.compile("^customer")).press_sequentially("acme co")
    await page.get_by_role("option", name="Acme Corp", exact=True).click()


async def a_part_is_read_at_its_address(page: "Page") -> None:
    await page.get_by_text("Resources", exact=True).first.click()
    await page.get_by_text("A part", exact=True).first.click()
    await page.get_by_role("textbox", name=re.compile("^part_number")).press_sequentially("gear/2")
    await page.get_by_role("option", name="GEAR/24T").click()
    await page.get_by_role("button", name=re.compile("read", re.IGNORECASE)).first.click()
    await page.get_by_text("fraction://parts/GEAR%2F24T").first.wait_for()


async def a_price_list_waits(page: "Page") -> None:
    await page.get_by_text("Tools", exact=True).first.click()
    await page.get_by_text("set_price_list").first.click()
    await page.get_by_role("textbox", name=re.compile("^part")).first.fill("WIDGET-001")
    await page.get_by_role("textbox", name=re.compile("^customer")).first.fill("Acme Corp")
    await page.get_by_role("button", name="Add item").first.click()
    await page.get_by_label(re.compile("^quantity")).first.fill("1")
    await page.get_by_label(re.compile("^unit_price")).first.fill("11.75")
    await page.get_by_role("button", name="Execute Tool").click()
    await page.get_by_text("waits for a person").first.wait_for()


def somebody_approves(state: Path) -> None:
    with terminal(state, "approve", "--sandbox") as screen:
        screen.until("Type yes: ")
        screen.types("yes\n")
        assert screen.exit_code() == 0, screen.seen
