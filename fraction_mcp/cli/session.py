"""A real MCP session with this very server, as a host would open it: a child process, its stdin and stdout."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mcp import Client, StdioServerParameters
from mcp.client.session import ElicitationFnT
from mcp.types import Implementation

from fraction_mcp import __version__

__all__ = ["own_server"]

_INFO = Implementation(name="fraction-mcp", version=__version__)  # who asked, in the journal and the inbox


@asynccontextmanager
async def own_server(
    *flags: str, environment: Mapping[str, str] | None = None, elicitation_callback: ElicitationFnT | None = None
) -> AsyncIterator[Client]:
    """The SDK's client on `fraction-mcp serve` with these flags, in this environment.

    The server opens no inbox of its own: it would end with the session, before a person could decide in it.
    """
    parameters = StdioServerParameters(
        command=sys.executable,
        # -P: what is called fraction_mcp in the current folder must not be run with these credentials.
        args=["-P", "-m", "fraction_mcp", "serve", *flags],
        env={**os.environ, "FRACTION_MCP_OPEN_INBOX": "false", **(environment or {})},
    )
    async with Client(parameters, client_info=_INFO, elicitation_callback=elicitation_callback) as client:
        yield client
