"""A tool's result as a person sees it: the sentence and a table on a terminal, CSV in a pipe, JSON where it is wanted.

On a pipe stdout is the table alone; the sentence and the facts of its coverage stand on stderr, where they are seen and
spoil nothing. A result without a table is the text that the model gets, in both places.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent

from fraction_mcp.cli.exits import code_of_result
from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.tables import print_csv, print_table
from fraction_mcp.tools.render import flat

__all__ = ["show"]

_LISTS = ("rows", "lines", "prices", "price_lists", "candidates", "systems", "writes", "fields", "contacts")


def show(result: CallToolResult, *, as_json: bool, as_csv: bool, sandbox: bool) -> int:
    """Print a result, and the exit code that it means."""
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    data = result.structured_content if result.structured_content is not None else {"text": text}
    if as_json:
        print(as_json_text(data))
    elif result.is_error:
        print(text, file=sys.stderr)
    else:
        _show_answer(data, text, as_csv=as_csv, badge="SANDBOX  " if sandbox else "")
    return code_of_result(data, failed=bool(result.is_error))


def _show_answer(data: Mapping[str, Any], text: str, *, as_csv: bool, badge: str) -> None:
    table = _table(data)
    if table is None or (not as_csv and "rows" not in data and not sys.stdout.isatty()):
        if as_csv:
            facts = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
            print_csv(list(facts), [list(facts.values())])
        else:
            _beside_the_text(badge)
            print(text)
        return
    columns, rows = table
    piped = as_csv or not sys.stdout.isatty()
    beside = sys.stderr if piped else sys.stdout
    for line in _words(data, badge):
        print(line, file=beside)
    if piped:
        print_csv(columns, rows)
    elif rows:
        print()
        print_table(columns, rows)
    if data.get("next"):
        print(("" if piped else "\n") + str(data["next"]), file=beside)


def _beside_the_text(badge: str) -> None:
    """Before the sentence on a terminal; into a pipe goes the result alone, and its badge beside it."""
    if sys.stdout.isatty():
        sys.stdout.write(badge)
    elif badge:
        sys.stderr.write(f"{badge}The embedded company; nothing here is real.\n")


def _words(data: Mapping[str, Any], badge: str) -> list[str]:
    coverage = data.get("coverage")
    lines = [f"{badge}{data.get('summary', '')}"]
    if isinstance(coverage, Mapping) and not coverage.get("complete") and coverage.get("next_page"):
        lines.append(f"More: page={coverage['next_page']} (of {coverage.get('last_page') or 'several'}).")
    totals = data.get("totals")
    if isinstance(totals, Mapping) and totals:
        lines.append("totals: " + "; ".join(f"{name}={value}" for name, value in totals.items()))
    return lines + [f"Warning: {warning}" for warning in data.get("warnings") or ()]


def _table(data: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[Any]]] | None:
    """The result's own columns and rows; else its one list of records, nested facts spelt with dots."""
    if "rows" in data:
        return data["columns"], data["rows"]
    if data.get("outcome"):  # a write: its preview is no table
        return None
    for name in _LISTS:
        items = data.get(name)
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
            records = [flat(item) for item in items]
            columns = list(dict.fromkeys(key for row in records for key in row))
            return columns, [[row.get(column) for column in columns] for row in records]
    return None
