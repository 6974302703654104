"""Reads: what is tried again, what is not, and how long anything may take."""

import asyncio
from asyncio.streams import StreamWriter
from datetime import timedelta
from urllib.parse import parse_qs

import anyio
import pytest

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from tests.erp.conftest import Scripting, World

pytestmark = pytest.mark.anyio

TOKEN = ("200 OK", b'{"data":{"access_token":"t0k3n"}}')
PARTS = ("200 OK", b'{"data":[{"id":1}]}')


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["status", "html"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_read_that_failed_in_passing_is_tried_again(world: World, kind: str, status: int) -> None:
    client = world.fraction()
    world.arm(kind, status=status, path="/parts", times=3)
    assert (await client.call(e.PARTS)).records()
    assert world.count("GET /parts") == 4
    for slept, most in zip(world.slept, [0.4, 0.8, 1.6], strict=True):
        assert 0 <= slept <= most


async def test_a_read_that_keeps_failing_is_given_up_after_four_tries(world: World) -> None:
    client = world.fraction()
    world.arm("status", status=503, path="/parts", times=9)
    with pytest.raises(errors.ErpBroken) as caught:
        await client.call(e.PARTS)
    assert (caught.value.status, caught.value.system, caught.value.operation) == (503, "fractionerp", "list parts")
    assert (world.count("GET /parts"), len(world.slept)) == (4, 3)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "cut"])
async def test_a_connection_that_breaks_under_a_read_is_made_again(wired: World, kind: str) -> None:
    client = wired.fraction()
    wired.arm(kind, path="/parts", times=2)
    assert (await client.call(e.PARTS)).records()
    assert (wired.count("GET /parts"), len(wired.slept)) == (3, 2)


async def test_a_connection_that_keeps_breaking_is_told(wired: World) -> None:
    client = wired.fraction()
    wired.arm("drop_before", path="/parts", times=9)
    with pytest.raises(errors.ErpBroken, match="broke the connection off") as caught:
        await client.call(e.PARTS)
    assert caught.value.status is None
    assert wired.count("GET /parts") == 4


async def test_a_sign_in_that_failed_in_passing_is_tried_again(world: World) -> None:
    world.arm("status", status=503, path="/auth/login", times=2)
    assert (await world.fraction().call(e.PARTS)).records()
    assert world.count("POST /auth/login") == 3


@pytest.mark.parametrize("kind", ["truncate", "empty", "garbage"])
async def test_an_answer_that_cannot_be_read_is_not_asked_for_again(world: World, kind: str) -> None:
    client = world.fraction()
    world.arm(kind, path="/parts")
    with pytest.raises(errors.ErpContractBroken):
        await client.call(e.PARTS)
    assert (world.count("GET /parts"), world.slept) == (1, [])


@pytest.mark.parametrize("status", [403, 404, 422, 501])
async def test_a_refusal_is_not_asked_for_again(near: World, status: int) -> None:
    client = near.fraction()
    near.arm("status", status=status, path="/parts")
    with pytest.raises(errors.ErpError):
        await client.call(e.PARTS)
    assert (near.count("GET /parts"), near.slept) == (1, [])


async def test_a_time_out_is_told_and_not_tried_again(world: World) -> None:
    client = world.fraction(timeout_s=0.2)
    await client.call(e.PARTS)
    world.arm("timeout", path="/parts", times=9)
    with anyio.fail_after(25), pytest.raises(errors.ErpTimedOut, match=r"within 0\.2 seconds") as caught:
        await client.call(e.PARTS)
    assert caught.value.retryable
    assert (world.count("GET /parts"), world.slept) == (2, [])


async def test_where_nobody_listens_nothing_was_sent(wired: World, nowhere: str) -> None:
    client = wired.fraction()
    client.base_url = nowhere
    with pytest.raises(errors.ErpUnreachable, match="nothing was sent") as caught:
        await client.call(e.PARTS)
    assert caught.value.operation == "sign in"
    assert len(wired.slept) == 3


async def test_an_answer_is_as_old_as_its_question(wired: World, scripted: Scripting) -> None:
    """What changes while the answer is on its way is not in it."""

    async def late(writer: StreamWriter) -> None:
        wired.clock.ahead(seconds=3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n" + PARTS[1])

    server = await scripted(TOKEN, late)
    client = wired.fraction()
    client.base_url = server.url
    before = wired.clock.now
    answer = await client.call(e.PARTS)
    assert (answer.read_at, wired.clock.now - before) == (before, timedelta(seconds=3))


async def test_an_answer_is_as_old_as_the_question_that_was_answered(near: World) -> None:
    """Not as the one before it that failed."""
    client = near.fraction()
    near.arm("status", status=503, path="/parts")

    async def sleep(_: float) -> None:
        near.clock.ahead(seconds=5)

    client._sleep = sleep
    before = near.clock.now
    assert (await client.call(e.PARTS)).read_at == before + timedelta(seconds=5)


# ----------------------------------------------------------------------------------------------------- the rate limit


async def test_a_limit_that_ends_soon_is_waited_for(world: World) -> None:
    client = world.fraction()
    world.arm("status", status=429, path="/parts", seconds=2)
    assert (await client.call(e.PARTS)).records()
    (slept,) = world.slept
    assert 0.5 <= slept <= 4.2


async def test_a_limit_that_is_far_off_is_an_error_with_the_seconds(world: World) -> None:
    client = world.fraction()
    world.arm("status", status=429, path="/parts", seconds=600)
    with pytest.raises(errors.RateLimited) as caught:
        await client.call(e.PARTS)
    assert 590 <= caught.value.retry_after_s <= 602
    assert (world.count("GET /parts"), world.slept) == (1, [])


async def test_a_clock_that_is_off_waits_no_longer(wired: World) -> None:
    """The reset is a moment of the server's clock, which its Date header tells."""
    wired.clock.ahead(hours=-5)
    client = wired.fraction()
    wired.arm("status", status=429, path="/parts", seconds=600)
    with pytest.raises(errors.RateLimited) as caught:
        await client.call(e.PARTS)
    assert 590 <= caught.value.retry_after_s <= 602


@pytest.mark.parametrize(("seconds", "asked"), [(1, 2), (50, 1)])
async def test_fracttals_406_is_the_same_limit(world: World, seconds: int, asked: int) -> None:
    client = world.fracttal()
    world.arm("status", status=406, path="/warehouses", system="fracttal", seconds=seconds)
    if asked == 2:
        assert (await client.call(e.WAREHOUSES)).records()
    else:
        with pytest.raises(errors.RateLimited) as caught:
            await client.call(e.WAREHOUSES)
        assert caught.value.retry_after_s == 50
    assert world.count("GET /warehouses") == asked


async def test_the_budget_is_the_servers_and_is_kept(world: World) -> None:
    world.app.state.fraction_limit_per_hour = 1500
    client = world.fraction()
    assert client.connection().budget is None
    await client.call(e.PARTS)
    first = client.connection().budget
    await client.call(e.PARTS)
    second = client.connection().budget
    assert (first.limit, first.remaining - second.remaining) == (1500, 1)
    assert 0 < (second.resets_at - world.clock.now).total_seconds() <= 3602
    world.arm("html", path="/parts", status=404)
    with pytest.raises(errors.ErpContractBroken):
        await client.call(e.PARTS)
    assert client.connection().budget == second, "an answer without the headers says nothing about them"


# -------------------------------------------------------------------------------------------------------- connections


async def test_reads_share_a_connection(wired: World) -> None:
    client = wired.fraction()
    for number in (1, 2, 3):
        await client.call(e.PART, path={"id": number})
    assert len({connection for _, _, connection in wired.noting.seen}) == 1


async def test_an_idle_connection_that_the_server_closed_costs_a_read_no_error(
    wired: World, scripted: Scripting
) -> None:
    async def close(writer: StreamWriter) -> None:
        pass  # the connection is closed as the second read arrives on it

    server = await scripted(TOKEN, PARTS, close, PARTS)
    client = wired.fraction()
    client.base_url = server.url
    assert (await client.call(e.PARTS)).records() == (await client.call(e.PARTS)).records()


async def test_the_time_is_bounded_even_when_bytes_drip(wired: World, scripted: Scripting) -> None:
    async def drip(writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    server = await scripted(TOKEN, drip)
    client = wired.fraction(timeout_s=0.4)
    client.base_url = server.url
    with anyio.fail_after(25), pytest.raises(errors.ErpTimedOut):
        await client.call(e.PARTS)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(
    wired: World, scripted: Scripting, status: str
) -> None:
    elsewhere = await scripted(PARTS)
    server = await scripted(TOKEN, (status, b"", {"Location": f"{elsewhere.url}/parts"}))
    client = wired.fraction()
    client.base_url = server.url
    with pytest.raises(errors.ErpContractBroken) as caught:
        await client.call(e.PARTS)
    assert caught.value.status == int(status[:3])
    assert b"Bearer t0k3n" in server.received[1]
    assert elsewhere.received == []


async def test_a_cancelled_read_leaves_the_client_fit_for_use(wired: World) -> None:
    client = wired.fraction()
    await client.call(e.PARTS)
    wired.arm("timeout", path="/parts", times=8)
    with anyio.move_on_after(0.1):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(client.call, e.PARTS)
    wired.app.state.faults.clear()
    with anyio.fail_after(25):
        assert (await client.call(e.PARTS)).records()


async def test_an_awkward_search_reaches_the_erp_as_it_is(world: World) -> None:
    client = world.fraction()
    for text in ("A B", "A/1", 'say "hi"', "R&D", "50%", "%2F", "a+b", "Ø16 Gehäuse", "部品", "#;?="):
        await client.call(e.PARTS, query={"search": text})
        assert world.noting.seen[-1][1].endswith("/parts")
    asked = [parse_qs(entry.query)["search"][0] for entry in world.app.state.requests if entry.query]
    assert asked == ["A B", "A/1", 'say "hi"', "R&D", "50%", "%2F", "a+b", "Ø16 Gehäuse", "部品", "#;?="]
