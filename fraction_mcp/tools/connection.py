"""The connection itself."""

from typing import Literal

from pydantic import Field

from fraction_mcp.operations import connection
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.tools.fields import ToolInput
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []


class GetConnectionStatus(ToolInput):
    system: Literal["all", "fractionerp", "fracttal"] = Field("all", description="Which ERP")


@tool(effect=Effect.READ)
async def get_connection_status(context: ErpContext, ask: GetConnectionStatus) -> connection.ConnectionStatus:
    """Say which ERPs are connected, as whom, and how many requests are left.

    Use when a tool reports a sign-in or rate-limit problem.
    """
    return await connection.connection_status(context, ask.system)
