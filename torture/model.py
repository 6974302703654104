"""Two processes, one journal, one ERP that misbehaves, and a person: any order of what they may do, against a model.

The model knows what a person said and what the ERP's own file and request log hold. It is asked after every step:
nothing was sent without a yes, at most once for each yes, never before the journal had it; a yes is gone where what
it was for waits anew, was declined or has expired; nothing is declined without a no; of what was approved together
nothing goes where the one before it did not; what is `done` is in the ERP, and what is in the ERP is in the journal.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.types import ElicitResult
from starlette.types import Receive, Scope, Send

from fraction_mcp import errors
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.batch import Batch, digest_of
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime, _replan
from fraction_mcp.server.app import create_server
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue
from torture.clock import READS_S
from torture.host import CLOSED, EMPTY, NO, OLDER, UNSEEN, YES
from torture.racing import raced
from torture.worlds import FAULTS, SUBJECTS, Subject, World, seed, worlds_folder

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["Writes"]

TOOLS = ("create_enquiry", "create_part", "set_price_list")
PROCESSES = (0, 1)
MODES = ("auto", OLDER)
ANSWERS = (YES, YES, NO, EMPTY, CLOSED, UNSEEN)
_MAY_BE_HELD = {State.SENDING, State.UNKNOWN, State.DONE}
_GOES_ON = {State.APPROVED, State.SENDING, State.DONE}
_DECLINED = {State.DECLINED, State.CANCELLED}

_TIMEOUT_S = 0.25  # what a busy machine keeps nobody waiting for: the same steps must have the same end again


class _Witness:
    """The ERPs, with somebody who looks into the journal's file whenever a write arrives there."""

    def __init__(self, app: "Starlette", journal: Path) -> None:
        self.app = app
        self._journal = journal
        self.sent: Counter[str] = Counter()
        self.on_send: Callable[[], None] = lambda: None
        self.unheard_of: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"POST", "PUT"} and not _signs_in(scope["path"]):
            message = await receive()
            body = message["body"].decode()
            again = iter([message])

            async def replayed() -> Any:
                return next(again, None) or await receive()

            self.sent[body] += 1
            self.on_send()
            if body not in self._being_sent():
                self.unheard_of.append(body)
            await self.app(scope, replayed, send)
        else:
            await self.app(scope, receive, send)

    def _being_sent(self) -> set[str]:
        with closing(sqlite3.connect(self._journal)) as database:
            rows = database.execute("SELECT plan FROM writes WHERE state = 'sending'").fetchall()
        return {json.loads(plan)["content"] for (plan,) in rows}


def _signs_in(path: str) -> bool:
    return "/auth/" in path or "token" in path


class Writes(RuleBasedStateMachine):
    """What may happen to writes. `yes` counts a person's approvals on which nothing was sent yet, for each body that
    they were shown; `spent` the sends that had theirs; `no` how often they declined it."""

    folder = worlds_folder()
    seeded: Path | None = None
    steps = 0
    proposed = Bundle("proposed")

    def __init__(self) -> None:
        super().__init__()
        if Writes.seeded is None:
            Writes.seeded = seed(self.folder)
        self.ahead = 0.0
        self.yes: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.no: Counter[str] = Counter()
        self.stack = ExitStack()

    @initialize()
    def opens(self) -> None:
        assert Writes.seeded is not None
        self.world = World.made(self.folder / f"w{time.monotonic_ns()}", Writes.seeded)
        self.erps = self.world.erps()
        self.witness = _Witness(self.erps, self.world.folder / "state" / "journal.sqlite3")
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.running: dict[int, tuple[ExitStack, Runtime]] = {}
        for process in PROCESSES:
            self.starts(process)

    def starts(self, process: int) -> None:
        stack = ExitStack()
        settings = self.world.settings().model_copy(update={"timeout_s": _TIMEOUT_S, "elicitation": "full"})
        runtime = Runtime(settings, self.witness, clock=lambda: time.time() + self.ahead)
        runtime._watching = True  # nobody looks by themselves: the same steps must have the same end again
        self.running[process] = (stack, stack.enter_context(self.portal.wrap_async_context_manager(runtime)))

    def teardown(self) -> None:
        for stack, _ in getattr(self, "running", {}).values():
            stack.close()
        self.stack.close()
        if hasattr(self, "world"):
            self.erps.state.store.close()
            self.world.remove()

    # ---------------------------------------------------------------------------------------------------- what happens

    @rule(target=proposed, process=st.sampled_from(PROCESSES), tool=st.sampled_from(TOOLS), other=st.booleans())
    def asks(self, process: int, tool: str, *, other: bool) -> Any:
        """An assistant asks for a write, perhaps for one that there is already."""
        subject = SUBJECTS[tool]
        arguments = subject.beside if other else subject.arguments
        write = self._try(process, lambda service: _proposed(service, tool, arguments))
        return write.id if write else multiple()

    @rule(target=proposed, process=st.sampled_from(PROCESSES), others=st.lists(st.booleans(), min_size=3, max_size=3))
    def asks_for_several(self, process: int, others: list[bool]) -> Any:
        """Under one approval; perhaps for some that there are already."""
        asked = [
            {"tool": tool, "arguments": SUBJECTS[tool].beside if other else SUBJECTS[tool].arguments}
            for tool, other in zip(TOOLS, others, strict=True)
        ]
        batch = self._try(process, lambda service: _proposed_together(service, asked))
        return multiple(*(write.id for write in batch.writes)) if batch else multiple()

    @rule(
        target=proposed,
        process=st.sampled_from(PROCESSES),
        tool=st.sampled_from(TOOLS),
        mode=st.sampled_from(MODES),
        answer=st.sampled_from(ANSWERS),
        after_s=st.sampled_from([0.0, READS_S]),
    )
    def asks_through_a_host(self, process: int, tool: str, mode: str, answer: ElicitResult, after_s: float) -> Any:
        """An assistant asks at a host, which gives its form this answer: a yes after a while may be a person's."""
        runtime = self.running[process][1]

        async def call() -> Any:
            journal = (await runtime.write_service()).journal
            asked, shown = journal.asked, list[str]()

            async def noted(write_ids: Sequence[str], facts: EventDetail, message: str) -> None:
                shown[:] = write_ids
                await asked(write_ids, facts, message)

            async def form(*_: object) -> ElicitResult:
                self.ahead += after_s
                asked_about = tuple([write for each in shown if (write := await journal.get(each))])
                if answer is YES and after_s:
                    self._counts(asked_about)
                if answer in (NO, UNSEEN) and after_s:
                    self.no += Counter(one.plan.content for one in asked_about)
                return answer

            journal.asked = noted  # type: ignore[method-assign]
            try:
                async with Client(
                    create_server(runtime), mode=mode, elicitation_callback=cast(ElicitationFnT, form)
                ) as client:
                    return (await client.call_tool(tool, dict(SUBJECTS[tool].arguments))).structured_content
            finally:
                del journal.asked

        came = self.portal.call(call)
        return came["write_id"] if came and came.get("write_id") else multiple()

    @rule(
        write=proposed,
        process=st.sampled_from(PROCESSES),
        shown=st.sampled_from(["this", "this", "this", "before"]),
        sends=st.booleans(),
    )
    def says_yes(self, write: str, process: int, shown: str, *, sends: bool) -> None:
        """Where it is sent at once, or at a place that sends nothing, such as a page on another machine."""
        was, waiting = self._shown(write)
        digest = digest_of(waiting) if waiting and shown == "this" else "0" * 64
        if shown == "this":
            self._counts(waiting)
        facts: dict[str, Any] = {"digest": digest, "by": Decider("a person")}
        if sends:
            self._try(process, lambda service: service.approve(was, **facts))
        else:
            self._try(process, lambda service: service.journal.approve(was.id, **facts))

    @rule(write=proposed, first=st.sampled_from(PROCESSES))
    def says_yes_to_both_at_once(self, write: str, first: int) -> None:
        """The same question, answered in two windows: one yes, and both processes are at work on it."""
        was, waiting = self._shown(write)
        digest = digest_of(waiting) if waiting else "0" * 64
        self._counts(waiting)

        async def answered(service: WriteService) -> None:
            with suppress(errors.FractionMcpError):
                await service.approve(was, digest=digest, by=Decider("a person"))
            with suppress(errors.FractionMcpError):
                await _followed_up(service, write)

        async def at_once() -> None:
            one, other = [await self.running[process][1].write_service() for process in (first, 1 - first)]
            sent = anyio.Event()
            self.witness.on_send = sent.set
            await raced(sent, (one, partial(answered, one)), (other, partial(answered, other)))

        self.portal.call(at_once)
        self.witness.on_send = lambda: None

    @rule(write=proposed, process=st.sampled_from(PROCESSES))
    def says_no(self, write: str, process: int) -> None:
        was = self._write(write)
        may_be = {State.AWAITING, State.APPROVED}
        batch = self._try(0, lambda service: service.batch(was)) or Batch((was,))
        self.no += Counter(one.plan.content for one in batch.writes)
        said = self._try(process, lambda service: service.decline(was, by="a person"))
        if said and was.state in may_be:
            for one in batch.writes:
                self.yes.pop(one.plan.content if one.state in may_be else "", None)

    @rule(write=proposed, process=st.sampled_from(PROCESSES))
    def is_asked_about(self, write: str, process: int) -> None:
        self._try(process, lambda service: _followed_up(service, write))

    @rule(write=proposed, process=st.sampled_from(PROCESSES))
    def is_settled(self, write: str, process: int) -> None:
        """A person has looked in the ERP, and says what is true."""
        was = self._write(write)
        if was.state is not State.UNKNOWN:
            return
        landed = self._held(was) > 0
        self._try(process, lambda service: service.settle(was, landed=landed, by="a person"))

    @rule(seconds=st.sampled_from([1.0, 10.0, 600.0, 100_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.ahead += seconds

    @rule(fault=st.sampled_from([name for name in FAULTS if name != "none"]))
    def the_erp_will_fail(self, fault: str) -> None:
        facts = {**FAULTS[fault], **({"seconds": 2 * _TIMEOUT_S} if "seconds" in FAULTS[fault] else {})}
        for tool in TOOLS:
            self.erps.state.faults.arm(method=SUBJECTS[tool].method, path=SUBJECTS[tool].path, **facts)

    @rule()
    def the_erp_is_well(self) -> None:
        self.erps.state.faults.clear()

    @rule(process=st.sampled_from(PROCESSES))
    def starts_anew(self, process: int) -> None:
        self.running[process][0].close()
        self.starts(process)

    # ------------------------------------------------------------------------------------------------- what must be so

    @invariant()
    def is_as_it_must_be(self) -> None:
        Writes.steps += 1
        if not hasattr(self, "running"):
            return
        assert not self.witness.unheard_of, f"sent before the journal had it: {self.witness.unheard_of}"
        for body, times in self.witness.sent.items():
            now = times - self.spent[body]
            assert now <= self.yes[body], f"sent {now} times on {self.yes[body]} approvals: {body}"
            self.yes[body] -= now
            self.spent[body] = times
        writes = self._all()
        self._is_agreed_to(writes)
        for content, times in Counter(one.plan.content for one in writes if one.state in _DECLINED).items():
            assert times <= self.no[content], f"declined {times} times on {self.no[content]} noes: {content}"
        for write in writes:
            self._is_true(write)
        for tool in TOOLS:
            for arguments in (SUBJECTS[tool].arguments, SUBJECTS[tool].beside):
                self._is_known(SUBJECTS[tool], arguments, writes)

    def _is_true(self, write: Write) -> None:
        if write.state is State.DONE:
            assert self._held(write), f"done, and the ERP does not hold it: {write.id}"
        if write.state is State.APPROVED and write.batch:
            events = self._try(0, lambda service: service.journal.events(write.id))
            after = [event.detail.get("after") for event in events if event.kind is Step.APPROVED][-1]
            before = self._write(after).state if after else State.DONE
            assert before in _GOES_ON, f"approved behind one that is {before}: {write.id}"

    def _is_agreed_to(self, writes: list[Write]) -> None:
        """What is to be sent has a yes that is not spent; and no yes outlives the wait that it ended."""
        now = time.time() + self.ahead
        to_send = {write.plan.content for write in writes if write.state is State.APPROVED and write.expires_at > now}
        for body in to_send:
            assert self.yes[body] == 1, f"approved, and a person said so {self.yes[body]} times: {body}"
        self.yes = Counter(dict.fromkeys(to_send, 1))

    def _is_known(self, subject: Subject, arguments: Mapping[str, Any], writes: list[Write]) -> None:
        held = subject.held(self.world, arguments)
        mine = [write for write in writes if write.plan.tool == subject.tool and write.plan.arguments == arguments]
        known = sum(write.state in _MAY_BE_HELD for write in mine)
        if subject.method == "PUT":
            assert not held or known, f"the ERP holds a price list that no write is known to have set: {arguments}"
        else:
            assert held <= known, f"the ERP holds {held}, and {known} writes may have made them: {arguments}"
            done = sum(write.state is State.DONE for write in mine)
            assert done <= held, f"{done} writes are done, and the ERP holds {held}: {arguments}"

    # --------------------------------------------------------------------------------------------------------- getting

    def _shown(self, write_id: str) -> tuple[Write, tuple[Write, ...]]:
        """A write, and what a person is asked about with it."""
        was = self._write(write_id)
        return was, (self._try(0, lambda service: service.batch(was)) or Batch((was,))).waiting

    def _counts(self, waiting: tuple[Write, ...]) -> None:
        """A yes to these, where it comes in time."""
        if all(one.expires_at > time.time() + self.ahead for one in waiting):
            self.yes |= Counter(one.plan.content for one in waiting)  # said twice, it is good for one send

    def _try(self, process: int, work: Any) -> Any:
        """What the process makes of it; None where it refuses, which it may at any time."""

        async def run() -> Any:
            service = await self.running[process][1].write_service()
            try:
                return await work(service)
            except errors.FractionMcpError:
                return None

        return self.portal.call(run)

    def _write(self, write_id: str) -> Write:
        found = self._try(0, lambda service: service.write(write_id))
        assert found is not None, f"{write_id} is not in the journal"
        return found  # type: ignore[no-any-return]

    def _all(self) -> list[Write]:
        return self._try(0, lambda service: service.journal.latest(limit=None)) or []

    def _held(self, write: Write) -> int:
        return SUBJECTS[write.plan.tool].held(self.world, write.plan.arguments)


async def _proposed(service: WriteService, tool: str, arguments: Mapping[str, Any]) -> Write:
    plan = await _replan(service.context, tool, arguments)
    return await service.propose(plan, tool=tool, arguments=arguments, asked_by="an assistant")


async def _proposed_together(service: WriteService, asked: list[dict[str, Any]]) -> Batch:
    spec = catalogue()["submit_writes"]
    planned = await spec.run(service.context, read_arguments(spec, {"writes": asked}))
    return await service.propose_batch(planned.writes(), asked_by="an assistant")


async def _followed_up(service: WriteService, write_id: str) -> Write:
    return await service.follow_up(await service.write(write_id))
