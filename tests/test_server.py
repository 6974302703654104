"""The server as a host starts it: a real pipe, every protocol version, and what it has loaded by then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.process import command
from tests.support import child_environment

pytestmark = pytest.mark.anyio

PRICE = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
SERVE = [sys.executable, "-m", "fraction_mcp", "serve"]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One state folder for all children, so that the company is made once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def environment(state: Path) -> dict[str, str]:
    return child_environment(FRACTION_MCP_STATE_DIR=str(state), FRACTION_CURRENCY="GBP")


# ---------------------------------------------------------------------------------------------------------- a real pipe


@pytest.mark.smoke
@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_the_sdks_client_gets_a_price_over_a_pipe(environment: dict[str, str], mode: str, version: str) -> None:
    server = StdioServerParameters(command=SERVE[0], args=[*SERVE[1:], "--sandbox"], env=environment)
    with anyio.fail_after(30):
        async with Client(server, mode=mode) as client:
            assert client.protocol_version == version
            names = [tool.name for tool in (await client.list_tools()).tools]
            data = (await client.call_tool("get_price_for_quantity", PRICE)).structured_content or {}
    assert "get_price_for_quantity" in names
    assert data["prices"][0]["line_total"] == "2500.00"
    assert data["summary"].startswith("250 EA of 'WIDGET-001' cost 2500.00 GBP for 'Acme Corp' (id 52), at 10.00 each")


@dataclass
class Raw:
    """JSON-RPC by hand, for what no well-behaved client sends."""

    process: subprocess.Popen[str]
    lines: list[str]

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any], number: int = 1) -> dict[str, Any]:
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.lines.append(line)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def initialize(self, version: str) -> dict[str, Any]:
        told = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
        answer = self.ask("initialize", told)
        self.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return answer


@contextmanager
def raw(environment: dict[str, str]) -> Iterator[Raw]:
    with subprocess.Popen(
        command("serve", "--sandbox"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        try:
            talk = Raw(process, [])
            yield talk
            rest, errors = process.communicate(timeout=60)  # closing stdin is how a host says goodbye
            assert process.returncode == 0, errors
            assert rest == "", "stdout holds protocol messages and nothing else"
            assert errors == ""
        finally:
            process.kill()


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
def test_a_host_of_any_older_version_gets_a_price(environment: dict[str, str], version: str) -> None:
    with raw(environment) as host:
        answer = host.initialize(version)["result"]
        assert answer["protocolVersion"] == version
        assert "never pick one yourself" in answer["instructions"]
        tools = host.ask("tools/list", {}, 2)["result"]["tools"]
        assert "get_price_for_quantity" in [tool["name"] for tool in tools]
        result = host.ask("tools/call", {"name": "get_price_for_quantity", "arguments": PRICE}, 3)["result"]
        assert "cost 2500.00 GBP" in result["content"][0]["text"]
        unknown = host.ask("tools/call", {"name": "get_weather", "arguments": {}}, 4)
        assert unknown["error"]["code"] == -32602
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in host.lines)


@pytest.mark.process
def test_figures_that_only_a_raw_client_can_send_are_refused(environment: dict[str, str]) -> None:
    with raw(environment) as host:
        host.initialize("2025-06-18")
        for spelt, reason in [
            ("NaN", "must be a finite number"),
            ("Infinity", "must be a finite number"),
            ("-Infinity", "must be a finite number"),
            ("1e400", "must be a finite number"),
            ("-1e400", "must be a finite number"),
            ("1" * 400, "must be a plain decimal number"),
            ("0.1234567", "must be a plain decimal number"),
        ]:
            arguments = '{"part": "WIDGET-001", "quantity": ' + spelt + "}"
            call = '{"name": "get_price_for_quantity", "arguments": ' + arguments + "}"
            host.send('{"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": ' + call + "}")
            result = host.answer()["result"]
            assert result["isError"] is True
            assert result["structuredContent"]["error"]["message"].startswith(f"quantity: {reason}"), spelt


@pytest.mark.process
def test_names_beyond_ascii_travel_as_utf_8_whatever_the_platform_thinks(environment: dict[str, str]) -> None:
    with raw({**environment, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C", "PYTHONUTF8": "0"}) as host:
        host.initialize("2025-06-18")
        result = host.ask("tools/call", {"name": "get_customer", "arguments": {"customer": "株式会社 精密"}}, 2)[
            "result"
        ]
        assert result["structuredContent"]["customer"]["name"] == "株式会社 精密"


# ------------------------------------------------------------------------------------------------------ start-up weight

HEAVY = {
    "httpx", "jsonschema", "rich", "sqlalchemy", "typer", "sqlite3", "uvicorn", "jinja2", "aiosqlite", "asyncpg",
    "keyring", "platformdirs", "fraction_mcp.accounts",
    "fraction_mcp.sandbox", "fraction_mcp.erp.client", "fraction_mcp.operations.writes.journal",
    "fraction_mcp.approvals", "fraction_mcp.server.http", "fraction_mcp.server.contract",
    "fraction_mcp.server.team", "prometheus_client",
}  # fmt: skip

BARE = """
import sys
from mcp.server import Server
from mcp.server.stdio import stdio_server
print(*sys.modules, sep="\\n")
"""

# What `serve` does up to the answers to what hosts list at once, asked the way a stream is; and what is loaded then.
LISTED = """
import sys
before = set(sys.modules)
import anyio
from fraction_mcp import cli
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from fraction_mcp.server.stdio import serve_stdio
from tests.process import command

async def main():
    async with Runtime(checked_settings(sandbox=False)) as runtime:
        server = create_server(runtime)
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
            answer = await server.get_request_handler(method).handler(None, None)
            assert method != "tools/list" or len(answer.tools) > 8
        print(*sys.modules, sep="\\n")

anyio.run(main)
"""


def loaded(script: str, environment: dict[str, str]) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.smoke
@pytest.mark.process
def test_listing_the_tools_loads_nothing_heavy_beyond_a_bare_server(environment: dict[str, str]) -> None:
    account = {"FRACTION_EMAIL": "clerk@example.com", "FRACTION_PASSWORD": "dummy"}
    ours, bare = loaded(LISTED, {**environment, **account}), loaded(BARE, environment)
    assert "fraction_mcp.server" in ours
    assert "mcp.server" in bare
    heavy = {module for module in ours - bare if module in HEAVY or module.partition(".")[0] in HEAVY}
    assert heavy == set()
