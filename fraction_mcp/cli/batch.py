"""`call --batch`: many calls in one session, a JSON line in and a JSON line out for each, in order.

A call that fails does not end the rest; the exit code is that of the first that was not fine. Writes are asked about
where this terminal can ask, and wait in the approval inbox otherwise.
"""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, MCPError
from mcp.types import TextContent

from fraction_mcp.cli.exits import USAGE, code_of_result
from fraction_mcp.errors import ConfigError

__all__ = ["BatchCall", "read_batch", "run_batch"]


@dataclass(frozen=True)
class BatchCall:
    """One line of the file: which tool, with what."""

    line: int
    tool: str
    arguments: dict[str, Any]


def read_batch(file: str) -> list[BatchCall]:
    """The calls of a file, `-` for stdin. Raises ConfigError, with the line, before anything is called."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text") from None
    calls = [_read(file, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not calls:
        raise ConfigError(f"{file} holds no call")
    return calls


def _read(file: str, number: int, line: str) -> BatchCall:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}:{number} is not JSON: {error}; nothing was called") from None
    arguments = value.get("arguments", {}) if isinstance(value, dict) else None
    if not isinstance(arguments, dict) or not isinstance(value.get("tool"), str):
        raise ConfigError(f'{file}:{number} must be {{"tool": ..., "arguments": {{...}}}}; nothing was called')
    if unknown := sorted(set(value) - {"tool", "arguments"}):
        raise ConfigError(f"{file}:{number} has {', '.join(unknown)} beside tool and arguments; nothing was called")
    return BatchCall(number, value["tool"], arguments)


async def run_batch(calls: Sequence[BatchCall], session: Callable[[], AbstractAsyncContextManager[Client]]) -> int:
    code = 0
    async with session() as client:
        for each in calls:
            output, this = await _called(client, each)
            code = code or this
            print(json.dumps(output), flush=True)
    return code


async def _called(client: Client, call: BatchCall) -> tuple[dict[str, Any], int]:
    source: dict[str, Any] = {"line": call.line, "tool": call.tool}
    try:
        result = await client.call_tool(call.tool, call.arguments)
    except MCPError as error:  # a name that is no tool's
        return {**source, "code": USAGE, "result": {"error": {"message": error.error.message}}}, USAGE
    data = result.structured_content
    if data is None:
        data = {"text": "\n".join(block.text for block in result.content if isinstance(block, TextContent))}
    code = code_of_result(data, failed=bool(result.is_error))
    return {**source, "code": code, "result": data}, code
