"""AutoGen: `autogen_ext.tools.mcp`, its tools as an assistant agent calls them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from autogen_core import CancellationToken
from autogen_ext.tools.mcp import StdioServerParams, mcp_server_tools
from driven import Connected, Person, Server, driven


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    stdio = StdioServerParams(command=server.command, args=server.args, env=server.env, read_timeout_seconds=60)
    tools = {tool.name: tool for tool in await mcp_server_tools(stdio)}

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        result = await tools[tool].run_json(arguments, CancellationToken())
        return tools[tool].return_value_as_string(result)

    yield Connected(list(tools), call)


driven(connect)
