"""What the tool list and whole answers cost a model in tokens, against the ERP's raw responses that hold the facts.

Counted with gpt-tokenizer (o200k_base), whose vocabulary comes inside its npm package; it is installed beside the
results the first time. Needs Node; without it these figures are left out.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx

from benchmarks.harness import OURS, Figure, Session, control, erp

__all__ = ["measure", "peers"]

_TOOLS = Path(__file__).parent / "node_modules"
_COUNT = """
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import fs from 'node:fs';
console.log(JSON.stringify(JSON.parse(fs.readFileSync(0, 'utf8')).map(text => encode(text).length)));
"""
_QUOTE = [
    "WIDGET-001", "BRKT-1", "Ø12 PIN", "GEAR/24T", "SHAFT 20%", "BUSH-10",
    "MANIFOLD-220", "COLLAR-16", "DOWEL-6H7", "SCREW-M6X20", "NUT#8-32", "VALVE-3?",
]  # fmt: skip

# What is asked, and the most that its text may cost of the raw responses; the least requests by the document.
_ANSWERS: Sequence[tuple[str, str, dict[str, Any], float, int]] = (
    (
        "price for a quantity",
        "get_price_for_quantity",
        {"part": "BRKT-1", "quantity": 250, "customer": "Acme Corp"},
        12,
        2,
    ),
    (
        "a twelve-line quote",
        "price_order_lines",
        {"customer": "Acme Corp", "lines": [{"part": part, "quantity": 250} for part in _QUOTE]},
        15,
        25,
    ),
    ("100 contracts", "list_records", {"kind": "contracts", "limit": 100}, 40, 1),
    ("contracts by status", "summarise_records", {"kind": "contracts", "group_by": ["status"]}, 1, 3),
)


def count(texts: Sequence[str]) -> list[int]:
    """Tokens of each text."""
    if not (_TOOLS / "gpt-tokenizer").exists():
        npm = ["npm", "install", "--no-save", "--silent", "--prefix", str(_TOOLS.parent), "gpt-tokenizer@3"]
        subprocess.run(npm, check=True, capture_output=True)
    node = ["node", "--input-type=module", "-e", _COUNT]
    done = subprocess.run(node, input=json.dumps(texts), cwd=_TOOLS.parent, capture_output=True, text=True, check=True)
    counted: list[int] = json.loads(done.stdout)
    return counted


def listed(tools: Sequence[dict[str, Any]]) -> list[str]:
    """Each tool as a model sees it: name, description, input schema."""
    return [
        json.dumps(
            {"name": tool["name"], "description": tool.get("description", ""), "input_schema": tool["inputSchema"]},
            separators=(",", ":"),
        )
        for tool in tools
    ]


def measure() -> list[Figure]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return [Figure("tokens", "not counted: Node is missing", "", "", "", None)]
    with erp() as environment:
        session = Session(OURS, {**environment, "FRACTION_MCP_CONFIRM": "two_step", "FRACTION_MCP_CACHE_S": "0"})
        try:
            tools = session.ask("tools/list", {})["tools"]
            total = sum(count(listed(tools)))
            figures = [Figure(f"tools/list, {len(tools)} tools", f"{total} tokens", "", "", "< 3500", total < 3500)]
            for what, tool, arguments, mark, least in _ANSWERS:
                figures += _answer(session, environment, what, tool, arguments, mark, least)
        finally:
            session.close()
    return figures


def _answer(
    session: Session,
    environment: dict[str, str],
    what: str,
    tool: str,
    arguments: dict[str, Any],
    mark: float,
    least: int,
) -> list[Figure]:
    base = environment["FRACTION_BASE_URL"].partition("/fraction")[0]
    before = len(control(base, "requests")["requests"])
    result = session.call(tool, arguments)
    log = control(base, "requests")["requests"][before:]
    asked = [(one["endpoint"], one["query"]) for one in log if one["method"] == "GET"]
    raw = anyio.run(_raw, environment, asked)
    ours, structured, theirs = count(
        [result["content"][0]["text"], json.dumps(result["structuredContent"], separators=(",", ":")), "".join(raw)]
    )
    share = ours / theirs * 100
    return [
        Figure(
            f"{what}: tokens of the text ({structured} structured)",
            f"{ours}",
            f"{theirs} raw",
            f"{share:.1f} %",
            f"≤ {mark:g} %",
            share <= mark,
        ),
        Figure(f"{what}: upstream requests", f"{len(asked)}", f"{least}", "", "equal", len(asked) == least),
    ]


async def _raw(environment: dict[str, str], asked: Sequence[tuple[str, str]]) -> list[str]:
    """The ERP's own responses to the same requests."""
    async with httpx.AsyncClient(base_url=environment["FRACTION_BASE_URL"]) as http:
        account = {"email": environment["FRACTION_EMAIL"], "password": environment["FRACTION_PASSWORD"]}
        token = (await http.post("/auth/login", json=account)).json()["data"]["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        return [(await http.get(f"{path}?{query}" if query else path)).text for path, query in asked]


def peers(lists: dict[str, Sequence[dict[str, Any]]]) -> list[Figure]:
    """Other servers' tool lists, for scale."""
    return [
        Figure(f"tools/list of {name}, {len(tools)} tools", f"{sum(count(listed(tools)))} tokens", "", "", "", None)
        for name, tools in lists.items()
    ]
