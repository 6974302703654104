"""Proxies of the environment: never between this server and an ERP on this machine, and usable or refused at start."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fraction_mcp import errors, sandbox
from fraction_mcp.config import Settings, stays_here
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import ErpClient, fraction_client, fracttal_client

pytestmark = pytest.mark.anyio

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
SECRET = "c4n4ry"


class Proxy:
    """Notes what it is asked for, and refuses it."""

    def __init__(self) -> None:
        self.url = ""
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            self.received += await reader.read(65_536)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.upper().startswith(("FRACTION", "FRACTTAL")):
            monkeypatch.delenv(name)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def clients() -> AsyncIterator[list[ErpClient]]:
    made: list[ErpClient] = []
    yield made
    for client in made:
        await client.aclose()


def account(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    given = {
        "FRACTION_EMAIL": sandbox.EMAIL,
        "FRACTION_PASSWORD": sandbox.PASSWORD,
        "FRACTTAL_CLIENT_ID": sandbox.CLIENT_ID,
        "FRACTTAL_CLIENT_SECRET": sandbox.CLIENT_SECRET,
        **values,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


# ------------------------------------------------------------------------------------------------ on this machine: none


@pytest.mark.matrix
@pytest.mark.parametrize(("name", "host"), [(name, host) for name in NAMES for host in ("127.0.0.1", "localhost")])
async def test_no_password_goes_through_a_proxy_to_an_erp_on_this_machine(
    *, monkeypatch: pytest.MonkeyPatch, address: str, proxy: Proxy, clients: list[Any], name: str, host: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    base = address.replace("127.0.0.1", host)
    account(
        monkeypatch,
        FRACTION_BASE_URL=base + sandbox.FRACTION_PATH,
        FRACTTAL_BASE_URL=base + sandbox.FRACTTAL_PATH,
        FRACTTAL_TOKEN_URL=base + sandbox.FRACTTAL_TOKEN_PATH,
    )
    settings = Settings.load()
    clients += [fraction_client(settings), fracttal_client(settings)]
    assert (await clients[0].call(e.PARTS)).records()
    assert (await clients[1].call(e.WAREHOUSES)).records()
    assert proxy.received == b""


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
async def test_of_two_addresses_the_one_on_this_machine_is_reached_past_the_proxy(
    monkeypatch: pytest.MonkeyPatch, address: str, proxy: Proxy, clients: list[Any], name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    token = address + sandbox.FRACTTAL_TOKEN_PATH
    account(monkeypatch, FRACTTAL_BASE_URL="https://erp.invalid/api", FRACTTAL_TOKEN_URL=token)
    clients.append(fracttal_client(Settings.load()))
    assert await clients[0].sign_in.token()
    assert proxy.received == b""


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://localhost", True),
        ("http://[::1]:8790/api", True),
        ("https://erp.localhost", True),
        ("https://127.8.9.1", True),
        ("https://erp.example", False),
        ("https://127.0.0.1.evil.example", False),
        ("https://localhost.evil.example", False),
        ("https://10.0.0.1", False),
    ],
)
def test_what_stays_on_this_machine(url: str, here: bool) -> None:
    assert stays_here(url) is here


# ---------------------------------------------------------------------------------------------------- elsewhere: as set


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_an_erp_elsewhere_is_reached_through_the_proxy_and_the_password_is_not_read_there(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, clients: list[Any], name: str
) -> None:
    monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
    account(monkeypatch, FRACTION_BASE_URL="https://erp.invalid/api/v1")
    clients.append(fraction_client(Settings.load()))
    clients[0]._sleep = lambda _: asyncio.sleep(0)
    with pytest.raises(errors.ErpUnreachable, match="nothing was sent"):
        await clients[0].call(e.PARTS)
    assert proxy.received.startswith(b"CONNECT erp.invalid:443 HTTP/1.1\r\n")
    assert sandbox.PASSWORD.encode() not in proxy.received


@pytest.mark.parametrize("hosts", ["erp.invalid", ".invalid", "*", "localhost, erp.invalid"])
async def test_a_host_that_needs_no_proxy_is_reached_without_one(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, clients: list[Any], hosts: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    account(monkeypatch, FRACTION_BASE_URL="https://erp.invalid/api/v1")
    clients.append(fraction_client(Settings.load()))
    clients[0]._sleep = lambda _: asyncio.sleep(0)
    with pytest.raises(errors.ErpUnreachable):
        await clients[0].call(e.PARTS)
    assert proxy.received == b""


# ------------------------------------------------------------------------------------------------------------- unusable


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    [
        f"ftp://u:{SECRET}@proxy.example:1",
        f"socks4://u:{SECRET}@proxy.example",
        f"http://u:{SECRET}@",
        f"http://u:{SECRET}@:3128",
        f"http://u:{SECRET}@proxy.example:port",
        f"http://u:{SECRET}@proxy.example:99999",
        f"http://u:{SECRET}@proxy.example:0",
        f"http://u:{SECRET}@[::1",
        f" http://u:{SECRET}@proxy.example:1",
        f"http://u:{SECRET}@proxy\x01.example",
        f"://{SECRET}",
        f"http:{SECRET}",
    ],
)
def test_a_proxy_that_nothing_can_go_through_is_refused_at_start_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    account(monkeypatch)
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.ConfigError) as caught:
        Settings.load()
    assert caught.value.message.startswith(f"{name}: must be a proxy's address such as http://")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_socks_proxy_without_its_package_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    account(monkeypatch)
    monkeypatch.setenv(name, f"socks5://u:{SECRET}@proxy.example:1080")
    with pytest.raises(errors.ConfigError) as caught:
        Settings.load()
    assert caught.value.message == f'{name}: a SOCKS proxy needs a package more: pip install "httpx[socks]"'


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("hosts", ["[::1]", "localhost,[::1", "érp.example", "erp.example:https", "a\x01b", "a b"])
def test_hosts_without_a_proxy_that_are_none_are_refused_as_well(
    monkeypatch: pytest.MonkeyPatch, name: str, hosts: str
) -> None:
    account(monkeypatch)
    monkeypatch.setenv(name, hosts)
    with pytest.raises(errors.ConfigError) as caught:
        Settings.load()
    assert caught.value.message.startswith(f"{name}: must be hosts between commas")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "values",
    [
        {
            "HTTPS_PROXY": "http://u:p%40ss@proxy.example:3128",
            "NO_PROXY": "localhost, 127.0.0.1,::1,10.0.0.0/8,.example",
        },
        {"https_proxy": "proxy.example:3128", "HTTPS_PROXY": "ftp://not.used"},
        {"ALL_PROXY": "https://proxy.example", "no_proxy": "*"},
        {"HTTP_PROXY": "PROXY.example", "NO_PROXY": "host:8080,*.example.com,"},
        {"HTTP_PROXY": "ftp://a.header.of.a.request", "REQUEST_METHOD": "GET"},
        {"HTTPS_PROXY": "", "NO_PROXY": ""},
    ],
)
async def test_what_is_taken_at_start_serves(
    monkeypatch: pytest.MonkeyPatch, clients: list[Any], values: dict[str, Any]
) -> None:
    account(monkeypatch)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    clients += [fraction_client(settings), fracttal_client(settings)]


def test_who_goes_through_no_proxy_is_not_kept_from_starting_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example")
    Settings.load()  # no account: the sandbox, or a command for the journal
    account(monkeypatch, FRACTION_BASE_URL="http://127.0.0.1:1/api")
    for name in ("FRACTTAL_CLIENT_ID", "FRACTTAL_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    fraction_client(Settings.load())


def test_a_proxy_that_only_the_system_knows_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch)
    settings = Settings.load()
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://u:{SECRET}@proxy.example")
    with pytest.raises(errors.ConfigError) as caught:
        fraction_client(settings)
    assert "HTTPS_PROXY" in caught.value.message
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__
