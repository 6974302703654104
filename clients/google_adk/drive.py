"""Google's ADK: `McpToolset`; and google-genai's own declarations, which other Gemini clients make."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven
from google.adk.agents import LlmAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.sessions import InMemorySessionService
from google.adk.tools import ToolContext
from google.adk.tools.mcp_tool.mcp_session_manager import StdioConnectionParams
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset
from google.genai import types
from google.genai._mcp_utils import mcp_to_gemini_tool
from mcp import StdioServerParameters
from mcp.types import ElicitResult, Tool


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    async def form(_context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content=await person.decides(params.message, params.requested_schema))

    stdio = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    toolset = McpToolset(
        connection_params=StdioConnectionParams(server_params=stdio, timeout=60),
        elicitation_callback=form if person.is_there else None,
    )
    tools = {tool.name: tool for tool in await toolset.get_tools()}
    sessions = InMemorySessionService()
    session = await sessions.create_session(app_name="buyer", user_id="1")
    agent = LlmAgent(name="buyer", tools=[toolset])
    where = InvocationContext(session_service=sessions, invocation_id="1", agent=agent, session=session)

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        return await tools[tool].run_async(args=arguments, tool_context=ToolContext(where))

    def as_tool(name: str, description: str, schema: dict[str, Any]) -> Tool:
        return Tool(name=name, description=description, input_schema=schema)

    def declared(name: str, description: str, schema: dict[str, Any]) -> Any:
        tool = tools["get_part"]
        tool._mcp_tool = as_tool(name, description, schema)
        return tool._get_declaration()

    yield Connected(
        list(tools),
        call,
        {
            "ADK": declared,
            "google-genai, mcp_to_gemini_tool": lambda *tool: mcp_to_gemini_tool(as_tool(*tool)),
            "google-genai, FunctionDeclaration(parameters=)": lambda name, description, schema: (
                types.FunctionDeclaration(name=name, description=description, parameters=schema)
            ),
            "google-genai, Schema.from_json_schema": lambda _name, _description, schema: types.Schema.from_json_schema(
                json_schema=types.JSONSchema.model_validate(schema)
            ),
        },
    )
    await toolset.close()


driven(connect)
