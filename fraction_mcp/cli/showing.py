"""Writes as a terminal shows them, set well for people and plain where they are piped.

Knows what a write says. Nothing that came out of an ERP reaches a terminal unclean: a control character could move the
cursor and repaint what a person judges by. What is sent is shown whole: it is spelt out, and never cut.
"""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from fraction_mcp.config import is_embedded
from fraction_mcp.operations.writes.batch import gravest_first
from fraction_mcp.operations.writes.plan import Change, FrozenPlan
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import in_its_own_words, result_for
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.characters import escaped, spelt_out
from fraction_mcp.values.moments import moment
from fraction_mcp.values.text import clean

__all__ = ["Teller", "outcome_of"]

_LINE = 4_000
_NARROWEST = 12


class Teller:
    """Says things on a stream: with colours and within its width on a terminal, in plain whole lines elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True, emoji=False, markup=False)

    @property
    def width(self) -> int | None:
        return self._console.width if self._console.is_terminal else None

    def say(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        self._console.print(Text(" " * indent) + Text(clean(text, _LINE), style))

    def rows(
        self, rows: Sequence[Sequence[str]], *, indent: int = 0, heading: bool = False, give: Sequence[int] = (-1,)
    ) -> None:
        """Aligned columns; on a terminal that is too narrow, those in `give` are cut, in this order."""
        if not rows:
            return
        cells = [[clean(cell, _LINE) for cell in row] for row in rows]
        widths = [max(cell_len(row[index]) for row in cells) for index in range(len(cells[0]))]
        for column in give if self.width is not None else ():
            over = sum(widths) + 2 * (len(widths) - 1) + indent - (self.width or 0)
            widths[column] = min(widths[column], max(_NARROWEST, widths[column] - max(0, over)))
        for number, row in enumerate(cells):
            padded = [_fitted(cell, width) for cell, width in zip(row, widths, strict=True)]
            line = " " * indent + "  ".join(padded).rstrip()
            self._console.print(Text(line, "bold" if heading and number == 0 else ""))

    def preview(self, writes: Sequence[Write], now: float) -> None:
        """What a person judges writes by: what, where, before and after, the exact request, and last, where the screen
        still shows them beside the question, the warnings, the gravest at the end where there are several writes."""
        if len(writes) > 1:
            self.say(f"{len(writes)} writes, approved or declined together", "bold")
        for number, write in enumerate(writes, start=1):
            if len(writes) > 1:
                self.say()
            self._request_of(write, f"{number}. " if len(writes) > 1 else "", now)
        warnings = gravest_first(writes)
        if warnings:
            self.say()
        for number, warning in reversed(warnings) if len(writes) > 1 else warnings:
            self.say(f"Warning{f' (write {number})' if number else ''}: {warning}", "yellow")

    def _request_of(self, write: Write, number: str, now: float) -> None:
        plan, erp = write.plan, write.identity
        self.say(f"{number}{plan.title}", "bold")
        if is_embedded(erp.base_url):
            self.say("SANDBOX: the embedded company; nothing here is real.", "dim")
        self.say(f"In {erp.system.label} of {erp.company_name or 'its company'} ({erp.base_url}), as {erp.account}.")
        created, expires = moment(write.created_at, now), moment(write.expires_at, now)
        until = f"; expires {expires.distance} ({expires.spoken})" if write.state is State.AWAITING else ""
        self.say(f"Asked for by {write.asked_by} {created.distance}{until}.", "dim")
        if plan.note:
            self.say(in_its_own_words(plan.note), "dim")
        self.say()
        self.changes(plan.preview)
        self.say()
        self.say("Exactly what is sent:", "dim")
        self.request(plan)

    def request(self, plan: FrozenPlan) -> None:
        """The exact request, in one line that the terminal may break; what nobody would see in it stands as JSON's own
        escapes."""
        self._console.print(Text(f"  {plan.method} {spelt_out(plan.target)} {escaped(plan.content)}", "dim"))

    def changes(self, preview: Sequence[Change], *, indent: int = 2) -> None:
        """The lines of a preview, each whole: one that is too long for the terminal goes on under its own column."""
        rows = []
        for row in preview:
            before, after = row.before, row.after
            text = f"{before} → {after or '(removed)'}" if before is not None and before != after else after or ""
            rows.append((spelt_out(row.field.replace("_", " ")), spelt_out(text)))
        column = indent + max((cell_len(field) for field, _ in rows), default=0) + 2
        for field, text in rows:
            lines = self._wrapped(text, column)
            self._console.print(Text(" " * indent + set_cell_size(field, column - indent) + lines[0]))
            for line in lines[1:]:
                self._console.print(Text(" " * column + line))

    def _wrapped(self, text: str, column: int) -> list[str]:
        room = (self.width or 0) - column
        if room < _NARROWEST:  # no terminal, or too narrow a one for columns
            return [text]
        return [line.plain.rstrip() for line in Text(text).wrap(self._console, room)] or [""]


def _fitted(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell)) if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"


def outcome_of(write: Write) -> str:
    """How a write stands, in the words that the assistant gets, with the reason where there is one."""
    answer = result_for(write)
    return answer.summary + (f" {answer.error.message}. {answer.error.hint}" if answer.error else "")
