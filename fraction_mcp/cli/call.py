"""`call` and `price`: tool calls through a real MCP session, with arguments as a person types them."""

import difflib
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent, Tool

from fraction_mcp.cli.consent import NO_FASTER_S, on_a_terminal, typed_yes
from fraction_mcp.cli.results import show
from fraction_mcp.cli.serve import check_journal, checked_settings, sandbox_file
from fraction_mcp.cli.session import own_server
from fraction_mcp.cli.signals import finishing, run
from fraction_mcp.cli.tool_help import no_such_tool
from fraction_mcp.cli.trace import told_tokens
from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.text import clean

__all__ = ["call", "price", "show_progress"]


def call(
    *, tool: str, pairs: Sequence[str], args: str, batch: str, trace: bool, sandbox: bool, profile: str, as_json: bool,
    as_csv: bool,
) -> int:  # fmt: skip
    """One call, or those of a file in one session. See `results.show` for what is printed."""
    if batch and (tool or args):
        raise ConfigError("--batch has the tools and their arguments in its file; name none beside it")
    where = _Where(sandbox, profile, trace)
    where.check()
    if batch:
        from fraction_mcp.cli.batch import read_batch, run_batch  # noqa: PLC0415 - only then

        return run(run_batch, read_batch(batch), where.session)
    return run(_call, tool, lambda offered: {**_whole(args), **_typed(offered, pairs)}, where, as_json, as_csv)


def price(
    *, pairs: Sequence[str], customer: str, trace: bool, sandbox: bool, profile: str, as_json: bool, as_csv: bool
) -> int:
    """PART=QUANTITY ... for a customer: the lines of an order; one part without a customer: for everybody."""
    lines = [_order_line(pair) for pair in pairs]
    where = _Where(sandbox, profile, trace)
    where.check()
    if customer:
        tool, arguments = "price_order_lines", {"customer": customer, "lines": lines}
    elif len(lines) == 1:
        tool, arguments = "get_price_for_quantity", dict(lines[0])
    else:
        raise ConfigError("several parts are priced for a customer: add --customer NAME")
    return run(_call, tool, lambda _: arguments, where, as_json, as_csv)


def _order_line(pair: str) -> dict[str, str]:
    """A part number may hold an `=`, a quantity none."""
    part, equals, quantity = pair.rpartition("=")
    if not (equals and part and quantity):
        raise ConfigError(f"{pair} is not PART=QUANTITY, such as WIDGET-001=500")
    return {"part": part, "quantity": _figure("quantity", quantity)}


@dataclass(frozen=True)
class _Where:
    """Which ERPs a session works in, and whether its requests are told."""

    sandbox: bool
    profile: str
    trace: bool

    def check(self) -> None:
        """Raises ConfigError here, and not in a child that would not start."""
        check_journal(checked_settings(sandbox=self.sandbox, profile=self.profile))
        if self.sandbox:
            sandbox_file()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Client]:
        flags = ["--sandbox"] if self.sandbox else ["--profile", self.profile] if self.profile else []
        with ExitStack() as until_told:
            # A client that cannot ask says so: a write then waits in the approval inbox.
            ask = _Asker(until_told) if on_a_terminal() else None
            async with own_server(*flags, elicitation_callback=ask, trace=self.trace) as client:
                yield client


async def _call(
    name: str,
    arguments_of: Callable[[Tool], dict[str, Any]],
    where: _Where,
    as_json: bool,
    as_csv: bool,
) -> int:
    async with where.session() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        if name not in tools and name not in _switched_off():
            raise ConfigError(no_such_tool(name, list(tools)))
        arguments = arguments_of(tools[name]) if name in tools else {}  # which says itself that it is switched off
        result = await client.call_tool(name, arguments, progress_callback=show_progress)
        if where.trace:
            told_tokens("\n".join(block.text for block in result.content if isinstance(block, TextContent)))
        return show(result, as_json=as_json, as_csv=as_csv, sandbox=where.sandbox)


def _switched_off() -> Collection[str]:
    """Tools that are there and not listed: a read-only server says so itself, in the words that an assistant gets."""
    from fraction_mcp.tools.catalogue import switched_off  # noqa: PLC0415 - only for a name that is not listed

    return switched_off(Settings.load(stored=False))


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


async def show_progress(progress: float, total: float | None, message: str | None) -> None:
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


def _whole(args: str) -> dict[str, Any]:
    if not args:
        return {}
    try:
        value = json.loads(args)
    except (ValueError, RecursionError) as error:
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
        arguments[name] = _value(name, properties.get(name, {}), value)
    return arguments


def _value(name: str, argument: Mapping[str, Any], value: str) -> Any:
    kind, allowed = argument.get("type"), argument.get("enum")
    if allowed and value not in allowed:
        near = difflib.get_close_matches(value.lower().replace("-", "_"), [choice for choice in allowed if choice], n=1)
        if near:
            raise ConfigError(f"{name}={value} is none of its values; did you mean {name}={near[0]}?")
    if kind in {"number", "integer"}:
        value = _figure(name, value)
    if kind in {"integer", "array", "object", "boolean"}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return _as_list(name, argument, value) if kind == "array" else value
    return value  # a number goes as text: exact, however many digits


def _figure(name: str, value: str) -> str:
    """Raises ConfigError for a figure with thousands apart, with its right spelling: 1,000 is 1 to some."""
    if re.fullmatch(r"\d{1,3}([,' _]\d{3})+(\.\d+)?", value):
        plain = re.sub(r"[,' _]", "", value)
        raise ConfigError(f"{name}={value}: a figure has no separators; write {name}={plain}")
    return value


def _as_list(name: str, argument: Mapping[str, Any], value: str) -> Any:
    """Words between commas, where a list of texts is wanted. Other lists are JSON, with their right spelling told."""
    items = argument.get("items", {})
    if value.lstrip()[:1] not in {"[", "{"} and items.get("type") in {"string", None}:
        return [word.strip() for word in value.split(",") if word.strip()]
    shape = "{" + ", ".join(f'"{each}": ...' for each in items.get("properties", {})) + "}"
    raise ConfigError(f"{name} is a list in JSON: write it as '{name}=[{shape}]'")
