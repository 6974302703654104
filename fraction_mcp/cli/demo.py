"""`demo`: what an assistant asks and what it gets, through a real MCP session with the server on the embedded ERPs."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult, TextContent
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fraction_mcp.cli.consent import NO_FASTER_S
from fraction_mcp.cli.session import own_server
from fraction_mcp.cli.signals import run

__all__ = ["SCENES", "Scene", "demo", "session"]

_PIPED_WIDTH, _WIDEST = 100, 110  # a line of prose is not read easily beyond
_GAP = "  "


@dataclass(frozen=True)
class Scene:
    """What a person says, and the tool call that an assistant makes of it. `answer` is what the person types when they
    are asked for consent."""

    question: str
    tool: str
    arguments: dict[str, Any]
    answer: str = ""


SCENES = (
    Scene("Which bearing housings do we make?", "search_parts", {"query": "bearing housing", "limit": 4}),
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
        {
            "kind": "contracts",
            "sort": "contract_date",
            "order": "desc",
            "limit": 5,
            "fields": ["quote_number", "status", "customer", "contract_date"],
        },
    ),
    Scene(
        "Raise an enquiry for Acme Corp, their reference RFQ-2026-118.",
        "create_enquiry",
        {"customer": "Acme Corp", "customer_ref": "RFQ-2026-118", "notes": "500 of WIDGET-001, in two lots"},
        answer="yes",
    ),
    Scene(
        "Make that price 8.00 from 500, for good.",
        "set_price_list",
        {
            "part": "WIDGET-001",
            "customer": "Acme Corp",
            "price_breaks": [{"quantity": 1, "unit_price": "12.50"}, {"quantity": 500, "unit_price": "8.00"}],
        },
        answer="no",
    ),
)


def demo() -> int:
    """Run the session; set well on a terminal, plain ASCII of our own where it is piped."""
    return run(_whole, Console(highlight=False, soft_wrap=True))


async def _whole(console: Console) -> int:
    began = time.monotonic()
    answered = await session(console, SCENES)
    _say(console, f"{len(SCENES)} questions, {time.monotonic() - began:.1f} s with start-up.", "dim")
    _say(console, "Connect your own assistant to it: fraction-mcp serve --sandbox (README, Connect).")
    return 0 if answered else 1


async def session(console: Console, scenes: Sequence[Scene]) -> bool:
    """Play the scenes to a console, and say whether every one was answered.

    The company is one of its own: the same every time, and nobody's sandbox. Colours only mark: what must be read has
    the terminal's own colour, which is legible on any background.
    """
    with tempfile.TemporaryDirectory(prefix="fraction-mcp-demo-", ignore_cleanup_errors=True) as folder:
        environment = {"FRACTION_MCP_STATE_DIR": folder}
        person = _Person(console)
        async with own_server("--sandbox", environment=environment, elicitation_callback=person) as client:
            _say(
                console,
                Text.assemble(
                    ("Harrow & Pike Precision Ltd", "bold"),
                    (f"  embedded FractionERP, MCP {client.protocol_version} over stdio", "dim"),
                ),
            )
            answered = [await _play(console, client, person, scene) for scene in scenes]
            console.print()
    return all(answered)


class _Person:
    """Whoever is asked for consent: sees the question as a client shows it, and gives the scene's answer."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.answer = ""

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002 - the SDK's
        for line in params.message.splitlines():
            _say(self._console, line, "yellow" if line.startswith("Warning") else "", indent=6)
        await anyio.sleep(NO_FASTER_S)
        _say(self._console, Text.assemble("A person answers: ", (self.answer, "bold")), indent=4)
        if self.answer == "yes":
            return ElicitResult(action="accept", content={"decision": "approve"})
        return ElicitResult(action="decline")


async def _play(console: Console, client: Client, person: _Person, scene: Scene) -> bool:
    console.print()
    person.answer = scene.answer
    spoken = ", ".join(f"{name}={_spoken(value)}" for name, value in scene.arguments.items())
    _say(console, Text.assemble(("› " if _drawn(console) else "> ", "cyan"), (scene.question, "bold")))
    _say(console, f"{scene.tool}({spoken})", "dim", indent=2)
    result = await client.call_tool(scene.tool, scene.arguments)
    data = result.structured_content or {}
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    _say(console, data.get("summary", text), "red" if result.is_error else "", indent=2)
    for line in _table(data, _width(console) - 2, "─" if _drawn(console) else "-"):
        _say(console, line, indent=2)
    if data.get("next"):
        _say(console, f"Next: {data['next']}", "magenta", indent=2)
    return not result.is_error


def _say(console: Console, text: str | Text, style: str = "", *, indent: int = 0) -> None:
    """One paragraph; its further lines are indented like its first, and no line ends in spaces."""
    paragraph = text if isinstance(text, Text) else Text(text)
    for line in paragraph.wrap(console, _width(console) - indent):
        line.rstrip()
        line.stylize_before(style)
        console.print(Text(" " * indent) + line if line else line)


def _width(console: Console) -> int:
    return min(console.width, _WIDEST) if console.is_terminal else _PIPED_WIDTH


def _drawn(console: Console) -> bool:
    """Whether glyphs beyond ASCII may be drawn: on a terminal that has them."""
    return console.is_terminal and not console.options.ascii_only


def _spoken(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_spoken(item) for item in value) + "]"
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values())
    return str(value)


_TELLING = {
    "lines": ("part_number", "quantity", "unit_price", "line_total", "status"),
    "prices": ("customer_name", "unit_price", "line_total", "break_quantity", "next_break"),
}


def _table(data: Mapping[str, Any], width: int, rule: str) -> list[Text]:
    """The rows of a result: a list's own columns, or the telling ones of prices and priced lines, as many as fit."""
    columns: Sequence[str] = data.get("columns", ())
    rows: Sequence[Sequence[Any]] = data.get("rows", ())
    for name, telling in _TELLING.items():
        if data.get(name):
            columns, rows = telling, [[item[column] for column in telling] for item in data[name]]
    set_columns: list[list[str]] = []
    for index, column in enumerate(columns):
        cells = _set(column.replace("_", " "), [row[index] for row in rows])
        if sum(cell_len(each[0]) + len(_GAP) for each in set_columns) + cell_len(cells[0]) > width:
            break
        set_columns.append(cells)
    if not rows:
        return []
    head, *body = [_GAP.join(line) for line in zip(*set_columns, strict=True)]
    return [Text(head, "bold"), Text(rule * cell_len(head), "dim"), *map(Text, body)]


def _set(heading: str, values: Sequence[Any]) -> list[str]:
    """A column with its heading, every cell as wide as the widest: figures to the right, all else to the left."""
    cells = [heading, *map(_written, values)]
    width = max(map(cell_len, cells))
    figures = all(value is None or str(value).replace(".", "", 1).isdecimal() for value in values)
    blanks = [" " * (width - cell_len(cell)) for cell in cells]
    return [blank + cell if figures else cell + blank for cell, blank in zip(cells, blanks, strict=True)]


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['quantity']} at {value['unit_price']}, +{value['extra_cost']}"
    return "" if value is None else str(value)
