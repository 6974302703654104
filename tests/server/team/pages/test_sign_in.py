"""Signing in: what is kept, what is told, how often one may try, and what other sites can do."""

import logging
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from fraction_mcp import errors
from fraction_mcp.errors import ErpError
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.team.sign_in import own_path
from fraction_mcp.server.team.store import TeamStore

from .conftest import ANNA, BEN, HERE, HERS, HIS, Browser, Clock, Team, team_at, text

pytestmark = pytest.mark.anyio

Browsers = Callable[..., Browser]
WHERE: dict[str, Any] = {"system": "FractionERP", "operation": "sign-in"}


# --------------------------------------------------------------------------------------------------------- signing in


async def test_who_signs_in_is_led_to_where_they_were_going_and_is_known_there(team: Team, browser: Browser) -> None:
    asked = team.asks()
    led = await browser.get(asked)
    assert led.status_code == 303
    answer = await browser.signs_in(path=led.headers["location"])
    assert HERE + answer.headers["location"] == asked
    shown = await browser.get(answer.headers["location"])
    assert f"Anna, {ANNA}" in text(shown.text).replace(" ,", ",")
    assert team.outcomes == ["signed_in"]


async def test_the_erp_s_token_is_kept_and_the_password_nowhere(
    team: Team, browser: Browser, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await browser.tries(ANNA, "wrong-password-of-anna")
    assert "wrong-password-of-anna" not in browser.page
    answer = await browser.signs_in()
    person = await team.store.person(ANNA)
    assert person
    assert person.session.token.get_secret_value() == f"erp-token-of-{ANNA}"
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").iterdir())
    for secret in (HERS, "wrong-password-of-anna", f"erp-token-of-{ANNA}"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
        assert secret not in str(answer.headers)


async def test_a_page_holds_what_password_managers_and_people_without_scripts_need(browser: Browser) -> None:
    page = (await browser.get("/sign-in")).text
    assert '<form class="fields" method="post" action="/sign-in">' in page
    assert 'name="email" type="email" autocomplete="username"' in page
    assert 'name="password" type="password" autocomplete="current-password"' in page
    assert "<script" not in page
    assert "style=" not in page


async def test_who_is_signed_in_already_is_not_asked_again(browser: Browser) -> None:
    await browser.signs_in()
    answer = await browser.get("/sign-in?next=/approvals/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/approvals/")


async def test_an_e_mail_stays_in_its_field_and_a_password_typed_there_does_not(browser: Browser) -> None:
    await browser.tries(ANNA, "no")
    assert f'value="{ANNA}"' in browser.page
    await browser.tries("hunter2-in-the-wrong-field", "no")
    assert "hunter2" not in browser.page


async def test_what_was_typed_is_text_on_the_page(browser: Browser) -> None:
    await browser.tries('"><script>alert(1)</script>@x', "no")
    assert "<script" not in browser.page


@pytest.mark.parametrize(
    ("email", "password"), [("", "x"), (ANNA, ""), ("a@b" * 100, "x"), (ANNA, "x" * 1025), ("a@b\x1b[2J", "x")]
)
async def test_what_cannot_be_a_sign_in_is_not_sent_to_the_erp(
    team: Team, browser: Browser, email: str, password: str
) -> None:
    answer = await browser.tries(email, password)
    assert answer.status_code == 400
    assert team.erp.asked == []


# ------------------------------------------------------------------------------------------------------ what is told


async def test_no_answer_tells_whether_an_account_exists(team: Team, browser: Browser) -> None:
    """Byte for byte, headers included; and the ERP is asked in both cases, so that the time tells nothing either."""
    nobody = "nora@harrow-pike.example"
    answers = [await browser.tries(email, "wrong") for email in (ANNA, nobody)]
    assert team.erp.asked == [ANNA, nobody]
    there, not_there = answers
    assert there.text.replace(ANNA, nobody) == not_there.text
    assert there.status_code == not_there.status_code == 403
    lengths = [int(answer.headers.pop("content-length")) for answer in answers]
    assert lengths[1] - lengths[0] == len(nobody) - len(ANNA)
    assert there.headers == not_there.headers


@pytest.mark.matrix
@pytest.mark.parametrize(
    "error",
    [
        errors.NotAuthenticated("No such user", **WHERE, status=401),
        errors.AccountInactive("Account is inactive", **WHERE, status=403),
        errors.Forbidden("Not allowed", **WHERE, status=403),
        errors.PlanRestricted("Your plan has no API", **WHERE, status=403),
        errors.InvalidFields("email is not registered", **WHERE, status=422),
        errors.NotFound("no user of that e-mail", **WHERE, status=404),
        errors.ErpContractBroken("404 for a sign-in", **WHERE, status=404),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_however_the_erp_says_no_a_person_reads_the_same(team: Team, browser: Browser, error: ErpError) -> None:
    wrong = await browser.tries(ANNA, "wrong")
    team.erp.fails = error
    answer = await browser.tries(ANNA, "wrong")
    assert (answer.status_code, answer.text) == (wrong.status_code, wrong.text)
    assert team.outcomes == ["refused", "refused"]


@pytest.mark.matrix
@pytest.mark.parametrize(
    "error",
    [
        errors.ErpUnreachable("no route", **WHERE),
        errors.ErpTimedOut("no answer", **WHERE),
        errors.ErpBroken("it broke", **WHERE, status=502),
        errors.RateLimited("slow down", **WHERE, status=429, retry_after_s=30),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_erp_that_cannot_be_asked_is_told_as_that_and_counts_against_nobody(
    team: Team, browser: Browser, error: ErpError
) -> None:
    team.erp.fails = error
    for _ in range(30):
        answer = await browser.tries(ANNA, HERS)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "nobody was signed in" in text(answer.text)
    team.erp.fails = None
    await browser.signs_in()
    assert team.outcomes == ["unavailable"] * 30 + ["signed_in"]


# --------------------------------------------------------------------------------------------------------- attempts


async def test_password_spraying_many_accounts_from_one_address_is_held_up(team: Team, browser_at: Browsers) -> None:
    answers = [await browser_at().tries(f"person{n}@harrow-pike.example", "Summer2026!") for n in range(30)]
    assert {answer.status_code for answer in answers[:20]} == {403}
    limited = answers[-1]
    assert limited.status_code == 429
    assert "Try again in" in text(limited.text)
    assert int(limited.headers["retry-after"]) >= 1
    assert len(team.erp.asked) == 20
    assert (await browser_at("198.51.100.9").tries(ANNA, HERS)).status_code == 303  # who is elsewhere is let in


async def test_password_spraying_one_account_from_many_addresses_is_held_up(team: Team, browser_at: Browsers) -> None:
    spellings = [ANNA, ANNA.upper(), f" {ANNA}"]
    answers = [await browser_at(f"203.0.113.{n}").tries(spellings[n % 3], f"guess {n}") for n in range(12)]
    assert answers[-1].status_code == 429
    assert len(team.erp.asked) == 5
    assert (await browser_at("203.0.113.99").tries(BEN, HIS)).status_code == 303


async def test_an_account_that_does_not_exist_is_limited_as_one_that_does(browser_at: Browsers) -> None:
    pages = []
    for email in (ANNA, "nora@harrow-pike.example"):
        answers = [await browser_at(f"203.0.113.{n}").tries(email, "guess") for n in range(7)]
        pages.append([(answer.status_code, text(answer.text)) for answer in answers])
    assert pages[0] == pages[1]


@pytest.mark.slow
async def test_an_account_of_one_s_own_does_not_wipe_out_the_attempts_on_others(
    team: Team, browser_at: Browsers
) -> None:
    for n in range(40):
        await browser_at().tries(f"person{n}@harrow-pike.example", "Summer2026!")
        await browser_at().tries(BEN, HIS)
    assert len([email for email in team.erp.asked if email != BEN]) <= 21


@pytest.mark.slow
async def test_addresses_of_one_ipv6_network_count_as_one(team: Team, browser_at: Browsers) -> None:
    for n in range(30):
        await browser_at(f"2001:db8:1:2::{n:x}").tries(f"person{n}@harrow-pike.example", "Summer2026!")
    assert len(team.erp.asked) == 20


async def test_many_at_once_are_no_way_round_the_limit(team: Team, browser_at: Browsers) -> None:
    browsers = [browser_at(f"203.0.113.{n}") for n in range(30)]
    async with anyio.create_task_group() as group:
        for n, each in enumerate(browsers):
            group.start_soon(each.tries, ANNA, f"guess {n}")
    assert len(team.erp.asked) == 5


async def test_who_waits_as_long_as_the_page_says_may_try_again(team: Team, browser: Browser, clock: Clock) -> None:
    for n in range(6):
        answer = await browser.tries(ANNA, f"guess {n}")
    assert answer.status_code == 429
    clock.now += int(answer.headers["retry-after"])
    await browser.signs_in()
    assert team.outcomes[-1] == "signed_in"


# ------------------------------------------------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.tools.example.com", "sec-fetch-site": "same-site"},
        {"origin": "http://tools.example.com"},
        {"origin": "null", "sec-fetch-site": "none"},
    ],
)
async def test_csrf_on_sign_in_a_form_of_another_site_signs_nobody_in(
    team: Team, browser: Browser, headers: dict[str, str]
) -> None:
    await browser.get("/sign-in")
    own = {"origin": "", "sec-fetch-site": ""}
    sent = {**browser.hidden(), "email": BEN, "password": HIS}
    answer = await browser.http.post("/sign-in", data=sent, headers={**{k: v for k, v in own.items() if v}, **headers})
    assert answer.status_code == 403
    assert team.erp.asked == []
    closed_off(answer)


async def test_csrf_on_sign_in_the_token_of_another_browser_does_not_count(
    team: Team, browser: Browser, browser_at: Browsers
) -> None:
    attackers = browser_at("198.51.100.66")
    await attackers.get("/sign-in")
    await browser.get("/sign-in")
    for csrf in (attackers.hidden()["csrf"], "", "é"):
        answer = await browser.send("/sign-in", {"csrf": csrf, "next": "/", "email": BEN, "password": HIS})
        assert answer.status_code == 403
        assert "Nothing was sent" in text(answer.text)
    stranger = browser_at()
    answer = await stranger.send("/sign-in", {**browser.hidden(), "email": BEN, "password": HIS})
    assert answer.status_code == 403
    assert team.erp.asked == []


async def test_session_fixation_the_session_is_another_one_after_each_sign_in(
    team: Team, browser: Browser, browser_at: Browsers
) -> None:
    name = "__Host-fraction_mcp_person"
    browser.http.cookies.set(name, "planted", domain="tools.example.com")
    await browser.signs_in()
    first = browser.http.cookies[name]
    assert first != "planted"
    attackers = browser_at()
    await attackers.signs_in(BEN, HIS)
    planted = attackers.http.cookies[name]
    victims = browser_at()
    visitor = (await victims.get("/sign-in")).cookies["__Host-fraction_mcp_visitor"]
    fields = {**victims.hidden(), "email": ANNA, "password": HERS}
    victims.http.cookies.set(name, planted, domain="tools.example.com", path="/")
    answer = await victims.send("/sign-in", fields)
    assert answer.status_code == 303
    assert victims.http.cookies[name] not in {planted, first, visitor}
    assert (await attackers.get("/account")).status_code == 303, "the planted session has ended, and is nobody's"


async def test_the_cookie_goes_to_this_host_alone_and_to_no_script(browser: Browser) -> None:
    answer = await browser.signs_in()
    cookies = answer.headers.get_list("set-cookie")
    person = next(each for each in cookies if each.startswith("__Host-fraction_mcp_person="))
    assert {"secure", "httponly", "path=/", "samesite=lax", "max-age=43200"} <= set(person.lower().split("; "))
    assert "domain" not in person.lower()


async def test_on_the_loopback_the_cookie_is_one_that_http_carries(store: TeamStore, clock: Clock) -> None:
    browser = Browser(team_at("http://127.0.0.1:8000", store, clock))
    answer = await browser.signs_in()
    assert all("secure" not in each.lower() for each in answer.headers.get_list("set-cookie"))
    assert (await browser.get("/account")).status_code == 200


EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/%2fevil.example",
    "/%5cevil.example",
    "%2f%2fevil.example",
    "/account//evil.example",
    "/approvals/..//evil.example",
    "/approvals/%2e%2e//evil.example",
    "/account\t//evil.example",
    "/account\n",
    " /account",
    "/accounts.evil.example",
    "@evil.example",
    "/authorize?client_id=x",
    "/sign-out",
    "/consent?request=" + "a" * 9000,
    "",
]


@pytest.mark.matrix
@pytest.mark.parametrize("said", EVIL)
async def test_open_redirect_next_leads_to_pages_of_ours_alone(browser: Browser, said: str) -> None:
    assert own_path(said) == "/account"
    answer = await browser.signs_in(path="/sign-in?" + str(httpx.QueryParams(next=said)))
    assert answer.headers["location"] == "/account"
    again = await browser.get("/sign-in?" + str(httpx.QueryParams(next=said)))  # signed in already
    assert again.headers["location"] == "/account"


async def test_open_redirect_a_next_that_is_altered_in_the_form_leads_nowhere_else(browser: Browser) -> None:
    await browser.get("/sign-in?next=/approvals/")
    fields = {**browser.hidden(), "next": "//evil.example", "email": ANNA, "password": HERS}
    assert (await browser.send("/sign-in", fields)).headers["location"] == "/account"


@pytest.mark.parametrize(
    "said",
    ["/account", "/approvals", "/approvals/", "/approvals/writes/w0123456789ab", "/approvals/?q=a%20b"],
)
async def test_pages_of_ours_are_led_to(said: str) -> None:
    assert own_path(said) == said


@pytest.mark.matrix
@pytest.mark.parametrize("path", ["/sign-in", "/consent", "/consent?request=x", "/account", "/sign-out", "/static/x"])
async def test_clickjacking_no_page_stands_in_a_frame_and_every_answer_is_closed_off(
    team: Team, browser: Browser, path: str
) -> None:
    closed_off(await browser.get(path))
    await browser.signs_in()
    closed_off(await browser.get(path))
    closed_off(await browser.get(team.asks()))
    if not path.startswith("/static"):
        closed_off(await browser.send(path, {}, origin="https://evil.example"))


@pytest.mark.parametrize("host", ["evil.example", "tools.example.com:444", "127.0.0.1", ""])
async def test_another_host_name_is_not_answered(browser: Browser, host: str) -> None:
    answer = await browser.get("/sign-in", host=host)
    assert answer.status_code == 421
    closed_off(answer)


async def test_a_database_that_fails_is_told_and_shows_nothing_of_the_inside(
    team: Team, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise errors.JournalUnreachable("no answer", where="db.internal")

    await browser.get("/sign-in")
    monkeypatch.setattr(team.store, "may_try", fails)
    answer = await browser.send("/sign-in", {**browser.hidden(), "email": ANNA, "password": HERS})
    assert answer.status_code == 503
    assert "db.internal" not in answer.text
    closed_off(answer)


# ------------------------------------------------------------------------------------------------------ how it lasts


async def test_a_session_ends_after_two_hours_unseen_and_twelve_in_all(browser: Browser, clock: Clock) -> None:
    await browser.signs_in()
    for _ in range(6):
        clock.now += 7_000
        assert (await browser.get("/account")).status_code == 200
    clock.now += 1_300  # 12 h since the sign-in
    assert (await browser.get("/account")).status_code == 303
    await browser.signs_in()
    clock.now += 7_300
    assert (await browser.get("/account")).status_code == 303


async def test_every_replica_knows_a_session_and_where_it_was_ended(
    store: TeamStore, clock: Clock, browser: Browser, tmp_path: Any
) -> None:
    await browser.signs_in()
    journal = await Journal.open("", tmp_path / "state", clock=clock)
    other = Browser(team_at(HERE, TeamStore(journal.database, store._ring, clock), clock))
    other.http.cookies = browser.http.cookies
    assert (await other.get("/account")).status_code == 200
    assert (await other.send("/sign-out", other.hidden())).status_code == 303
    assert (await browser.get("/account")).status_code == 303
    await journal.aclose()


async def test_whose_erp_token_is_dead_signs_in_again(team: Team, browser: Browser) -> None:
    await browser.signs_in()
    person = await team.store.person(ANNA)
    assert person
    await team.store.ended(ANNA, person.session.version)
    assert (await browser.get("/account")).status_code == 303


def closed_off(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
