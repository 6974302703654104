"""The .mcpb bundle: what Claude Desktop installs at a double click.

A zip with a manifest (github.com/modelcontextprotocol/mcpb, MANIFEST.md and schemas/mcpb-manifest-v0.4.schema.json), a
form for what a person fills in, the wheel, and a project that holds it to the versions that were tested: the program's
own uv makes the environment. Version 0.4 of the manifest is the first with uv, and its schema asks for `mcp_config`
although its text calls it optional, so both ways of starting lead to the same script.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release.facts import DESCRIPTION, FIELDS, NAME, TITLE

__all__ = ["bundle_files", "check_manifest", "write_zip"]

_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # a zip knows no earlier day


def bundle_files(tree: Path, version: str, wheel: Path) -> dict[str, bytes]:
    """Every file of the bundle, by its name."""
    tools = [json.loads(path.read_bytes()) for path in sorted((tree / "tool_schemas").glob("*.json"))]
    manifest = _manifest(version, [{"name": tool["name"], "description": _first_line(tool)} for tool in tools])
    lock = (tree / "requirements.lock").read_text("utf-8")
    files = {
        "manifest.json": (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(),
        "pyproject.toml": _project(version, wheel.name, lock).encode(),
        wheel.name: wheel.read_bytes(),
        "LICENSE": (tree / "LICENSE").read_bytes(),
        **{name: (tree / "release/bundle" / name).read_bytes() for name in ("server.py", "icon.png")},
    }
    check_manifest(manifest, files)
    return files


def write_zip(path: Path, files: Mapping[str, bytes], epoch: int) -> None:
    """The same bytes for the same files, whenever and wherever: sorted, dated, and stored rather than deflated."""
    when = max(datetime.fromtimestamp(epoch, UTC), _EARLIEST)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, when.timetuple()[:6])
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])


def _first_line(tool: Mapping[str, Any]) -> str:
    return str(tool["description"]).partition("\n")[0]


def _manifest(version: str, tools: list[dict[str, str]]) -> dict[str, Any]:
    form: dict[str, Any] = {
        field.key: {
            "type": "string",
            "title": field.title,
            "description": field.description,
            "required": False,  # either ERP is enough
            "default": "",  # without one, the placeholder itself would reach the server
            "sensitive": field.secret,
        }
        for field in FIELDS
    }
    form["sandbox"] = {
        "type": "boolean",
        "title": "Try it with a made-up company",
        "description": "No account is needed, and nothing is written anywhere but on this computer.",
        "required": False,
        "default": False,
    }
    return {
        "manifest_version": "0.4",
        "name": NAME,
        "display_name": TITLE,
        "version": version,
        "description": DESCRIPTION,
        "long_description": "Fill in an account of FractionERP, Fracttal or both; or tick the made-up company to try "
        "it without one. Nothing is written to an ERP before a person has approved exactly that.",
        "author": {"name": "the fraction_mcp authors"},
        "icon": "icon.png",
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "server.py", "--sandbox=${user_config.sandbox}"],
                "env": {field.variable: f"${{user_config.{field.key}}}" for field in FIELDS},
            },
        },
        "tools": tools,
        "prompts_generated": True,
        "keywords": ["erp", "fractionerp", "fracttal", "manufacturing", "purchasing"],
        "license": "MIT",
        "compatibility": {"platforms": ["darwin", "linux", "win32"], "runtimes": {"python": ">=3.11"}},
        "user_config": form,
    }


def _project(version: str, wheel: str, lock: str) -> str:
    """A project that is nothing but its dependency, held to the versions of requirements.lock."""
    pins = [line.removesuffix("\\").strip() for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return "\n".join(
        [
            "[project]",
            'name = "fraction-mcp-bundle"',
            f'version = "{version}"',
            'requires-python = ">=3.11"',
            f'dependencies = ["{NAME}=={version}"]',
            "",
            "[tool.uv]",
            "package = false",
            "constraint-dependencies = [",
            *(f"  {json.dumps(pin)}," for pin in pins),
            "]",
            "",
            "[tool.uv.sources]",
            f'{NAME} = {{ path = "{wheel}" }}',
            "",
        ]
    )


def check_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """What the specification asks for and a program would stumble over. Raises ValueError with the reason."""
    server, form = manifest["server"], manifest["user_config"]
    used = set(re.findall(r"\$\{user_config\.([^}]+)\}", json.dumps(server["mcp_config"])))
    secrets = [field.key for field in FIELDS if field.secret]
    words = " ".join(server["mcp_config"]["args"])
    problems = {
        f"asked for and not used, or used and not asked for: {used ^ set(form)}": used != set(form),
        f"{manifest['version']} is no semantic version": not re.fullmatch(
            r"\d+(\.\d+){2}(-[\w.]+)?", manifest["version"]
        ),
        "a file that is named is missing": not {server["entry_point"], manifest["icon"], "pyproject.toml"}
        <= set(files),
        "a secret would be shown": not all(form[key].get("sensitive") for key in secrets if key in form),
        "a secret is an argument": any(f"user_config.{key}" in words for key in secrets),
        "a field has no default, so its placeholder would be its value": any(
            "default" not in one for one in form.values()
        ),
    }
    if told := [reason for reason, holds in problems.items() if holds]:
        raise ValueError(f"manifest.json: {'; '.join(told)}")
