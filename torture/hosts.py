"""Hosts as they were seen to be, and worse: each a scripted client that asks for a write and mistreats its question.

Nothing may be written unless somebody chose `approve` a second or more after the question; and what nobody explicitly
declined waits in the inbox. Each write is held to the very state that its host must leave it in. One that answers by
itself with an explicit yes after a second is not told from a person.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from mcp import MCPError
from mcp.types import ErrorData

from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime
from torture.clock import READS_S, Clock
from torture.host import CLOSED, EMPTY, MODES, NEWER, NO, OLDER, SUBJECT, UNSEEN, YES, Host
from torture.killed import killed_with_a_form_open
from torture.racing import raced
from torture.worlds import World

__all__ = ["HOSTS", "Verdict", "met"]

Behaviour = Callable[[Host], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Habit:
    """`leaves`: in which state each write is afterwards, in the order in which they were asked for: `done` where
    somebody explicitly said yes in time, `declined` where they said no; `older` under the older protocol, where that is
    something else. `modes`: which protocols give a host the chance. `fault`: what the ERP does to the write."""

    does: Behaviour
    leaves: tuple[State, ...] = (State.AWAITING,)
    older: tuple[State, ...] = ()
    modes: tuple[str, ...] = MODES
    fault: str = "none"


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


@host("says yes at once, and sends the same again later", modes=(NEWER,))
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


@host("closes the form when somebody may have read it")
async def _closes_later(host: Host) -> None:
    async with host.at_work():
        await host.call((CLOSED, READS_S))


@host("declines, as a whole, when somebody may have read it", leaves=(State.DECLINED,))
async def _declines_later(host: Host) -> None:
    """An explicit no, which such a host may give by itself as well: what it costs is that somebody asks again."""
    async with host.at_work():
        await host.call((UNSEEN, READS_S))


@host("declines when somebody has read it", leaves=(State.DECLINED,))
async def _declined(host: Host) -> None:
    async with host.at_work():
        await host.call((NO, READS_S))


@host("never answers, and gives up")
async def _never(host: Host) -> None:
    async with host.at_work():
        await host.gives_up()


@host("answers twice: no, then yes", leaves=(State.DECLINED,), modes=(NEWER,))
async def _twice(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        await host.leg(state, NO, READS_S)
        await host.leg(state, YES, READS_S)


@host("says yes once, and sends it five times at once", leaves=(State.DONE,), modes=(NEWER,))
async def _five(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        host.clock.passes(READS_S)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(host.leg, state, YES)


@host("says yes when the approval has expired", leaves=(State.EXPIRED,), modes=(NEWER,))
async def _too_late(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        with suppress(MCPError):
            await host.leg(state, YES, 100_000.0)


@host("says yes once, and sends it to two servers at once", leaves=(State.DONE,), modes=(NEWER,))
async def _at_two(host: Host) -> None:
    other = replace(host)
    async with host.at_work(), other.at_work():
        state = await host.question()
        host.clock.passes(READS_S)
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
        if host.mode != OLDER:
            await host.leg(await host.question(), YES, READS_S)
            return
        await host.gives_up((YES, READS_S))
        await host.answers_now()


@host("answers after its own time-out, of which it says nothing", leaves=(State.DONE,), modes=(OLDER,))
async def _late_and_silent(host: Host) -> None:
    async with host.at_work():
        host.never_cancels()
        await host.gives_up((YES, READS_S))
        await host.answers_now()
        with anyio.fail_after(60):
            await host.sent.wait()


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


@host("loses the sealed state", modes=(NEWER,))
async def _loses(host: Host) -> None:
    async with host.at_work():
        await host.question()
        await host.leg(None, YES, READS_S)


@host("changes the sealed state", modes=(NEWER,))
async def _tampers(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        for changed in (state[:-2] + ("AA" if state[-2:] != "AA" else "BB"), state[: len(state) // 2], "x"):
            with suppress(MCPError):
                await host.leg(changed, YES, READS_S)


@host("answers the question of one call with the arguments of another", modes=(NEWER,))
async def _swaps(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
        with suppress(MCPError):
            await host.leg(state, YES, READS_S, arguments=SUBJECT.beside)


@host("takes the question's state to a server of another journal", modes=(NEWER,))
async def _to_another_journal(host: Host) -> None:
    async with host.at_work():
        state = await host.question()
    async with host.at_work(journal="another"):
        with suppress(MCPError):
            await host.leg(state, YES, READS_S)


@host("takes the question's state to a server of another key", modes=(NEWER,))
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


@host(
    "shows it, somebody says yes, and the ERP's answer is lost",
    leaves=(State.DONE,),
    fault="dropped after the commit",
)
async def _answer_lost(host: Host) -> None:
    await _good(host)


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
    this = Host(world, "auto" if mode == NEWER else mode, Clock(), habit.fault)
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
        chain or _wrong_with(writes, held, habit.older if mode == OLDER and habit.older else habit.leaves),
    )


def _wrong_with(writes: Sequence[Write], held: Mapping[str, int], leaves: Sequence[State]) -> str:
    """`held` is how often the ERP has what each of the arguments makes."""
    states = tuple(write.state for write in sorted(writes, key=lambda write: write.created_at))
    if states != leaves:
        return f"left as {', '.join(states) or 'nothing'} instead of {', '.join(leaves)}"
    done = Counter(str(dict(write.plan.arguments)) for write in writes if write.state is State.DONE)
    return "" if Counter(held) == done else f"written {held}, and done are {dict(done)}"
