"""Draw docs/price.svg: the part of the demo that answers with prices, as it looks on a terminal.

    python docs/picture.py [FILE]

The output is the real one, of a real session. The picture refers to nothing outside itself: it is set in whatever
monospaced font its reader has.
"""

import io
import re
import sys
from pathlib import Path

import anyio
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from fraction_mcp.cli.demo import SCENES, session

WIDTH = 95
PRICES = [scene for scene in SCENES if "price" in scene.tool and not scene.answer]
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# Dark in itself, so that it reads on a light page as well as on a dark one; every colour is at least 4.5 : 1.
DARK = TerminalTheme(
    (24, 26, 31),
    (222, 224, 228),
    [(60, 63, 70), (255, 130, 120), (134, 212, 138), (230, 200, 120),
     (130, 170, 255), (214, 160, 240), (110, 205, 220), (222, 224, 228)],
)  # fmt: skip


def main(path: Path) -> None:
    console = Console(
        record=True, file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor", highlight=False,
        soft_wrap=True, legacy_windows=False,
    )  # fmt: skip
    console.print(Text.assemble(("$ ", "dim"), "fraction-mcp demo"))
    anyio.run(session, console, PRICES)
    svg = console.export_svg(title="fraction-mcp demo", theme=DARK, unique_id="price")
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.S)
    svg = re.sub(r"font-family:\s*(Fira Code|arial)[^;]*;", f"font-family: {FONTS};", svg)
    svg = svg.replace("<!-- Generated with Rich https://www.textualize.io -->\n", "")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("price.svg"))
