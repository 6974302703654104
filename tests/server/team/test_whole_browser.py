"""Chromium at a team's whole server: from a client's question to its code, and a write in the inbox."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import anyio
import httpx
import pytest

from fraction_mcp.cli.serve import _open_sandbox, settings_for_writes
from fraction_mcp.sandbox import PASSWORD
from fraction_mcp.server.team.joined import serve_joined
from fraction_mcp.server.team.options import Asked, team_options
from tests.server.team.pages.conftest import query
from tests.server.team.whole import ANNA, BEN, CHALLENGE, KEY, VERIFIER
from tests.support import free_port
from tests.terminal import small_company, state

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

__all__ = ["small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("state")]

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

GUARDED = "new Promise((done) => setTimeout(done, guardedUntil - performance.now()))"


@pytest.fixture(scope="module")
def chromium() -> str:
    pytest.importorskip("playwright", reason="Playwright drives the browser")
    found = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        pytest.skip("no chromium is installed here")
    return found


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The address of a team's server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = settings_for_writes(sandbox=True)
    settings = settings.model_copy(update={"secret_key": type(settings.secret_key)(KEY)})
    options = team_options(settings, Asked(auth="sign-in", public_url=url, allow_registration=True), host="127.0.0.1")
    async with anyio.create_task_group() as group, httpx.AsyncClient(base_url=url) as http:
        hurried = anyio.Event()
        hurried.set()

        async def serve() -> None:
            sandbox = _open_sandbox(settings)
            await serve_joined(settings, options, "127.0.0.1", port, sandbox=sandbox, hurry=hurried.wait)

        group.start_soon(serve)
        while True:
            try:
                await http.get("/healthz")
                break
            except httpx.TransportError:
                await anyio.sleep(0.02)
        yield url
        group.cancel_scope.cancel()


@asynccontextmanager
async def browser_of(chromium: str) -> AsyncIterator["Browser"]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        await browser.close()


async def page_of(browser: "Browser", complaints: list[str]) -> "Page":
    """Of a person of their own: no other's cookies are there. What a page complains of is noted."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


async def types_in(page: "Page", email: str) -> None:
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("button.yes").click()


async def token_of(url: str, page: "Page", email: str) -> str:
    """What a client gets whose question is answered in this browser, at the client's own address."""
    back = url.replace("127.0.0.1", "localhost").rpartition(":")[0] + ":9/callback"
    async with httpx.AsyncClient(base_url=url) as http:
        metadata = {"redirect_uris": [back], "token_endpoint_auth_method": "none", "client_name": "Desk assistant"}
        client_id = (await http.post("/register", json=metadata)).json()["client_id"]
        asked = {"response_type": "code", "client_id": client_id, "redirect_uri": back, "state": "s & t",
                 "code_challenge": CHALLENGE, "code_challenge_method": "S256", "resource": f"{url}/mcp",
                 "scope": "erp:read erp:write"}  # fmt: skip
        await page.route(
            f"{back}**", lambda route: route.fulfill(body="<title>connected</title>", content_type="text/html")
        )
        await page.goto(f"{url}/authorize?{urlencode(asked)}")
        if "/sign-in" in page.url:
            await types_in(page, email)
        await page.locator("#host").wait_for()
        assert await page.locator("#name").inner_text() == "“Desk assistant”"
        await page.locator("button[value=allow]").click()
        await page.wait_for_url(f"{back}**")
        came = query(page.url)
        assert (came["state"], came["iss"]) == ("s & t", url)
        sent = {"grant_type": "authorization_code", "code": came["code"], "client_id": client_id,
                "redirect_uri": back, "code_verifier": VERIFIER, "resource": f"{url}/mcp"}  # fmt: skip
        return (await http.post("/token", data=sent)).json()["access_token"]


async def proposed(url: str, token: str, reference: str) -> dict[str, object]:
    params = {
        "name": "create_enquiry",
        "arguments": {"customer": "1", "customer_ref": reference},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        },
    }
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "create_enquiry",
    }
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    text = next((line[5:] for line in answer.text.splitlines() if line.startswith("data:")), answer.text)
    return json.loads(text)["result"]["structuredContent"]


@pytest.mark.slow
async def test_a_person_signs_in_allows_a_client_and_approves_its_write_and_nobody_else_sees_it(chromium: str) -> None:
    complaints = list[str]()
    with anyio.fail_after(150):
        async with served() as url, browser_of(chromium) as browser:
            anna, ben = await page_of(browser, complaints), await page_of(browser, complaints)
            token = await token_of(url, anna, ANNA)
            await ben.goto(f"{url}/approvals/")
            await types_in(ben, BEN)
            await ben.locator("#list").wait_for()

            await anna.goto(f"{url}/account")
            assert ANNA in await anna.locator("#account").inner_text()
            await anna.locator("a[href='/approvals/']").click()
            await anna.locator("#list").wait_for()
            assert ANNA in await anna.locator("#person").inner_text()
            write = await proposed(url, token, "BROWSER-1")
            assert write["outcome"] == "awaiting_approval", write
            card = anna.locator("article")
            await card.wait_for()  # the page follows by itself
            assert "BROWSER-1" in await card.inner_text()
            await ben.reload()
            assert await ben.locator("article").count() == 0
            await anna.evaluate(GUARDED)  # no press counts as a card moves
            await card.locator("button.yes").click()
            await anna.locator("#told.done").wait_for()

            another = await proposed(url, token, "BROWSER-2")
            await ben.goto(f"{url}/approvals/writes/{another['write_id']}")
            assert "There is no such write here" in await ben.locator("#list").inner_text()
            await anna.locator("article", has_text="BROWSER-2").wait_for()
            beside = await anna.context.new_page()
            await beside.goto(f"{url}/approvals/")
            await beside.locator("article", has_text="BROWSER-2").wait_for()

            await anna.locator("a[href='/sign-out']").click()
            await anna.locator("form button").click()
            await anna.locator("h1", has_text="You are signed out").wait_for()
            await anna.goto(f"{url}/approvals/")
            assert "/sign-in" in anna.url
            await proposed(url, token, "BROWSER-3")  # the client's grant goes on, and what the page shows does not
            await beside.wait_for_url(f"{url}/sign-in**")
    assert complaints == []
