"""Which cell of a table a spreadsheet would carry out, when it is given the table as CSV.

Anybody may have typed it into an ERP: `=HYPERLINK(...)` sends what stands beside it to somebody else at a click.
"""

import re

__all__ = ["defused"]

# In their wide forms as well, which some spreadsheets read as the plain ones.
_FORMULA = re.compile(r"[ \u00a0]*[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def defused(cell: str) -> str:
    """The cell as a spreadsheet takes it for text, its lines ended by \\n alone (Python's writer leaves \\r outside
    quotes, where it begins a row); a number, and what begins no formula, as it is."""
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")
    return "'" + cell if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell
