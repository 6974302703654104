"""The MCP Inspector's command line, a client that is not ours nor on our SDK, gets the same answers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from mcp import Client, StdioServerParameters

from tests.support import child_environment

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow]

VERSION = "2.12.0"
ARGUMENTS = {"part": "BRKT-1", "quantity": "250", "customer": "Acme Corp"}


@pytest.fixture(scope="session")
def inspector() -> list[str]:
    """How to start the Inspector. It is installed once, below the user's cache folder."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js (node and npm) is not installed")
    folder = platformdirs.user_cache_path("fraction-mcp-tests", appauthor=False) / f"inspector-{VERSION}"
    package = folder / "node_modules" / "@modelcontextprotocol" / "inspector"
    if not (package / "package.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(
                [*install, f"@modelcontextprotocol/inspector@{VERSION}"], check=True, capture_output=True, timeout=180
            )
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"npm could not install the Inspector: {type(error).__name__}")
    program = json.loads((package / "package.json").read_text(encoding="utf-8"))["bin"]
    return [node, str(package / program["mcp-inspector"]), "--cli"]


def inspected(inspector: list[str], state: Path, tool: str, *flags: str, **arguments: str) -> dict[str, Any]:
    given = [flag for name, value in arguments.items() for flag in ("--tool-arg", f"{name}={value}")]
    run = subprocess.run(
        [*inspector, sys.executable, "-m", "fraction_mcp", "serve", "--sandbox", "--method", "tools/call",
         "--tool-name", tool, *given, "--connect-timeout", "60000", "--format", "json", "-q", *flags],
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=120,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state)),
    )  # fmt: skip
    assert run.stdout, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told.get("result", told)


@pytest.mark.parametrize("era", [[], ["--protocol-era", "modern"]], ids=["legacy", "modern"])
async def test_the_inspector_gets_the_price_that_the_sdks_client_gets(
    inspector: list[str], tmp_path: Path, era: list[str]
) -> None:
    result = inspected(inspector, tmp_path, "get_price_for_quantity", *era, **ARGUMENTS)
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "fraction_mcp", "serve", "--sandbox"],
        env=child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path)),
    )
    async with Client(server) as client:
        ours = (await client.call_tool("get_price_for_quantity", ARGUMENTS)).structured_content or {}
    theirs = result["structuredContent"]
    assert theirs["prices"] == ours["prices"]
    assert theirs["summary"] == ours["summary"]
    assert theirs["prices"][0]["line_total"] == "1617.81"
    assert result["content"][0]["text"].startswith(theirs["summary"])


def test_the_inspector_is_shown_an_error_as_the_contract_has_it(inspector: list[str], tmp_path: Path) -> None:
    """It holds an error's structured content against the tool's output schema, and drops what does not conform."""
    result = inspected(inspector, tmp_path, "get_price_for_quantity", part="BRKT-1", quantity="0")
    assert result["isError"] is True
    assert result["structuredContent"]["error"]["code"] == "INVALID_INPUT"
