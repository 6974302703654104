"""The connection itself."""

from typing import Literal

from pydantic import Field

from fraction_mcp.operations import status
from fraction_mcp.operations.desk import Desk
from fraction_mcp.shapes import Ask
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


class ConnectionAsk(Ask):
    system: Literal["all", "fractionerp", "fracttal"] = Field("all", description="Which ERP")


@tool(effect=Effect.READ)
async def get_connection_status(desk: Desk, ask: ConnectionAsk) -> status.ConnectionStatus:
    """Say which ERPs are connected, as whom, and how many requests are left.

    Use when a tool reports a sign-in or rate-limit problem.
    """
    return await status.connection_status(desk, ask.system)
