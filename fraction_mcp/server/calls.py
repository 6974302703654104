"""What a tools/call does: its arguments, a plan and a person's consent where it writes, how results and errors look.

This module is the only formatter of errors. How a person is asked is `consent`'s; whoever cannot be asked, or does not
answer, leaves the write waiting in the journal.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcp.server import ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    TextContent,
)

from fraction_mcp.erp import freshness
from fraction_mcp.errors import (
    AmbiguousReference,
    BatchRefused,
    ConfigError,
    ErpOutcomeUnknown,
    FractionMcpError,
    JournalError,
    ReadOnly,
)
from fraction_mcp.operations import progress
from fraction_mcp.operations.results import ToolError, ToolResult
from fraction_mcp.operations.writes.batch import Batch, PlannedBatch
from fraction_mcp.operations.writes.overview import WriteList
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import WriteResult, of_several, refused_batch, result_for, result_for_batch
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.consent import Consent, Reply
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.render import rendered
from fraction_mcp.tools.spec import Effect, ToolSpec

__all__ = ["answered", "read"]

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]
Result = CallToolResult | InputRequiredResult

# -------------------------------------------------------------------------------------------------------------- calls

_TELL_S = 0.2


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


async def read(runtime: Runtime, spec: ToolSpec, ask: Any) -> ToolResult:
    """What a tool that plans nothing answers, and as of when."""
    context_or_service = await (runtime.context() if spec.effect is Effect.READ else runtime.write_service())
    with freshness.gathered() as reads:
        answer: ToolResult = await spec.run(context_or_service, ask)
    return answer.model_copy(update={"as_of": reads.as_of})


class _Call:
    """One tools/call: its arguments, its client, and the way to a result."""

    def __init__(self, runtime: Runtime, ctx: Context, params: CallToolRequestParams, spec: ToolSpec) -> None:
        self._runtime = runtime
        self._ctx = ctx
        self._params = params
        self._spec = spec
        self.sent = ""  # the id of a write that this call may have sent

    async def result(self) -> Result:
        if self._runtime.settings.read_only and not self._spec.effect.reads:
            raise ReadOnly(self._spec.name)
        arguments = self._params.arguments or {}
        ask = read_arguments(self._spec, arguments)
        if not (self._spec.effect.plans or self._is_batch):
            self.sent = "" if self._spec.effect.reads else str(arguments.get("write_id", ""))
            with self._progress():
                answer = await read(self._runtime, self._spec, ask)
            if self._needs_a_person(answer):
                await self._runtime.open_inbox(again=True)
            return _result(answer, failed=_has_failed(answer))
        service = await self._runtime.write_service()
        consent = Consent(self._runtime, self._ctx, service)
        if (answer_to := await consent.reply_in(self._params)) is not None:
            return await self._carry_out(service, *answer_to, by=consent.client)
        try:
            write = await self._proposed(service, ask, asked_by=consent.client)
        except AmbiguousReference as unclear:
            return _result(_unclear(unclear, self._spec))
        except BatchRefused as refused:
            answer = refused_batch(refused)
            return _result(answer, failed=_has_failed(answer))
        batch = await service.batch(write)
        # What was asked for alone, and waits within a batch already, is decided there.
        if not batch.waiting or write.state is not State.AWAITING or (batch.is_together and not self._is_batch):
            return await self._write_result(service, await service.follow_up(write))
        await self._runtime.watch()  # it may be approved elsewhere while the question is open
        came = await consent.ask(batch)
        return (
            came
            if isinstance(came, InputRequiredResult)
            else await self._carry_out(service, batch, came, by=consent.client)
        )

    async def _proposed(self, service: WriteService, ask: Any, *, asked_by: str) -> Write:
        """What is asked for, in the journal; of a batch what a person would decide about, or how it stands."""
        if self._is_batch:
            with self._progress():
                planned: PlannedBatch = await self._spec.run(service.context, ask)
            batch = await service.propose_batch(planned.writes(), asked_by=asked_by)
            return batch.waiting[0] if batch.waiting else batch.tells
        plan = await self._spec.plan(service.context, ask)
        arguments = self._params.arguments or {}
        return await service.propose(plan, tool=self._spec.name, arguments=arguments, asked_by=asked_by)

    def _needs_a_person(self, answer: ToolResult) -> bool:
        """Whether somebody asked how writes stand, and there is one that a person must look at in the inbox."""
        if self._spec.effect is not Effect.STATUS:
            return False
        outcomes = answer.outcomes if isinstance(answer, WriteList) else (getattr(answer, "outcome", ""),)
        waits = "awaiting_approval" in outcomes and self._runtime.settings.confirm == "human"
        return waits or "unknown" in outcomes

    @property
    def _is_batch(self) -> bool:
        return self._spec.effect is Effect.BATCH

    @contextmanager
    def _progress(self) -> Iterator[None]:
        """Long readings report to whoever asked to be told, at most a few times a second."""
        token = progress.reporter.set(self._reporter())  # the SDK keeps quiet where nobody asked to be told
        try:
            yield
        finally:
            progress.reporter.reset(token)

    def _reporter(self) -> progress.Reporter:
        reported_at = 0.0

        async def tell(done: float, total: float | None, what: str) -> None:
            nonlocal reported_at
            now = time.monotonic()
            if now - reported_at >= _TELL_S or done == total:
                reported_at = now
                await self._ctx.session.report_progress(done, total, what)

        return tell

    async def _carry_out(self, service: WriteService, batch: Batch, reply: Reply, *, by: str) -> Result:
        decider = service.decider(f"a form in {by}")
        write = batch.waiting[0] if batch.waiting else batch.tells
        if reply.choice == "approve":
            self.sent = write.id
            with self._progress():
                return await self._write_result(service, await service.approve(write, digest=batch.digest, by=decider))
        if reply.choice == "decline":
            return await self._write_result(service, await service.decline(write, by=decider.name))
        # It may have been decided elsewhere while nobody answered here.
        write = await service.follow_up(await service.write(write.id))
        if write.state is not State.AWAITING:
            return await self._write_result(service, write)
        if self._runtime.settings.confirm == "two_step" and not service.awaits(batch):
            return await self._write_result(service, write, token=await service.new_token(write))
        if not reply.led:
            await self._runtime.open_inbox()
            await self._runtime.tell_webhook(await service.batch(write))
        return await self._write_result(service, write, why=reply.why)

    async def _write_result(
        self, service: WriteService, write: Write, *, token: str = "", why: str = ""
    ) -> CallToolResult:
        """How it stands, with its whole batch where it was asked for in one."""
        batch = await service.batch(write)
        looked = await service.looked(batch.tells if self._is_batch else write)
        answer: WriteResult = (
            result_for_batch(batch, token=token, place=service.place, looked=looked)
            if self._is_batch
            else result_for(write, token=token, place=service.place, looked=looked)
        )
        if why:
            answer = answer.model_copy(update={"summary": f"{why} {answer.summary}"})
        if not self._is_batch and write.state is State.AWAITING and batch.is_together:
            answer = answer.model_copy(update={"summary": f"{answer.summary} {of_several(batch)}"})
        return _result(answer, failed=_has_failed(answer))


# ------------------------------------------------------------------------------------------------- results and errors


def _result(answer: ToolResult, *, failed: bool = False) -> CallToolResult:
    data = answer.to_wire()
    return CallToolResult(content=[TextContent(text=rendered(data))], structured_content=data, is_error=failed)


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
    tool_error = ToolError.from_exception(error, written=("maybe" if unsure else "no") if writes else None)
    text = f"{error.code}: {error.message}"
    if writes and "written" not in error.message:
        text += "; it may have been written" if unsure else "; nothing was written"
    text += "."
    text += f" {tool_error.hint} Retryable: {'yes' if tool_error.retryable else 'no'}."
    return CallToolResult(
        content=[TextContent(text=text)], structured_content={"error": tool_error.model_dump()}, is_error=True
    )
