"""`tools` and `schemas`: what is offered, for people, for other hosts, and as files that a build checks."""

import sys
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from fraction_mcp.cli.output import as_json_text
from fraction_mcp.config import Settings
from fraction_mcp.runtime import Runtime
from fraction_mcp.server import contract
from fraction_mcp.server.app import create_server

__all__ = ["list_tools", "schemas"]

_ACCOUNTS: dict[str, Any] = {
    "fraction_email": "x",
    "fraction_password": SecretStr("x"),
    "fracttal_client_id": "x",
    "fracttal_client_secret": SecretStr("x"),
}


def list_tools(*, as_json: bool) -> int:
    """What a server in this environment offers; where no ERP is configured, what it would offer with both."""
    settings = Settings.load()
    if not (settings.fraction_configured or settings.fracttal_configured):
        settings = settings.model_copy(update=_ACCOUNTS)
    tools = anyio.run(_served, settings)
    if as_json:
        print(as_json_text(tools))
        return 0
    width = max((len(tool["name"]) for tool in tools), default=0)
    for tool in tools:
        first_line, _, _ = tool["description"].partition("\n")
        print(f"{tool['name']:<{width}}  {first_line}")
    return 0


def schemas(*, write: str | None, check: str | None, style: str) -> int:
    """The published contract does not depend on the environment: both ERPs, every tool."""
    tools = anyio.run(_served, _everything())
    if write is not None:
        contract.write(tools, Path(write))
        return 0
    if check is not None:
        found = contract.differences(tools, Path(check))
        if found:
            lines = [*map(str, found), f"To mend it: fraction-mcp schemas --write {check}"]
            if any(one.breaking for one in found):
                lines.append("It breaks those who call: say so in CHANGELOG.md, or add a name beside the old one.")
            sys.stderr.write("\n".join(lines) + "\n")
        return 1 if found else 0
    print(as_json_text(contract.spelt_for(style, tools)))
    return 0


def _everything() -> Settings:
    """Settings under which every tool is listed. Nothing signs in: no tool is called."""
    return Settings.model_construct(**{"confirm": "two_step", **_ACCOUNTS})


async def _served(settings: Settings) -> list[dict[str, Any]]:
    return await contract.served_tools(create_server(Runtime(settings)))
