"""What is asked of /authorize: whom a person is asked for, and where nobody is ever sent."""

from typing import Any

import pytest

from .conftest import CLIENT, DESK, PUBLIC, REDIRECTS, RESOURCE, Team, challenge_of, where

pytestmark = pytest.mark.anyio

CALLBACK = REDIRECTS[CLIENT][0]


async def test_a_person_is_asked_for_what_the_client_asks(team: Team) -> None:
    replica = await team.replica()
    assert where(await replica.authorize())[0] == f"{PUBLIC}/consent"
    (asked,) = replica.asked
    assert (asked.scopes, asked.resource, asked.state) == (["erp:read", "erp:write"], RESOURCE, "a state & more")
    assert str(asked.redirect_uri) == CALLBACK


@pytest.mark.parametrize("resource", [None, RESOURCE, RESOURCE + "/", RESOURCE.replace("https://erp", "HTTPS://ERP")])
async def test_the_resource_is_ours_however_it_is_spelt(team: Team, resource: str | None) -> None:
    replica = await team.replica()
    await replica.authorize(resource=resource, scope=None)
    assert (replica.asked[0].resource, replica.asked[0].scopes) == (RESOURCE, ["erp:read", "erp:write"])


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_challenge": None}, "invalid_request", id="no PKCE"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain PKCE"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="PKCE whose method is plain by default"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="a challenge that is no hash"),
        pytest.param({"code_challenge": ["a" * 43, "b" * 43]}, "invalid_request", id="two challenges"),
        pytest.param({"state": ["one", "two"]}, "invalid_request", id="two states"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="the implicit grant"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="an answer in the fragment"),
        pytest.param({"scope": "erp:read erp:admin"}, "invalid_scope", id="a scope that there is not"),
        pytest.param({"resource": "https://other.example/mcp"}, "invalid_target", id="another resource"),
        pytest.param({"resource": RESOURCE + ".evil.example"}, "invalid_target", id="a resource that begins like ours"),
        pytest.param({"resource": [RESOURCE, "https://other.example"]}, "invalid_target", id="two resources"),
    ],
)
async def test_what_is_refused_is_told_to_the_client_with_who_tells_it(
    team: Team, changes: dict[str, Any], error: str
) -> None:
    replica = await team.replica()
    answer = await replica.authorize(**changes)
    address, told = where(answer)
    assert (answer.status_code, address, told["error"], told["iss"]) == (302, CALLBACK, error, PUBLIC)
    assert told["state"] == ("two" if isinstance(changes.get("state"), list) else "a state & more")
    assert told["error_description"]
    assert replica.asked == []


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param("https://evil.example/callback", id="another host"),
        pytest.param(CALLBACK + "/more", id="below it"),
        pytest.param(CALLBACK + "?more=1", id="with a query"),
        pytest.param(CALLBACK + "#more", id="with a fragment"),
        pytest.param(CALLBACK + "/../auth_callback", id="which a parser would put in order"),
        pytest.param(CALLBACK.replace("claude.ai", "claude.ai.evil.example"), id="a host that begins like it"),
        pytest.param(CALLBACK.replace("claude.ai", "claude.ai:444"), id="another port"),
        pytest.param(CALLBACK.replace("claude.ai", "claude.ai@evil.example"), id="a host after a user name"),
        pytest.param(CALLBACK.replace("https:", "http:"), id="in the clear"),
        pytest.param(CALLBACK.replace("claude.ai", "CLAUDE.ai"), id="spelt otherwise"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("//claude.ai/api/mcp/auth_callback", id="without a scheme"),
        pytest.param(CALLBACK.replace("/api", "\\api"), id="with a backslash"),
        pytest.param(CALLBACK + "\t", id="with a tab"),
        pytest.param([CALLBACK, "https://evil.example"], id="two of them"),
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(team: Team, redirect_uri: Any) -> None:
    replica = await team.replica()
    for changes in ({}, {"scope": "nonsense"}):  # an error goes no more astray than a code
        answer = await replica.authorize(redirect_uri=redirect_uri, **changes)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert "location" not in answer.headers
    assert replica.asked == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("asked", "is_registered"),
    [
        ("http://127.0.0.1:51234/callback", True),
        ("http://127.0.0.1/callback", True),
        ("http://localhost:9", True),
        ("http://localhost:9/", True),
        ("http://localhost:9/callback", False),  # registered for 127.0.0.1
        ("http://[::1]:51234/callback", False),
        ("http://127.0.0.1:51234/other", False),
        ("http://127.0.0.1:51234@evil.example/callback", False),
        ("http://127.0.0.1.evil.example/callback", False),
        ("http://127.0.0.2/callback", False),
        ("https://127.0.0.1:51234/callback", False),
        ("https://desk.example:51234/callback", False),
        ("https://desk.example/callback", True),
    ],
)
async def test_of_a_loopback_address_the_port_does_not_count_and_all_else_does(
    team: Team, asked: str, is_registered: bool
) -> None:
    replica = await team.signed_in()
    answer = await replica.authorize(client_id=DESK, redirect_uri=asked)
    assert (answer.status_code == 302) is is_registered
    if is_registered:
        sent = await replica.provider.granted(DESK, replica.asked[0], "anna@example.com")
        assert where(sent)[0].rstrip("/") == asked.rstrip("/")
        got = await replica.token(where(sent)[1]["code"], client_id=DESK, redirect_uri=asked)
        assert got.status_code == 200


@pytest.mark.parametrize("client_id", [None, "", "https://unknown.example/client.json", "\x00", "é" * 300])
async def test_a_client_that_nobody_knows_is_told_to_the_person(team: Team, client_id: str | None) -> None:
    answer = await (await team.replica()).authorize(client_id=client_id)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_an_address_that_is_left_out_is_the_only_one_registered(team: Team) -> None:
    replica = await team.signed_in()
    assert (await replica.authorize(client_id=DESK, redirect_uri=None)).status_code == 400  # it has three
    code = await replica.code(redirect_uri=None)
    assert (await replica.token(code)).json()["error"] == "invalid_request"  # named now, and not then
    assert (await replica.token(code, redirect_uri=None)).status_code == 200


async def test_whoever_consents_or_does_not_is_sent_back_with_who_answers(team: Team) -> None:
    replica = await team.replica()
    await replica.authorize()
    address, told = where(await replica.provider.granted(CLIENT, replica.asked[0], "anna@example.com"))
    assert (address, told["iss"], told["state"]) == (CALLBACK, PUBLIC, "a state & more")
    assert len(told["code"]) >= 43
    address, told = where(replica.provider.declined(replica.asked[0]))
    assert (address, told) == (CALLBACK, {"error": "access_denied", "iss": PUBLIC, "state": "a state & more"})


async def test_a_posted_request_is_read_like_one_in_the_address(team: Team) -> None:
    replica = await team.replica()
    form = {
        "response_type": "code",
        "client_id": CLIENT,
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
    }
    assert where(await replica.http.post("/authorize", data=form))[0] == f"{PUBLIC}/consent"
    too_large = await replica.http.post("/authorize", data=form | {"state": "s" * 100_000})
    assert too_large.status_code == 413
