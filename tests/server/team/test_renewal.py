"""The ERP token of one person, and two replicas that work with it: renewing revokes, so that one renews for both."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp import sandbox
from fraction_mcp.config import Settings
from fraction_mcp.erp.client import ErpClient, colleague_client, sign_in_to_fraction
from fraction_mcp.erp.endpoints import ME
from fraction_mcp.errors import NotAuthenticated
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.team.accounts import _Kept
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store import TeamStore

pytestmark = pytest.mark.anyio

KEY = b"a key of the tests, and of nobody else"


@dataclass
class Erp:
    """The sandbox, whose answer to a renewal is kept back until it is `let_go`."""

    app: ASGIApp
    renewals: int = 0
    renewed: anyio.Event = field(default_factory=anyio.Event)
    let_go: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/auth/refresh"):
            await self.app(scope, receive, send)
            return
        self.renewals += 1
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        self.renewed.set()
        await self.let_go.wait()
        for message in answer:
            await send(message)


@dataclass
class Desk:
    """One person who has signed in, by what two replicas have of them."""

    erp: Erp
    store: TeamStore
    clients: list[ErpClient]
    ahead_s: float = 0.0

    async def asks(self, replica: int) -> None:
        await self.clients[replica].call(ME)

    async def both_ask(self) -> None:
        async with anyio.create_task_group() as group:
            for replica in range(2):
                group.start_soon(self.asks, replica)

    def clock(self) -> float:
        return time.time() + self.ahead_s


@asynccontextmanager
async def desk_of(tmp_path: Path) -> AsyncIterator[Desk]:
    app = sandbox.open_sandbox(tmp_path / "erp.db", parts=5)
    settings = Settings(fraction_base_url="http://localhost" + sandbox.FRACTION_PATH)
    journal = await Journal.open("", tmp_path)
    erp = Erp(app)
    async with AsyncExitStack() as stack:
        stack.callback(app.state.store.close)
        stack.push_async_callback(journal.aclose)
        desk = Desk(erp, TeamStore(journal.database, KeyRing([KEY])), [])
        subject = await desk.store.signed_in(
            await sign_in_to_fraction(settings, sandbox.EMAIL, SecretStr(sandbox.PASSWORD), app)
        )
        for _ in range(2):
            keeper = _Kept(desk.store, subject, lease_s=20)
            client = colleague_client(settings, subject, keeper, erp, clock=desk.clock)
            stack.push_async_callback(client.aclose)
            desk.clients.append(client)
            await client.call(ME)
        with anyio.fail_after(60):
            yield desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path) as desk:
        yield desk


async def test_a_token_that_is_due_at_two_replicas_is_renewed_once(desk: Desk) -> None:
    desk.ahead_s = 12 * 3600 - 60
    desk.erp.let_go.set()
    await desk.both_ask()
    assert desk.erp.renewals == 1


async def test_a_replica_that_is_refused_while_another_one_renews_waits_for_the_new_token(desk: Desk) -> None:
    """It is revoked the moment the ERP takes the renewal; what follows is known when the answer has come."""
    desk.ahead_s = 12 * 3600 - 60
    async with anyio.create_task_group() as group:
        group.start_soon(desk.asks, 0)
        await desk.erp.renewed.wait()
        desk.ahead_s = 0  # by the clock of the other one, its token is good for hours
        group.start_soon(desk.asks, 1)
        await anyio.wait_all_tasks_blocked()
        desk.erp.let_go.set()
    assert await desk.store.person(sandbox.EMAIL)
    await desk.both_ask()
    assert desk.erp.renewals == 1


async def test_a_token_that_the_erp_no_longer_takes_ends_the_sign_in_at_both(desk: Desk) -> None:
    desk.erp.app.state.store.expire_tokens("*")  # type: ignore[attr-defined]
    for replica in range(2):
        with pytest.raises(NotAuthenticated, match="your sign-in with FractionERP has ended"):
            await desk.asks(replica)
    assert await desk.store.person(sandbox.EMAIL) is None


async def test_who_signs_in_anew_goes_on_at_every_replica(desk: Desk) -> None:
    desk.erp.app.state.store.expire_tokens("*")  # type: ignore[attr-defined]
    settings = Settings(fraction_base_url="http://localhost" + sandbox.FRACTION_PATH)
    signed_in = await sign_in_to_fraction(settings, sandbox.EMAIL, SecretStr(sandbox.PASSWORD), desk.erp.app)
    await desk.store.signed_in(signed_in)
    await desk.both_ask()
