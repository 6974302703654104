"""What is tried with tokens of a company's identity provider, tried against the whole server (`--auth jwt`)."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fraction_mcp.server.team.fetch import Fetched
from tests.server.team.test_jwt import Signer, elliptic
from tests.server.team.whole import HOME, Colleague, Whole, whole
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]

ISSUER = "https://login.company.example"
READS = {"name": "search_parts", "arguments": {"query": "widget"}}
YES = {"decision": {"action": "accept", "content": {"decision": "approve"}}}
ASKS = {"customer": "1", "customer_ref": "JWT-1"}


class Company:
    """The identity provider, and the server that trusts it."""

    def __init__(self) -> None:
        self.signer = elliptic()
        self.team: Whole

    async def __call__(self, url: str, **_: Any) -> Fetched:
        about = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        return Fetched({"keys": [self.signer.published()]} if url.endswith("/keys") else about, None)

    def token(self, signer: Signer | None = None, **changed: Any) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": f"{HOME}/mcp", "sub": "anna", "exp": now + 600, "iat": now - 5,
                  "scope": "erp:read erp:write", "client_id": "assistant"}  # fmt: skip
        return (signer or self.signer).sign(claims | changed)

    def person(self, **changed: Any) -> Colleague:
        one = self.team.person()
        one.tokens = {"access_token": self.token(**changed)}
        return one


@pytest.fixture
async def company(state: object) -> AsyncIterator[Company]:
    made = Company()
    flags = {"auth": "jwt", "issuer": ISSUER, "audience": f"{HOME}/mcp", "allow_registration": False}
    async with whole(fetch=made, asked=flags) as made.team:
        yield made


async def test_a_token_is_for_this_server_of_this_issuer_and_of_now_or_it_is_none(company: Company) -> None:
    assert (await company.person().asks("tools/call", READS)).status_code == 200
    now = int(time.time())
    for wrong in (
        {"aud": "https://another.example/mcp"},
        {"aud": HOME},
        {"iss": "https://login.evil.example"},
        {"iss": f"{ISSUER}/"},
        {"exp": now - 60},
        {"nbf": now + 120},
        {"signer": elliptic()},
        {"sub": "anna\nINFO forged"},
        {"sub": "an\u202ena"},
        {"sub": ""},
        {"scope": "openid profile"},
    ):
        refused = await company.person(**wrong).asks("tools/call", READS)
        assert refused.status_code in {401, 403}, wrong


async def test_there_is_no_sign_in_and_no_inbox_and_no_token_is_given(company: Company) -> None:
    http = company.person().http
    for path in ("/sign-in", "/consent", "/account", "/approvals/", "/authorize", "/token", "/register"):
        own = {"origin": HOME, "sec-fetch-site": "same-origin"}
        assert {(await http.get(path)).status_code, (await http.post(path, headers=own)).status_code} == {404}


async def test_a_form_counts_for_the_one_who_was_asked_and_for_nobody_else(company: Company) -> None:
    anna, ben, twin = company.person(), company.person(sub="ben"), company.person(sub="Anna")
    asked = await anna.calls("create_enquiry", ASKS)
    answer = {"requestState": asked["requestState"], "inputResponses": YES}
    for stranger in (ben, twin, company.person(client_id="another")):
        assert (await stranger.calls("create_enquiry", ASKS, **answer))["code"] == -32602
    listed = await ben.calls("get_write_status", {})
    assert "JWT-1" not in str(listed)


async def test_a_token_in_the_address_or_in_a_cookie_counts_for_nothing(company: Company) -> None:
    one = company.person()
    token = one.tokens["access_token"]
    for path, headers in ((f"/mcp?access_token={token}", {}), ("/mcp", {"cookie": f"access_token={token}"})):
        assert (await one.http.post(path, json={}, headers=headers)).status_code == 401


async def test_a_token_that_only_reads_asks_for_no_write(company: Company) -> None:
    reader = company.person(scope="erp:read")
    refused = await reader.asks("tools/call", {"name": "create_enquiry", "arguments": ASKS})
    assert refused.status_code == 403
    assert "insufficient_scope" in refused.headers["www-authenticate"]
