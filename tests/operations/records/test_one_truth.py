"""Whoever reads only the text and whoever reads only the structured content learn the same; and the text is short."""

import csv
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from starlette.applications import Starlette

from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

from .conftest import KINDS, Everything, data, told

pytestmark = pytest.mark.anyio

FILTER = [{"field": "status", "op": "in", "values": ["Order", "Lost"]}]
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("search_parts", {"query": "widget"}),
    ("search_parts", {"query": "no such part anywhere"}),
    ("get_part", {"part": "MANIFOLD-220"}),
    ("get_part", {"part": "MANIFOLD-22"}),
    ("get_price_for_quantity", {"part": "BRKT-1", "quantity": 250}),
    ("get_price_for_quantity", {"part": "GASKET-41", "quantity": 5}),
    ("get_price_for_quantity", {"part": "BUSH-1", "quantity": 5}),
    ("price_order_lines", {"customer": "Acme Corp", "lines": [{"part": "WIDGET-001", "quantity": 500}]}),
    ("price_order_lines", {"customer": "Northgate", "lines": [{"part": "WIDGET-001", "quantity": 500}]}),
    ("search_customers", {"query": "northgate", "limit": 2}),
    ("get_customer", {"customer": 52}),
    ("describe_records", {}),
    *(("describe_records", {"kind": kind}) for kind in KINDS),
    *(("list_records", {"kind": kind, "limit": 100}) for kind in KINDS),
    *(("list_records", {"kind": kind, "limit": 30, "fields": ["*"]}) for kind in KINDS),
    ("list_records", {"kind": "contracts", "filters": FILTER, "limit": 7, "page": 2}),
    ("list_records", {"kind": "contracts", "limit": 100, "fields": ["*"]}),
    *(("get_record", {"kind": kind, "id": "FIRST"}) for kind in KINDS),
    ("get_record", {"kind": "contracts", "id": "600"}),
    ("summarise_records", {"kind": "parts"}),
    ("summarise_records", {"kind": "contracts", "group_by": ["status"], "sum": ["total_amount"], "top": 3}),
    ("summarise_records", {"kind": "contracts", "sum": ["total_amount"], "average": ["total_amount"]}),
    (
        "summarise_records",
        {"kind": "invoices", "date_field": "invoice_date", "date_bucket": "week", "max": ["paid_at"]},
    ),
    ("summarise_records", {"kind": "boms", "group_by": ["part.part_number", "status"], "filters": FILTER}),
    ("summarise_records", {"kind": "work_orders", "group_by": ["operations[].name"], "sum": ["operations[].minutes"]}),
    ("summarise_records", {"kind": "parts", "group_by": ["category"], "max_pages": 2}),
    ("list_fracttal_purchase_orders", {"since": "2026-01-01"}),
    ("list_fracttal_purchase_orders", {}),
    ("get_connection_status", {}),
    ("get_write_status", {"write_id": "PLANNED"}),
]


@pytest.fixture
async def context(app: Starlette, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Writes wait for a token here, so that there is one to ask about."""
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    settings = checked_settings(sandbox=True).model_copy(update={"confirm": "two_step", "elicitation": "off"})
    async with Runtime(settings, app) as runtime, Client(create_server(runtime)) as client:
        yield client


async def answered(context: Client, tool: str, asked: dict[str, Any]) -> Any:
    if asked.get("id") == "FIRST":
        asked = {**asked, "id": data(await context.call_tool("list_records", {"kind": asked["kind"]}))["rows"][0][0]}
    if asked.get("write_id") == "PLANNED":
        contact = {"customer": "Acme Corp", "name": 'Jo "the, buyer"; Five=5', "email": "jo@acme.example"}
        asked = {"write_id": data(await context.call_tool("add_contact", contact))["write_id"]}
    return await context.call_tool(tool, asked)


# ------------------------------------------------------------------------------------------ one reader, and the other


def structured_facts(value: Any) -> Iterator[str]:
    """Every value that says something, spelt as text."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from structured_facts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from structured_facts(inner)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value not in {None, ""}:
        yield str(value)


def names(value: Any, prefix: str = "") -> Iterator[str]:
    """The names that values go by, nested ones with dots: within the thing named, from every depth on."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield prefix + name
            yield from names(inner, f"{prefix}{name}.")
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


class Reader:
    """Reads a text by its own rules, knowing only which names and columns there are."""

    def __init__(self, known: set[str], columns: list[str]) -> None:
        self._name = re.compile(rf"(?:^|(?<= ))({'|'.join(sorted(map(re.escape, known), key=len, reverse=True))})=")
        self._columns = columns

    def facts(self, text: str) -> set[str]:
        summary, *lines = text.splitlines()
        facts = {summary}
        if lines and lines[-1].startswith("Next: "):
            facts.add(lines.pop().removeprefix("Next: "))
        block, table = "", False
        while lines:
            line = lines.pop(0)
            if opened := re.fullmatch("([a-z_]+):", line):
                block = opened[1]
                table = block != "warnings"
                lines = lines[table:]  # a table's head
            elif self._columns and next(csv.reader([line])) == self._columns:
                table = True
            elif table and not (block and re.match("[a-z_]+: [a-z_.A-Z]+=", line)):
                facts |= {fact for cell in next(csv.reader([line])) for fact in self._cell(cell)}
            elif block == "warnings":
                facts.add(line)
            else:
                table = False
                facts |= self._pairs(re.sub("^[a-z_]+: ", "", line))
        return facts - {""}

    def _pairs(self, line: str) -> set[str]:
        facts: set[str] = set()
        for _, quoted, plain in re.findall(r'([^=;]+)=(?:"((?:[^"]|"")*)"|([^;]*))(?:; |$)', line):
            facts |= self._cell(quoted.replace('""', '"') or plain)
        return facts

    def _cell(self, cell: str) -> set[str]:
        """A value, the values of a list, or those of objects, where each stands behind its name."""
        parts = [self._name.split(item) for item in cell.split(" | ")]
        if all(len(part) == 1 for part in parts):
            return {cell, *(part[0] for part in parts)}
        return {value.strip() for part in parts for value in part[2::2]}


@pytest.mark.matrix
@pytest.mark.parametrize(("tool", "asked"), CALLS, ids=[f"{tool} {json.dumps(asked)[:60]}" for tool, asked in CALLS])
async def test_text_and_structured_content_hold_the_same_facts(
    context: Client, tool: str, asked: dict[str, Any]
) -> None:
    result = await answered(context, tool, asked)
    found, text = data(result), told(result)
    if not found.get("rows", True):
        found.pop("columns")  # columns without rows say nothing
    columns = found.get("columns", [])
    structured = set(structured_facts(found)) - set(columns)
    read = Reader(set(names(found)), columns).facts(text)
    assert structured - read == set(), "only in the structured content"
    assert read - structured - lists(found) == set(), "only in the text"


def lists(value: Any) -> set[str]:
    """Lists of plain values, as a cell shows them."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    whole = {" | ".join(structured_facts(value))} if isinstance(value, list) else set()
    return whole.union(*map(lists, inside))


async def test_every_tool_that_reads_is_among_them(context: Client) -> None:
    reading = {
        tool.name for tool in (await context.list_tools()).tools if tool.annotations and tool.annotations.read_only_hint
    }
    assert reading == {tool for tool, _ in CALLS}


# ------------------------------------------------------------------------------------------------------------- length


@pytest.mark.parametrize("kind", ["contracts", "invoices", "work_orders"])
async def test_a_hundred_rows_cost_less_than_two_fifths_of_their_records_as_json(
    context: Client, everything: Everything, kind: str
) -> None:
    text = told(await context.call_tool("list_records", {"kind": kind, "limit": 100}))
    records = json.dumps(everything[kind][:100], indent=2, ensure_ascii=False, default=str)
    assert len(text) < 0.4 * len(records)


async def test_a_hundred_rows_cost_less_than_two_fifths_of_the_same_rows_as_json(context: Client) -> None:
    result = await context.call_tool("list_records", {"kind": "contracts", "limit": 100})
    found = data(result)
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert len(told(result)) < 0.4 * len(json.dumps(rows, indent=2, ensure_ascii=False))
