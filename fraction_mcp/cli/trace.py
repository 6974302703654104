"""`--trace`: what a call cost, read off the log of the server that this command has started.

Each request to an ERP by its method, path, status and milliseconds (never its search), then the call's own line. What
else the server logs is passed on as it is.
"""

import json
import sys
from collections.abc import Mapping

__all__ = ["LOGS", "told_tokens", "trace_line"]

LOGS: Mapping[str, str] = {"FRACTION_MCP_LOG_LEVEL": "DEBUG", "FRACTION_MCP_LOG_FORMAT": "json"}
"""The settings of a server whose log `trace_line` reads."""

_CHARACTERS_A_TOKEN = 4  # of English and figures, as tokenizers in use count them; a model's own count differs
_PASSED_ON = {"WARNING", "ERROR", "CRITICAL"}


def trace_line(line: bytes) -> None:
    text = line.decode("utf-8", "backslashreplace")
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        sys.stderr.write(f"{text}\n")
    elif record.get("logger") == "fraction_mcp.erp.client" and "->" in str(record.get("message")):
        sys.stderr.write(f"trace: {record['message']}\n")
    elif record.get("logger") == "fraction_mcp.call":
        requests = record["erp_requests"]
        sys.stderr.write(
            f"trace: {record['tool']}: {record['outcome']}, {record['ms']} ms, "
            f"{requests} request{'' if requests == 1 else 's'} to the ERPs\n"
        )
    elif record.get("level") in _PASSED_ON:
        sys.stderr.write(f"{record['level']} {record['logger']}: {record.get('message')}\n")


def told_tokens(text: str) -> None:
    """About how many tokens the model would read."""
    sys.stderr.write(f"trace: about {-(-len(text) // _CHARACTERS_A_TOKEN)} tokens in the result's text\n")
