"""Writes: sent once, whatever happens, and what became of them is told by one of three errors."""

import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import anyio
import pytest

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.erp.decipher import decipher
from fraction_mcp.erp.response import Response
from tests.erp.conftest import Scripting, World

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
POST = "POST /parts"
LOGIN = "POST /auth/login"
TOKEN = ("200 OK", b'{"data":{"access_token":"t0k3n"}}')


_numbers = itertools.count(1)


@pytest.fixture
def number() -> Any:
    """A part number of the test's own: the company is the whole folder's."""
    return f"WRITE-{next(_numbers)}"


async def create(client: ErpClient, number: Any) -> Any:
    with anyio.fail_after(25):
        return await client.call(e.CREATE_PART, body={"part_number": number})


async def landed(client: ErpClient, number: Any) -> Any:
    found = (await client.call(e.PARTS, query={"search": number})).records()
    return any(part["part_number"] == number for part in found)


async def test_a_write_is_sent_and_answered(world: World, number: Any) -> None:
    answer = await create(world.fraction(), number)
    assert (answer.status, answer.record()["part_number"]) == (201, number)
    assert world.log() == [f"{LOGIN} 200", f"{POST} 201"]


# kind of fault, and whether the part is there afterwards
UNKNOWN = {
    "a status 500": ({"kind": "status", "status": 500}, False),
    "a status 500 after the work": ({"kind": "after_500"}, True),
    "a gateway's 502": ({"kind": "html", "status": 502}, False),
    "a gateway's 503": ({"kind": "html", "status": 503}, False),
    "a gateway's 504": ({"kind": "html", "status": 504}, False),
    "an empty success": ({"kind": "empty"}, False),
    "an empty 204": ({"kind": "empty", "status": 204}, False),
    "a success that is no object": ({"kind": "garbage", "status": 201}, False),
    "a success in HTML": ({"kind": "html", "status": 200}, False),
    "half an answer": ({"kind": "truncate"}, True),
    "a 401 without an envelope": ({"kind": "html", "status": 401}, False),
    "a 403 without an envelope": ({"kind": "html", "status": 403}, False),
    "a 404 without an envelope": ({"kind": "garbage", "status": 404, "body": '{"message":"no route"}'}, False),
    "a 408 of a proxy": ({"kind": "garbage", "status": 408, "body": '{"message":"Request Timeout"}'}, False),
    "a 429 without an envelope": ({"kind": "empty", "status": 429}, False),
    "a dropped request": ({"kind": "drop_before"}, False),
    "a dropped answer": ({"kind": "drop_after"}, True),
    "an answer that breaks off": ({"kind": "cut"}, True),
}


@pytest.mark.parametrize(("fault", "done"), UNKNOWN.values(), ids=UNKNOWN)
async def test_a_write_is_never_sent_twice_and_its_outcome_is_unknown_after(
    wired: World, number: Any, fault: Any, done: Any
) -> None:
    client = wired.fraction()
    wired.arm(**fault, method="POST", path="/parts", times=9)
    with pytest.raises(errors.ErpOutcomeUnknown, match="it may have been written") as caught:
        await create(client, number)
    assert (caught.value.system, caught.value.operation) == ("fractionerp", "create a part")
    assert not caught.value.retryable
    assert (wired.count(POST), wired.count(LOGIN), wired.slept) == (1, 1, [])
    wired.app.state.faults.clear()
    assert await landed(client, number) is done


@pytest.mark.parametrize(("kind", "done"), [("timeout", False), ("timeout_after", True)])
async def test_a_write_that_timed_out_is_unknown_and_not_sent_again(
    wired: World, number: Any, kind: Any, done: Any
) -> None:
    client = wired.fraction(timeout_s=0.3)
    wired.arm(kind, method="POST", path="/parts", times=9)
    with pytest.raises(errors.ErpOutcomeUnknown, match=r"did not answer within 0\.3 seconds.*may have been written"):
        await create(client, number)
    assert (wired.count(POST), wired.slept) == (1, [])
    wired.app.state.faults.clear()
    assert await landed(client, number) is done


@pytest.mark.parametrize("kind", ["status", "after_500", "html", "empty", "garbage", "truncate", "drop_before"])
async def test_in_process_a_write_is_sent_once_as_well(near: World, number: Any, kind: Any) -> None:
    client = near.fraction()
    near.arm(kind, method="POST", path="/parts", times=9)
    with pytest.raises(errors.ErpOutcomeUnknown):
        await create(client, number)
    assert near.count(POST) == 1


async def test_every_write_is_sent_once(wired: World) -> None:
    client = wired.fraction()
    writes = [
        (e.CREATE_CONTACT, {"id": 1}, "/customers/1/contacts"),
        (e.CREATE_CONTRACT, {}, "/contracts"),
        (e.SET_PRICE_LIST, {"id": 1}, "/parts/1/price-lists"),
    ]
    for endpoint, path, asked in writes:
        wired.arm("drop_before", method=endpoint.method, path=asked, times=9)
        with pytest.raises(errors.ErpOutcomeUnknown):
            await client.call(endpoint, path=path, body={})
        assert wired.count(f"{endpoint.method} {asked}") == 1


async def test_a_refusal_in_the_erps_own_envelope_says_that_nothing_was_written(world: World, number: Any) -> None:
    client = world.fraction()
    await create(client, number)
    with pytest.raises(errors.Duplicate):
        await create(client, number)
    with pytest.raises(errors.InvalidFields, match="part_number"):
        await client.call(e.CREATE_PART, body={})
    with pytest.raises(errors.NotFound):
        await client.call(e.CREATE_CONTACT, path={"id": 999_999}, body={"name": "x"})
    assert world.slept == []


@pytest.mark.parametrize("seconds", [1, 600])
async def test_a_write_over_the_limit_is_refused_and_not_waited_for(world: World, number: Any, seconds: Any) -> None:
    client = world.fraction()
    world.arm("status", status=429, method="POST", path="/parts", seconds=seconds)
    with pytest.raises(errors.RateLimited) as caught:
        await create(client, number)
    assert seconds - 2 <= caught.value.retry_after_s <= seconds + 60  # two clocks, and a machine that may be busy
    assert (world.count(POST), world.slept) == (1, [])


# ----------------------------------------------------------------------------------------------------- a token refused


@pytest.mark.parametrize("fault", [{"kind": "expire"}, {"kind": "status", "status": 401}], ids=["ended", "refused"])
async def test_a_401_in_the_own_envelope_signs_in_again_and_sends_once_more(
    world: World, number: Any, fault: Any
) -> None:
    client = world.fraction()
    world.arm(**fault, method="POST", path="/parts")
    assert (await create(client, number)).status == 201
    assert world.log() == [f"{LOGIN} 200", f"{POST} 401", f"{LOGIN} 200", f"{POST} 201"]


async def test_a_401_that_stays_is_the_end_of_it(world: World, number: Any) -> None:
    client = world.fraction()
    world.arm("status", status=401, method="POST", path="/parts", times=9)
    with pytest.raises(errors.NotAuthenticated):
        await create(client, number)
    assert (world.count(POST), world.count(LOGIN)) == (2, 2)


async def test_a_dropped_answer_after_the_new_sign_in_is_still_unknown(wired: World, number: Any) -> None:
    client = wired.fraction()
    wired.arm("expire", method="POST", path="/parts")
    wired.arm("drop_after", method="POST", path="/parts", after=1)
    with pytest.raises(errors.ErpOutcomeUnknown):
        await create(client, number)
    assert wired.count(POST) == 2
    assert await landed(client, number)


# --------------------------------------------------------------------------------------------------------- connections


async def test_where_nobody_listens_nothing_was_sent(wired: World, number: Any, nowhere: Any) -> None:
    client = wired.fraction()
    await client.call(e.PARTS)
    there, client.base_url = client.base_url, nowhere
    with pytest.raises(errors.ErpUnreachable, match="nothing was sent") as caught:
        await create(client, number)
    assert (caught.value.operation, caught.value.status, wired.slept) == ("create a part", None, [])
    client.base_url = there
    assert not await landed(client, number)


async def test_a_write_never_goes_out_on_a_connection_that_was_used_before(wired: World, number: Any) -> None:
    """One that the server has just closed would make a write that nobody received look like a lost answer."""
    client = wired.fraction()
    await client.call(e.PARTS)
    await create(client, number)
    await create(client, number + "-B")
    await client.call(e.PARTS)
    reads = wired.noting.connections("GET", "/parts")
    writes = wired.noting.connections("POST", "/parts")
    assert reads[0] == reads[1]
    assert len({reads[0], *writes}) == 3


async def test_a_write_is_not_followed_elsewhere(wired: World, scripted: Scripting, number: Any) -> None:
    elsewhere = await scripted(("201 Created", b'{"data":{}}'))
    server = await scripted(TOKEN, ("308 Permanent", b"", {"Location": f"{elsewhere.url}/parts"}))
    client = wired.fraction()
    client.base_url = server.url
    with pytest.raises(errors.ErpOutcomeUnknown):
        await create(client, number)
    assert (len(server.received), elsewhere.received) == (2, [])


async def test_the_bytes_that_go_out_are_the_canonical_ones(wired: World, scripted: Scripting, number: Any) -> None:
    server = await scripted(TOKEN, ("200 OK", b'{"success":true,"data":{}}'))
    client = wired.fraction()
    client.base_url = server.url
    body = {"price_breaks": [{"qty": 100, "price": Decimal("10.10")}], "customer_id": 52}
    await client.call(e.SET_PRICE_LIST, path={"id": 7}, body=body)
    head, _, sent = server.received[1].partition(b"\r\n\r\n")
    assert sent == b'{"customer_id":52,"price_breaks":[{"price":10.1,"qty":100}]}'
    assert head.startswith(b"PUT /parts/7/price-lists HTTP/1.1\r\n")
    for header in (b"content-type: application/json", b"accept: application/json", b"authorization: bearer t0k3n"):
        assert header in head.lower()


# ------------------------------------------------------------------------------------------- what proves, and what not


@pytest.mark.parametrize(
    ("endpoint", "status", "body"),
    [
        (e.CREATE_PART, 202, {"success": True, "data": {"id": 1}}),
        (e.CREATE_PART, 202, {}),
        (e.CREATE_PART, 200, {"data": {"id": 1}}),
        (e.CREATE_PART, 201, {"success": "true", "data": {"id": 1}}),
        (e.CREATE_PART, 201, {"success": True}),
        (e.CREATE_CONTRACT, 200, {"success": True, "data": {"id": 1}}),
        (e.CREATE_WAREHOUSE_ORDER, 200, {"message": "200", "data": {"id": "1"}}),
    ],
)
def test_a_success_in_another_form_than_the_documented_one_proves_nothing(
    endpoint: Any, status: Any, body: Any
) -> None:
    with pytest.raises(errors.ErpOutcomeUnknown, match="it may have been written"):
        decipher(endpoint, Response(status, {}, json.dumps(body).encode(), AT))


@pytest.mark.parametrize(
    ("endpoint", "status", "body"),
    [
        (e.CREATE_PART, 408, {"success": False, "errors": [{"code": "REQUEST_TIMEOUT", "message": "late"}]}),
        (e.CREATE_PART, 409, {"success": False, "errors": [{"code": "CONFLICT", "message": "busy"}]}),
        (e.CREATE_PART, 400, {"success": False, "errors": [{"code": "VALIDATION_ERROR", "message": "no"}]}),
        (e.CREATE_PART, 422, {"success": False, "errors": [{"message": "no"}]}),
        (e.CREATE_WAREHOUSE_ORDER, 409, {"success": False, "message": "conflict"}),
        (e.CREATE_WAREHOUSE_ORDER, 400, {"message": "no"}),
    ],
)
def test_a_refusal_of_a_write_that_no_document_knows_proves_nothing(endpoint: Any, status: Any, body: Any) -> None:
    with pytest.raises(errors.ErpOutcomeUnknown, match="it may have been written"):
        decipher(endpoint, Response(status, {}, json.dumps(body).encode(), AT))


# -------------------------------------------------------------------------------------------------- the last look


async def test_a_write_goes_out_only_after_a_last_look_with_the_token_in_hand(world: World, number: Any) -> None:
    client, looks = world.fraction(), []

    async def look() -> None:
        looks.append(world.log())

    await client.call(e.CREATE_PART, body={"part_number": number}, before_send=look)
    assert looks == [[f"{LOGIN} 200"]]


async def test_the_last_look_is_taken_again_before_the_second_try_of_a_refused_token(world: World, number: Any) -> None:
    client, looks = world.fraction(), []
    world.arm("expire", method="POST", path="/parts")

    async def look() -> None:
        looks.append(len(world.log()))
        if len(looks) == 2:
            raise errors.ConsentError("the claim has run out")

    with pytest.raises(errors.ConsentError):
        await client.call(e.CREATE_PART, body={"part_number": number}, before_send=look)
    assert world.log() == [f"{LOGIN} 200", f"{POST} 401", f"{LOGIN} 200"], "and nothing was sent a second time"


async def test_a_write_does_not_wait_behind_slow_reads(wired: World, number: Any) -> None:
    client = wired.fraction(timeout_s=30)
    await client.ready()
    wired.arm("timeout", method="GET", path="/parts", times=40)
    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for page in range(20):
                group.start_soon(partial(client.call, e.PARTS, query={"page": page + 1}))
            await anyio.wait_all_tasks_blocked()
            await create(client, number)
            group.cancel_scope.cancel()
    assert wired.count(POST) == 1


async def test_a_write_that_gets_no_turn_in_time_was_not_sent(wired: World, number: Any) -> None:
    client = wired.fraction(timeout_s=0.5)
    await client.ready()

    async def held() -> None:
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(lambda: client.call(e.CREATE_PART, body={}, before_send=held))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(errors.ErpUnreachable, match="nothing was sent"):
            await create(client, number)
        group.cancel_scope.cancel()
    assert wired.count(POST) == 0
