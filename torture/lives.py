"""What the processes of a kill do: the one that is killed, the one beside it, and the one that recovers.

Each is forked, says what it has come to by a line at a time, and knows nothing of the others.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from fraction_mcp.operations.writes.approvers import Decider
from torture.clock import READS_S, Clock
from torture.worlds import BATCH, FAULTS, SUBJECTS, Subject, World

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from fraction_mcp.config import Settings
    from fraction_mcp.operations.writes.batch import Batch
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.write import Write

__all__ = ["HOSTS", "KILLED", "Asks", "Job", "Say", "beside", "patient", "recover", "write"]

KILLED = {**SUBJECTS, BATCH.tool: BATCH}
Say = Callable[[str], None]
Asks = Literal["", "a host", "a careless host"]
"""Through what a person is asked: nothing but the write service, a host that shows its form to somebody who says yes,
or one that accepts a form that nobody has filled in."""
HOSTS: tuple[Asks, ...] = ("a host", "a careless host")

_SOON_S = 0.05  # how long a write is waited for whose answer never comes
_LATER_S = 1000.0  # past every lease, before every expiry
_ASKER, _OTHER = "whoever is killed", "whoever works beside it"


class Job(NamedTuple):
    """What is killed at every `stride`-th step: the write of a tool, to which the ERP does what `fault` says. Where
    it is `crowded`, a second process is beside each, which does not stop looking: both are at one write."""

    tool: str
    fault: str = "none"
    stride: int = 1
    on_postgresql: bool = False
    asks: Asks = ""
    crowded: bool = False


async def write(world: World, job: Job, say: Say, arm: Callable[[], None]) -> None:
    """The life that is killed: `arm` says from where on."""
    erps, subject = world.erps(), KILLED[job.tool]
    if FAULTS[job.fault]:
        erps.state.faults.arm(method=subject.method, path=subject.path, **FAULTS[job.fault])
    settings = world.settings().model_copy(update={"elicitation": "full"})
    if "seconds" in FAULTS[job.fault]:
        settings = settings.model_copy(update={"timeout_s": _SOON_S})
    lives = _through_a_host if job.asks else _by_itself
    with closing(erps.state.store):
        await lives(settings, erps, job, say, arm)


async def _by_itself(settings: "Settings", erps: "Starlette", job: Job, say: Say, arm: Callable[[], None]) -> None:
    from fraction_mcp.runtime import Runtime

    async with Runtime(settings, erps) as runtime:
        service = await runtime.write_service()
        arm()
        await _proposed(service, KILLED[job.tool], KILLED[job.tool].arguments, _ASKER, say)


async def _through_a_host(settings: "Settings", erps: "Starlette", job: Job, say: Say, arm: Callable[[], None]) -> None:
    from mcp import Client
    from mcp.client.session import ElicitationFnT
    from mcp.types import ElicitResult, Implementation

    from fraction_mcp.runtime import Runtime
    from fraction_mcp.server.app import create_server
    from torture.host import EMPTY, YES

    clock, careless = Clock(), job.asks == "a careless host"

    async def callback(*_: object) -> ElicitResult:
        say("proposed")
        clock.passes(READS_S)
        if not careless:
            say("agreed")
        return EMPTY if careless else YES

    async with Runtime(settings, erps, clock=clock) as runtime:
        form, name = cast(ElicitationFnT, callback), Implementation(name=_ASKER, version="1")
        async with Client(create_server(runtime), elicitation_callback=form, client_info=name) as client:
            arm()
            came = await client.call_tool(job.tool, dict(KILLED[job.tool].arguments))
            say(f"told {job.tool} {(came.structured_content or {}).get('outcome')}")


async def _proposed(
    service: "WriteService", subject: Subject, arguments: Mapping[str, Any], asker: str, say: Say
) -> "Batch":
    from fraction_mcp.runtime import _replan
    from fraction_mcp.tools.arguments import read_arguments
    from fraction_mcp.tools.catalogue import catalogue

    if subject is BATCH:
        spec = catalogue()[subject.tool]
        planned = await spec.run(service.context, read_arguments(spec, arguments))
        batch: Batch = await service.propose_batch(planned.writes(), asked_by=asker)
    else:
        plan = await _replan(service.context, subject.tool, arguments)
        batch = await service.batch(await service.propose(plan, tool=subject.tool, arguments=arguments, asked_by=asker))
    say("proposed")
    say("agreed")
    batch = await service.batch(await service.approve(batch.waiting[0], digest=batch.digest, by=Decider("a person")))
    for one in batch.writes:
        say(f"told {one.plan.tool} {one.state}")
    return batch


def patient() -> None:
    """Many processes share this machine and its PostgreSQL: a database that is slow for it is no finding."""
    from fraction_mcp.operations.writes.journal_database import JournalDatabase

    JournalDatabase.answer_s = 60.0


async def beside(world: World, subject: Subject, say: Say, looks: int) -> None:
    """A second process with a write of its own, which also sees to what others have had approved."""
    from fraction_mcp.runtime import Runtime

    erps = world.erps()
    with closing(erps.state.store):
        async with Runtime(world.settings(), erps) as runtime:
            service = await runtime.write_service()
            await _proposed(service, subject, subject.beside, _OTHER, say)
            for _ in range(looks):
                await _followed(service)


async def recover(world: World, say: Callable[[str], None]) -> None:
    """A fresh process, at once and again when every lease has run out; then a person answers what still waits."""
    from fraction_mcp.operations.writes.states import State
    from fraction_mcp.runtime import Runtime

    clock, erps = Clock(READS_S), world.erps()  # no clock goes back: it may be that a host's person had read so long
    with closing(erps.state.store):
        async with Runtime(world.settings(), erps, clock=clock) as runtime:
            service = await runtime.write_service()
            at_once = await _followed(service)
            clock.ahead_s = _LATER_S
            later = await _followed(service)
            for waiting in later:
                if waiting.state is State.AWAITING and (batch := await service.batch(waiting)).waiting:
                    await service.approve(waiting, digest=batch.digest, by=Decider("a person, again"))
            ended = await _followed(service)
            say(json.dumps([_states(all_seen, _ASKER) for all_seen in (at_once, later, ended)]))
            say(json.dumps(_states(ended, _OTHER)))
            say(await service.journal.verify() or "whole")


def _states(writes: "list[Write]", asker: str) -> dict[str, str]:
    return {write.plan.tool: write.state.value for write in writes if write.asked_by.startswith(asker)}


async def _followed(service: "WriteService") -> "list[Write]":
    """All writes, after this process has done for each whatever there was to do."""
    return [await service.follow_up(write) for write in await service.journal.latest(limit=None)]
