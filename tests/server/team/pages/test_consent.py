"""Consent: what a person reads, what each button does, and what counts for an answer."""

import re
from collections.abc import Callable

import pytest
from mcp.server.auth.provider import AuthorizeError

from fraction_mcp.server.team.consent_request import Destination, destination_of
from fraction_mcp.server.team.shown import Shown

from .conftest import ANNA, BACK, BEN, CLIENT, HERE, HIS, Browser, Clock, Team, query, team_at, text

pytestmark = pytest.mark.anyio

Browsers = Callable[..., Browser]


@pytest.fixture
async def anna(browser: Browser) -> Browser:
    await browser.signs_in()
    return browser


# ----------------------------------------------------------------------------------------------------------- answering


async def test_who_allows_is_led_back_with_a_code_of_theirs_the_state_and_the_issuer(team: Team, anna: Browser) -> None:
    answer = await anna.says("allow", team.asks())
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{BACK}?")
    said = query(answer.headers["location"])
    assert (said["state"], said["iss"]) == ("the client's state", HERE)
    code = await team.store.find_code(said["code"])
    assert code
    consented = code.consented
    assert (consented.subject, consented.client_id, consented.redirect_uri) == (ANNA, CLIENT, BACK)
    assert consented.scopes == ("erp:read", "erp:write")
    assert consented.challenge == "c" * 43


async def test_who_does_not_allow_is_led_back_without_a_code(team: Team, anna: Browser) -> None:
    answer = await anna.says("deny", team.asks())
    assert answer.status_code == 303
    assert query(answer.headers["location"]) == {
        "error": "access_denied",
        "state": "the client's state",
        "iss": HERE,
    }


async def test_consent_is_asked_each_time(team: Team, anna: Browser) -> None:
    for _ in range(2):
        shown = await anna.get(team.asks())
        assert shown.status_code == 200
        assert (await anna.says("allow", team.asks())).status_code == 303


async def test_a_form_without_a_decision_allows_nothing(team: Team, anna: Browser) -> None:
    await anna.get(team.asks())
    for decision in ({}, {"decision": ""}, {"decision": "Allow"}):
        answer = await anna.send("/consent", {**anna.hidden(), **decision})
        assert answer.status_code == 400
        assert "location" not in answer.headers


async def test_the_button_that_comes_first_is_the_one_that_allows_nothing_and_no_field_takes_an_enter(
    team: Team, anna: Browser
) -> None:
    page = (await anna.get(team.asks())).text
    assert re.findall(r'<button [^>]*value="(\w+)"', page) == ["deny", "allow"]
    assert set(re.findall(r'<input type="(\w+)"', page)) == {"hidden"}
    assert "autofocus" not in page


# ------------------------------------------------------------------------------------------------------------- reading


async def test_a_page_shows_the_host_above_all_and_the_name_as_what_the_client_calls_itself(
    team: Team, anna: Browser
) -> None:
    page = (await anna.get(team.asks(name="Your Bank", redirect="https://evil.example:8443/cb"))).text
    assert '<p id="host" class="host">evil.example:8443</p>' in page
    words = text(page)
    assert "It calls itself “Your Bank” , a name that it chose and nobody has checked" in words
    assert f"Anna , {ANNA}" in words
    assert words.index("evil.example") < words.index("Your Bank")


async def test_what_a_client_calls_itself_is_text_without_tricks(team: Team, anna: Browser) -> None:
    name = "<script>alert(1)</script>\u202eetihw\u200b\n claude.ai" + "x" * 500
    page = (await anna.get(team.asks(name=name))).text
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\u200b" not in page
    shown = re.search(r'<bdi id="name">“(.*?)”</bdi>', page, re.S)
    assert shown
    assert len(shown[1].replace("&lt;", "<").replace("&gt;", ">")) <= 80


async def test_a_client_without_a_name_is_told_as_that(team: Team, anna: Browser) -> None:
    assert "It gives no name." in text((await anna.get(team.asks(name=""))).text)


@pytest.mark.parametrize(
    ("redirect", "shown", "here"),
    [
        ("https://claude.ai/api/mcp/auth_callback", "claude.ai", False),
        ("https://claude.ai@evil.example/cb", "evil.example", False),
        ("https://CLAUDE.ai.evil.example/claude.ai", "claude.ai.evil.example", False),
        ("https://xn--clude-3ve.ai/cb", "xn--clude-3ve.ai", False),
        ("http://127.0.0.1:33418/", "127.0.0.1:33418", True),
        ("http://localhost:8080/callback", "localhost:8080", True),
        ("http://[::1]:9/cb", "[::1]:9", True),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:", True),
        ("com.example.app:/cb", "com.example.app:", True),
    ],
)
def test_where_an_answer_goes_is_told_as_a_browser_would_go_there(redirect: str, shown: str, here: bool) -> None:
    assert destination_of(redirect) == Destination(shown, here)


async def test_letters_that_look_like_others_are_shown_as_what_they_are(team: Team, anna: Browser) -> None:
    page = (await anna.get(team.asks(redirect="https://cl\u0430ude.ai/cb"))).text  # a Cyrillic letter
    assert '<p id="host" class="host">xn--' in page


async def test_a_program_on_this_computer_is_warned_of(team: Team, anna: Browser) -> None:
    page = (await anna.get(team.asks(redirect="http://127.0.0.1:33418/"))).text
    assert "Which one cannot be told from here" in text(page)
    assert 'id="here"' not in (await anna.get(team.asks())).text


async def test_what_each_scope_means_is_told_and_that_a_write_still_waits_for_a_person(
    team: Team, anna: Browser
) -> None:
    both = text((await anna.get(team.asks())).text)
    assert "Read whatever your account sees in FractionERP" in both
    assert "Each write still waits until a person has seen exactly it, and approved it" in both
    reads = text((await anna.get(team.asks(scopes="erp:read"))).text)
    assert "Write nothing: it does not ask for that" in reads
    assert "waits until a person" not in reads


@pytest.mark.parametrize(
    ("writes", "words"),
    [("none", "this server only reads"), ("two_step", "your assistant shows you what it would write")],
)
async def test_no_person_is_promised_where_none_is_asked(team: Team, writes: str, words: str) -> None:
    shown = Shown(writes=writes)  # type: ignore[arg-type]
    browser = Browser(team_at(HERE, team.store, team.clock, shown))
    await browser.signs_in()
    page = text((await browser.get(team.asks())).text)
    assert words in page
    assert "waits until a person" not in page


# ------------------------------------------------------------------------------------------------------------- attacks


async def test_consent_not_bound_to_the_browser_a_stranger_s_browser_is_sent_to_sign_in(
    team: Team, anna: Browser, browser_at: Browsers
) -> None:
    """The page's fields alone, taken to another browser, are worth nothing."""
    await anna.get(team.asks())
    stolen = {**anna.hidden(), "decision": "allow"}
    answer = await browser_at("198.51.100.66").send("/consent", stolen)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2Fconsent")


async def test_consent_another_browser_s_csrf_does_not_count(team: Team, anna: Browser, browser_at: Browsers) -> None:
    attackers = browser_at("198.51.100.66")
    await attackers.signs_in(BEN, HIS)
    asked = team.asks()
    await attackers.get(asked)
    attackers_token = attackers.hidden()["csrf"]
    hers_elsewhere = browser_at("192.0.2.8")
    await hers_elsewhere.signs_in()
    await hers_elsewhere.get(asked)
    await anna.get(asked)
    for csrf in (attackers_token, hers_elsewhere.hidden()["csrf"], "", "0" * 64):
        answer = await anna.send("/consent", {**anna.hidden(), "csrf": csrf, "decision": "allow"})
        assert answer.status_code == 403
        assert "Nothing was allowed" in text(answer.text)


async def test_consent_the_token_of_one_question_does_not_answer_another(team: Team, anna: Browser) -> None:
    await anna.get(team.asks())
    harmless = anna.hidden()["csrf"]
    other = query(team.asks(redirect="https://evil.example/cb"))["request"]
    answer = await anna.send("/consent", {"csrf": harmless, "request": other, "decision": "allow"})
    assert answer.status_code == 403


@pytest.mark.matrix
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "https://other.example.com", "sec-fetch-site": "same-site"},
        {"origin": "http://tools.example.com", "sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/consent", "/sign-out", "/account"])
async def test_cross_site_post_does_nothing(team: Team, anna: Browser, path: str, headers: dict[str, str]) -> None:
    await anna.get(team.asks())
    answer = await anna.send(path, {**anna.hidden(), "decision": "allow"}, **headers)
    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert (await anna.get("/account")).status_code == 200


async def test_replayed_consent_form_counts_once(team: Team, anna: Browser) -> None:
    for first, second in (("allow", "allow"), ("deny", "allow"), ("allow", "deny")):
        await anna.get(team.asks())
        form = anna.hidden()
        assert (await anna.send("/consent", {**form, "decision": first})).status_code == 303
        again = await anna.send("/consent", {**form, "decision": second})
        assert again.status_code == 400
        assert "an answer counts once" in text(again.text)


async def test_tampered_request_is_not_read(team: Team, anna: Browser) -> None:
    sealed = query(team.asks())["request"]
    flipped = [sealed[:n] + ("A" if sealed[n] != "A" else "B") + sealed[n + 1 :] for n in range(0, len(sealed) - 2, 7)]
    other_key = sealed[8:] + sealed[:8]
    for each in (*flipped, sealed[:-4], sealed + "AAAA", other_key, "", "é", "=" * 8, "A" * 7000, "A"):
        answer = await anna.get(f"/consent?request={each}")
        assert answer.status_code == 400, each
        assert "location" not in answer.headers
    await anna.get(f"/consent?request={sealed}")
    answer = await anna.send("/consent", {**anna.hidden(), "request": flipped[3], "decision": "allow"})
    assert answer.status_code == 400


async def test_what_is_sealed_for_another_purpose_is_no_request(team: Team, anna: Browser) -> None:
    import base64

    plain = team.keys.unseal(base64.urlsafe_b64decode(query(team.asks())["request"] + "=="), about="consent request")
    assert plain
    sealed = base64.urlsafe_b64encode(team.keys.seal(plain, about="erp token of anna")).decode().rstrip("=")
    assert (await anna.get(f"/consent?request={sealed}")).status_code == 400


async def test_expired_request_is_over_even_for_a_page_that_was_open(team: Team, anna: Browser, clock: Clock) -> None:
    asked = team.asks()
    await anna.get(asked)
    clock.now += 601
    assert (await anna.get(asked)).status_code == 400
    answer = await anna.send(
        "/consent", {**anna.hidden(asked), "request": query(asked)["request"], "decision": "allow"}
    )
    assert answer.status_code == 400
    assert "more than ten minutes ago" in text(answer.text)


async def test_after_somebody_else_has_signed_in_the_open_page_allows_nothing(team: Team, anna: Browser) -> None:
    await anna.get(team.asks())
    hers = anna.hidden()
    await anna.get("/account")
    await anna.send("/sign-out", anna.hidden())
    await anna.signs_in(BEN, HIS)
    answer = await anna.send("/consent", {**hers, "decision": "allow"})
    assert answer.status_code == 403
    assert f"Ben , {BEN}" in text(answer.text)


async def test_who_must_sign_in_again_comes_back_to_the_question(team: Team, anna: Browser) -> None:
    asked = team.asks()
    await anna.get(asked)
    person = await team.store.person(ANNA)
    assert person
    await team.store.ended(ANNA, person.session.version)
    answer = await anna.send("/consent", {**anna.hidden(), "decision": "allow"})
    led = await anna.signs_in(path=answer.headers["location"])
    assert HERE + led.headers["location"] == asked


async def test_a_request_that_no_address_holds_is_refused(team: Team) -> None:
    team.asks(state="s" * 2_000)
    with pytest.raises(AuthorizeError):
        team.asks(state="s" * 5_000)


async def test_the_way_there_and_back_is_open_to_the_client_s_window_and_addresses_and_the_rest_is_not(
    team: Team, anna: Browser
) -> None:
    """A browser holds `form-action` against every redirect after a form, and an opener policy cuts a client off from
    the window that it opened."""
    for path in (team.asks(), "/sign-in"):
        headers = (await anna.get(path)).headers
        assert headers["cross-origin-opener-policy"] == "unsafe-none"
        assert "form-action" not in headers["content-security-policy"]
    for path in ("/account", "/sign-out"):
        headers = (await anna.get(path)).headers
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "form-action 'self'" in headers["content-security-policy"]
