"""mcp-use: `MCPClient`, its tools through its own LangChain adapter, which its agent uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from mcp.types import ElicitResult
from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async def form(_context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content=await person.decides(params.message, params.requestedSchema))

    stdio = {"command": server.command, "args": server.args, "env": server.env}
    client = MCPClient({"mcpServers": {"fraction": stdio}}, elicitation_callback=form if person.is_there else None)
    adapter = LangChainAdapter()
    await adapter.create_all(client)
    tools = {tool.name: tool for tool in adapter.tools}

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        return await tools[tool].ainvoke(arguments)

    yield Connected(list(tools), call)
    await client.close_all_sessions()


driven(connect)
