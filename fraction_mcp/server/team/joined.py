"""The team's server as a whole."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp

from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from fraction_mcp.server.team.options import TeamOptions

__all__ = ["serve_joined"]


async def serve_joined(
    settings: Settings,
    options: TeamOptions,
    host: str,
    port: int,
    *,
    sandbox: ASGIApp | None,
    hurry: Callable[[], Awaitable[None]],
) -> None:
    del settings, host, port, sandbox, hurry
    raise ConfigError(f"--auth {options.auth} is not served yet")
