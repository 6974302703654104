"""Machines of every platform in a folder, and what stands in their programs' files."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from fraction_mcp.cli.clients.entry import Options
from fraction_mcp.cli.clients.install import change_to_install, change_to_uninstall
from fraction_mcp.cli.clients.launch import Launch
from fraction_mcp.cli.clients.places import CLIENTS, Client, Machine

PLATFORMS: tuple[Literal["linux", "darwin", "win32"], ...] = ("linux", "darwin", "win32")
COMMAND = Launch(("/opt/tools/bin/fraction-mcp",))
SANDBOX = Options(sandbox=True)
COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(//[^\r\n]*|/\*.*?\*/)', re.S)


def machine(home: Path, platform: Literal["linux", "darwin", "win32"] = "linux", **environ: str) -> Machine:
    return Machine(platform, environ, home, python="/usr")


def file_of(client: Client, here: Machine, content: bytes | None) -> Path:
    """The program's file, with this in it."""
    path = client.path(here)
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    return path


def installed(client: Client, here: Machine, options: Options = SANDBOX, command: Launch = COMMAND) -> None:
    change_to_install(client, here, command, options).carry_out()


def uninstalled(client: Client, here: Machine) -> None:
    change_to_uninstall(client, here).carry_out()


def read(client: Client, content: bytes) -> dict[str, Any]:
    """As the program itself would read the file: comments and trailing commas go where it takes them."""
    text = content.decode("utf-8-sig")
    if client.toml:
        return tomllib.loads(text)
    if client.comments:
        text = COMMENT.sub(lambda found: found[0] if found[1] is None else " ", text)
    if client.trailing_commas:
        text = re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", text)
    value: dict[str, Any] = json.loads(text) if text.strip() else {}
    return value


def servers(client: Client, content: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = read(client, content).get(client.servers, {})
    return found


EVERY_CLIENT = list(CLIENTS.values())
JSON_CLIENTS = [client for client in EVERY_CLIENT if not client.toml]
