"""CrewAI without crewai-tools: an agent's own `mcps=[MCPServerStdio(...)]`, a server for each call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from crewai.mcp import MCPServerStdio
from crewai.mcp.tool_resolver import MCPToolResolver
from crewai.utilities.logger import Logger
from driven import Connected, Person, Server, driven


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    stdio = MCPServerStdio(command=server.command, args=server.args, env=server.env)
    resolver = MCPToolResolver(agent=None, logger=Logger(verbose=False))
    found = await asyncio.to_thread(resolver.resolve, [stdio])
    tools = {tool.original_tool_name: tool for tool in found}

    def called(tool: str, arguments: dict[str, Any]) -> Any:
        return tools[tool].to_structured_tool().invoke(arguments)

    yield Connected(list(tools), lambda *call: asyncio.to_thread(called, *call))
    resolver.cleanup()


driven(connect)
