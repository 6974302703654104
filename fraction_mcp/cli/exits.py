"""The exit codes of every command, and which of them a result or an error means.

| code | means |
| --- | --- |
| 0 | done |
| 1 | the operation failed; a line on stderr says why |
| 2 | wrong usage or configuration |
| 3 | declined, cancelled or expired |
| 4 | ambiguous, or not found |
| 5 | waits for a person |
| 6 | the outcome is unknown: it may have been written |
| 130 | interrupted |
"""

from collections.abc import Mapping
from typing import Any

from fraction_mcp.errors import (
    AmbiguousReference,
    ConfigError,
    ErpOutcomeUnknown,
    FractionMcpError,
    NotFound,
    WriteNotFound,
)

__all__ = [
    "AMBIGUOUS",
    "DECLINED",
    "DONE",
    "FAILED",
    "UNKNOWN",
    "USAGE",
    "WAITS",
    "GivenUp",
    "code_of_error",
    "code_of_result",
]


class GivenUp(FractionMcpError):
    """A person ended the questions of a command."""


DONE, FAILED, USAGE, DECLINED, AMBIGUOUS, WAITS, UNKNOWN = range(7)

_OUTCOMES: Mapping[str, int] = {
    "done": DONE,
    "failed": FAILED,
    "declined": DECLINED,
    "cancelled": DECLINED,
    "expired": DECLINED,
    "ambiguous": AMBIGUOUS,
    "not_found": AMBIGUOUS,
    "awaiting_approval": WAITS,
    "confirmation_required": WAITS,
    "approved": WAITS,
    "in_progress": WAITS,
    "sending": WAITS,
    "unknown": UNKNOWN,
}
_ERRORS: Mapping[str, int] = {
    "NOT_FOUND": AMBIGUOUS,
    "AMBIGUOUS": AMBIGUOUS,
    "OUTCOME_UNKNOWN": UNKNOWN,
    "NOT_CONFIGURED": USAGE,
}


def code_of_result(data: Mapping[str, Any], *, failed: bool) -> int:
    """By a tool's structured result: what became of a write, whether a record was found, which error it is."""
    outcome = data.get("outcome")
    if isinstance(outcome, str):
        return _OUTCOMES.get(outcome, FAILED)
    error = data.get("error")
    if isinstance(error, Mapping):
        return _ERRORS.get(str(error.get("code")), FAILED)
    if data.get("status") in {"ambiguous", "not_found"}:
        return AMBIGUOUS
    return FAILED if failed else DONE


def code_of_error(error: FractionMcpError) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, GivenUp):
        return DECLINED
    if isinstance(error, AmbiguousReference | NotFound | WriteNotFound):
        return AMBIGUOUS
    return UNKNOWN if isinstance(error, ErpOutcomeUnknown) else FAILED
