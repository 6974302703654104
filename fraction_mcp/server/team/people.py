"""Who is asking, and the runtime in which their calls are carried out: one for each person, with their own ERP session,
budget, memory and writes.

Knows neither how somebody signed in nor what is asked. The ERPs of a person come from `accounts`, and a person's writes
from the one journal of all, of which each sees their own.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken

from fraction_mcp.config import Settings
from fraction_mcp.erp import Erp
from fraction_mcp.operations.writes.approvers import SIGNED_IN
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.runtime import Runtime, Seat

__all__ = ["LONGEST_SUBJECT", "Accounts", "People", "Person", "person_of"]

logger = logging.getLogger(__name__)

LONGEST_SUBJECT = 100
"""Of what stands in the journal as an asker there is room for so many characters."""

_IDLE_S = 1_800.0
_LONGEST_CALL_S = 660.0  # and a little (`Limits`)
_MOST_LIVE = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in. `subject` is the ERP account's e-mail in small letters, or the `sub` of their token;
    `name` is what people read."""

    subject: str
    name: str

    @property
    def asker(self) -> str:
        return SIGNED_IN + self.subject


def person_of(token: AccessToken) -> Person:
    """Raises ValueError for a token that says of nobody whose it is, or of whom no journal could hold the name."""
    if not token.subject or len(token.subject) > LONGEST_SUBJECT:
        raise ValueError("the access token names no subject that could be kept")
    name = (token.claims or {}).get("name")
    return Person(token.subject, name if isinstance(name, str) and name else token.subject)


class Accounts(Protocol):
    """The ERPs that each person works in."""

    @asynccontextmanager
    def of(self, person: Person) -> AsyncIterator[tuple[Erp, ...]]:
        """Theirs, for as long as their runtime lives."""
        ...


@dataclass(slots=True)
class _Live:
    runtime: Runtime | None
    ready: anyio.Event
    leave: anyio.Event
    used_at: float
    failed: Exception | None = None


class People:
    """The runtimes of a team: each is made at its person's first call, and closed when they have been idle for long.

    An async context manager. `journal` is everybody's, `address` the team's inbox, `once` see `Seat`.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        journal: Journal,
        address: str,
        *,
        once: Callable[[str, float], Awaitable[bool]],
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._journal = journal
        self._address = address
        self._once = once
        self._clock = clock
        self._live: dict[str, _Live] = {}
        self._tasks: TaskGroup

    @property
    def settings(self) -> Settings:
        return self._settings

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Each runtime ends what it is sending; then it is over."""
        for live in self._live.values():
            live.leave.set()
        return await self._tasks.__aexit__(kind, error, trace)

    async def of_call(self, ctx: object) -> Runtime:  # noqa: ARG002 - the SDK tells whose call is being carried out
        token = get_access_token()
        if token is None:
            raise PermissionError("a call without a sign-in came in")  # the middleware before it lets none through
        return await self.of(person_of(token))

    async def of(self, person: Person) -> Runtime:
        live = self._live.get(person.subject)
        if live is None or live.failed is not None:
            self._make_room()
            live = self._live[person.subject] = _Live(None, anyio.Event(), anyio.Event(), self._clock())
            self._tasks.start_soon(self._lives, person, live)
        live.used_at = self._clock()
        await live.ready.wait()
        if live.runtime is None:
            raise live.failed or RuntimeError("the runtime was closed before it was ready")
        return live.runtime

    def _make_room(self) -> None:
        """Whoever has been idle for long leaves, and beyond a bound whoever has been idle for longest; nobody, however
        many there are, who may have a call under way."""
        now = self._clock()
        by_idleness = sorted(self._live.items(), key=lambda item: item[1].used_at)
        beyond = len(by_idleness) - _MOST_LIVE + 1
        for count, (subject, live) in enumerate(by_idleness):
            idle_s = now - live.used_at
            if idle_s > _IDLE_S or (count < beyond and idle_s > _LONGEST_CALL_S):
                del self._live[subject]
                live.leave.set()

    async def _lives(self, person: Person, live: _Live) -> None:
        try:
            async with self._accounts.of(person) as erps:
                seat = Seat(person.asker, person.subject, erps, self._journal, self._address, self._once)
                async with Runtime(self._settings, seat=seat) as runtime:
                    live.runtime = runtime
                    live.ready.set()
                    await live.leave.wait()
        except Exception as error:
            live.failed = error
            logger.exception("the runtime of a person failed")
        finally:
            live.ready.set()
            if self._live.get(person.subject) is live:
                del self._live[person.subject]

    def __len__(self) -> int:
        return len(self._live)
