"""One line in the log for each call, of a tool or by a resource's address: who called what, what came of it, and what
it cost. See `logs`. Whoever counts calls (`observers`) is told of each as well."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp.server import ServerRequestContext
from mcp.types import CallToolResult, InputRequiredResult

from fraction_mcp.erp.tally import counted
from fraction_mcp.logs import calls, log_call

__all__ = ["client_of", "logged", "observers"]

ResultT = TypeVar("ResultT")

observers: list[Callable[[str, str, str, float], None]] = []
"""Told of the tool, the outcome, the error's code (empty where there is none) and the seconds of every call."""


def client_of(ctx: ServerRequestContext[Any, Any]) -> str:
    params = ctx.session.client_params
    return f"{params.client_info.name} {params.client_info.version}" if params else "an MCP client"


async def logged(client: str, tool: str, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """The result of the work, whatever it is; an exception is logged and goes on."""
    if not (observers or calls.isEnabledFor(logging.INFO)):
        return await work()
    began, outcome, write_id, code = time.perf_counter(), "interrupted", "", ""
    with counted() as tally:
        try:
            result = await work()
        except Exception as error:
            outcome = type(error).__name__
            raise
        else:
            outcome, write_id, code = _outcome(result)
            return result
        finally:
            for observer in observers:
                observer(tool, outcome, code, time.perf_counter() - began)
            log_call(
                client=client,
                tool=tool,
                outcome=outcome,
                ms=(time.perf_counter() - began) * 1000,
                erp_requests=tally.requests,
                write_id=write_id,
                request_id=tally.request_ids[-1] if tally.request_ids else "",
            )


def _outcome(result: object) -> tuple[str, str, str]:
    """What a write's result says of itself; an error's code; a reading's status, or `ok`. Then the write's id, and the
    error's code."""
    if isinstance(result, InputRequiredResult):
        return "asked", "", ""
    if not isinstance(result, CallToolResult):
        return "ok", "", ""
    data = result.structured_content or {}
    write_id = data.get("write_id")
    error = data.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    outcome = data.get("outcome") or code or data.get("status") or ("failed" if result.is_error else "ok")
    return str(outcome), write_id if isinstance(write_id, str) else "", code if isinstance(code, str) else ""
