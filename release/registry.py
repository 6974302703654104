"""server.json, for the MCP registry.

The format is that of static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json, and what the official
registry asks beyond it (github.com/modelcontextprotocol/registry, docs/reference/server-json). A test holds the result
against the schema itself where it can be had; the checks here are those that a release must not go out without.
"""

import re
from collections.abc import Mapping
from typing import Any

from release.facts import DESCRIPTION, FIELDS, NAME, REGISTRY_NAME, TITLE

__all__ = ["SCHEMA", "check_server_json", "server_json"]

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"


def server_json(version: str, *, bundle: str, sha256: str, downloads: str) -> dict[str, Any]:
    """The description of a release; the bundle is in it only where it is known where it can be downloaded."""
    variables = [
        {"name": field.variable, "description": f"{field.title}. {field.description}", "isSecret": field.secret}
        for field in FIELDS
    ]
    packages: list[dict[str, Any]] = [
        {
            "registryType": "pypi",
            "identifier": NAME,
            "version": version,
            "runtimeHint": "uvx",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "positional", "value": "serve"}],
            "environmentVariables": variables,
        }
    ]
    if downloads:
        packages.append(
            {
                "registryType": "mcpb",
                "identifier": f"{downloads.rstrip('/')}/v{version}/{bundle}",
                "version": version,
                "fileSha256": sha256,
                "transport": {"type": "stdio"},
            }
        )
    described = {
        "$schema": SCHEMA,
        "name": REGISTRY_NAME,
        "title": TITLE,
        "description": DESCRIPTION,
        "version": version,
        "packages": packages,
    }
    check_server_json(described)
    return described


def check_server_json(described: Mapping[str, Any]) -> None:
    """Raises ValueError with every reason for which the registry would refuse it."""
    problems = [
        f"{key} has {len(described[key])} characters, and at most 100 are taken"
        for key in ("title", "description")
        if not 0 < len(described[key]) <= 100
    ]
    if not re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", described["name"]) or len(described["name"]) > 200:
        problems.append("name is no reverse domain name, a slash and a name")
    for package in described["packages"]:
        of = package["registryType"]
        if not re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", package["version"]):
            problems.append(f"{of}: {package['version']} is not one exact version")
        if package["version"] != described["version"]:
            problems.append(f"{of}: it is not of this version")
        if of == "mcpb" and not re.fullmatch(r"[a-f0-9]{64}", package.get("fileSha256", "")):
            problems.append("mcpb: fileSha256 is missing")
        if of == "mcpb" and not re.match(r"https://(github|gitlab)\.com/.*mcp", package["identifier"]):
            problems.append("mcpb: only releases on GitHub and GitLab are taken, with mcp in the address")
    if problems:
        raise ValueError(f"server.json: {'; '.join(problems)}")
