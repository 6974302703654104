"""Trouble on demand: in process, and over a real socket where bytes can really be missing."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from httpx import AsyncClient

from fraction_mcp.sandbox import FRACTION_PATH
from fraction_mcp.sandbox.app import Sandbox
from tests.sandbox.conftest import Live

pytestmark = pytest.mark.anyio


async def exists(client: AsyncClient, part_number: str) -> Any:
    return bool((await client.get("/parts", params={"search": part_number})).json()["data"])


async def create(client: AsyncClient, part_number: str) -> Any:
    return await client.post("/parts", json={"part_number": part_number})


async def test_a_fault_strikes_only_what_it_is_meant_for_and_only_so_often(app: Sandbox, fraction: AsyncClient) -> None:
    app.state.faults.arm("status", status=503, method="get", path="/parts/*", system="fraction", after=1, times=2)
    statuses = [(await fraction.get(url)).status_code for url in ("/customers", *["/parts/1"] * 5)]
    assert statuses == [200, 200, 503, 503, 200, 200]
    assert app.state.faults.described() == []


@pytest.mark.parametrize(("status", "code"), [(500, "SERVER_ERROR"), (502, "SERVER_ERROR"), (401, "UNAUTHORIZED")])
async def test_a_status_comes_in_the_documented_envelope(
    app: Sandbox, fraction: AsyncClient, status: int, code: str
) -> None:
    app.state.faults.arm("status", status=status)
    answer = await create(fraction, "FAULT-1")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert not await exists(fraction, "FAULT-1")


async def test_a_refusal_for_the_rate_says_when_it_ends(
    app: Sandbox, fraction: AsyncClient, fracttal: AsyncClient
) -> None:
    app.state.faults.arm("status", status=429, seconds=30)
    assert (await fraction.get("/parts")).headers["X-RateLimit-Remaining"] == "0"
    app.state.faults.arm("status", status=406, system="fracttal", seconds=30)
    assert (await fracttal.get("/warehouses")).headers["Request-Call-Reset"] == "30"


async def test_html_empty_and_garbage_come_instead_of_an_answer(app: Sandbox, fraction: AsyncClient) -> None:
    for kind in ("html", "empty", "garbage"):
        app.state.faults.arm(kind)
    html, empty, garbage = [await create(fraction, "FAULT-2") for _ in range(3)]
    assert (html.status_code, html.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert (empty.status_code, empty.content) == (200, b"")
    assert (garbage.status_code, garbage.json()) == (200, "OK")
    assert not await exists(fraction, "FAULT-2")


async def test_a_truncated_answer_is_half_of_a_true_one(app: Sandbox, fraction: AsyncClient) -> None:
    whole = (await fraction.get("/parts/1")).content
    app.state.faults.arm("truncate")
    assert (await fraction.get("/parts/1")).content == whole[: len(whole) // 2]


async def test_work_may_be_done_and_denied(app: Sandbox, fraction: AsyncClient) -> None:
    app.state.faults.arm("after_500")
    assert (await create(fraction, "FAULT-3")).status_code == 500
    assert await exists(fraction, "FAULT-3")


async def test_expired_tokens_are_those_of_one_system(
    app: Sandbox, fraction: AsyncClient, fracttal: AsyncClient
) -> None:
    app.state.faults.arm("expire", path="/parts")
    assert (await fraction.get("/parts")).status_code == 401
    assert (await fraction.get("/customers")).status_code == 401
    assert (await fracttal.get("/warehouses")).status_code == 200


async def test_in_process_a_drop_is_a_connection_reset(app: Sandbox, fraction: AsyncClient) -> None:
    app.state.faults.arm("drop_before", method="POST")
    app.state.faults.arm("drop_after", method="POST")
    for number, done in (("FAULT-4", False), ("FAULT-5", True)):
        with pytest.raises(ConnectionResetError):
            await create(fraction, number)
        assert await exists(fraction, number) is done


async def test_a_held_request_that_is_given_up_does_nothing(app: Sandbox, fraction: AsyncClient) -> None:
    app.state.faults.arm("timeout", method="POST")
    app.state.faults.arm("timeout_after", method="POST")
    for number, done in (("FAULT-6", False), ("FAULT-7", True)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await create(fraction, number)
        assert await exists(fraction, number) is done


async def test_a_held_request_goes_on_when_its_time_is_up(app: Sandbox, fraction: AsyncClient) -> None:
    app.state.faults.arm("timeout", seconds=0.01)
    app.state.faults.arm("timeout_after", seconds=0.01)
    assert [(await create(fraction, number)).status_code for number in ("FAULT-8", "FAULT-9")] == [201, 201]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "flood"},
        {"kind": "status", "times": 0},
        {"kind": "status", "times": "two"},
        {"kind": "status", "status": 99},
        {"kind": "status", "colour": "red"},
        {"kind": "status", "system": "sap"},
        ["status"],
    ],
)
async def test_a_fault_that_makes_no_sense_is_not_armed(
    app: Sandbox, plain: AsyncClient, body: dict[str, Any] | list[str]
) -> None:
    assert (await plain.post("/_sandbox/faults", json=body)).status_code == 400
    assert app.state.faults.described() == []


async def test_the_control_endpoints_and_the_state_are_the_same_thing(
    app: Sandbox, plain: AsyncClient, fraction: AsyncClient
) -> None:
    assert (await plain.post("/_sandbox/faults", json={"kind": "empty", "path": "/boms*"})).status_code == 201
    assert app.state.faults.described() == (await plain.get("/_sandbox/faults")).json()["armed"]
    assert (await plain.delete("/_sandbox/faults")).json()["armed"] == []
    app.state.requests.clear()
    await fraction.get("/parts?search=a%2Fb")
    logged = (await plain.get("/_sandbox/requests")).json()["requests"]
    assert logged == app.state.requests.described()
    assert logged == [
        {
            "system": "fraction", "method": "GET", "path": f"{FRACTION_PATH}/parts", "endpoint": "/parts",
            "query": "search=a%2Fb", "status": 200, "fault": None,
        }
    ]  # fmt: skip
    assert (await plain.delete("/_sandbox/requests")).json()["requests"] == []


async def test_settings_are_read_and_changed_all_or_none(app: Sandbox, plain: AsyncClient) -> None:
    assert (await plain.get("/_sandbox/settings")).json()["token_lifetime_s"] == 43200
    bad = {"token_lifetime_s": 5, "fraction_limit_per_hour": "many"}
    assert (await plain.post("/_sandbox/settings", json=bad)).status_code == 400
    assert app.state.token_lifetime_s == 43200
    assert (await plain.post("/_sandbox/settings", json={"token_lifetime_s": 5})).json()["token_lifetime_s"] == 5
    assert app.state.token_lifetime_s == 5


async def test_the_log_keeps_the_last_ten_thousand(app: Sandbox) -> None:
    log = app.state.requests
    from fraction_mcp.sandbox.requestlog import LoggedRequest

    for number in range(10_005):
        log.append(LoggedRequest("fraction", "GET", str(number), "", ""))
    assert (len(log), log[0].path, log[-1].path) == (10_000, "5", "10004")


async def test_the_front_page_says_how_to_sign_in(plain: AsyncClient) -> None:
    text = (await plain.get("/")).text
    assert "curl" in text
    assert f"{FRACTION_PATH}/auth/login" in text


async def test_over_a_socket_a_drop_is_a_lost_connection_and_no_noise(
    live: Live, wire: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for kind, number, done in (("drop_before", "WIRE-1", False), ("drop_after", "WIRE-2", True)):
            live.app.state.faults.arm(kind)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await create(wire, number)
            assert await exists(wire, number) is done
    assert caplog.records == []
    dropped = [entry for entry in live.app.state.requests if entry.fault]
    assert [(entry.fault, entry.status) for entry in dropped] == [("drop_before", None), ("drop_after", None)]


async def test_over_a_socket_a_cut_answer_is_shorter_than_it_says(
    live: Live, wire: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    live.app.state.faults.arm("cut")
    with caplog.at_level(logging.WARNING):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            await create(wire, "WIRE-3")
        assert await exists(wire, "WIRE-3")
    assert caplog.records == []


async def test_over_a_socket_a_truncated_answer_has_the_length_that_it_says(live: Live, wire: AsyncClient) -> None:
    live.app.state.faults.arm("truncate")
    answer = await wire.get("/parts")
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_over_a_socket_a_client_that_leaves_decides_nothing_done_before_it(live: Live, wire: AsyncClient) -> None:
    for kind, number, done in (("timeout", "WIRE-4", False), ("timeout_after", "WIRE-5", True)):
        live.app.state.faults.arm(kind)
        with pytest.raises(httpx.ReadTimeout):
            await wire.post("/parts", json={"part_number": number}, timeout=0.1)
        assert await exists(wire, number) is done


async def test_over_a_socket_codes_are_decoded_once(live: Live) -> None:
    from fraction_mcp.sandbox import CLIENT_ID, CLIENT_SECRET

    async with httpx.AsyncClient(base_url=f"{live.url}/fracttal") as client:
        form = {"grant_type": "client_credentials"}
        answer = await client.post("/oauth/token", auth=(CLIENT_ID, CLIENT_SECRET), data=form)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for code in ("A%2F1", "50%25%20RACK", "%C3%9C-LAGER"):
            assert (await client.get(f"/api/warehouses/{code}")).status_code == 200
