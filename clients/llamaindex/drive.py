"""LlamaIndex: `McpToolSpec` over its own `BasicMCPClient`, a server for each call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from driven import Connected, Person, Server, driven
from llama_index.core.tools.types import ToolMetadata
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    spec = McpToolSpec(BasicMCPClient(server.command, args=server.args, env=server.env))
    tools = {tool.metadata.name: tool for tool in await spec.to_tool_list_async()}

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        return str((await tools[tool].acall(**arguments)).content)

    def metadata(name: str, description: str, schema: dict[str, Any]) -> ToolMetadata:
        fresh = McpToolSpec(SimpleNamespace())  # it keeps models by their names
        return ToolMetadata(name=name, description=description, fn_schema=fresh.create_model_from_json_schema(schema))

    yield Connected(
        list(tools),
        call,
        {"OpenAI": lambda *tool: metadata(*tool).to_openai_tool(skip_length_check=True)},
    )


driven(connect)
