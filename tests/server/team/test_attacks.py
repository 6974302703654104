"""What is tried against a team's sign-in, tried against the whole server: the embedded company's people, their
browsers, their clients' tokens, over ASGI."""

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from fraction_mcp.sandbox import PASSWORD
from fraction_mcp.server.team.fetch import Fetched
from tests.server.team.person import CALLBACK, hidden
from tests.server.team.whole import ANNA, BEN, HOME, Whole, whole
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]

READS = {"name": "search_parts", "arguments": {"query": "widget"}}


@pytest.fixture
async def team(state: object) -> AsyncIterator[Whole]:
    async with whole() as made:
        yield made


# -------------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.matrix
@pytest.mark.parametrize("token", ["", "none", "null", "v1.e30.", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "x" * 9_000])
async def test_no_call_goes_through_on_a_made_up_token(team: Whole, token: str) -> None:
    anna = await team.person().connects()
    refused = await anna.posts(b"{}", Authorization=f"Bearer {token}")
    assert refused.status_code == 401
    assert "resource_metadata=" in refused.headers["www-authenticate"]


async def test_a_refresh_token_a_code_and_a_browsers_cookie_are_no_access_tokens(team: Whole) -> None:
    anna = await team.person().connects()
    cookie = anna.http.cookies["fraction_mcp_person"]
    for secret in (anna.tokens["refresh_token"], (await anna.allows())["code"], cookie):
        assert (await anna.asks("tools/call", READS, token=secret)).status_code == 401


async def test_wrong_audience_a_token_for_another_resource_is_neither_given_nor_asked_for(team: Whole) -> None:
    anna = team.person()
    await anna.registers()
    refused = await anna.authorize(resource="https://another.example/mcp")
    assert "error=invalid_target" in refused.headers["location"]
    assert "iss=http" in refused.headers["location"]
    code = (await anna.allows())["code"]
    assert (await anna.token(code=code, resource="https://another.example/mcp")).json()["error"] == "invalid_target"


async def test_what_is_ended_at_the_account_page_gets_401_at_the_next_call(team: Whole) -> None:
    anna = await team.person().connects()
    assert (await anna.asks("tools/call", READS)).status_code == 200
    page = (await anna.http.get("/account")).text
    grant = hidden(page)["grant"]
    ended = await anna.sends("/account", page.partition("This browser")[0], grant=grant)
    assert ended.status_code == 303
    assert (await anna.asks("tools/call", READS)).status_code == 401
    assert (await anna.refresh()).json()["error"] == "invalid_grant"


async def test_revoking_at_the_endpoint_ends_it_at_the_next_call(team: Whole) -> None:
    anna = await team.person().connects()
    sent = {"token": anna.tokens["refresh_token"], "client_id": anna.client_id}
    assert (await anna.http.post("/revoke", data=sent)).status_code == 200
    assert (await anna.asks("tools/call", READS)).status_code == 401


async def test_signing_out_of_the_pages_ends_no_grant_and_says_so(team: Whole) -> None:
    anna = await team.person().connects()
    page = await anna.http.get("/sign-out")
    assert "ends nothing that you have allowed" in page.text
    assert (await anna.sends("/sign-out", page.text)).status_code == 303
    assert (await anna.asks("tools/call", READS)).status_code == 200
    assert "/sign-in" in (await anna.http.get("/approvals/")).headers["location"]


async def test_when_the_erp_has_ended_a_session_its_persons_next_call_gets_401(team: Whole) -> None:
    anna = await team.person(ANNA).connects()
    ben = await team.person(BEN).connects()
    assert (await anna.asks("tools/call", READS)).status_code == 200
    team.ends_in_the_erp(ANNA)
    await anna.asks("tools/call", {"name": "search_customers", "arguments": {"query": "b"}})  # the ERP says no to it
    assert (await anna.asks("tools/call", READS)).status_code == 401
    assert (await anna.http.get("/account")).status_code == 303
    assert (await ben.asks("tools/call", READS)).status_code == 200


# ---------------------------------------------------------------------------------------------------- codes and refresh


async def test_a_replayed_code_gives_nothing_and_ends_what_it_gave(team: Whole) -> None:
    anna = team.person()
    code = (await anna.allows())["code"]
    anna.tokens = (await anna.token(code=code)).json()
    assert (await anna.asks("tools/call", READS)).status_code == 200
    assert (await anna.token(code=code)).json()["error"] == "invalid_grant"
    assert (await anna.asks("tools/call", READS)).status_code == 401


async def test_another_clients_code_another_verifier_and_another_address_give_nothing(team: Whole) -> None:
    anna, ben = team.person(), team.person(BEN)
    await ben.registers()
    for changed in ({"client_id": ben.client_id}, {"code_verifier": "y" * 50}, {"redirect_uri": CALLBACK + "2"}):
        code = (await anna.allows())["code"]
        assert "access_token" not in (await anna.token(code=code, **changed)).json()


async def test_a_code_is_given_to_the_one_who_consented_and_not_to_who_started(team: Whole) -> None:
    """Somebody who starts a question and has a colleague answer it gets the code nowhere: it goes to the client."""
    anna, ben = team.person(), team.person(BEN)
    await anna.registers()
    await ben.signs_in()
    asked = await anna.authorize()
    page = await ben.http.get(asked.headers["location"])
    assert BEN in page.text
    assert ANNA not in page.text
    answer = await ben.sends("/consent", page.text, decision="allow")
    assert answer.headers["location"].startswith(CALLBACK + "?")


async def test_missing_or_plain_pkce_is_refused_at_the_clients_own_address(team: Whole) -> None:
    anna = team.person()
    await anna.registers()
    for changed in (
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "too-short"},
    ):
        refused = (await anna.authorize(**changed)).headers["location"]
        assert refused.startswith(f"{CALLBACK}?error=invalid_request")
        assert "iss=http%3A%2F%2F127.0.0.1%3A8765" in refused  # mixed-up issuer: errors say it, too


async def test_mixed_up_issuer_every_answer_says_who_gives_it(team: Whole) -> None:
    anna = team.person()
    assert (await anna.allows())["iss"] == HOME
    assert (await anna.allows("deny"))["iss"] == HOME
    metadata = (await anna.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == HOME
    assert metadata["authorization_response_iss_parameter_supported"] is True


# ------------------------------------------------------------------------------------------------------------ redirects


@pytest.mark.matrix
@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/callback",
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "#x",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1:9\\@evil.example/callback",
        "http://127.0.0.1.evil.example:9/callback",
        "javascript:alert(1)",
        "//evil.example",
    ],
)
async def test_redirect_not_registered_nobody_is_sent_there(team: Whole, redirect: str) -> None:
    anna = team.person()
    await anna.registers()
    for changes in ({"redirect_uri": redirect}, {"redirect_uri": redirect, "response_type": "token"}):
        answer = await anna.authorize(**changes)
        assert (answer.status_code, answer.headers.get("location")) == (400, None)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "there",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/approvals/../../evil", "/approvals//evil.example",
     "/account@evil.example", "javascript:alert(1)", "/approvals\r\nlocation: https://evil.example",
     "/sign-in?next=//x"],
)  # fmt: skip
async def test_open_redirect_the_sign_in_leads_to_pages_of_ours_alone(team: Whole, there: str) -> None:
    answer = await team.person().signs_in(to=there)
    assert answer.headers["location"] == "/account"


async def test_a_writes_address_leads_to_our_own_page_whatever_its_id(team: Whole) -> None:
    anna = team.person()
    await anna.signs_in()
    for odd in ("x%0d%0aset-cookie:a=b", "%2f%2fevil.example", "..%2f..%2faccount", "W-1%26approve=1"):
        answer = await anna.http.get(f"/approvals/writes/{odd}")
        assert answer.status_code in {303, 404}
        assert answer.headers.get("location", "/approvals/?write=").startswith("/approvals/?write=")
        assert "set-cookie" not in answer.headers


# -------------------------------------------------------------------------------------------------------------- clients


class Documents:
    """What stands at other hosts, and what was asked for."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.documents = documents
        self.asked: list[str] = []

    async def __call__(self, url: str, **_: Any) -> Fetched:
        self.asked.append(url)
        return self.documents[url]


@pytest.mark.matrix
@pytest.mark.parametrize(
    "client_id",
    ["https://127.0.0.1/c.json", "https://localhost/c.json", "https://169.254.169.254/latest/meta-data/c.json",
     "https://[::1]/c.json", "https://evil.example/c.json",
     "http://claude.ai/c.json", "https://claude.ai@evil.example",
     "https://claude.ai.evil.example/c.json", "https://claude.ai:8443/c.json", "https://claude.ai/../c.json",
     "file:///etc/passwd"],
)  # fmt: skip
async def test_a_clients_document_elsewhere_is_never_asked_for(client_id: str) -> None:
    documents = Documents({})
    async with whole(fetch=documents) as team:
        anna = team.person()
        answer = await anna.authorize(client_id=client_id)
        assert (answer.status_code, answer.headers.get("location")) == (400, None)
    assert documents.asked == []


async def test_without_leave_no_client_registers_itself() -> None:
    async with whole(asked={"allow_registration": False}) as team:
        answer = await team.person().http.post("/register", json={"redirect_uris": [CALLBACK]})
        assert answer.status_code in {404, 405}


# ----------------------------------------------------------------------------------------------------------- the pages


@pytest.mark.matrix
@pytest.mark.parametrize("path", ["/mcp", "/sign-in", "/consent", "/account", "/approvals/", "/authorize"])
async def test_foreign_origin_and_wrong_host_are_refused_before_anything_is_looked_at(team: Whole, path: str) -> None:
    anna = await team.person().connects()
    bearer = {"authorization": f"Bearer {anna.tokens['access_token']}"}
    open_to_pages = path == "/token"  # a client may be a page itself: it looks at no cookie (test_known_clients.py)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8766", "https://127.0.0.1:8765"):
        cross = {"origin": origin, "sec-fetch-site": "cross-site"}
        answer = await anna.http.post(path, headers=bearer | cross)
        assert answer.status_code == (401 if open_to_pages else 403)
        assert "access-control-allow-credentials" not in answer.headers
    for host in ("evil.example", "127.0.0.1", "localhost:8765", "127.0.0.1:8765.evil.example"):
        assert (await anna.http.get(path, headers=bearer | {"host": host})).status_code == 421


async def test_where_pages_elsewhere_may_ask_no_cookie_counts_and_none_is_sent(team: Whole) -> None:
    anna = await team.person().connects()
    for path in ("/token", "/register", "/revoke"):
        answer = await anna.http.post(path, data={"client_id": anna.client_id}, headers={"origin": "https://a.example"})
        assert answer.status_code >= 400 or path == "/revoke"
        assert answer.headers["access-control-allow-origin"] == "*"  # with which browsers send no cookies
        assert "access-control-allow-credentials" not in answer.headers
        assert not {"set-cookie", "location"} & set(answer.headers)


async def test_session_fixation_a_cookie_that_was_set_beforehand_is_nobodys(team: Whole) -> None:
    anna = team.person()
    anna.http.cookies.set("fraction_mcp_person", "planted", domain="127.0.0.1", path="/")
    await anna.signs_in()
    made = [cookie.value for cookie in anna.http.cookies.jar if cookie.name == "fraction_mcp_person"]
    assert made != ["planted"]
    stranger = team.person()
    stranger.http.cookies.set("fraction_mcp_person", "planted", domain="127.0.0.1", path="/")
    assert (await stranger.http.get("/account")).status_code == 303


async def test_consent_not_bound_to_the_browser_another_browsers_page_allows_nothing(team: Whole) -> None:
    anna, ben = team.person(), team.person(BEN)
    await anna.registers()
    await anna.signs_in()
    await ben.signs_in()
    asked = (await anna.authorize()).headers["location"]
    page = await ben.http.get(asked)
    answer = await anna.sends("/consent", page.text, decision="allow")
    assert answer.status_code == 403


async def test_csrf_on_sign_in_and_consent_and_decisions_a_form_of_another_site_does_nothing(team: Whole) -> None:
    anna = await team.person().connects()
    page = await anna.http.get((await anna.authorize()).headers["location"])
    for site in ("cross-site", "same-site", "none"):
        for origin in ("https://evil.example", "null", HOME):
            headers = {"origin": origin, "sec-fetch-site": site}
            typed = hidden(page.text) | {"decision": "allow", "email": ANNA, "password": PASSWORD}
            for path in ("/sign-in", "/consent", "/account", "/sign-out", "/approvals/writes/x/approve"):
                assert (await anna.http.post(path, data=typed, headers=headers)).status_code == 403


async def test_clickjacking_every_page_and_every_refusal_is_closed_off(team: Whole) -> None:
    anna = await team.person().connects()
    asked = (await anna.authorize()).headers["location"]
    for path in (
        "/sign-in",
        "/account",
        "/sign-out",
        "/approvals/",
        "/approvals/cards",
        "/approvals/writes.csv",
        asked,
    ):
        headers = (await anna.http.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert headers["cache-control"] == "no-store"


async def test_password_spraying_is_held_up_for_each_address_and_each_account(team: Whole) -> None:
    stranger = team.person(address="198.51.100.9")
    answers = [await stranger.signs_in("wrong", f"somebody{number}@harrow-pike.example") for number in range(24)]
    assert [answer.status_code for answer in answers].index(429) <= 20
    from_everywhere = [
        await team.person(address=f"203.0.113.{number}").signs_in("wrong", BEN) for number in range(1, 9)
    ]
    assert from_everywhere[-1].status_code == 429
    assert BEN not in from_everywhere[-1].text.replace(f'value="{BEN}"', "")


async def test_password_spraying_another_spelling_of_an_account_is_no_new_try(team: Whole) -> None:
    local, _, domain = BEN.partition("@")
    spellings = [f"{local}@{domain}", f"{local.upper()}@{domain}", f"ſam@{domain}", f"s\u0301am@{domain}",
                 f"śam@{domain}", f"sa\u200bm@{domain}", f"ｓam@{domain}"]  # fmt: skip
    answers = [
        await team.person(address=f"203.0.113.{number}").signs_in("wrong", spelling)
        for number, spelling in enumerate(spellings, 1)
    ]
    assert answers[-1].status_code == 429


@pytest.mark.parametrize("typed", ["SAM@harrow-pike.example", "ſam@harrow-pike.example"])
async def test_a_person_is_who_the_erp_says_however_they_type_their_e_mail(team: Whole, typed: str) -> None:
    """The embedded ERP takes these for one account, as databases do: as two people they could approve their own."""
    ben = team.person(BEN)
    await ben.signs_in(email=typed)
    assert f"<strong>{BEN}</strong>" in (await ben.http.get("/account")).text


async def test_x_forwarded_for_of_a_stranger_is_no_way_round_the_limit_and_stands_in_no_log(
    team: Whole, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for number in range(7):
            stranger = team.person(address="198.51.100.10")
            stranger.http.headers["x-forwarded-for"] = f"10.9.8.{number}"
            stranger.http.headers["forwarded"] = f"for=10.9.8.{number};host=evil.example;proto=https"
            stranger.http.headers["x-forwarded-host"] = "evil.example"
            answer = await stranger.signs_in("wrong", BEN)
    assert answer.status_code == 429
    assert "10.9.8." not in caplog.text
    metadata = await stranger.http.get("/.well-known/oauth-protected-resource/mcp")
    assert "evil" not in metadata.text
    assert told_by(await stranger.http.post("/mcp")) == f"{HOME}/.well-known/oauth-protected-resource/mcp"


def told_by(refused: httpx.Response) -> str:
    return refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
