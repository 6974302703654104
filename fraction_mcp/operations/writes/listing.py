"""Writes as rows of a table: the same columns for a terminal, a pipe and the inbox's export."""

from collections.abc import Sequence
from datetime import datetime

from fraction_mcp.config import is_embedded
from fraction_mcp.operations.writes.event import Event, decided_by
from fraction_mcp.operations.writes.wording import reference_of
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.moments import moment

__all__ = ["COLUMNS", "SHORT", "row_of"]

COLUMNS = (
    "ID", "STATE", "WHAT", "REFERENCE", "ERP", "ASKED BY", "AGE", "ASKED", "DECIDED BY", "DECIDED", "REASON"
)  # fmt: skip
SHORT = 7
"""How many of the columns have room on a screen."""


def row_of(write: Write, decisions: Sequence[Event], now: float) -> tuple[str, ...]:
    """One write, with what people have decided about it; times in ISO 8601, in this machine's zone."""
    badge = "SANDBOX" if is_embedded(write.identity.base_url) else ""
    last = decisions[-1] if decisions else None
    error = write.outcome.error.message if write.outcome.error else ""
    return (
        write.id,
        str(write.state).replace("_", " "),
        write.plan.title,
        reference_of(write),
        ", ".join(filter(None, (badge, write.identity.system.label, write.identity.company_name))),
        write.asked_by,
        moment(write.created_at, now).distance.removesuffix(" ago"),
        _iso(write.created_at),
        decided_by(last) if last else "",
        _iso(last.at) if last else "",
        write.outcome.reason or error,
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
