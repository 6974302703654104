"""`call`: one tool call through a real MCP session, with arguments as a person types them."""

import difflib
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import anyio
from mcp.client import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent, Tool

from fraction_mcp.cli.consent import NO_FASTER_S, on_a_terminal, typed_yes
from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.serve import check_journal, checked_settings
from fraction_mcp.cli.session import own_server
from fraction_mcp.cli.signals import finishing, run
from fraction_mcp.errors import ConfigError
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.text import clean

__all__ = ["call"]


def call(tool: str, pairs: Sequence[str], args: str, *, sandbox: bool, as_json: bool) -> int:
    check_journal(checked_settings(sandbox=sandbox))  # told here, not by a child that would not start
    return run(_call, tool, list(pairs), args, sandbox, as_json)


async def _call(name: str, pairs: list[str], args: str, sandbox: bool, as_json: bool) -> int:
    with ExitStack() as until_told:
        # A client that cannot ask says so: a write then waits in the approval inbox.
        ask = _Asker(until_told) if on_a_terminal() else None
        async with own_server(*(["--sandbox"] if sandbox else []), elicitation_callback=ask) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            if name not in tools:
                raise ConfigError(_no_such(name, list(tools)))
            arguments = {**_whole(args), **_typed(tools[name], pairs)}
            result = await client.call_tool(name, arguments, progress_callback=_show_progress)
            return _told(result, as_json=as_json)


def _told(result: CallToolResult, *, as_json: bool) -> int:
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if as_json:
        text = as_json_text(_structured(result, text))
    print(text, file=sys.stderr if result.is_error and not as_json else sys.stdout)
    return 1 if result.is_error else 0


def _no_such(name: str, offered: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, offered, n=1, cutoff=0.75)
    if near:
        return f"there is no tool {name}; did you mean {near[0]}?"
    return f"there is no tool {name}; there are {', '.join(offered)}"


class _Asker:
    """Puts a server's question to whoever sits at this terminal. After a yes, the first signal waits until the answer
    to it has been told."""

    def __init__(self, until_told: ExitStack) -> None:
        self._until_told = until_told

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002 - the SDK's
        named = params.requested_schema.get("properties", {}) if isinstance(params, ElicitRequestFormParams) else {}
        if set(named) != {"decision"}:
            return ElicitResult(action="cancel")  # a yes answers no other form
        came_at = anyio.current_time()
        # What a server sent, whole, without characters that would move the cursor or turn the text round.
        lines = [spelt_out(line) for line in params.message.split("\n")]
        sys.stderr.write("\n".join(["", *lines, "", ""]))
        answer = await typed_yes("Approve?")
        await anyio.sleep_until(came_at + NO_FASTER_S)
        if answer is None:
            return ElicitResult(action="cancel")
        if not answer:
            return ElicitResult(action="decline")
        self._until_told.enter_context(finishing())
        return ElicitResult(action="accept", content={"decision": "approve"})


_BAR = 30


async def _show_progress(progress: float, total: float | None, message: str | None) -> None:
    """A bar in one line of the terminal, gone when it is full; nothing where stderr goes elsewhere."""
    if not sys.stderr.isatty():
        return
    what = clean(message or "", 40) or "working"
    if not total:
        sys.stderr.write(f"\r{what} … {progress:g}\x1b[K")
    elif progress >= total:
        sys.stderr.write("\r\x1b[K")
    else:
        done = int(_BAR * progress / total)
        sys.stderr.write(f"\r{'█' * done}{'░' * (_BAR - done)} {progress:g} of {total:g} {what}\x1b[K")
    sys.stderr.flush()


def _structured(result: CallToolResult, text: str) -> Any:
    return result.structured_content if result.structured_content is not None else {"text": text}


def _whole(args: str) -> dict[str, Any]:
    if not args:
        return {}
    try:
        value = json.loads(args)
    except ValueError as error:
        raise ConfigError(f"--args is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError("--args must be a JSON object")
    return value


def _typed(tool: Tool, pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` by what the tool's schema says the name holds. What does not fit goes as text, for the server to
    refuse in its own words."""
    properties = tool.input_schema.get("properties", {})
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair} is not name=value")
        kind = properties.get(name, {}).get("type")
        arguments[name] = _value(kind, value)
    return arguments


def _value(kind: object, value: str) -> Any:
    if kind in {"integer", "array", "object", "boolean"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value  # a number goes as text: exact, however many digits
