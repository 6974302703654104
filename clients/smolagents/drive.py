"""smolagents: `MCPClient` (mcpadapt underneath), its tools as an agent calls them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from mcp import StdioServerParameters
from smolagents import MCPClient
from smolagents.models import get_tool_json_schema
from smolagents.tools import validate_tool_arguments


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    stdio = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    client = await asyncio.to_thread(MCPClient, stdio, structured_output=True)
    tools = {tool.name: tool for tool in client.get_tools()}

    def called(tool: str, arguments: dict[str, Any]) -> Any:
        validate_tool_arguments(tools[tool], arguments)
        return tools[tool](**arguments, sanitize_inputs_outputs=True)

    def declared(_name: str, _description: str, schema: dict[str, Any]) -> Any:
        tool = tools["get_part"]
        tool.inputs = schema["properties"]
        return get_tool_json_schema(tool)

    yield Connected(list(tools), lambda *call: asyncio.to_thread(called, *call), {"OpenAI": declared})
    await asyncio.to_thread(client.disconnect)


driven(connect)
