"""A host: a scripted client at a server of its own, in memory, whose answers to a question are given to it beforehand.

Knows both protocols. How hosts behave is told in `torture.hosts`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.shared.dispatcher import CallOptions
from mcp.types import ElicitRequestParams, ElicitResult, ErrorData, Implementation, InputRequiredResult
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.clock import Clock
from torture.worlds import FAULTS, SUBJECTS, World

__all__ = ["CLOSED", "EMPTY", "MODES", "NEWER", "NO", "OLDER", "SUBJECT", "UNSEEN", "YES", "Host"]

SUBJECT = SUBJECTS["create_enquiry"]  # of which the ERP makes another each time that it is asked
YES, NO = (ElicitResult(action="accept", content={"decision": word}) for word in ("approve", "decline"))
EMPTY, CLOSED, UNSEEN = (ElicitResult(action="accept"), ElicitResult(action="cancel"), ElicitResult(action="decline"))
NEWER, OLDER = "2026-07-28", "legacy"
MODES = (NEWER, OLDER)
_KEY = "k" * 48
_TIME_ENOUGH_S = 0.3


Answered = ElicitResult | ErrorData


@dataclass
class Host:
    """One host at one server. `answers` gives what comes back to a question, and how long after it by the journal's
    clock, and not before `opened`, where that is there. `sent` is set when a write arrives at the ERP, which then does
    what `fault` says."""

    world: World
    mode: str
    clock: Clock
    fault: str = "none"
    client: Client | None = None
    answers: list[tuple[Answered, float]] = field(default_factory=list)
    opened: anyio.Event | None = None
    shown: anyio.Event = field(default_factory=anyio.Event)
    sent: anyio.Event = field(default_factory=anyio.Event)
    runtime: Runtime | None = None

    @asynccontextmanager
    async def at_work(self, key: str = _KEY, journal: str = "") -> AsyncIterator["Host"]:
        """`journal`: the name of another state folder than the world's own."""

        async def callback(_: ClientRequestContext, __: ElicitRequestParams) -> Answered:
            self.shown.set()
            if self.opened:
                await self.opened.wait()
            answer, after_s = self.answers.pop(0) if self.answers else (CLOSED, 0.0)
            self.clock.passes(after_s)
            return answer

        changes: dict[str, object] = {"secret_key": SecretStr(key), "elicitation": "full"}
        if journal:
            changes["state_dir"] = self.world.folder / journal
        settings = self.world.settings().model_copy(update=changes)
        erps = self.world.erps()
        if FAULTS[self.fault]:
            erps.state.faults.arm(method=SUBJECT.method, path=SUBJECT.path, **FAULTS[self.fault])
        async with Runtime(settings, self._telling(erps), clock=self.clock) as self.runtime:
            info = Implementation(name="a careless host", version="1")
            server = create_server(self.runtime)
            async with Client(
                server, mode=self.mode, elicitation_callback=cast(ElicitationFnT, callback), client_info=info
            ) as self.client:
                yield self

    def _telling(self, erps: ASGIApp) -> ASGIApp:
        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("method") == SUBJECT.method and scope["path"].endswith(SUBJECT.path):
                self.sent.set()
            await erps(scope, receive, send)

        return told

    async def call(self, *answers: tuple[Answered, float], arguments: Mapping[str, Any] = SUBJECT.arguments) -> str:
        """The outcome that the host was told; empty where it had given up."""
        assert self.client is not None
        self.answers = list(answers)
        result = await self.client.call_tool(SUBJECT.tool, dict(arguments))
        return str((result.structured_content or {}).get("outcome", ""))

    async def gives_up(self, *answers: tuple[Answered, float]) -> None:
        """A call that is given up when its question has come, and not answered before `opened`."""
        self.opened, self.shown = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(partial(self.call, *answers))
            with anyio.fail_after(60):
                await self.shown.wait()
            group.cancel_scope.cancel()

    def never_cancels(self) -> None:
        """From now on the server is told of no call that is given up."""
        assert self.client is not None
        dispatcher = self.client.session._dispatcher
        send = dispatcher.send_raw_request

        async def silently(method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> Any:
            return await send(method, params, {**(opts or {}), "cancel_on_abandon": False})

        dispatcher.send_raw_request = silently  # type: ignore[method-assign]

    async def answers_now(self) -> None:
        """What it did not answer before, and time for the server to make what it likes of it."""
        assert self.opened is not None
        self.opened.set()
        with anyio.fail_after(60):
            while self.answers:  # noqa: ASYNC110 - the SDK's client takes its time
                await anyio.sleep(0.01)
        await anyio.sleep(_TIME_ENOUGH_S)

    async def leg(
        self,
        state: str | None = None,
        answer: ElicitResult | None = None,
        after_s: float = 0.0,
        *,
        arguments: Mapping[str, Any] = SUBJECT.arguments,
    ) -> Any:
        """One round of a call of 2026-07-28, by hand."""
        assert self.client is not None
        self.clock.passes(after_s)
        return await self.client.session.call_tool(
            SUBJECT.tool,
            dict(arguments),
            input_responses=None if answer is None else {"decision": answer},
            request_state=state,
            allow_input_required=True,
        )

    async def service(self) -> WriteService:
        """The server's hand in the writes."""
        assert self.runtime is not None
        return await self.runtime.write_service()

    async def question(self) -> str:
        asked = await self.leg()
        assert isinstance(asked, InputRequiredResult)
        assert asked.request_state is not None
        return asked.request_state
