"""`mcpdo` of the Inspector's package: one connection that a daemon keeps, forms answered by a second command."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from driven import Connected, Person, Server, driven, ran


@asynccontextmanager
async def connect(server: Server, person: Person) -> AsyncIterator[Connected]:
    program = f"{server.folder}/node_modules/@modelcontextprotocol/inspector/clients/mcpdo/build/mcp-bin.js"
    config = Path.cwd() / "mcpdo.json"
    stdio = {"command": server.command, "args": server.args, "env": server.env}
    config.write_text(json.dumps({"mcpServers": {"fraction": stdio}}), encoding="utf-8")

    async def did(*words: str) -> Any:
        return json.loads(await ran(server.node, program, "--config", str(config), "--format", "json", *words))

    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        told = await did("@fraction", "tools/call", tool, json.dumps(arguments))
        while "elicitationPending" in told:
            asked = told["elicitationPending"]
            content = await person.decides(asked["message"], asked["requestedSchema"])
            told = await did("elicitation/respond", asked["elicitationId"], json.dumps(content))
        return told

    await did("connect", "fraction", *([] if person.is_there else ["--elicit", "off"]))
    try:
        told = await did("@fraction", "tools/list")
        yield Connected([tool["name"] for tool in told.get("tools") or told["result"]["tools"]], call)
    finally:
        await ran(server.node, program, "daemon", "stop")


driven(connect)
