"""The reference: the least server that the SDK makes, with one trivial tool. `--http PORT` serves it over HTTP, to
whoever has one of the access tokens in the file that `--tokens` names."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False}


async def list_tools(_ctx: ServerRequestContext[Any], _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name="echo", description="Say it again.", input_schema=SCHEMA)])


async def call_tool(_ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
    text = str((params.arguments or {}).get("text", ""))
    return CallToolResult(content=[TextContent(text=text)], structured_content={"text": text})


server: Server[Any] = Server("bare", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio() -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


class Known(TokenVerifier):
    """The check of a token that costs least: is it in a dictionary."""

    def __init__(self, tokens: list[str], resource: str) -> None:
        self._known = {
            token: AccessToken(
                token=token,
                client_id="bench",
                scopes=["erp:read", "erp:write"],
                subject=f"person-{number}",
                resource=resource,
            )
            for number, token in enumerate(tokens)
        }

    async def verify_token(self, token: str) -> AccessToken | None:
        return self._known.get(token)


def http_app(port: int) -> Starlette:
    if "--tokens" not in sys.argv:
        return server.streamable_http_app()
    url = f"http://127.0.0.1:{port}"
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(url),
        resource_server_url=AnyHttpUrl(f"{url}/mcp"),
        required_scopes=["erp:read"],
        validate_token_resource=True,
    )
    known = Known(json.loads(Path(sys.argv[sys.argv.index("--tokens") + 1]).read_text()), f"{url}/mcp")
    return server.streamable_http_app(stateless_http=True, auth=auth, token_verifier=known)


if __name__ == "__main__":
    if "--http" in sys.argv:
        import uvicorn

        port = int(sys.argv[sys.argv.index("--http") + 1])
        uvicorn.run(http_app(port), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    else:
        anyio.run(serve_stdio)
