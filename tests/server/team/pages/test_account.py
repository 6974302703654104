"""The account page and signing out."""

from collections.abc import Callable

import pytest

from .conftest import ANNA, BEN, CLIENT, HIS, Browser, Team, query, text

pytestmark = pytest.mark.anyio

Browsers = Callable[..., Browser]


async def allowed(team: Team, browser: Browser, **asks: str) -> str:
    """A client has been allowed, and has taken its code: its access token."""
    answer = await browser.says("allow", team.asks(**asks))
    code = query(answer.headers["location"])["code"]
    tokens = await team.store.take_code(code, asks.get("client_id", CLIENT), asked_at=team.store.now())
    assert tokens
    return tokens.access


async def test_a_person_sees_what_they_have_allowed_and_nobody_else_s(
    team: Team, browser: Browser, browser_at: Browsers
) -> None:
    await browser.signs_in()
    await allowed(team, browser)
    await allowed(team, browser, client_id="registered-itself", scopes="erp:read")
    page = text((await browser.get("/account")).text)
    assert f"You are signed in to FractionERP as Anna , {ANNA}" in page
    assert f"claude.ai Reads, and proposes writes. Its id is {CLIENT}" in page
    assert "A client that registered itself Reads. Its id is registered-itself" in page
    bens = browser_at()
    await bens.signs_in(BEN, HIS)
    assert "No assistant may do anything in your name" in text((await bens.get("/account")).text)


async def test_ending_one_ends_its_tokens_and_no_other_s(team: Team, browser: Browser) -> None:
    await browser.signs_in()
    first = await allowed(team, browser)
    second = await allowed(team, browser)
    grant = await team.store.grant_of_access(first)
    assert grant
    page = await browser.get("/account")
    assert f'id="grant-{grant.id}"' in page.text
    answer = await browser.send("/account", {**browser.hidden(), "grant": grant.id})
    assert answer.headers["location"] == "/account?ended"
    assert await team.store.grant_of_access(first) is None
    assert await team.store.grant_of_access(second)
    assert "nothing in your name any more" in text((await browser.get("/account?ended")).text)


async def test_another_person_s_grant_cannot_be_ended(team: Team, browser: Browser, browser_at: Browsers) -> None:
    await browser.signs_in()
    access = await allowed(team, browser)
    grant = await team.store.grant_of_access(access)
    assert grant
    bens = browser_at()
    await bens.signs_in(BEN, HIS)
    await bens.get("/account")
    await bens.send("/account", {**bens.hidden(), "grant": grant.id})
    assert await team.store.grant_of_access(access)


@pytest.mark.parametrize("path", ["/account", "/sign-out"])
async def test_a_form_without_the_browser_s_own_token_ends_nothing(
    team: Team, browser: Browser, browser_at: Browsers, path: str
) -> None:
    await browser.signs_in()
    access = await allowed(team, browser)
    grant = await team.store.grant_of_access(access)
    assert grant
    bens = browser_at()
    await bens.signs_in(BEN, HIS)
    await bens.get("/account")
    for csrf in (bens.hidden()["csrf"], "", "é"):
        answer = await browser.send(path, {"csrf": csrf, "grant": grant.id})
        assert answer.status_code == 403
    assert await team.store.grant_of_access(access)
    assert (await browser.get("/account")).status_code == 200


async def test_signing_out_ends_the_session_on_the_server_and_no_grant(
    team: Team, browser: Browser, browser_at: Browsers
) -> None:
    await browser.signs_in()
    access = await allowed(team, browser)
    kept = browser_at()
    kept.http.cookies = dict(browser.http.cookies)  # a copy that somebody has
    await browser.get("/sign-out")
    answer = await browser.send("/sign-out", browser.hidden())
    assert answer.headers["location"] == "/sign-out"
    assert "You are signed out" in text((await browser.get("/sign-out")).text)
    assert (await browser.get("/account")).headers["location"] == "/sign-in?next=/account"
    assert (await kept.get("/account")).status_code == 303
    assert await team.store.grant_of_access(access)


async def test_looking_at_the_sign_out_page_signs_nobody_out(browser: Browser) -> None:
    await browser.signs_in()
    await browser.get("/sign-out")
    assert (await browser.get("/account")).status_code == 200


async def test_who_is_not_signed_in_is_led_to_sign_in_and_back(browser: Browser) -> None:
    assert (await browser.get("/account")).headers["location"] == "/sign-in?next=/account"
    assert (await browser.send("/account", {})).headers["location"] == "/sign-in?next=/account"
    assert (await browser.send("/sign-out", {})).headers["location"] == "/sign-out"
