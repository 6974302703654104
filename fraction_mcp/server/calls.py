"""What a tools/call does: its arguments, a person's consent where it writes, and how results and errors look.

This module is the only formatter of errors, and the only one that knows how to ask a person. Consent fails closed:
whoever cannot be asked, or does not answer, leaves the write waiting in the journal.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import anyio
from mcp.server import ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)

from fraction_mcp.erp import freshness
from fraction_mcp.errors import AmbiguousReference, ConfigError, ErpOutcomeUnknown, FractionMcpError, JournalError
from fraction_mcp.operations import progress
from fraction_mcp.operations.results import ToolError, ToolResult
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import WriteResult, question, result_for
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.render import rendered
from fraction_mcp.tools.spec import Effect, ToolSpec

__all__ = ["answered"]

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]
Result = CallToolResult | InputRequiredResult

# -------------------------------------------------------------------------------------------------------------- calls

_ASK: dict[str, Any] = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve", "description": "Yes, write exactly this"}},
    "required": ["approve"],
}
_ANSWER = "approve"  # the name of the one question in a round
_TICK_S = 15.0
_TELL_S = 0.2

Decision = Literal["yes", "no", "cancel", "nobody"]


async def answered(runtime: Runtime, ctx: Context, params: CallToolRequestParams, spec: ToolSpec) -> Result:
    """The result of a call, whatever happens: anything that is not ours becomes an opaque error, and a traceback."""
    call = _Call(runtime, ctx, params, spec)
    try:
        return await call.result()
    except FractionMcpError as error:
        if isinstance(error, ConfigError | JournalError):  # for whoever runs the server: the result names no place
            logger.warning("%s: %s (%s)", spec.name, error.message, error.where)
        return _error(error, spec)
    except Exception:
        logger.exception("%s failed", spec.name)
        hint = "Its log on stderr has the details."
        if call.sent:
            hint = f"get_write_status({call.sent}) tells what became of it. {hint}"
        return _error(
            FractionMcpError("something went wrong inside the server", hint=hint), spec, unsure=bool(call.sent)
        )


class _Call:
    """One tools/call: its arguments, its client, and the way to a result."""

    def __init__(self, runtime: Runtime, ctx: Context, params: CallToolRequestParams, spec: ToolSpec) -> None:
        self._runtime = runtime
        self._ctx = ctx
        self._params = params
        self._spec = spec
        self.sent = ""  # the id of a write that this call may have sent

    async def result(self) -> Result:
        arguments = self._params.arguments or {}
        ask = read_arguments(self._spec, arguments)
        if not self._spec.effect.plans:
            self.sent = "" if self._spec.effect.reads else str(arguments.get("write_id", ""))
            reads_only = self._spec.effect is Effect.READ
            given = await (self._runtime.context() if reads_only else self._runtime.write_service())
            with self._progress(), freshness.gathered() as reads:
                answer: ToolResult = await self._spec.run(given, ask)
            return _result(answer.model_copy(update={"as_of": reads.as_of}), failed=_has_failed(answer))
        service = await self._runtime.write_service()
        if (write := await self._asked_about(service)) is not None:
            return await self._decided(service, write)
        try:
            plan = await self._spec.plan(service.context, ask)
        except AmbiguousReference as unclear:
            return _result(_unclear(unclear, self._spec))
        write = await service.propose(plan, tool=self._spec.name, arguments=arguments, asked_by=self._client())
        return await self._ask(service, write)

    @contextmanager
    def _progress(self) -> Iterator[None]:
        """Long readings report to whoever asked to be told, at most a few times a second."""
        token = progress.reporter.set(self._reporter())  # the SDK keeps quiet where nobody asked to be told
        try:
            yield
        finally:
            progress.reporter.reset(token)

    def _reporter(self) -> progress.Reporter:
        told_at = 0.0

        async def tell(done: float, total: float | None, what: str) -> None:
            nonlocal told_at
            now = time.monotonic()
            if now - told_at >= _TELL_S or done == total:
                told_at = now
                await self._ctx.session.report_progress(done, total, what)

        return tell

    def _client(self) -> str:
        told = self._ctx.session.client_params
        return f"{told.client_info.name} {told.client_info.version}" if told else "an MCP client"

    async def _asked_about(self, service: WriteService) -> Write | None:
        """The write whose question this call answers: its sealed state names it, and what was shown."""
        if self._params.request_state is None or not self._params.input_responses or not self._form_counts():
            return None
        state = json.loads(self._params.request_state)
        write = await service.journal.get(state["write"])
        if write is None:
            return None
        # A plan that has changed since was not what the person saw, and one that came back unsent was answered once
        # already: the question is asked anew.
        asked_now = (write.digest, write.updated_at) == (state["digest"], state["since"])
        return write if asked_now or write.state is not State.AWAITING else None

    async def _decided(self, service: WriteService, write: Write) -> Result:
        """A round's answer. An answer to a write that is already decided changes nothing, and tells how it stands."""
        answer = (self._params.input_responses or {}).get(_ANSWER)
        decision = _decision(answer) if isinstance(answer, ElicitResult) else "nobody"
        return await self._carry_out(service, write, decision)

    async def _ask(self, service: WriteService, write: Write) -> Result:
        """Whoever can be asked, in the order of house.md; a write that no longer waits is only told of."""
        if write.state is not State.AWAITING:
            return _write_result(await service.follow_up(write))
        await self._runtime.watch()  # it may be approved elsewhere while the question is open
        if self._form_counts():
            if self._ctx.protocol_version >= _ROUNDS_SINCE:
                return _round(write)
            if self._ctx.session.can_send_request:
                return await self._carry_out(service, write, await self._elicited(write))
        return await self._carry_out(service, write, "nobody")

    def _form_counts(self) -> bool:
        """Whether a form that this client answers is a person's answer: no other place decides it.

        It counts neither when it is sent nor when it comes back, whichever process sealed the question.
        """
        if self._ctx.request is not None:  # HTTP, which has no sign-in: whoever reaches the port answers its own forms
            return False
        if self._runtime.settings.elicitation == "off":
            return False
        told = self._ctx.session.client_capabilities
        forms = told.elicitation if told else None
        # `elicitation: {}` means forms; one that names only `url` cannot show a form.
        return forms is not None and (forms.form is not None or forms.url is None)

    async def _elicited(self, write: Write) -> Decision:
        """Ask through the back channel of an older client, showing signs of life while the person reads."""
        try:
            async with self._ticking():
                answer = await self._ctx.session.elicit_form(question(write), _ASK, self._ctx.request_id)
        except Exception:  # claimed, and not delivered: the write waits
            logger.warning("the client could not show the question for %s", write.id, exc_info=True)
            return "nobody"
        return _decision(answer)

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        async def tick() -> None:
            for count in range(1, 10_000):
                await anyio.sleep(_TICK_S)
                await self._ctx.session.report_progress(count, None, "waiting for a person's answer")

        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            yield
            group.cancel_scope.cancel()

    async def _carry_out(self, service: WriteService, write: Write, decision: Decision) -> Result:
        by = f"a form in {self._client()}"
        match decision:
            case "yes":
                self.sent = write.id
                return _write_result(await service.approve(write, digest=write.digest, by=by))
            case "no" | "cancel":
                return _write_result(await service.decline(write, by=by, cancelled=decision == "cancel"))
        # It may have been decided elsewhere while nobody answered here.
        write = await service.follow_up(await service.write(write.id))
        if write.state is State.AWAITING and self._runtime.settings.confirm == "two_step":
            return _write_result(write, token=await service.new_token(write))
        if write.state is State.AWAITING:
            await self._runtime.open_inbox()
        return _write_result(write)


_ROUNDS_SINCE = "2026-07-28"


def _decision(answer: ElicitResult) -> Decision:
    if answer.action == "accept":
        return "yes" if (answer.content or {}).get("approve") is True else "no"
    return "no" if answer.action == "decline" else "cancel"


def _round(write: Write) -> InputRequiredResult:
    """The question as a round of its own; the state that comes back is sealed by the boundary."""
    asked = ElicitRequest(params=ElicitRequestFormParams(message=question(write), requested_schema=_ASK))
    state = json.dumps({"write": write.id, "digest": write.digest, "since": write.updated_at})
    return InputRequiredResult(request_state=state, input_requests={_ANSWER: asked})


# ------------------------------------------------------------------------------------------------- results and errors


def _result(answer: ToolResult, *, failed: bool = False) -> CallToolResult:
    data = answer.to_wire()
    return CallToolResult(content=[TextContent(text=rendered(data))], structured_content=data, is_error=failed)


def _write_result(write: Write, *, token: str = "") -> CallToolResult:
    answer = result_for(write, token=token)
    return _result(answer, failed=_has_failed(answer))


def _has_failed(answer: ToolResult) -> bool:
    return isinstance(answer, WriteResult) and answer.error is not None


def _unclear(unclear: AmbiguousReference, spec: ToolSpec) -> WriteResult:
    return WriteResult.model_validate(
        {
            "summary": f"{unclear.message} Nothing was written.",
            "next": unclear.hint,
            "outcome": unclear.status,
            "operation": spec.name,
            "candidates": unclear.candidates,
        }
    )


def _error(error: FractionMcpError, spec: ToolSpec, *, unsure: bool = False) -> CallToolResult:
    """An error as a tool result: for the reader who can act. A read leaves `written` null."""
    writes = not spec.effect.reads
    unsure = unsure or isinstance(error, ErpOutcomeUnknown)
    told = ToolError.from_exception(error, written=("maybe" if unsure else "no") if writes else None)
    text = f"{error.code}: {error.message}"
    if writes and "written" not in error.message:
        text += "; it may have been written" if unsure else "; nothing was written"
    text += "."
    text += f" {error.hint}" if error.hint else ""
    return CallToolResult(
        content=[TextContent(text=text)], structured_content={"error": told.model_dump()}, is_error=True
    )
