"""What every request to a team's server meets first: its name, the page it came from, its size, its id. Over ASGI."""

import json
import logging
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any, Protocol

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fraction_mcp.logs import _Json, _Text, http_request_id
from fraction_mcp.server.team.front import Front
from fraction_mcp.server.team.proxies import Proxies

pytestmark = pytest.mark.anyio

HOME = "https://tools.example.com"


async def told(request: Request) -> Response:
    body = await request.body()
    client = request.client.host if request.client else ""
    return JSONResponse(
        {"client": client, "scheme": request.url.scheme, "length": len(body), "id": http_request_id.get()}
    )


PATHS = ("/mcp", "/approvals", "/healthz", "/readyz")
WHOLE = Starlette(routes=[Route(path, told, methods=["GET", "POST"]) for path in PATHS])
PROXIES = Proxies([ip_network("10.0.0.0/8")])


class Ask(Protocol):
    async def __call__(self, path: str = "/mcp", *, peer: str = "203.0.113.5", **options: Any) -> httpx.Response: ...


@pytest.fixture
def ask() -> Ask:
    front = Front(WHOLE, proxies=PROXIES, hosts=["tools.example.com", "127.0.0.1:8765"], origins=[HOME])

    async def asked(path: str = "/mcp", *, peer: str = "203.0.113.5", **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(front, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as http:
            return await http.request(options.pop("method", "POST"), path, **options)

    return asked


@pytest.mark.parametrize("host", ["tools.example.com", "TOOLS.example.com", "127.0.0.1:8765"])
async def test_a_name_of_its_own_is_answered(ask: Ask, host: str) -> None:
    assert (await ask(headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "tools.example.com:8443", "tools.example.com.evil.example", "evil.tools.example.com",
     "127.0.0.1", "localhost:8765", "", "tools.example.com."],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/mcp", "/approvals"])
async def test_another_name_is_no_name_of_this_server(ask: Ask, host: str, path: str) -> None:
    assert (await ask(path, headers={"Host": host})).status_code == 421


async def test_of_two_hosts_none_counts(ask: Ask) -> None:
    two = [("Host", "tools.example.com"), ("Host", "evil.example")]
    assert (await ask(headers=two)).status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_told_under_any_name(ask: Ask, path: str) -> None:
    assert (await ask(path, method="GET", headers={"Host": "10.1.2.3:8765"})).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://tools.example.com", "https://tools.example.com:444",
     "https://tools.example.com.evil.example", "https://claude.ai"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/mcp", "/approvals"])
async def test_another_page_is_refused(ask: Ask, origin: str, path: str) -> None:
    assert (await ask(path, headers={"Origin": origin})).status_code == 403


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("none", 403)]
)
async def test_a_form_of_a_page_without_a_referrer_is_ours_where_the_browser_says_so(
    ask: Ask, site: str, status: int
) -> None:
    assert (await ask("/approvals", headers={"Origin": "null", "Sec-Fetch-Site": site})).status_code == status
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}  # no browser says both
    assert (await ask("/approvals", headers=foreign)).status_code == 403


async def test_its_own_page_is_answered_and_a_client_that_is_no_page_too(ask: Ask) -> None:
    assert (await ask("/approvals", headers={"Origin": HOME})).status_code == 200
    assert (await ask("/mcp")).status_code == 200


# --------------------------------------------------------------------------------------------------------------- sizes


async def in_chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 65_536


async def test_a_request_beyond_a_megabyte_is_refused_whether_it_says_its_length_or_not(
    ask: Ask,
) -> None:
    assert (await ask(content=b"x" * 1_048_576)).json()["length"] == 1_048_576
    assert (await ask(content=b"x" * 1_048_577)).status_code == 413
    assert (await ask(content=in_chunks(17))).status_code == 413
    assert (await ask(content=in_chunks(16))).status_code == 200
    assert (await ask(headers={"Content-Length": "9" * 4_400})).status_code == 413


async def test_a_head_beyond_its_bound_is_refused(ask: Ask) -> None:
    assert (await ask(headers={"X": "y" * 12_000})).status_code == 200
    assert (await ask(headers={"X": "y" * 17_000})).status_code == 431
    assert (await ask("/mcp?" + "y" * 17_000)).status_code in {200, 431}


# ------------------------------------------------------------------------------------------------- where it comes from


async def test_a_trusted_proxys_word_on_the_client_counts_and_a_strangers_does_not(ask: Ask) -> None:
    said = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    behind = (await ask(peer="10.0.0.1", headers=said)).json()
    assert (behind["client"], behind["scheme"]) == ("198.51.100.7", "https")
    alone = (await ask(peer="203.0.113.5", headers=said)).json()
    assert alone["client"] == "203.0.113.5"


# ---------------------------------------------------------------------------------------------------------- request ids


async def test_every_answer_has_an_id_of_its_own_refusals_as_well(ask: Ask) -> None:
    answers = [await ask(), await ask(), await ask(headers={"Host": "evil.example"}), await ask("/nowhere")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 4
    assert answers[0].json()["id"] == ids[0]


@pytest.mark.parametrize(
    ("peer", "given", "kept"),
    [
        ("10.0.0.1", "01J9ZK7M-proxy", True),
        ("203.0.113.5", "01J9ZK7M-proxy", False),  # whoever is not a listed proxy
        ("10.0.0.1", "short", False),
        ("10.0.0.1", "x" * 129, False),
        ("10.0.0.1", 'quote"and space', False),
    ],
)
async def test_a_sane_id_of_a_trusted_proxy_is_kept(ask: Ask, peer: str, given: str, kept: bool) -> None:
    answer = await ask(peer=peer, headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept


def test_every_line_of_a_request_has_its_id_as_text_and_as_json() -> None:
    record = logging.LogRecord("fraction_mcp.x", logging.WARNING, "", 0, "slow", (), None)
    assert _Text().format(record).endswith(" WARNING fraction_mcp.x: slow")
    assert "http_request_id" not in json.loads(_Json().format(record))
    token = http_request_id.set("abc12345")
    try:
        assert _Text().format(record).endswith(" WARNING [abc12345] fraction_mcp.x: slow")
        assert json.loads(_Json().format(record))["http_request_id"] == "abc12345"
    finally:
        http_request_id.reset(token)
