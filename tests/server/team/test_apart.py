"""A server on one desk loads nothing of a team's: it is no heavier for it."""

import pytest

from tests.support import child_environment
from tests.test_server import LISTED, loaded

DESK_OVER_HTTP = """
import sys
import anyio
from fraction_mcp.cli import serve
from fraction_mcp.runtime import Runtime
from fraction_mcp.server import http

async def main():
    async with Runtime(serve.checked_settings(sandbox=True)) as runtime:
        with anyio.move_on_after(0.3):
            await http.serve_http(runtime, "127.0.0.1", 0)
    print(*sys.modules, sep="\\n")

anyio.run(main)
"""
HEAVY = ("fraction_mcp.server.team", "prometheus_client", "cryptography.x509", "fraction_mcp.operations.writes.journal")


@pytest.mark.process
@pytest.mark.parametrize("script", [LISTED, DESK_OVER_HTTP], ids=["stdio", "http"])
def test_a_desks_server_loads_nothing_of_a_teams(script: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    account = {"FRACTION_EMAIL": "clerk@example.com", "FRACTION_PASSWORD": "dummy"}
    state = tmp_path_factory.mktemp("state")
    names = loaded(script, child_environment(FRACTION_MCP_STATE_DIR=str(state), **account))
    assert "fraction_mcp.server.app" in names
    assert [name for name in names if name.startswith(HEAVY)] == []
