"""How a stdio connection is opened: `server/discover` alone binds it to no protocol, any other request does."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
DISCOVER = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}
MODERN_LIST = {**LIST, "params": {"_meta": META}}
MODERN_AGAIN = {**MODERN_LIST, "id": 4}


def answers(folder: Path, *bursts: Sequence[dict[str, Any]], wanted: int) -> dict[int, Any]:
    """What comes back, by id, where each burst is sent at once, and the next when so many answers have come."""

    async def drive() -> dict[int, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fraction_mcp", "serve", "--sandbox", stdin=-1, stdout=-1, limit=2**26,
            env={**os.environ, "FRACTION_MCP_STATE_DIR": str(folder), "FRACTION_MCP_OPEN_INBOX": "false"},
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        came: dict[int, Any] = {}
        try:
            async with asyncio.timeout(30):
                for number, burst in enumerate(bursts, start=1):
                    process.stdin.write("".join(json.dumps(line) + "\n" for line in burst).encode())
                    while len(came) < (wanted if number == len(bursts) else number):
                        answer = json.loads(await process.stdout.readline())
                        came[answer["id"]] = answer.get("result", answer.get("error"))
        finally:
            process.stdin.close()
            await process.wait()
        assert process.returncode == 0
        return came

    return asyncio.run(drive())


@pytest.mark.slow
def test_a_client_that_has_given_up_on_discover_while_the_server_started_is_served(tmp_path: Path) -> None:
    came = answers(tmp_path, [DISCOVER, INITIALIZE, INITIALIZED, LIST], wanted=3)
    assert came[2]["protocolVersion"] == "2025-11-25"
    assert came[3]["tools"]
    assert "2026-07-28" in came[1]["supportedVersions"]


@pytest.mark.slow
def test_one_that_cancelled_its_discover_before_it_is_served_too(tmp_path: Path) -> None:
    came = answers(tmp_path, [DISCOVER, CANCELLED, INITIALIZE, INITIALIZED, LIST], wanted=2)
    assert came[2]["protocolVersion"] == "2025-11-25"


@pytest.mark.smoke
@pytest.mark.slow
def test_an_initialize_after_the_answer_to_discover_opens_the_older_protocol(tmp_path: Path) -> None:
    came = answers(tmp_path, [DISCOVER], [INITIALIZE, INITIALIZED, LIST], wanted=3)
    assert came[2]["protocolVersion"] == "2025-11-25"
    assert came[3]["tools"]


@pytest.mark.slow
def test_after_any_other_request_an_initialize_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    came = answers(tmp_path, [DISCOVER], [MODERN_LIST], [INITIALIZE], [MODERN_AGAIN], wanted=4)
    assert came[2]["code"] == -32022
    assert came[4]["tools"]


@pytest.mark.matrix
@pytest.mark.parametrize("opening", [[INITIALIZE, INITIALIZED, LIST], [MODERN_LIST]], ids=["older", "newer"])
def test_what_opens_without_asking_is_served_as_before(tmp_path: Path, opening: list[dict[str, Any]]) -> None:
    assert answers(tmp_path, opening, wanted=sum("id" in line for line in opening))[3]["tools"]
