"""Hosts as they were seen to be, and worse: each a scripted client that asks for a write and mistreats its question.

Nothing may be written unless somebody chose `approve` a second or more after the question; and what nobody explicitly
declined waits in the inbox. Each write is held to the very state that its host must leave it in. One that answers by
itself with an explicit yes after a second is not told from a person.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import ElicitRequestParams, ElicitResult, ErrorData, Implementation, InputRequiredResult
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.killed import killed_with_a_form_open
from torture.racing import raced
from torture.worlds import SUBJECTS, World

__all__ = ["HOSTS", "Verdict", "met"]

SUBJECT = SUBJECTS["create_enquiry"]  # of which the ERP makes another each time that it is asked
YES, NO = (ElicitResult(action="accept", content={"decision": word}) for word in ("approve", "decline"))
EMPTY, CLOSED, UNSEEN = (ElicitResult(action="accept"), ElicitResult(action="cancel"), ElicitResult(action="decline"))
READS_S = 2.0
MODES = ("2026-07-28", "legacy")
_KEY = "k" * 48
_TIME_ENOUGH_S = 0.3


@dataclass
class Clock:
    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


Answered = ElicitResult | ErrorData


@dataclass
class Host:
    """One host at one server. `answers` gives what comes back to a question, and how long after it by the journal's
    clock, and not before `opened`, where that is there. `sent` is set when a write arrives at the ERP."""

    world: World
    mode: str
    clock: Clock
    client: Client | None = None
    answers: list[tuple[Answered, float]] = field(default_factory=list)
    opened: anyio.Event | None = None
    shown: anyio.Event = field(default_factory=anyio.Event)
    sent: anyio.Event = field(default_factory=anyio.Event)
    runtime: Runtime | None = None

    @asynccontextmanager
    async def at_work(self, key: str = _KEY) -> AsyncIterator["Host"]:
        async def callback(_: ClientRequestContext, __: ElicitRequestParams) -> Answered:
            self.shown.set()
            if self.opened:
                await self.opened.wait()
            answer, after_s = self.answers.pop(0) if self.answers else (CLOSED, 0.0)
            self.clock.ahead_s += after_s
            return answer

        settings = self.world.settings().model_copy(update={"secret_key": SecretStr(key), "elicitation": "full"})
        async with Runtime(settings, self._telling(self.world.erps()), clock=self.clock) as self.runtime:
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

    async def answers_now(self) -> None:
        """What it did not answer before, and time for the server to make what it likes of it."""
        assert self.opened is not None
        self.opened.set()
        with anyio.fail_after(60):
            while self.answers:  # noqa: ASYNC110 - the SDK's client takes its time
                await anyio.sleep(0.01)
        await anyio.sleep(_TIME_ENOUGH_S)

    async def leg(self, state: str | None = None, answer: ElicitResult | None = None, after_s: float = 0.0) -> Any:
        """One round of a call of 2026-07-28, by hand."""
        assert self.client is not None
        self.clock.ahead_s += after_s
        return await self.client.session.call_tool(
            SUBJECT.tool,
            dict(SUBJECT.arguments),
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


Behaviour = Callable[[Host], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Habit:
    """`leaves`: in which state each write is afterwards, in the order in which they were asked for: `done` where
    somebody explicitly said yes in time, `declined` where they said no. `rounds`: only the newer protocol gives a host
    the chance; `older` is what it leaves under the older one, where that is something else."""

    does: Behaviour
    leaves: tuple[State, ...] = (State.AWAITING,)
    older: tuple[State, ...] = ()
    rounds: bool = False


HOSTS: dict[str, Habit] = {}


def host(name: str, **facts: Any) -> Callable[[Behaviour], Behaviour]:
    def kept(does: Behaviour) -> Behaviour:
        HOSTS[name] = Habit(does, **facts)
        return does

    return kept


@host("accepts with nothing in the form")
async def _empty(host: Host) -> None:
    async with host.at_work():
        await host.call((EMPTY, READS_S))


@host("says yes at once, by itself")
async def _at_once(host: Host) -> None:
    async with host.at_work():
        await host.call((YES, 0.0))
        await host.call((YES, READS_S))  # and, when asked again, after a while: it is asked no more


@host("says yes at once, and sends the same again later", rounds=True)
async def _again_later(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        await host.leg(state, YES)
        await host.leg(state, YES, READS_S)


@host("closes a form that nobody saw")
async def _closes(host: Host) -> None:
    async with host.at_work():
        await host.call((CLOSED, 0.0))


@host("declines a form that nobody saw")
async def _declines(host: Host) -> None:
    async with host.at_work():
        await host.call((UNSEEN, 0.0))


@host("declines when somebody has read it", leaves=(State.DECLINED,))
async def _declined(host: Host) -> None:
    async with host.at_work():
        await host.call((NO, READS_S))


@host("never answers, and gives up")
async def _never(host: Host) -> None:
    async with host.at_work():
        await host.gives_up()


@host("answers twice: no, then yes", leaves=(State.DECLINED,), rounds=True)
async def _twice(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        await host.leg(state, NO, READS_S)
        await host.leg(state, YES, READS_S)


@host("says yes once, and sends it five times at once", leaves=(State.DONE,), rounds=True)
async def _five(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        host.clock.ahead_s += READS_S
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(host.leg, state, YES)


@host("says yes when the approval has expired", leaves=(State.EXPIRED,), rounds=True)
async def _too_late(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        with suppress(MCPError):
            await host.leg(state, YES, 100_000.0)


@host("says yes once, and sends it to two servers at once", leaves=(State.DONE,), rounds=True)
async def _at_two(host: Host) -> None:
    other = replace(host)
    async with host.at_work(), other.at_work():
        state = await host.question()
        host.clock.ahead_s += READS_S
        await raced(
            host.sent,
            (await host.service(), lambda: host.leg(state, YES)),
            (await other.service(), lambda: other.leg(state, YES)),
        )


@host("answers after its own time-out", leaves=(State.DONE,), older=(State.AWAITING,))
async def _late(host: Host) -> None:
    """Of the newer protocol an answer is a call of its own, to a question that stands; of the older one it comes to a
    call that is over."""
    async with host.at_work():
        if host.mode != "legacy":
            await host.leg(await host.question(), YES, READS_S)
            return
        await host.gives_up((YES, READS_S))
        await host.answers_now()


@host("repeats the call, unanswered, with the same arguments")
async def _repeats(host: Host) -> None:
    async with host.at_work():
        for _ in range(3):
            await host.call((CLOSED, 0.0))


@host("repeats the call with other arguments, and says yes to those at once", leaves=2 * (State.AWAITING,))
async def _others(host: Host) -> None:
    async with host.at_work():
        await host.call((CLOSED, 0.0))
        await host.call((YES, 0.0), arguments=SUBJECT.beside)


@host("loses the sealed state", rounds=True)
async def _loses(host: Host) -> None:
    async with host.at_work():
        await host.question()
        await host.leg(None, YES, READS_S)


@host("changes the sealed state", rounds=True)
async def _tampers(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        for changed in (state[:-2] + ("AA" if state[-2:] != "AA" else "BB"), state[: len(state) // 2], "x"):
            with suppress(MCPError):
                await host.leg(changed, YES, READS_S)


@host("takes the question's state to a server of another key", rounds=True)
async def _elsewhere(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
    async with host.at_work("e" * 48):
        with suppress(MCPError):
            await host.leg(state, YES, READS_S)


@host("claims forms, and has none")
async def _has_none(host: Host) -> None:
    async with host.at_work():
        with suppress(MCPError):
            await host.call((ErrorData(code=-32601, message="Method not found"), READS_S))


@host("kills the server while the form is open")
async def _kills(host: Host) -> None:
    await killed_with_a_form_open(host.world, host.mode, SUBJECT)


@host("ends its session while the form is open")
async def _ends_it(host: Host) -> None:
    async with host.at_work():
        await host.gives_up()
    async with host.at_work():
        pass


@host("shows it, and somebody says yes", leaves=(State.DONE,))
async def _good(host: Host) -> None:
    async with host.at_work():
        await host.call((YES, READS_S))


@host("loses the answer to what was approved, and asks for the same again", leaves=(State.DONE, State.AWAITING))
async def _loses_the_answer(host: Host) -> None:
    async with host.at_work():
        await host.call((YES, READS_S))
        await host.call((YES, 0.0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` is empty where all is well."""

    name: str
    mode: str
    state: str
    written: int
    wrong: str


async def met(name: str, mode: str, folder: Path, seeded: Path) -> Verdict:
    """This host at a server of this protocol, in a world of its own."""
    habit = HOSTS[name]
    world = World.made(folder / f"h{time.monotonic_ns()}", seeded)
    this = Host(world, "auto" if mode == "2026-07-28" else mode, Clock())
    with anyio.fail_after(30):
        await habit.does(this)
        async with Runtime(world.settings(), world.erps(), clock=this.clock) as runtime:
            journal = (await runtime.write_service()).journal
            writes = await journal.latest(limit=None)
            chain = await journal.verify()
    held = {str(arguments): SUBJECT.held(world, arguments) for arguments in (SUBJECT.arguments, SUBJECT.beside)}
    world.remove()
    return Verdict(
        name,
        mode,
        ", ".join(sorted({write.state.value for write in writes})),
        sum(held.values()),
        chain or _wrong_with(writes, held, habit.older if mode == "legacy" and habit.older else habit.leaves),
    )


def _wrong_with(writes: Sequence[Write], held: Mapping[str, int], leaves: Sequence[State]) -> str:
    """`held` is how often the ERP has what each of the arguments makes."""
    states = tuple(write.state for write in sorted(writes, key=lambda write: write.created_at))
    if states != leaves:
        return f"left as {', '.join(states) or 'nothing'} instead of {', '.join(leaves)}"
    done = Counter(str(dict(write.plan.arguments)) for write in writes if write.state is State.DONE)
    return "" if Counter(held) == done else f"written {held}, and done are {dict(done)}"
