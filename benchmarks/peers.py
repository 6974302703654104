"""`python -m benchmarks.peers`: what other business servers' tool lists cost, for scale beside ours.

Each is fetched from its package index into a folder of its own and started without an account, as far as it starts
without one; one that does not is left out, with the reason.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import Session
from benchmarks.tokens import peers

_NPM = {
    "Notion": ("@notionhq/notion-mcp-server", {"NOTION_TOKEN": "ntn_x"}),
    "Xero": ("@xeroapi/xero-mcp-server", {"XERO_CLIENT_ID": "x", "XERO_CLIENT_SECRET": "x"}),
    "Sentry": ("@sentry/mcp-server", {"SENTRY_ACCESS_TOKEN": "x"}),
}
_NOWHERE = "http://127.0.0.1:9"
_PYPI = {
    "Odoo": ("mcp-server-odoo", {"ODOO_URL": _NOWHERE, "ODOO_API_KEY": "x", "ODOO_YOLO": "true"}),
    "Atlassian": (
        "mcp-atlassian",
        {
            "JIRA_URL": _NOWHERE,
            "JIRA_PERSONAL_TOKEN": "x",
            "CONFLUENCE_URL": _NOWHERE,
            "CONFLUENCE_PERSONAL_TOKEN": "x",
        },
    ),
}
_LONGEST_S = 240


def _command(kind: str, package: str, folder: Path) -> list[str]:
    if kind == "npm":
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, package], check=True, timeout=_LONGEST_S)
        manifest = json.loads((folder / "node_modules" / package / "package.json").read_text())
        entry = manifest["bin"]
        path = entry if isinstance(entry, str) else next(iter(entry.values()))
        return ["node", str(folder / "node_modules" / package / path)]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "-q", package], check=True, timeout=_LONGEST_S)
    return [str(folder / "bin" / package)]


def _listed(command: Sequence[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    session = Session(command, environment)
    try:
        tools: list[dict[str, Any]] = session.ask("tools/list", {})["tools"]
        return tools
    finally:
        session.process.kill()
        session.process.wait()


def main() -> None:
    for kind, packages in (("npm", _NPM), ("pypi", _PYPI)):
        for name, (package, environment) in packages.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    tools = _listed(_command(kind, package, Path(folder)), environment)
                except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                    print(f"{name}: left out, {type(error).__name__}")
                    continue
            for figure in peers({name: tools}):
                print(f"{figure.what}: {figure.ours}")


if __name__ == "__main__":
    main()
