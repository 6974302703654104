"""Tables for people and for pipes, from the columns that the model gets: set on a terminal, CSV elsewhere.

Nothing is dropped silently and no word is broken: a table that is too wide for its terminal is set with one record
under another, a line a column.
"""

import csv
import io
import sys
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fraction_mcp.values.cells import defused
from fraction_mcp.values.text import clean

__all__ = ["as_csv_text", "print_csv", "print_table"]

_LONGEST_CELL = 4_000
_GAP = "  "


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if columns:
        sys.stdout.write(as_csv_text([columns, *rows]))


def as_csv_text(rows: Sequence[Sequence[Any]]) -> str:
    """RFC 4180, but for line ends of one character. What a spreadsheet would carry out begins with an apostrophe; in
    JSON, which is for programs, each value is as it is."""
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows([defused(_text(cell)) for cell in row] for row in rows)
    return sheet.getvalue()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None) -> None:
    """On stdout, within the terminal's width or `width`; figures to the right."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    room = width or console.width
    cells = [[clean(_text(cell), _LONGEST_CELL) for cell in row] for row in rows]
    shown = [index for index in range(len(columns)) if index == 0 or any(row[index] for row in cells)]
    heads = [columns[index] for index in shown]
    cells = [[row[index] for index in shown] for row in cells]
    widths = [max(cell_len(head), *(cell_len(row[at]) for row in cells)) for at, head in enumerate(heads)]
    figures = [all(_is_figure(row[at]) for row in cells) for at in range(len(heads))]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= room:
        console.print(Text(_line(heads, widths, figures), "bold"))
        for row in cells:
            console.print(Text(_line(row, widths, figures)))
    else:
        _print_records(console, heads, cells, room)
    empty = [columns[index] for index in range(len(columns)) if index not in shown]
    if empty:
        console.print(Text(f"(empty in every row: {', '.join(empty)})", "dim"))


def _print_records(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> None:
    """One record under another: what is too long goes on under its own column, at a space."""
    column = max(map(cell_len, heads))
    for number, row in enumerate(rows):
        if number:
            console.print()
        for head, cell in zip(heads, row, strict=True):
            if not cell:
                continue
            rest = max(20, room - column - len(_GAP))
            lines = [line.plain.rstrip() for line in Text(cell).wrap(console, rest, overflow="ignore")] or [""]
            console.print(Text(head + " " * (column - cell_len(head)), "bold") + Text(_GAP + lines[0]))
            for line in lines[1:]:
                console.print(Text(" " * (column + len(_GAP)) + line))


def _line(cells: Sequence[str], widths: Sequence[int], figures: Sequence[bool]) -> str:
    padded = []
    for cell, width, figure in zip(cells, widths, figures, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if figure else cell + space)
    return _GAP.join(padded).rstrip()


def _is_figure(text: str) -> bool:
    return not text or text.lstrip("-").replace(".", "", 1).isdigit()


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            return " ".join(f"{name}={_text(item)}" for name, item in value.items() if item not in (None, "", []))
        case list() | tuple():
            return " | ".join(map(_text, value))
        case _:
            return str(value)
