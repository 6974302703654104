"""pydantic-ai: its `MCPToolset`, which stands on FastMCP's client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from fastmcp.client.transports import StdioTransport
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async def form(message: str, _type: Any, params: Any, _context: Any) -> dict[str, Any]:
        return await person.decides(message, params.requested_schema)

    transport = StdioTransport(server.command, server.args, env=server.env)
    toolset = MCPToolset(transport, elicitation_handler=form if person.is_there else None, init_timeout=60)
    async with toolset:
        names = [tool.name for tool in await toolset.list_tools()]
        yield Connected(
            names,
            toolset.direct_call_tool,
            {
                "OpenAI": lambda _name, _description, schema: OpenAIJsonSchemaTransformer(schema).walk(),
                "OpenAI, strict": lambda _name, _description, schema: OpenAIJsonSchemaTransformer(
                    schema, strict=True
                ).walk(),
                "Gemini": lambda _name, _description, schema: GoogleJsonSchemaTransformer(schema).walk(),
            },
        )


driven(connect)
