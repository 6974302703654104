"""FractionERP's four authentication endpoints, and what follows from who has signed in."""

import datetime as dt
from typing import Any

import httpx
import pytest
from httpx import AsyncClient

from fraction_mcp.sandbox import ACCOUNTS, EMAIL, FRACTION_PATH, PASSWORD
from fraction_mcp.sandbox.app import Sandbox
from tests.sandbox.conftest import People

pytestmark = pytest.mark.anyio
LOGIN = f"{FRACTION_PATH}/auth/login"


def codes(answer: httpx.Response) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


async def test_login_answers_as_the_document_shows(plain: AsyncClient) -> None:
    answer = await plain.post(LOGIN, json={"email": EMAIL, "password": PASSWORD})
    body = answer.json()
    assert answer.status_code == 200
    assert body["success"] is True
    assert set(body["data"]) == {"token_type", "access_token", "expires_at", "user", "tenant"}
    assert body["data"]["user"] == {"id": 1, "name": "Jo Harrow", "email": EMAIL}
    assert body["data"]["tenant"]["plan"] == "pro"
    expires_in = dt.datetime.fromisoformat(body["data"]["expires_at"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(hours=11, minutes=59) < expires_in <= dt.timedelta(hours=12)


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong"), ("nobody@nowhere.example", PASSWORD)])
async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(
    plain: AsyncClient, email: str, password: str
) -> None:
    answer = await plain.post(LOGIN, json={"email": email, "password": password})
    assert answer.status_code == 401
    assert answer.json() == {
        "success": False,
        "data": None,
        "meta": None,
        "errors": [{"code": "INVALID_CREDENTIALS", "message": "Invalid credentials."}],
    }


async def test_an_inactive_tenant_cannot_sign_in(plain: AsyncClient) -> None:
    answer = await plain.post(LOGIN, json={"email": "lee@lapsed.example", "password": PASSWORD})
    assert (answer.status_code, codes(answer)) == (403, ["ACCOUNT_INACTIVE"])


@pytest.mark.parametrize("body", [{}, {"email": 7, "password": ["x"]}])
async def test_a_login_without_its_fields_is_invalid_field_by_field(plain: AsyncClient, body: dict[str, Any]) -> None:
    answer = await plain.post(LOGIN, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["email", "password"]


async def test_me_says_who_signed_in(people: People) -> None:
    for account in ACCOUNTS[:5]:
        async with people.fraction(account.email) as client:
            data = (await client.get("/auth/me")).json()["data"]
        assert data["user"]["id"] == account.user_id
        assert data["tenant"] == {"id": account.tenant_id, "company": account.company, "plan": account.plan}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic abc"}])
async def test_without_a_good_token_nothing_is_answered(plain: AsyncClient, header: dict[str, Any]) -> None:
    answer = await plain.get(f"{FRACTION_PATH}/parts", headers=header)
    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHORIZED"])


async def test_refreshing_revokes_the_old_token_at_once(fraction: AsyncClient) -> None:
    old = fraction.headers["Authorization"]
    fresh = (await fraction.post("/auth/refresh")).json()["data"]["access_token"]
    assert (await fraction.get("/auth/me")).status_code == 401
    assert (await fraction.post("/auth/refresh")).status_code == 401
    fraction.headers["Authorization"] = f"Bearer {fresh}"
    assert fraction.headers["Authorization"] != old
    assert (await fraction.get("/auth/me")).status_code == 200


async def test_logging_out_revokes_the_token_and_no_other(people: People) -> None:
    async with people.fraction(EMAIL) as one, people.fraction(EMAIL) as other:
        assert (await one.post("/auth/logout")).status_code == 200
        assert (await one.get("/parts")).status_code == 401
        assert (await other.get("/parts")).status_code == 200


async def test_a_token_ends_when_its_time_is_up(app: Sandbox, people: People) -> None:
    app.state.token_lifetime_s = 0
    async with people.fraction(EMAIL) as client:
        assert (await client.get("/auth/me")).status_code == 401


async def test_a_restricted_plan_signs_in_but_reads_no_data(people: People) -> None:
    async with people.fraction("kit@starter.example") as client:
        assert (await client.get("/auth/me")).status_code == 200
        answer = await client.get("/parts")
        assert (answer.status_code, codes(answer)) == (403, ["PLAN_RESTRICTED"])


async def test_a_read_only_user_reads_and_cannot_write(people: People) -> None:
    async with people.fraction("viewer@harrow-pike.example") as client:
        assert (await client.get("/parts")).status_code == 200
        answer = await client.post("/parts", json={"part_number": "NOT-MINE"})
        assert (answer.status_code, codes(answer)) == (403, ["FORBIDDEN"])


async def test_the_budget_is_counted_per_user_and_told_in_headers(app: Sandbox, people: People) -> None:
    app.state.fraction_limit_per_hour = 2
    async with people.fraction(EMAIL) as client, people.fraction("sam@harrow-pike.example") as other:
        first = await client.get("/parts/1")
        missing = await client.get("/parts/999999")
        assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, missing)] == ["1", "0"]
        over = await client.get("/parts/1")
        assert (over.status_code, codes(over)) == (429, ["RATE_LIMIT_EXCEEDED"])
        assert over.headers["X-RateLimit-Limit"] == "2"
        assert 0 < int(over.headers["X-RateLimit-Reset"]) - dt.datetime.now(dt.UTC).timestamp() <= 3601
        assert (await other.get("/parts/1")).status_code == 200


async def test_unknown_paths_and_wrong_methods_answer_in_the_envelope(fraction: AsyncClient) -> None:
    for url in ("/suppliers", "/parts/1/2/3", "/", "/parts/%0A", "/parts%2F1"):
        missing = await fraction.get(url)
        assert (missing.status_code, codes(missing)) == (404, ["NOT_FOUND"])
    for method, url in (("DELETE", "/parts/1"), ("GET", "/auth/login"), ("PUT", "/parts")):
        wrong = await fraction.request(method, url)
        assert (wrong.status_code, codes(wrong)) == (405, ["METHOD_NOT_ALLOWED"])


async def test_a_fault_of_our_own_is_a_server_error_in_the_envelope(
    app: Sandbox, fraction: AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app.state.store, "all", lambda *_: 1 / 0)
    answer = await fraction.get("/parts")
    assert (answer.status_code, codes(answer)) == (500, ["SERVER_ERROR"])
    assert "ZeroDivisionError" in caplog.text
