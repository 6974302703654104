"""CrewAI: `MCPServerAdapter` of crewai-tools (mcpadapt underneath), its tools as an agent calls them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from crewai.utilities.pydantic_schema_utils import (
    create_model_from_schema,
    generate_model_description,
    sanitize_tool_params_for_anthropic_strict,
    sanitize_tool_params_for_openai_strict,
)
from crewai_tools import MCPServerAdapter
from driven import Connected, Person, Server, driven
from mcp import StdioServerParameters


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    stdio = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    adapter = await asyncio.to_thread(MCPServerAdapter, stdio, connect_timeout=60)
    tools = {tool.name: tool for tool in adapter.tools}

    def called(tool: str, arguments: dict[str, Any]) -> Any:
        return tools[tool].to_structured_tool().invoke(arguments)

    def model(_name: str, _description: str, schema: dict[str, Any]) -> Any:
        return generate_model_description(create_model_from_schema(schema))["json_schema"]["schema"]

    yield Connected(
        list(tools),
        lambda *call: asyncio.to_thread(called, *call),
        {
            "model": model,
            "OpenAI, strict": lambda *tool: sanitize_tool_params_for_openai_strict(model(*tool)),
            "Anthropic, strict": lambda *tool: sanitize_tool_params_for_anthropic_strict(model(*tool)),
        },
    )
    await asyncio.to_thread(adapter.stop)


driven(connect)
