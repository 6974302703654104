"""Somebody in between, with a certificate of their own or a word that leads elsewhere: they get no password, no token
and no write."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from fraction_mcp import errors, sandbox
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import ErpClient, fraction_client
from torture.wire import FAULTS, Exchange, Fault, Wire
from torture.worlds import World, seed

pytestmark = pytest.mark.anyio

Asked = Callable[[ErpClient], Awaitable[object]]

WRITE = partial(ErpClient.call, endpoint=e.CREATE_PART, body={"part_number": "ELSEWHERE-1"})
READ = partial(ErpClient.call, endpoint=e.PARTS)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.made(tmp_path / "world", seed(tmp_path))


def client_of(world: World, wire: Wire) -> ErpClient:
    base = {"fraction_base_url": wire.url + sandbox.FRACTION_PATH, "fraction_password": SecretStr(sandbox.PASSWORD)}
    return fraction_client(world.settings().model_copy(update={**base, "timeout_s": 10.0}))


@pytest.mark.parametrize("asked", [READ, WRITE], ids=["read", "write"])
async def test_who_has_no_certificate_that_is_vouched_for_hears_nothing(world: World, asked: Asked) -> None:
    heard: list[str] = []

    async def hears(exchange: Exchange) -> None:
        heard.append(exchange.path)
        await exchange.whole()

    wire = Wire(world.erps())
    wire.arm(Fault("hears", hears, times=99, sign_in=True, untrusted=True), frozenset())
    async with wire.served():
        client = client_of(world, wire)
        with pytest.raises(errors.ErpUnreachable, match="certificate"):
            await asked(client)
        await client.aclose()
    assert (heard, wire.requests) == ([], [])


@pytest.mark.matrix
@pytest.mark.parametrize("asked", [READ, WRITE], ids=["read", "write"])
@pytest.mark.parametrize("at_sign_in", [False, True], ids=["at work", "at sign-in"])
async def test_a_redirect_takes_no_token_and_no_password_to_another_host(
    world: World, asked: Asked, *, at_sign_in: bool
) -> None:
    heard: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def leads_away(exchange: Exchange) -> None:
        await exchange.send(307, b"", head=f"Location: {address}\r\n")

    wire = Wire(world.erps())
    wire.arm(Fault("leads away", leads_away, times=99, sign_in=at_sign_in), frozenset({"GET", "POST"}))
    async with server, wire.served():
        client = client_of(world, wire)
        with pytest.raises(errors.ErpError):
            await asked(client)
        await client.aclose()
    assert heard == []


def test_both_are_among_the_faults_that_every_tool_meets() -> None:
    assert {"a certificate that nobody vouches for", "a redirect to another host"} <= set(FAULTS)
