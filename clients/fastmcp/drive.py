"""FastMCP's client, with its `elicitation_handler`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from fastmcp import Client
from fastmcp.client.transports import StdioTransport


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async def form(message: str, _type: Any, params: Any, _context: Any) -> dict[str, Any]:
        return await person.decides(message, params.requested_schema)

    transport = StdioTransport(server.command, server.args, env=server.env)
    async with Client(transport, elicitation_handler=form if person.is_there else None) as client:

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            result = await client.call_tool(tool, arguments)
            return {"content": result.content, "structured": result.structured_content}

        yield Connected([tool.name for tool in await client.list_tools()], call)


driven(connect)
