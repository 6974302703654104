"""`tools` and `schemas`: what is offered, for people, for other hosts, and as files that a build checks."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.tool_help import no_such_tool, print_tool
from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from fraction_mcp.runtime import Runtime
from fraction_mcp.server import contract
from fraction_mcp.server.app import create_server

__all__ = ["every_tool", "list_tools", "schemas", "show_tool"]

_ACCOUNTS: dict[str, Any] = {
    "fraction_email": "x",
    "fraction_password": SecretStr("x"),
    "fracttal_client_id": "x",
    "fracttal_client_secret": SecretStr("x"),
}


def list_tools(*, tool: str, profile: str, as_json: bool) -> int:
    """What a server in this environment offers; where no ERP is configured, what it would offer with both. Of one tool,
    its arguments, effect and an example."""
    settings = Settings.load(profile)
    if not (settings.fraction_configured or settings.fracttal_configured):
        settings = settings.model_copy(update=_ACCOUNTS)
    offered = anyio.run(_served, settings)
    if tool:
        offered = [_named(offered, tool)]
        if not as_json:
            print_tool(offered[0])
            return 0
    if as_json:
        print(as_json_text(offered))
        return 0
    width = max((len(each["name"]) for each in offered), default=0)
    for each in offered:
        first_line, _, _ = each["description"].partition("\n")
        print(f"{each['name']:<{width}}  {first_line}")
    return 0


def show_tool(*, tool: str, profile: str) -> int:
    """`call TOOL --help`."""
    return list_tools(tool=tool, profile=profile, as_json=False)


def _named(offered: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    tool = next((tool for tool in offered if tool["name"] == name), None)
    if tool is None:
        raise ConfigError(no_such_tool(name, [tool["name"] for tool in offered]))
    return tool


def schemas(*, write: str | None, check: str | None, style: str) -> int:
    """The published contract does not depend on the environment: both ERPs, every tool."""
    tools = anyio.run(every_tool)
    if write is not None:
        try:
            contract.write(tools, Path(write))
        except OSError as error:
            raise ConfigError(f"{write} cannot be written: {error.strerror or error}") from None
        return 0
    if check is not None:
        differences = contract.differences(tools, Path(check))
        if differences:
            lines = [*map(str, differences), f"To mend it: fraction-mcp schemas --write {check}"]
            if any(difference.breaking for difference in differences):
                lines.append("It breaks those who call: say so in CHANGELOG.md, or add a name beside the old one.")
            sys.stderr.write("\n".join(lines) + "\n")
        return 1 if differences else 0
    print(as_json_text(contract.spelt_for(style, tools)))
    return 0


def _everything() -> Settings:
    """Settings under which every tool is listed. Nothing signs in: no tool is called."""
    return Settings.model_construct(**{"confirm": "two_step", **_ACCOUNTS})


async def every_tool() -> list[dict[str, Any]]:
    """Every tool as tools/list sends it, whatever the environment."""
    return await _served(_everything())


async def _served(settings: Settings) -> list[dict[str, Any]]:
    return await contract.served_tools(create_server(Runtime(settings)))
