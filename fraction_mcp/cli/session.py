"""A real MCP session with this very server, as a host would open it: a child process, its stdin and stdout."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mcp import Client, StdioServerParameters

__all__ = ["own_server"]


@asynccontextmanager
async def own_server(*flags: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    """The SDK's client on `fraction-mcp serve` with these flags, in this environment."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "fraction_mcp", "serve", *flags],
        env={**os.environ, **(environment or {})},
    )
    try:
        async with Client(parameters) as client:
            yield client
    except BaseExceptionGroup as group:
        # The SDK's task groups wrap what was raised inside; a single cause is the cause.
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
            cause = cause.exceptions[0]
        raise cause from None
