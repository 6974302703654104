"""The links in README that set VS Code and Cursor up at a click; `python -m release.links` prints them.

VS Code's carries what `code --add-mcp` takes (microsoft/vscode-docs, api/extension-guides/ai/mcp.md, "MCP URL
handler"), through the redirect that a page without `vscode:` links needs; Cursor's the entry of its file, in base64
(cursor.com/docs/mcp/install-links). Both start the embedded company through uvx: a link can hold no account, and no
path of the computer that it is clicked on.
"""

import base64
import json
from typing import Any
from urllib.parse import quote

from release.facts import NAME, SERVER

__all__ = ["ENTRY", "cursor_link", "links", "vs_code_link"]

ENTRY: dict[str, Any] = {"command": "uvx", "args": [NAME, "serve", "--sandbox"]}


def vs_code_link() -> str:
    asked = json.dumps({"name": SERVER, **ENTRY}, separators=(",", ":"))
    return "https://insiders.vscode.dev/redirect?url=" + quote(f"vscode:mcp/install?{quote(asked, safe='')}", safe="")


def cursor_link() -> str:
    entry = base64.b64encode(json.dumps(ENTRY, separators=(",", ":")).encode()).decode()
    return f"https://cursor.com/en/install-mcp?name={SERVER}&config={quote(entry, safe='')}"


def links() -> str:
    """The line of README."""
    return f"[Add it to VS Code]({vs_code_link()}) · [Add it to Cursor]({cursor_link()})"


if __name__ == "__main__":
    print(links())
