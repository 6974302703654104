"""Microsoft's Agent Framework, AutoGen's successor: `MCPStdioTool`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agent_framework import MCPStdioTool
from driven import Connected, Person, Server, driven


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async with MCPStdioTool(
        name="fraction", command=server.command, args=server.args, env=server.env, load_prompts=False
    ) as stdio:
        tools = {function.name: function for function in stdio.functions}

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            return await tools[tool].invoke(arguments=arguments)

        yield Connected(list(tools), call)


driven(connect)
