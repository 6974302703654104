"""`demo`: what an assistant asks and what it gets, through a real MCP session with the server on the embedded ERPs."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from mcp.types import TextContent
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraction_mcp import __version__
from fraction_mcp.cli.session import own_server

__all__ = ["demo"]


@dataclass(frozen=True)
class Scene:
    """A person's question, and the tool call by which an assistant answers it."""

    question: str
    tool: str
    arguments: dict[str, Any]


_SCENES = (
    Scene("Which bearing housings do we make?", "search_parts", {"query": "bearing", "limit": 4}),
    Scene(
        "What do 250 of WIDGET-001 cost for Acme Corp?",
        "get_price_for_quantity",
        {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"},
    ),
    Scene(
        "Price these three lines for Acme Corp.",
        "price_order_lines",
        {
            "customer": "Acme Corp",
            "lines": [
                {"part": "WIDGET-001", "quantity": 500},
                {"part": "BRKT-1", "quantity": 40},
                {"part": "GEAR/24T", "quantity": 12},
            ],
        },
    ),
    Scene(
        "Show me the newest contracts.",
        "list_records",
        {"kind": "contracts", "sort": "contract_date", "order": "desc", "limit": 5},
    ),
)


def demo() -> int:
    """Run the session; rich on a terminal, plain text where it is piped."""
    return anyio.run(_demo)


async def _demo() -> int:
    console = Console(highlight=False, width=None if os.isatty(1) else 110)
    began = time.monotonic()
    # A company of its own, so that it is the same every time and nobody's sandbox is touched.
    with tempfile.TemporaryDirectory(prefix="fraction-mcp-demo-", ignore_cleanup_errors=True) as folder:
        environment = {"FRACTION_MCP_STATE_DIR": folder, "FRACTION_CURRENCY": "GBP"}
        async with own_server("--sandbox", environment=environment) as client:
            count = len((await client.list_tools()).tools)
            console.print(
                f"[bold]fraction-mcp {__version__}[/] · MCP {client.protocol_version} over stdio · {count} tools · "
                "the embedded FractionERP of Harrow & Pike Precision Ltd\n"
            )
            for scene in _SCENES:
                await _play(console, client, scene)
    console.print(f"[dim]{len(_SCENES)} questions, {time.monotonic() - began:.1f} s with start-up.[/]")
    console.print("Connect your assistant to it: [bold]fraction-mcp serve --sandbox[/] (README, Connect).")
    return 0


async def _play(console: Console, client: Client, scene: Scene) -> None:
    result = await client.call_tool(scene.tool, scene.arguments)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    spoken = ", ".join(f"{name}={_spoken(value)}" for name, value in scene.arguments.items())
    console.print(Text("› ", "bold cyan") + Text(scene.question, "bold"))
    console.print(Text(f"  {scene.tool}({spoken})", "dim"), soft_wrap=False)
    data = result.structured_content or {}
    console.print(Text(f"  {data.get('summary', text)}", "green" if not result.is_error else "red"))
    if (table := _table(data)) is not None:
        console.print(table)
    if data.get("next"):
        console.print(Text(f"  Next: {data['next']}", "yellow"))
    console.print()


def _spoken(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_spoken(item) for item in value) + "]"
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values())
    return str(value)


_SHOWN = {
    "lines": ("part_number", "quantity", "unit_price", "line_total", "status"),
    "prices": ("customer_name", "unit_price", "line_total", "break_quantity", "next_break"),
}


def _table(data: Mapping[str, Any]) -> Table | None:
    """The rows of a result: a list's own columns, or the telling ones of prices and priced lines."""
    if data.get("rows"):
        return _drawn(data["columns"][:6], [row[:6] for row in data["rows"]])
    for name, columns in _SHOWN.items():
        if data.get(name):
            return _drawn(columns, [[item[column] for column in columns] for item in data[name]])
    return None


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        figures = all(_figure(row[index]) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if figures else "left", overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(_written(value)) for value in row))
    return table


def _figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | str) and str(value).replace(".", "", 1).isdigit())


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return f"from {value['quantity']}: {value['unit_price']} each, {value['extra_cost']} more in all"
    return "" if value is None else str(value)
