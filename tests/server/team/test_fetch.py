"""Fetching from an address that somebody else named, attack by attack, against a real TLS server."""

import json
import socket
import ssl
import time
from collections.abc import Callable

import anyio
import pytest

from fraction_mcp.server.team.fetch import DOCUMENT_BYTES, Fetch, FetchError, is_public
from tests.server.team.site import Answer, Site, answer

pytestmark = pytest.mark.anyio


def reaching(site: Site, **given: object) -> Fetch:
    return Fetch(**{"named": {site.authority}, "context": site.trust, **given})  # type: ignore[arg-type]


async def refused(fetch: Fetch, url: str, most: int = DOCUMENT_BYTES) -> FetchError:
    with pytest.raises(FetchError) as caught, anyio.fail_after(25):
        await fetch(url, most=most)
    return caught.value


async def test_a_json_object_is_fetched_with_one_plain_request(site: Site) -> None:
    url = site.says("/client.json?v=1", {"name": "Werk 2"}, cache_control="public, max-age=600")
    found = await reaching(site)(url, most=DOCUMENT_BYTES)
    assert (found.document, found.max_age) == ({"name": "Werk 2"}, 600.0)
    (asked,) = site.asked
    assert asked.startswith(f"GET /client.json?v=1 HTTP/1.1\r\nHost: {site.authority}\r\n")
    assert "authorization" not in asked.lower()
    assert "cookie" not in asked.lower()


@pytest.mark.parametrize(
    ("control", "max_age"),
    [("", None), ("private", None), ("no-store", 0.0), ("max-age=60, no-cache", 0.0), ("max-age=-1", None)],
)
async def test_how_long_a_document_may_be_kept(site: Site, control: str, max_age: float | None) -> None:
    url = site.says("/d", {}, cache_control=control)
    assert (await reaching(site)(url, most=DOCUMENT_BYTES)).max_age == max_age


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.2.7", "198.18.0.1", "198.51.100.1"),
        *("203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
        *("::", "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1"),
        *("2001::1", "2001:db8::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1"),
        *("fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::1%eth0"),
        *("", "localhost", "0x7f.1", "2130706433", "127.1", "8.8.8.8 "),
    ],
)
def test_an_address_that_is_not_of_the_public_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "104.18.32.47", "2606:4700::6812:202f", "2a00:1450:4001:82a::200e"])
def test_an_address_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.1.2.3"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["2606:4700::1", "fd00::1"]]
)
async def test_a_name_with_a_single_inner_address_is_not_connected_to(site: Site, addresses: list[str]) -> None:
    fetch = Fetch(context=site.trust, resolve=lambda _host, _port: addresses)
    told = await refused(fetch, "https://attacker.example/client.json")
    assert str(told) == "its name leads to an address that is not of the public internet"
    assert not told.passing
    assert site.connections == 0


async def test_a_name_is_looked_up_once_so_that_a_second_answer_leads_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    dialled: list[object] = []

    def connect(_socket: socket.socket, address: object) -> None:
        dialled.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    told = await refused(Fetch(resolve=lambda _host, _port: answers.pop(0)), "https://rebinding.example/client.json")
    assert dialled == [("8.8.8.8", 443)]
    assert (len(answers), told.passing) == (1, True)


async def test_tls_is_held_to_the_name_though_the_address_is_connected_to(site: Site) -> None:
    port = site.port
    fetch = Fetch(named={f"elsewhere.example:{port}"}, context=site.trust, resolve=lambda _host, _port: ["127.0.0.1"])
    told = await refused(fetch, f"https://elsewhere.example:{port}/client.json")
    assert "another host's" in str(told)
    assert site.asked == []


async def test_a_certificate_that_nobody_here_trusts(site: Site) -> None:
    told = await refused(reaching(site, context=ssl.create_default_context()), site.says("/d", {}))
    assert "certificate" in str(told)
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/d",
        "https://localhost:{port}",
        "https://user@localhost:{port}/d",
        "https://user:pass@localhost:{port}/d",
        "https://localhost:{port}/d#part",
        "https://localhost:{port}/d#",
        "https://localhost:{port}\\@8.8.8.8/d",
        "https://localhost:{port}/d d",
        "https://localhost:{port}/d\r\nX: 1",
        "https://localhost:{port}/d\n",
        " https://localhost:{port}/d",
        "HTTPS://localhost:{port}/d",
        "https://LOCALHOST:{port}/d",
        "https://[::1]:{port}/d",
        "https://127.0.0.1:{port}/d",
        "https://localhost:99999/d",
        "https://localhost/d",
        "https://claude.ai:8443/d",
        "https://bücher.example/d",
        "https://８.8.8.8/d",
        "https://8.8.8.8/d",
        "https://134744072/d",
        "https://0x08080808/d",
        "https://8.8.2056/d",
        "https://claude.ai./d",
        "https://-claude.ai/d",
        "https://a..b/d",
        f"https://{'a.' * 130}example/d",
        "file:///etc/passwd",
        "",
    ],
)
async def test_an_address_that_is_no_plain_https_url(site: Site, url: str) -> None:
    site.says("/d", {})
    told = await refused(reaching(site, resolve=lambda _host, _port: ["127.0.0.1"]), url.format(port=site.port))
    assert "its address" in str(told)
    assert site.connections == 0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(site: Site, status: str) -> None:
    site.says("/inner", {"secret": True})
    site.answers["/d"] = answer(b"{}", status, headers={"location": site.url("/inner")})
    assert "redirects" in str(await refused(reaching(site), site.url("/d")))
    assert len(site.asked) == 1


async def test_the_environments_proxy_is_not_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        proxy.setblocking(False)
        await reaching(site)(site.says("/d", {}), most=DOCUMENT_BYTES)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def endless(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
    while True:
        one.sendall(b"0," * 10_000)


def endless_headers(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        one.sendall(b"x-more: " + b"a" * 8_000 + b"\r\n")


def endless_preludes(one: socket.socket) -> None:
    while True:
        one.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def endless_chunks(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        one.sendall(b"1;ext=" + b"e" * 1_000 + b"\r\n \r\n")


@pytest.mark.parametrize(
    "given",
    [
        answer(b'"' + b"a" * DOCUMENT_BYTES + b'"'),
        answer(b" " * DOCUMENT_BYTES + b"{}", headers={"content-length": str(2**40)}),
        endless,
        endless_headers,
        endless_preludes,
        endless_chunks,
    ],
    ids=["long", "announced", "endless", "headers", "preludes", "chunks"],
)
async def test_what_is_too_large_is_not_read_to_its_end(site: Site, given: Answer) -> None:
    site.answers["/d"] = given
    assert str(await refused(reaching(site), site.url("/d"))) == "it is too large"


async def test_a_document_of_just_the_allowed_size_is_taken(site: Site) -> None:
    body = json.dumps({"a": "b" * (DOCUMENT_BYTES - 9)}).encode()
    assert len(body) == DOCUMENT_BYTES
    site.answers["/d"] = answer(body)
    assert await reaching(site)(site.url("/d"), most=DOCUMENT_BYTES)


def dripping(first: bytes) -> Callable[[Site], Callable[[socket.socket], None]]:
    def of(site: Site) -> Callable[[socket.socket], None]:
        def drip(one: socket.socket) -> None:
            one.sendall(first)
            while not site.over.wait(0.05):
                one.sendall(b"a")

        return drip

    return of


@pytest.mark.parametrize(
    "made",
    [
        dripping(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nx: "),
        dripping(b""),
        lambda site: lambda _one: site.over.wait(),
    ],
    ids=["body", "header", "status", "silence"],
)
async def test_a_server_that_drips_is_given_up_when_its_time_is_over(
    site: Site, made: Callable[[Site], Callable[[socket.socket], None]]
) -> None:
    site.answers["/d"] = made(site)
    told = await refused(reaching(site, longest_s=0.4), site.url("/d"))
    assert (str(told), told.passing) == ("it did not answer within 0.4 s", True)


async def test_servers_that_drip_hold_no_thread_for_longer(site: Site) -> None:
    site.answers["/d"] = dripping(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")(site)
    fetch = reaching(site, longest_s=0.5)

    async def one() -> None:
        assert (await refused(fetch, site.url("/d"))).passing

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(one)
    fetch._longest_s = 25
    assert await fetch(site.says("/good", {}), most=DOCUMENT_BYTES)


async def test_a_handshake_that_is_never_finished_is_given_up(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        fetch = Fetch(named={f"localhost:{port}"}, context=site.trust, longest_s=0.3)
        assert (await refused(fetch, f"https://localhost:{port}/d")).passing


async def test_a_name_whose_look_up_hangs_is_given_up_and_never_takes_more_than_a_few_threads(site: Site) -> None:
    def hang(_host: str, _port: int) -> list[str]:
        site.over.wait()
        return []

    fetch = reaching(site, resolve=hang, longest_s=0.1)
    told: list[str] = []

    async def one() -> None:
        told.append(str(await refused(fetch, site.url("/d"))))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(one)
    assert sorted(set(told)) == ["it did not answer within 0.1 s", "too much is being fetched at once"]
    assert told.count("it did not answer within 0.1 s") == 8


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer(b"{}", headers={"content-type": "text/html"}), "it is not sent as JSON"),
        (answer(b"{}", headers={"content-type": "application/jsonp"}), "it is not sent as JSON"),
        (answer(b"[]"), "it is no JSON object"),
        (answer(b"<html>"), "it is no JSON"),
        (answer(b"\xff{}"), "it is no JSON"),
        (answer(b'{"a": NaN}'), "it is no JSON"),
        (answer(b'{"client_id": 1, "client_id": 2}'), "it is no JSON"),
        (answer(b"[" * 5_000), "it is no JSON"),
        (answer(b'{"a": 1', headers={"content-length": "20"}), "it is no JSON"),
        (answer(b"{}", "404 Not Found"), "it answered HTTP 404"),
        (answer(b"{}", "204 No Content"), "it answered HTTP 204"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "it answered something else than HTTP (BadStatusLine)"),
    ],
)
async def test_what_is_no_json_object_is_refused(site: Site, given: bytes, why: str) -> None:
    site.answers["/d"] = given
    told = await refused(reaching(site), site.url("/d"))
    assert (str(told), told.passing) == (why, False)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/jwk-set+json", "Application/JSON"])
async def test_json_by_its_other_names_is_taken(site: Site, kind: str) -> None:
    site.answers["/d"] = answer(b"{}", headers={"content-type": kind})
    assert (await reaching(site)(site.url("/d"), most=DOCUMENT_BYTES)).document == {}


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow Down", "408 Late", "403 Robot"])
async def test_what_may_pass_is_told_from_what_will_not(site: Site, status: str) -> None:
    site.answers["/d"] = answer(b"{}", status)
    assert (await refused(reaching(site), site.url("/d"))).passing


async def test_the_next_address_of_a_name_is_tried_where_the_first_does_not_answer(site: Site) -> None:
    fetch = reaching(site, resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
    url = site.says("/d", {})
    began = time.monotonic()
    assert await fetch(url, most=DOCUMENT_BYTES)
    assert time.monotonic() - began < 25
