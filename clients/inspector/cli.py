"""The MCP Inspector's command line: a server for each command, and no form ever."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from driven import Connected, Person, Server, driven, ran


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    program = f"{server.folder}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    env = [flag for name, value in server.env.items() for flag in ("-e", f"{name}={value}")]

    async def inspected(*flags: str) -> Any:
        given = ["--cli", *env, server.command, *server.args, *flags, "--format", "json", "-q"]
        told = json.loads(await ran(server.node, program, *given))
        return told.get("result", told)

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        given = [flag for name, value in arguments.items() for flag in ("--tool-arg", f"{name}={json.dumps(value)}")]
        return await inspected("--method", "tools/call", "--tool-name", tool, *given)

    tools = (await inspected("--method", "tools/list"))["tools"]
    yield Connected([tool["name"] for tool in tools], call)


driven(connect)
