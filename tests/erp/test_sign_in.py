"""The two token lives against the embedded ERPs, in process and over sockets."""

import json
from typing import Any

import anyio
import pytest

from fraction_mcp import errors, sandbox
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.errors import ErpError
from fraction_mcp.operations.candidates import PART
from fraction_mcp.operations.lookup import Found, Lookup
from tests.erp.conftest import World

pytestmark = pytest.mark.anyio

LOGIN, REFRESH, LOGOUT, TOKEN = "POST /auth/login", "POST /auth/refresh", "POST /auth/logout", "POST /oauth/token"


async def twenty(client: ErpClient, endpoint: Endpoint = e.PART) -> None:
    """Twenty different reads at once; every one of them must be answered."""
    answers = {}

    async def ask(number: int) -> None:
        answers[number] = (await client.call(endpoint, path={"id": number})).record()["id"]

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for number in range(1, 21):
                group.start_soon(ask, number)
    assert answers == {number: number for number in range(1, 21)}


async def test_nobody_signs_in_before_the_first_call(world: World) -> None:
    client = world.fraction()
    assert world.log() == []
    assert not client.connection().signed_in
    await client.call(e.PARTS)
    await client.call(e.PARTS)
    assert world.log() == [f"{LOGIN} 200", "GET /parts 200", "GET /parts 200"]


async def test_who_is_signed_in_is_known_without_asking(near: World) -> None:
    client = near.fraction()
    await client.call(e.PARTS)
    connection = client.connection()
    assert connection.signed_in
    assert connection.account == sandbox.EMAIL
    assert connection.base_url.endswith(sandbox.FRACTION_PATH)
    assert connection.user["email"] == sandbox.EMAIL
    assert connection.company["plan"] == "pro"
    assert (connection.budget.limit, connection.budget.remaining >= 0) == (2000, True)


async def test_a_sign_in_is_done_once_for_twenty_callers(world: World) -> None:
    await twenty(world.fraction())
    assert world.count(LOGIN) == 1


async def test_a_refresh_is_done_once_for_twenty_callers_and_locks_nobody_out(world: World) -> None:
    client = world.fraction()
    await client.call(e.PARTS)
    world.clock.ahead(hours=12, minutes=-4)
    await twenty(client)
    assert (world.count(LOGIN), world.count(REFRESH)) == (1, 1)
    assert not [line for line in world.log() if line.endswith("401")]


@pytest.mark.parametrize(("before_the_end_s", "refreshes"), [(301, 0), (299, 1)])
async def test_a_token_is_renewed_five_minutes_before_it_ends(
    near: World, before_the_end_s: int, refreshes: int
) -> None:
    near.app.state.token_lifetime_s = 3600
    client = near.fraction()
    await client.call(e.PARTS)
    near.clock.ahead(seconds=3600 - before_the_end_s)
    await client.call(e.PARTS)
    assert near.count(REFRESH) == refreshes


async def test_a_short_token_is_renewed_in_its_last_tenth(near: World) -> None:
    near.app.state.token_lifetime_s = 100
    client = near.fraction()
    await client.call(e.PARTS)
    near.clock.ahead(seconds=85)
    await client.call(e.PARTS)
    assert near.count(REFRESH) == 0
    near.clock.ahead(seconds=10)
    await client.call(e.PARTS)
    assert near.count(REFRESH) == 1


async def test_a_clock_ahead_of_the_erps_does_not_renew_at_every_call(near: World) -> None:
    """The token looks as if it had ended on arrival: then only a 401 tells the end."""
    near.clock.ahead(days=2)
    client = near.fraction()
    for _ in range(3):
        await client.call(e.PARTS)
    assert (near.count(LOGIN), near.count(REFRESH)) == (1, 0)


async def test_a_token_that_cannot_be_renewed_any_more_is_got_anew(world: World) -> None:
    client = world.fraction()
    await client.call(e.PARTS)
    world.app.state.store.expire_tokens("fraction")
    world.clock.ahead(hours=13)
    await client.call(e.PARTS)
    assert world.log()[2:] == [f"{REFRESH} 401", f"{LOGIN} 200", "GET /parts 200"]


async def test_a_401_signs_in_once_more(world: World) -> None:
    client = world.fraction()
    await client.call(e.PARTS)
    world.arm("expire", path="/parts")
    assert (await client.call(e.PARTS)).records()
    assert world.log()[2:] == ["GET /parts 401", f"{LOGIN} 200", "GET /parts 200"]


async def test_a_401_signs_in_once_more_for_twenty_callers_together(world: World) -> None:
    client = world.fraction()
    await client.call(e.PARTS)
    world.app.state.store.expire_tokens("fraction")
    await twenty(client)
    assert (world.count(LOGIN), world.count(REFRESH)) == (2, 0)


@pytest.mark.parametrize("kind", ["status", "html"])
async def test_a_401_that_stays_signs_in_only_once_more(world: World, kind: str) -> None:
    client = world.fraction()
    world.arm(kind, status=401, path="/parts", times=9)
    with pytest.raises(errors.NotAuthenticated):
        await client.call(e.PARTS)
    assert (world.count("GET /parts"), world.count(LOGIN)) == (2, 2)


async def test_wrong_credentials_are_told_and_not_hammered(world: World) -> None:
    client = world.fraction(password="wrong")
    for _ in range(5):
        with pytest.raises(errors.NotAuthenticated, match="Invalid credentials") as caught:
            await client.call(e.PARTS)
    assert caught.value.operation == "sign in"
    assert world.log() == [f"{LOGIN} 401"]
    world.clock.ahead(seconds=29)
    with pytest.raises(errors.NotAuthenticated):
        await client.call(e.PARTS)
    assert world.count(LOGIN) == 1
    world.clock.ahead(seconds=2)
    with pytest.raises(errors.NotAuthenticated):
        await client.call(e.PARTS)
    assert world.count(LOGIN) == 2


async def test_wrong_credentials_are_tried_once_for_twenty_callers(near: World) -> None:
    client = near.fraction(password="wrong")
    refused = []

    async def ask() -> None:
        with pytest.raises(errors.NotAuthenticated):
            await client.call(e.PARTS)
        refused.append(1)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert (len(refused), near.count(LOGIN)) == (20, 1)


@pytest.mark.parametrize(
    ("email", "kind"),
    [("lee@lapsed.example", errors.AccountInactive), ("kit@starter.example", errors.PlanRestricted)],
)
async def test_an_account_that_may_not_is_told_why(near: World, email: str, kind: type[ErpError]) -> None:
    client = near.fraction(email=email)
    with pytest.raises(kind):
        await client.call(e.PARTS)
    assert near.count(LOGIN) == 1


async def test_a_forbidden_write_does_not_sign_in_again(near: World) -> None:
    client = near.fraction(email="viewer@harrow-pike.example")
    with pytest.raises(errors.Forbidden):
        await client.call(e.CREATE_PART, body={"part_number": "VIEWER-1"})
    assert near.log() == [f"{LOGIN} 200", "POST /parts 403"]


async def test_a_caller_that_gives_up_while_signing_in_leaves_the_way_free(wired: World) -> None:
    client = wired.fraction()
    wired.arm("timeout", path="/auth/login")
    with anyio.move_on_after(0.1) as scope:
        await client.call(e.PARTS)
    assert scope.cancelled_caught
    with anyio.fail_after(25):
        assert (await client.call(e.PARTS)).records()


# ---------------------------------------------------------------------------------------------------- broken renewing

BROKEN = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 429, "seconds": 600},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 502},
    {"kind": "empty"},
    {"kind": "garbage"},
    {"kind": "garbage", "body": '{"success":true,"data":{"access_token":null}}'},
    {"kind": "truncate"},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "timeout"},
]
by_fault = pytest.mark.parametrize("fault", BROKEN, ids=lambda one: "-".join(map(str, one.values()))[:30])


@pytest.mark.matrix
@by_fault
@pytest.mark.parametrize("minutes_left", [4, -60])
async def test_a_renewal_that_does_not_work_leads_to_a_new_sign_in(
    wired: World, fault: dict[str, Any], minutes_left: int
) -> None:
    client = wired.fraction(timeout_s=1.0)
    await client.call(e.PARTS)
    wired.arm(path="/auth/refresh", times=99, **fault)
    wired.clock.ahead(hours=12, minutes=-minutes_left)
    await twenty(client)
    assert (wired.count(REFRESH), wired.count(LOGIN)) == (1, 2)


async def test_a_token_that_is_good_for_a_while_serves_where_neither_renewing_nor_signing_in_works(
    wired: World,
) -> None:
    client = wired.fraction()
    await client.call(e.PARTS)
    wired.arm("status", path="/auth/refresh", times=99, status=500)
    wired.arm("status", path="/auth/login", times=99, status=503)
    wired.clock.ahead(hours=12, minutes=-4)
    for _ in range(3):
        assert (await client.call(e.PARTS)).records()
    assert (wired.count(REFRESH), wired.count(LOGIN)) == (1, 1 + 4), "neither is asked at every call"
    wired.clock.ahead(seconds=31)
    assert (await client.call(e.PARTS)).records()
    assert wired.count(REFRESH) == 2


@pytest.mark.parametrize("status", [404, 409, 422, 400, 418, 500])
async def test_what_goes_wrong_with_signing_in_is_never_an_error_of_what_was_asked_for(
    near: World, status: Any
) -> None:
    """A lookup knows by NotFound that there is no such part, and by InvalidFields that an ERP does not sort."""
    client = near.fraction()
    await client.call(e.PARTS)
    for path in ("/auth/refresh", "/auth/login"):
        near.arm("status", path=path, status=status, times=99, message="Resource not found.")
    near.clock.ahead(hours=13)
    lookup = Lookup(client)
    for said in ("4", "MANIFOLD-220"):
        for strict in (False, True):
            with pytest.raises(errors.ErpError) as caught:
                await lookup.find(PART, said, strict=strict)
            assert not isinstance(caught.value, errors.NotFound | errors.Duplicate | errors.InvalidFields)
            assert caught.value.operation == "sign in"
    near.app.state.faults.clear()
    near.clock.ahead(seconds=31)
    assert isinstance(await lookup.find(PART, "MANIFOLD-220"), Found)
    assert "sort=part_number" in near.app.state.requests[-1].query


@pytest.mark.parametrize("status", [422, 403])
async def test_a_refusal_of_the_account_is_not_asked_for_again_at_once(near: World, status: Any) -> None:
    client = near.fraction()
    near.arm("status", path="/auth/login", status=status, times=99)
    for _ in range(3):
        with pytest.raises(errors.Forbidden if status == 403 else errors.NotAuthenticated):
            await client.call(e.PARTS)
    assert near.log() == [f"{LOGIN} {status}"]


async def test_fracttals_token_endpoint_that_is_not_there_is_told_as_such(near: World) -> None:
    client = near.fracttal()
    near.arm("status", path="/oauth/token", system="fracttal", status=404, times=9)
    with pytest.raises(errors.ErpContractBroken) as caught:
        await client.call(e.WAREHOUSES)
    assert caught.value.operation == "sign in"
    assert "base URL" in caught.value.hint


# ---------------------------------------------------------------------------------------------- what signing in answers

TOKEN_BODY = {"token_type": "Bearer", "access_token": "t0k3n"}


@pytest.mark.parametrize(
    "beside",
    [
        {"user": [], "tenant": []},  # PHP's empty object
        {"user": "Jo", "tenant": 7},
        {"expires_at": None, "expires_in": "soon"},
        {"expires_at": 1783965600, "expires_in": -5},
        {"expires_at": ["2026"], "expires_in": [1]},
        {"expires_at": "9999-12-31T23:59:59-23:59", "expires_in": 10**30},
        {"expires_at": "0001-01-01T00:00:00+23:59", "expires_in": True},
        {"expires_at": "2026-02-30T00:00:00Z", "expires_in": 1.5},
    ],
)
async def test_what_stands_beside_a_token_keeps_nobody_from_signing_in(
    wired: World, scripted: Any, beside: Any
) -> None:
    body = json.dumps({**TOKEN_BODY, **beside})
    rows = ("200 OK", b'{"data":[{"id":1}]}')
    server = await scripted(
        ("200 OK", f'{{"success":true,"data":{body}}}'.encode()), rows, ("200 OK", body.encode()), rows
    )
    fraction, fracttal = wired.fraction(), wired.fracttal()
    fraction.base_url = fracttal.base_url = fracttal._token_url = server.url
    assert (await fraction.call(e.PARTS)).records()
    assert (await fracttal.call(e.WAREHOUSES)).records()
    assert b"Bearer t0k3n" in server.received[1]


@pytest.mark.parametrize("data", [None, [], {}, {"access_token": ""}, {"access_token": "x" * 10_000}, [[]], "t"])
async def test_an_answer_without_a_token_is_unreadable_and_tells_what_it_answers(
    wired: World, scripted: Any, data: Any
) -> None:
    server = await scripted(("200 OK", json.dumps({"success": True, "data": data}).encode()))
    client = wired.fraction()
    client.base_url = server.url
    with pytest.raises(errors.ErpContractBroken, match="asked to sign in"):
        await client.call(e.PARTS)
    assert not client.connection().signed_in


@pytest.mark.parametrize("offset_s", [-(11 * 3600 + 59 * 60 + 55), -12 * 3600, -13 * 3600, 3600])
async def test_whichever_way_two_clocks_disagree_there_is_no_sign_in_at_every_call(near: World, offset_s: Any) -> None:
    """The ERP says 12 hours; our clock makes of that 5 seconds, nothing, less than nothing, or an hour more."""
    near.clock.ahead(seconds=-offset_s)
    client = near.fraction()
    for _ in range(5):
        near.clock.ahead(seconds=10)
        await client.call(e.PARTS)
    assert (near.count(LOGIN), near.count(REFRESH)) == (1, 0)
    near.app.state.store.expire_tokens("fraction")
    assert (await client.call(e.PARTS)).records()


# ------------------------------------------------------------------------------------------------------------ the end


async def test_closing_signs_out_and_the_token_is_dead(world: World) -> None:
    client = world.fraction()
    await client.call(e.PARTS)
    token = await client.sign_in.token()
    await client.aclose()
    assert world.log()[-1] == f"{LOGOUT} 200"
    assert world.app.state.store.token_owner("fraction", token) is None
    assert not client.connection().signed_in


async def test_closing_a_client_that_never_asked_sends_nothing(world: World) -> None:
    await world.fraction().aclose()
    await world.fracttal().aclose()
    assert world.log() == []


@pytest.mark.parametrize("kind", ["status", "html", "drop_before", "timeout"])
async def test_closing_succeeds_whatever_becomes_of_the_sign_out(
    wired: World, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setattr("fraction_mcp.erp.client._SIGN_OUT_S", 0.1)
    client = wired.fraction()
    await client.call(e.PARTS)
    wired.arm(kind, path="/auth/logout")
    began = anyio.current_time()
    await client.aclose()
    assert anyio.current_time() - began < 2
    assert wired.count(LOGOUT) == 1


# ----------------------------------------------------------------------------------------------------------- Fracttal


async def test_a_fracttal_token_is_got_once_for_twenty_callers_and_again_before_it_ends(world: World) -> None:
    client = world.fracttal()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.call, e.WAREHOUSES)
    assert world.count(TOKEN) == 1
    world.clock.ahead(seconds=7200 - 200)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.call, e.WAREHOUSES)
    assert world.count(TOKEN) == 2


async def test_a_401_of_fracttals_gets_another_token_once(world: World) -> None:
    client = world.fracttal()
    await client.call(e.WAREHOUSES)
    world.arm("expire", path="/warehouses")
    assert (await client.call(e.WAREHOUSES)).records()
    assert [line.rpartition("/")[2] for line in world.log()] == [
        "token 200", "warehouses 200", "warehouses 401", "token 200", "warehouses 200",
    ]  # fmt: skip


async def test_a_module_that_is_not_enabled_does_not_ask_for_another_token(world: World) -> None:
    client = world.fracttal(client_id="sandbox-no-module")
    with pytest.raises(errors.Forbidden) as caught:
        await client.call(e.WAREHOUSES)
    assert "not enabled" in caught.value.hint
    assert len(world.log()) == 2


async def test_a_wrong_client_secret_is_told_and_not_hammered(world: World) -> None:
    client = world.fracttal(secret="wrong")
    for _ in range(3):
        with pytest.raises(errors.NotAuthenticated, match="invalid_client"):
            await client.call(e.WAREHOUSES)
    assert len(world.log()) == 1
