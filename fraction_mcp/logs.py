"""Logs: a line a record on stderr, as text or as JSON, and one line for each tools/call.

The line of a call tells time, client, tool, outcome, milliseconds, requests to the ERPs, and the ids by which a write
and a refused request are found again; never an argument or a result. `httpx`'s own lines hold addresses with what was
searched for, so they are never written, at whatever level.

On a team's server every line of a request bears its id, by which it is found again in the proxy's log and in the
answer's X-Request-Id.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from fraction_mcp.values.text import clean

__all__ = ["http_request_id", "log_call", "set_up_logs"]

_SILENT = ("httpx", "httpcore", "h11", "h2", "hpack")
_FACTS = "fraction_mcp_facts"

calls = logging.getLogger("fraction_mcp.call")

http_request_id: ContextVar[str] = ContextVar("http_request_id", default="")
"""The HTTP request that is being answered; empty where there is none. (`request_id` in a call's line is the ERP's.)"""


def set_up_logs(level: str, style: Literal["text", "json"]) -> None:
    """Once a process. A second call changes level and style."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    root = logging.getLogger()
    for before in [each for each in root.handlers if isinstance(each.formatter, _Json | _Text)]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _SILENT:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


def log_call(
    *, client: str, tool: str, outcome: str, ms: float, erp_requests: int, write_id: str = "", request_id: str = ""
) -> None:
    """One line at level INFO. `request_id` is the ERP's, of the last request that it refused in this call."""
    facts: dict[str, str | int] = {
        "client": clean(client, 80),
        "tool": tool,
        "outcome": outcome,
        "ms": round(ms),
        "erp_requests": erp_requests,
    }
    facts |= {name: clean(text, 80) for name, text in (("write_id", write_id), ("request_id", request_id)) if text}
    line = " ".join(f"{name}={_word(value)}" for name, value in facts.items())
    calls.info("%s", line, extra={_FACTS: facts})


def _word(value: str | int) -> str:
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) and (" " in value or not value) else str(value)
    )


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(logging.Formatter):
    """`2026-11-21T09:00:00.123Z INFO fraction_mcp.call: client=... tool=...`, with a traceback where there is one; of
    an HTTP request `INFO [id] fraction_mcp.call: ...`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(http)s%(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        request = http_request_id.get()
        record.http = f"[{request}] " if request else ""
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return _time(record)


class _Json(logging.Formatter):
    """An object a line: time, level, logger, message; of a call its facts; of an error its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {"time": _time(record), "level": record.levelname, "logger": record.name}
        if request := http_request_id.get():
            entry["http_request_id"] = request
        facts = getattr(record, _FACTS, None)
        entry |= facts if isinstance(facts, dict) else {"message": record.getMessage()}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)
