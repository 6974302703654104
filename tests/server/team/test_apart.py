"""A server on one desk loads nothing of a team's: it is no heavier for it."""

from pathlib import Path

import pytest

from tests.support import child_environment
from tests.test_server import loaded

DESK_OVER_HTTP = """
import sys
import anyio
from fraction_mcp.cli import serve
from fraction_mcp.runtime import Runtime
from fraction_mcp.server import http

async def main():
    runtime = Runtime(serve.checked_settings(sandbox=True))
    with anyio.move_on_after(0.3):
        await http.serve_http(runtime, "127.0.0.1", 0)
    print(*sys.modules, sep="\\n")

anyio.run(main)
"""
HEAVY = ("fraction_mcp.server.team", "prometheus_client", "fraction_mcp.operations.writes.journal")


@pytest.mark.process
def test_a_desks_server_over_http_loads_nothing_of_a_teams(tmp_path: Path) -> None:
    """Of one on stdio, tests/test_server.py shows the same."""
    names = loaded(DESK_OVER_HTTP, child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path)))
    assert "fraction_mcp.server.app" in names
    assert [name for name in names if name.startswith(HEAVY)] == []
