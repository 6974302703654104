"""Who comes in, and what no request gets past."""

import re
from typing import Any

import httpx
import pytest

from fraction_mcp.approvals.auth import InboxAuth, Link

from .conftest import HERE, PORT, Browser, Writer, come_in, visitor

pytestmark = pytest.mark.anyio


# -------------------------------------------------------------------------------------------------------------- sign-in


async def test_a_sign_in_link_counts_once(browser: Browser) -> None:
    link = browser.auth.new_link().address
    async with visitor(browser.pages.app) as one, visitor(browser.pages.app) as other:
        await come_in(one, link)
        assert (await one.get("/")).status_code == 200
        second = await other.get(link)
        assert second.status_code == 403
        assert "set-cookie" not in second.headers


async def test_a_link_is_used_up_by_a_browser_that_is_signed_in_already(browser: Browser) -> None:
    link = browser.auth.new_link().address
    await come_in(browser.http, link)
    await browser.load()
    async with visitor(browser.pages.app) as stranger:
        assert (await stranger.get(link)).status_code == 403


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_however_a_link_is_opened_it_is_used_up(browser: Browser, method: str) -> None:
    link = browser.auth.new_link().address
    async with visitor(browser.pages.app) as one, visitor(browser.pages.app) as other:
        await one.request(method, link)
        assert (await other.get(link)).status_code == 403


async def test_each_session_has_pages_and_a_cookie_of_its_own_that_goes_nowhere_else(browser: Browser) -> None:
    places, cookies = [], []
    for _ in range(2):
        async with visitor(browser.pages.app) as http:
            entered = await http.get(browser.auth.new_link().address)
            cookie = entered.headers["set-cookie"]
            place = re.findall(r"[pP]ath=(/s/[\w-]{43}/)", cookie)
            assert {"HttpOnly", f"Path={place[0]}", "SameSite=strict"} <= set(cookie.split("; "))
            assert entered.text.count(place[0]) == 3  # how it goes on by itself, a link, and what it keeps
            assert (await http.get(place[0])).status_code == 200
            places += place
            cookies.append(cookie.partition(";")[0])
    assert len({*places, *cookies, *(cookie.partition("=")[0] for cookie in cookies)}) == 6
    for place, cookie, status in zip(places * 2, cookies + cookies[::-1], (200, 200, 403, 403), strict=True):
        async with visitor(browser.pages.app, Cookie=cookie) as http:
            assert (await http.get(place)).status_code == status


async def test_without_a_session_nothing_is_shown_but_how_to_open_the_inbox(writer: Writer, browser: Browser) -> None:
    write = await writer.part("SECRET-PART")
    answers = set()
    async with visitor(browser.pages.app) as stranger:
        for path in (
            "/", "/cards", "/events", "/nowhere", f"/writes/{write.id}", "/writes/w000000000000", "/s/made-up/",
            f"/s/made-up/writes/{write.id}/approve", browser.http.base_url.path, f"{browser.http.base_url.path}cards",
        ):  # fmt: skip
            answer = await stranger.get(path)
            assert answer.status_code == 403, path
            assert "fraction-mcp approvals" in answer.text
            answers.add(answer.text)
        assert len(answers) == 1  # not even whether there is such a write, or such a session
        assert (await stranger.get("/static/inbox.css")).status_code == 200


async def test_a_made_up_session_does_not_count(browser: Browser) -> None:
    place = browser.http.base_url.path
    (name,) = browser.http.cookies.keys()
    async with visitor(browser.pages.app, Cookie=f"{name}=made-up") as stranger:
        assert (await stranger.get(place)).status_code == 403


async def test_a_cookie_that_another_port_s_server_sets_does_not_stand_in_the_way(browser: Browser) -> None:
    """Cookies for all paths of the host come along; none of them has the name of the session's own."""
    (name,) = browser.http.cookies.keys()
    browser.http.headers["Cookie"] = f"{name}={browser.http.cookies[name]}; session=x; fraction_mcp_inbox_{PORT}=y"
    browser.http.cookies.clear()
    await browser.load()


async def test_secrets_stand_in_no_repr() -> None:
    auth = InboxAuth(PORT)
    link = auth.new_link()
    token = link.address.partition("token=")[2]
    session = auth.enter(token)
    assert session
    for shown in (repr(link), repr(session), repr(auth)):
        assert not [secret for secret in (token, session.place, session.id, session.csrf) if secret in shown]


async def test_a_link_for_the_browser_does_not_count_after_its_time() -> None:
    now = 0.0
    auth = InboxAuth(PORT, clock=lambda: now)
    late, lasting = (token_of(auth.new_link(lasts_s=600)), token_of(auth.new_link()))
    now = 600.0
    assert auth.enter(late) is None
    assert auth.enter(lasting) is not None


async def test_old_links_make_way_for_new_ones() -> None:
    auth = InboxAuth(PORT)
    tokens = [token_of(auth.new_link()) for _ in range(30)]
    assert auth.enter(tokens[0]) is None
    assert auth.enter(tokens[-1]) is not None


def token_of(link: Link) -> str:
    return link.address.partition("token=")[2]


# -------------------------------------------------------------------------------------------------------- host, origin


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.2:{PORT}", ""]
)
async def test_another_host_name_is_not_answered(browser: Browser, host: str) -> None:
    answer = await browser.http.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "Approval" not in answer.text


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
async def test_every_name_of_this_machine_is_answered(browser: Browser, host: str) -> None:
    assert (await browser.http.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.matrix
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1:{PORT}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": f"http://localhost:{PORT}"},
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_a_form_of_another_site_decides_nothing(
    writer: Writer, browser: Browser, headers: dict[str, str]
) -> None:
    write = await writer.part()
    await browser.load()
    answer = await browser.http.post(f"/writes/{write.id}/approve", data=browser.form(write), headers=headers)
    assert answer.status_code == 403
    assert await writer.state(write) == "awaiting_approval"


@pytest.mark.matrix
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": HERE},
        {"Origin": HERE, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # what a form on a page without a referrer sends
    ],
)
async def test_a_form_of_the_inbox_decides(writer: Writer, browser: Browser, headers: dict[str, str]) -> None:
    write = await writer.part()
    await browser.load()
    answer = await browser.http.post(f"/writes/{write.id}/decline", data=browser.form(write), headers=headers)
    assert answer.status_code == 303
    assert await writer.state(write) == "declined"


# ---------------------------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize("csrf", ["", "wrong", "é"])
async def test_a_form_without_the_session_s_token_decides_nothing(writer: Writer, browser: Browser, csrf: str) -> None:
    write = await writer.part()
    await browser.load()
    answer = await browser.http.post(f"/writes/{write.id}/approve", data={**browser.form(write), "csrf": csrf})
    assert answer.status_code == 403
    assert await writer.state(write) == "awaiting_approval"


async def test_the_token_of_another_session_decides_nothing(writer: Writer, browser: Browser) -> None:
    write = await writer.part()
    await browser.load()
    async with visitor(browser.pages.app) as other:
        await come_in(other, browser.auth.new_link().address)
        answer = await other.post(f"/writes/{write.id}/approve", data=browser.form(write))
    assert answer.status_code == 403
    assert await writer.state(write) == "awaiting_approval"


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("approve", {"digest": ""}, 400),
        ("destroy", {}, 400),
        ("approve", {"more": "x" * 10_000}, 403),
    ],
)
async def test_what_no_form_of_the_inbox_sends_decides_nothing(
    writer: Writer, browser: Browser, path: str, changes: dict[str, Any], status: int
) -> None:
    write = await writer.part()
    await browser.load()
    answer = await browser.http.post(f"/writes/{write.id}/{path}", data={**browser.form(write), **changes})
    assert answer.status_code == status
    assert await writer.state(write) == "awaiting_approval"


async def test_a_write_that_is_not_there_is_told_so(writer: Writer, browser: Browser) -> None:
    write = await writer.part()
    await browser.load()
    answer = await browser.http.post("/writes/w000/approve", data=browser.form(write))
    assert answer.status_code == 404
    assert "there is no write 'w000'" in answer.text


# -------------------------------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/", "/cards", "/nowhere"])
async def test_every_answer_has_the_headers_that_close_a_page_off(browser: Browser, path: str) -> None:
    closed_off(await browser.http.get(path))
    async with visitor(browser.pages.app) as stranger:
        for outside in (path, "/enter", "/static/inbox.js", "/static/nothing", "/s/x/", "/writes/w000000000000"):
            closed_off(await stranger.get(outside))
        closed_off(await stranger.get(browser.auth.new_link().address))


async def test_a_refusal_has_them_too(writer: Writer, browser: Browser) -> None:
    closed_off(await browser.http.get("/", headers={"Host": "evil.example"}))
    closed_off(await browser.http.post("/", headers={"Origin": "https://evil.example"}))
    write = await writer.part()
    await browser.load()
    closed_off(await browser.http.post(f"/writes/{write.id}/decline", data=browser.form(write)))


def closed_off(answer: httpx.Response) -> None:
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_page_that_fails_has_them_too_and_tells_nothing_of_the_inside(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("of the inside")

    monkeypatch.setattr("fraction_mcp.approvals.writes_pages.read_board", broken)
    transport = httpx.ASGITransport(browser.pages.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=browser.http.base_url, cookies=browser.http.cookies
    ) as http:
        answer = await http.get("/")
    assert answer.status_code == 500
    assert "of the inside" not in answer.text
    closed_off(answer)
