"""LangChain: `langchain-mcp-adapters` as its documentation has it, a server for each call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from langchain_anthropic.chat_models import convert_to_anthropic_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_google_genai._function_utils import convert_to_genai_function_declarations
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.types import ElicitResult


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async def form(_context: Any, params: Any, _where: Any) -> ElicitResult:
        return ElicitResult(action="accept", content=await person.decides(params.message, params.requestedSchema))

    stdio = {"transport": "stdio", "command": server.command, "args": server.args, "env": server.env}
    callbacks = Callbacks(on_elicitation=form) if person.is_there else None
    tools = {
        tool.name: tool for tool in await MultiServerMCPClient({"fraction": stdio}, callbacks=callbacks).get_tools()
    }

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        asked = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        return (await tools[tool].ainvoke(asked)).content

    def as_tool(name: str, description: str, schema: dict[str, Any]) -> Any:
        return tools["get_part"].model_copy(update={"name": name, "description": description, "args_schema": schema})

    yield Connected(
        list(tools),
        call,
        {
            "OpenAI": lambda *tool: convert_to_openai_tool(as_tool(*tool)),
            "OpenAI, strict": lambda *tool: convert_to_openai_tool(as_tool(*tool), strict=True),
            "Gemini": lambda *tool: convert_to_genai_function_declarations([as_tool(*tool)]),
            "Anthropic": lambda *tool: convert_to_anthropic_tool(as_tool(*tool)),
        },
    )


driven(connect)
