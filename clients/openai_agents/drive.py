"""The OpenAI Agents SDK: `MCPServerStdio`, its tools as an agent has them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents import Agent, RunContextWrapper
from agents.mcp import MCPServerStdio
from agents.mcp.util import MCPUtil
from agents.strict_schema import ensure_strict_json_schema
from agents.tool_context import ToolContext
from driven import Connected, Person, Server, driven


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    params = {"command": server.command, "args": server.args, "env": server.env}
    async with MCPServerStdio(params=params, client_session_timeout_seconds=60) as stdio:
        agent = Agent(name="buyer", mcp_servers=[stdio])
        tools = {
            tool.name: tool
            for tool in await MCPUtil.get_function_tools(stdio, False, RunContextWrapper(context=None), agent)
        }

        async def call(tool: str, arguments: dict[str, Any]) -> Any:
            told = json.dumps(arguments)
            context = ToolContext(context=None, tool_name=tool, tool_call_id="1", tool_arguments=told)
            return await tools[tool].on_invoke_tool(context, told)

        yield Connected(
            list(tools), call, {"strict": lambda _name, _description, schema: ensure_strict_json_schema(schema)}
        )


driven(connect)
