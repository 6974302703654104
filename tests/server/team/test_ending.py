"""A team's server as a process, told to end while the ERP holds its answer to somebody's write: that ends first."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread
import httpx
import pytest

from tests.process import command
from tests.server.team.person import Browser, assistant
from tests.support import child_environment, free_port, wait_for
from tests.terminal import LONG_ENOUGH_S
from tests.writes.conftest import company, firm, socketed
from tests.writes.firm import Firm
from tests.writes.test_signals import SlowErp, landed_once, slow

__all__ = ["company", "firm", "slow", "socketed"]  # fixtures

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,
    pytest.mark.slow,  # the seconds for which it tells its proxy that it is ending
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

PART = {"part_number": "SIGNAL-1"}


@contextmanager
def server(firm: Firm) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = child_environment(
        FRACTION_BASE_URL=firm.settings(wired=True).fraction_base_url,
        FRACTION_MCP_STATE_DIR=str(firm.state),
        FRACTION_MCP_TIMEOUT_S="30",
        FRACTION_MCP_CONFIRM="two_step",
        FRACTION_MCP_SECRET_KEY="k" * 32,
        FRACTION_MCP_PUBLIC_URL=url,
    )
    flags = ("--auth", "sign-in", "--port", str(port), "--allow-registration")
    process = subprocess.Popen(
        command("serve", "--http", *flags),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    with process:
        try:
            wait_for(process, port)
            yield process, url
        finally:
            process.kill()


async def ready(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=LONG_ENOUGH_S) as http:
        return (await http.get(f"{url}/readyz")).status_code


@pytest.mark.parametrize("impatient", [False, True], ids=["one signal", "three signals"])
async def test_serve_with_a_sign_in_ends_after_the_write_that_is_being_sent(
    firm: Firm, slow: SlowErp, impatient: bool
) -> None:
    with server(firm) as (process, url), anyio.fail_after(2 * LONG_ENOUGH_S):

        async def confirmed() -> None:
            """The answer may never come: the server is told to end meanwhile."""
            browser = Browser(url)
            try:
                async with browser.http, assistant(browser) as client:
                    data = (await client.call_tool("create_part", PART)).structured_content or {}
                    token = {"write_id": data["write_id"], "confirmation_token": data["confirmation_token"]}
                    await client.call_tool("confirm_write", token)
            except Exception:  # noqa: BLE001 - however the client takes it that its server has left
                return

        async with anyio.create_task_group() as group:
            group.start_soon(confirmed)
            assert await anyio.to_thread.run_sync(slow.asked.wait, LONG_ENOUGH_S)
            assert await ready(url) == 200
            for _ in range(3 if impatient else 1):
                process.send_signal(signal.SIGTERM)
            if not impatient:
                while await ready(url) != 503:
                    await anyio.lowlevel.checkpoint()
            with pytest.raises(subprocess.TimeoutExpired):
                await anyio.to_thread.run_sync(process.wait, 3.0)
            slow.answers()
            assert await anyio.to_thread.run_sync(process.wait, LONG_ENOUGH_S) == 128 + signal.SIGTERM
            group.cancel_scope.cancel()
    landed_once(firm)
