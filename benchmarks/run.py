"""`make bench`: every measurement beside its reference in the same run; writes results.md and team.md here."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import fold, over_http, over_stdio, over_team, tokens
from benchmarks.harness import Figure
from fraction_mcp import __version__

_HERE = Path(__file__).parent
_PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    "stdio": over_stdio.measure,
    "http": over_http.measure,
    "team": over_team.measure,
    "fold": fold.measure,
    "tokens": tokens.measure,
}
_PAGES = {"results.md": ("stdio", "http", "fold", "tokens"), "team.md": ("team",)}


def main() -> int:
    """Exit code 1 where a mark is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *_PARTS], help="which measurements; all by default")
    wanted = parser.parse_args().only or list(_PARTS)
    figures = {name: [_told(figure) for figure in _PARTS[name]()] for name in wanted}
    for page, parts in _PAGES.items():
        if set(parts) <= set(wanted):
            whole = [figure for name in parts for figure in figures[name]]
            (_HERE / page).write_text(_table(whole), encoding="utf-8")
    return 1 if any(figure.met is False for of_part in figures.values() for figure in of_part) else 0


def _told(figure: Figure) -> Figure:
    sys.stdout.write(" | ".join(filter(None, (_word(figure), *_cells(figure)))) + "\n")
    sys.stdout.flush()
    return figure


def _cells(figure: Figure) -> tuple[str, ...]:
    return (figure.what, figure.ours, figure.reference, figure.ratio, figure.mark)


def _word(figure: Figure) -> str:
    return {True: "met", False: "MISSED", None: ""}[figure.met]


def _table(figures: Iterable[Figure]) -> str:
    lines = [
        "# Measured",
        "",
        (
            f"fraction-mcp {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
            f"{datetime.now(UTC):%Y-%m-%d}; made by `make bench`. What each row means: docs/performance.md."
        ),
        "",
        "| what | fraction-mcp | reference | ratio | mark | |",
        "| --- | --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(_cells(figure))} | {_word(figure)} |" for figure in figures),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
