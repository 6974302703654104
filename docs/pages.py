"""Write what the program knows of itself into docs/: tools.md whole, and the table of settings in configuration.md.

    python docs/pages.py [FOLDER]

Names, kinds and defaults are the program's own; what a setting means is said once, in README's table.
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from fraction_mcp.cli.schemas import every_tool
from fraction_mcp.cli.tool_help import arguments_of, effect_of, example_of
from fraction_mcp.config import Settings

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
TABLE = re.compile(r"(?<=\| --- \| --- \| --- \| --- \|\n)(?:\| `FRAC.*\n)+")
KINDS = {str(bool): "`true` or `false`", str(int): "whole number", str(float): "number"}

TOOLS = (
    "# Tools\n\n"
    "What a server offers where both ERPs are configured; `confirm_write` under `FRACTION_MCP_CONFIRM=two_step` alone. "
    "`make docs` writes this page from the program. `fraction-mcp tools NAME` shows the same of one tool, "
    "[tool_schemas](../tool_schemas) the exact schemas, with the results.\n\n"
)


def main(folder: Path) -> None:
    _write(folder / "tools.md", tools_page())
    page = (DOCS / "configuration.md").read_text("utf-8")
    _write(folder / "configuration.md", TABLE.sub(lambda _: settings_rows(), page))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def tools_page() -> str:
    return TOOLS + "\n".join(map(_tool, asyncio.run(every_tool())))


def _tool(tool: dict[str, Any]) -> str:
    lines = [f"## {tool['name']}", "", tool["description"].replace("\n", "  \n"), "", f"Effect: {effect_of(tool)}.", ""]
    if arguments := arguments_of(tool):
        lines += ["| Argument | Kind | | What |", "| --- | --- | --- | --- |"]
        lines += [f"| `{one.name}` | {one.kind} | {one.need} | {_cell(one.told)} |" for one in arguments]
    return "\n".join([*lines, "", "```sh", example_of(tool), "```", ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def settings_rows() -> str:
    meanings = _meanings()
    rows = []
    for field, info in Settings.model_fields.items():
        name = info.alias or field.upper()
        default = info.default.get_secret_value() if isinstance(info.default, SecretStr) else info.default
        told = str(default).lower() if isinstance(default, bool) else str(default) if default else ""
        rows.append(f"| `{name}` | {meanings[name]} | {f'`{told}`' if told else 'none'} | {_kind(info.annotation)} |\n")
    return "".join(rows)


def _kind(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(annotation))
    if annotation is SecretStr:
        return "secret"
    return KINDS.get(str(annotation), "path" if "Path" in str(annotation) else "text")


def _meanings() -> dict[str, str]:
    """Of each name, what README says that it means."""
    found = {}
    for line in README.read_text("utf-8").splitlines():
        if line.startswith("| `FRAC"):
            names, meaning, _ = line.strip("| ").split(" | ")
            found.update(dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), meaning))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
