"""Assistants as they are known to behave, each from nothing to a price and a write that waits, over ASGI.

What they publish, read, send and compare is what their makers document and what servers of others have logged of them
(seen in 2026): which addresses they look at, whether they come with a document or register, what they ask for and how
they spell it. Their own documents are handed in by a stand-in for the network.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import httpx2
import pytest
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.types import ASGIApp

from fraction_mcp.cli.serve import _open_sandbox, settings_for_writes
from fraction_mcp.server.team.fetch import Fetched, FetchError
from fraction_mcp.server.team.http import TeamServer
from fraction_mcp.server.team.joined import joined
from fraction_mcp.server.team.options import TeamOptions
from tests.server.team import documents
from tests.server.team.person import CALLBACK, Browser, Memory, assistant

pytestmark = pytest.mark.anyio

PUBLIC = "https://tools.example.com"
SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"

DOCUMENTS = {
    each["client_id"]: each for each in (documents.CLAUDE, documents.CLAUDE_CODE, documents.CHATGPT, documents.VS_CODE)
}


async def published(url: str, *, most: int) -> Fetched:
    """The network, in which these clients publish what they do."""
    if url not in DOCUMENTS:
        raise FetchError("404")
    return Fetched(DOCUMENTS[url], max_age=300)


@dataclass(frozen=True)
class Known:
    """One client's ways. `document` or `registers`: how it makes itself known. `looks`: what it tries to read between
    the refusal and the metadata, and what it is fine with being answered. `asks`: the scopes of its authorization
    request, beyond those that the metadata told it."""

    name: str
    redirect: str
    version: str
    document: str = ""
    registers: Mapping[str, Any] = field(default_factory=dict)
    looks: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    scope: str | None = None
    resource: str | None = f"{PUBLIC}/mcp"
    resource_at_token: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


CLAUDE = Known(
    "claude.ai",
    redirect="https://claude.ai/api/mcp/auth_callback",
    version="2025-11-25",
    document="https://claude.ai/oauth/mcp-oauth-client-metadata",
    headers={"user-agent": "python-httpx/0.28.1"},
)
CLAUDE_CODE = Known(
    "Claude Code",
    redirect="http://localhost:54545/callback",
    version="2025-11-25",
    document="https://claude.ai/oauth/claude-code-client-metadata",
    asks=("offline_access",),
    headers={"user-agent": "claude-code/2.1.259"},
)
CHATGPT = Known(
    "ChatGPT",
    redirect="https://chatgpt.com/connector_platform_oauth_redirect",
    version="2025-06-18",
    document="https://chatgpt.com/oauth/client.json",
    looks=("/.well-known/openid-configuration", RESOURCE),
    headers={"user-agent": "Python/3.12 aiohttp/3.13.5"},
)
VSCODE = Known(
    "VS Code",
    redirect="http://127.0.0.1:59656/",  # 33418 was taken
    version="2025-11-25",
    document="https://vscode.dev/oauth/client-metadata.json",
    headers={"user-agent": "Visual Studio Code/1.124.0"},
)
VSCODE_THAT_REGISTERS = Known(
    "VS Code, registering itself",
    redirect="http://127.0.0.1:33418/",
    version="2025-11-25",
    registers={
        "client_name": "Visual Studio Code",
        "client_uri": "https://code.visualstudio.com",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types": ["code"],
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        "scope": "erp:read erp:write",
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    },
)
CURSOR = Known(
    "Cursor",
    redirect="http://localhost:8787/callback",
    version="2025-06-18",
    registers={
        "client_name": "Cursor",
        "client_uri": "https://cursor.com",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "scope": "erp:read erp:write",
        "token_endpoint_auth_method": "none",
    },
    looks=(SERVER + "/mcp", "/.well-known/openid-configuration/mcp", "/mcp/.well-known/openid-configuration"),
)
CHATGPT_THAT_REGISTERS = Known(
    "ChatGPT, registering itself",
    redirect="https://chatgpt.com/connector/oauth/abc123",
    version="2025-06-18",
    registers={
        "client_name": "ChatGPT",
        "redirect_uris": ["https://chatgpt.com/connector/oauth/abc123"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "erp:read erp:write offline_access",
    },
    asks=("offline_access",),
)
OF_THE_FIRST_DAYS = Known(
    "a client of 2025-03-26",  # it knows no resource, and looks for the authorization server at the server's origin
    redirect="http://127.0.0.1:3334/oauth/callback",
    version="2025-03-26",
    registers={"client_name": "mcp-remote", "redirect_uris": ["http://127.0.0.1:3334/oauth/callback"]},
    scope="",
    resource=None,
    resource_at_token=False,
)
CODEX = Known(
    "Codex",
    redirect="http://127.0.0.1:54397/callback/zHu_pcZxCCTJ",
    version="2025-06-18",
    registers={
        "client_name": "Codex",
        "redirect_uris": ["http://127.0.0.1:54397/callback/zHu_pcZxCCTJ"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "response_types": ["code"],
    },
    resource=f"{PUBLIC}/mcp/",  # as its person may have typed it
    resource_at_token=False,
)
SDK = Known(
    "the SDK's client",
    redirect=CALLBACK,
    version="2025-11-25",
    registers={"client_name": "SDK", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"},
)
FIRST = [CLAUDE, CHATGPT, VSCODE, CURSOR]
OTHERS = [CLAUDE_CODE, CHATGPT_THAT_REGISTERS, VSCODE_THAT_REGISTERS, CODEX, OF_THE_FIRST_DAYS]
ALL = [*FIRST, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)]


class Assistant:
    """One client and its person's browser at a server of a team."""

    def __init__(self, known: Known, app: ASGIApp, http: httpx.AsyncClient, browser: Browser) -> None:
        self.known = known
        self.app = app
        self.http = http
        self.browser = browser
        self.client_id = ""
        self.metadata: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}

    async def finds_out(self) -> None:
        """From the refusal to the metadata of the authorization server."""
        refused = await self.posts("initialize", protocolVersion=self.known.version, capabilities={},
                                   clientInfo={"name": self.known.name, "version": "1"})  # fmt: skip
        assert refused.status_code == 401
        challenge = refused.headers["www-authenticate"]
        told = f"{PUBLIC}{RESOURCE}/mcp"
        assert challenge.startswith("Bearer ")
        assert f'resource_metadata="{told}"' in challenge
        for path in self.known.looks:
            looked = await self.http.get(path)
            assert looked.status_code in {200, 404}, f"{path}: {looked.status_code}"
        resource = await self.read(told)
        assert resource["resource"] == f"{PUBLIC}/mcp"  # claude.ai and Claude Code compare it as a string
        (issuer,) = resource["authorization_servers"]
        self.metadata = await self.read(issuer + SERVER)
        assert self.metadata["issuer"] == issuer  # so does ChatGPT this
        assert resource["scopes_supported"] == self.metadata["scopes_supported"]

    async def read(self, url: str) -> dict[str, Any]:
        answer = await self.http.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        told: dict[str, Any] = answer.json()
        return told

    async def makes_itself_known(self) -> None:
        assert self.metadata["token_endpoint_auth_methods_supported"] == ["none"]
        if self.known.document:
            assert self.metadata["client_id_metadata_document_supported"] is True
            self.client_id = self.known.document
            return
        answer = await self.http.post(self.metadata["registration_endpoint"], json=dict(self.known.registers))
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert self.known.redirect in told["redirect_uris"]
        assert told["token_endpoint_auth_method"] == "none"
        self.client_id = told["client_id"]

    async def signs_in(self, scope: str | None = None) -> None:
        """Its person's browser goes to the authorization server and comes back with a code, which it trades in."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
        digest = hashlib.sha256(verifier.encode()).digest()
        scopes = [*self.metadata["scopes_supported"], *self.known.asks]
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.known.redirect,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "state": state,
            "scope": " ".join(scopes) if self.known.scope is None else self.known.scope,
        } | ({"resource": self.known.resource} if self.known.resource else {})
        asked |= {} if scope is None else {"scope": scope}
        back = await self.browser.led(f"{self.metadata['authorization_endpoint']}?{urlencode(asked)}")
        address, _, query = back.partition("?")
        answer = parse_qs(query)
        assert address == self.known.redirect
        assert answer["state"] == [state]
        assert answer["iss"] == [self.metadata["issuer"]]
        await self.trades(grant_type="authorization_code", code=answer["code"][0], code_verifier=verifier,
                          redirect_uri=self.known.redirect)  # fmt: skip

    async def trades(self, **grant: str) -> None:
        sent = {**grant, "client_id": self.client_id}
        if self.known.resource and self.known.resource_at_token:
            sent["resource"] = self.known.resource
        answer = await self.http.post(self.metadata["token_endpoint"], data=sent)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        self.tokens = answer.json()
        assert self.tokens["token_type"].lower() == "bearer"

    async def posts(self, method: str, **params: Any) -> httpx.Response:
        headers = {"accept": "application/json, text/event-stream", **self.known.headers}
        if self.tokens:
            headers |= {"authorization": f"Bearer {self.tokens['access_token']}",
                        "mcp-protocol-version": self.known.version}  # fmt: skip
        body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if not method.startswith("notifications/"):
            body["id"] = secrets.randbits(30)
        return await self.http.post("/mcp", json=body, headers=headers)

    async def asks(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.posts(method, **params)
        assert answer.status_code == 200, answer.text
        texts = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
        told = json.loads(texts[-1] if texts else answer.text)
        assert "result" in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def opens(self) -> None:
        hello = await self.asks("initialize", protocolVersion=self.known.version, capabilities={},
                                clientInfo={"name": self.known.name, "version": "1"})  # fmt: skip
        assert hello["protocolVersion"] == self.known.version
        assert (await self.posts("notifications/initialized")).status_code == 202

    async def calls(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self.asks("tools/call", name=tool, arguments=arguments)


@asynccontextmanager
async def at_a_team(
    known: Known, folder: Path, monkeypatch: pytest.MonkeyPatch, fetch: Any = published
) -> AsyncIterator[Assistant]:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(folder))
    monkeypatch.setenv("FRACTION_MCP_SECRET_KEY", "k" * 64)
    settings = settings_for_writes(sandbox=True)
    options = TeamOptions(
        auth="sign-in",
        public_url=PUBLIC,
        allowed_hosts=(urlsplit(PUBLIC).netloc,),
        allow_registration=bool(known.registers),
    )
    server = TeamServer(settings, options)
    browser = Browser(PUBLIC)
    await browser.http.aclose()
    async with joined(settings, options, server, sandbox=_open_sandbox(settings), fetch=fetch) as parts:
        app = server.app(parts.mcp_app, parts.routes, ())
        transport = httpx.ASGITransport(app, client=("203.0.113.5", 4711))
        async with (
            parts.mcp_app.router.lifespan_context(parts.mcp_app),
            httpx.AsyncClient(transport=transport, base_url=PUBLIC) as http,
            httpx.AsyncClient(transport=transport, headers={"sec-fetch-site": "same-origin"}) as pages,
        ):
            browser.http = pages
            yield Assistant(known, app, http, browser)
    await server.aclose()


def text_of(result: dict[str, Any]) -> str:
    return json.dumps(result.get("structuredContent") or result["content"])


@pytest.mark.matrix
@pytest.mark.parametrize("known", ALL, ids=str)
async def test_a_known_client_gets_from_nothing_to_a_price_and_a_write_that_waits(
    known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_a_team(known, tmp_path, monkeypatch) as assistant:
        await assistant.finds_out()
        await assistant.makes_itself_known()
        await assistant.signs_in()
        assert assistant.tokens["scope"] == "erp:read erp:write"
        await assistant.opens()
        assert len((await assistant.asks("tools/list"))["tools"]) > 15
        price = await assistant.calls("get_price_for_quantity", part="WIDGET-001", quantity=250, customer="Acme Corp")
        assert "2500.00" in text_of(price)
        waits = text_of(await assistant.calls("create_enquiry", customer="Acme Corp", customer_ref=known.name))
        assert "awaiting_approval" in waits
        assert f"{PUBLIC}/approvals" in waits
        before = assistant.tokens
        await assistant.trades(grant_type="refresh_token", refresh_token=before["refresh_token"])
        assert assistant.tokens["refresh_token"] != before["refresh_token"]
        await assistant.calls("get_price_for_quantity", part="WIDGET-001", quantity=250)


async def test_a_client_that_asked_for_reading_steps_up_where_it_is_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_a_team(VSCODE, tmp_path, monkeypatch) as assistant:
        await assistant.finds_out()
        await assistant.makes_itself_known()
        await assistant.signs_in(scope="erp:read")
        assert assistant.tokens["scope"] == "erp:read"
        await assistant.opens()
        await assistant.calls("get_price_for_quantity", part="WIDGET-001", quantity=250)
        order = {"customer": "Acme Corp", "customer_ref": "stepped up"}
        refused = await assistant.posts("tools/call", name="create_enquiry", arguments=order)
        challenge = refused.headers["www-authenticate"]
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        assert (refused.status_code, told["error"]) == (403, "insufficient_scope")
        assert told["resource_metadata"] == f"{PUBLIC}{RESOURCE}/mcp"
        await assistant.calls("get_price_for_quantity", part="WIDGET-001", quantity=250)  # reading goes on meanwhile
        await assistant.signs_in(scope=told["scope"])
        assert assistant.tokens["scope"] == "erp:read erp:write"
        assert "awaiting_approval" in text_of(await assistant.calls("create_enquiry", **order))


async def test_the_sdks_own_client_steps_up_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_a_team(SDK, tmp_path, monkeypatch) as scripted:
        await scripted.finds_out()
        await scripted.makes_itself_known()
        await scripted.signs_in(scope="erp:read")
        memory = Memory()
        memory.tokens = OAuthToken.model_validate(scripted.tokens)
        memory.info = OAuthClientInformationFull.model_validate(
            {**SDK.registers, "client_id": scripted.client_id, "issuer": PUBLIC}
        )
        transport = httpx2.ASGITransport(scripted.app)
        async with assistant(scripted.browser, memory, transport) as client:
            price = await client.call_tool("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250})
            assert "2500.00" in str(price.structured_content)
            assert memory.tokens.scope == "erp:read"
            waits = await client.call_tool("create_enquiry", {"customer": "Acme Corp", "customer_ref": "by itself"})
            assert "awaiting_approval" in str(waits.structured_content)
            assert memory.tokens.scope == "erp:read erp:write"


async def test_claude_gets_in_where_its_host_turns_our_server_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def challenged(url: str, *, most: int) -> Fetched:  # claude.ai shows some machines a page with a riddle
        raise FetchError("it answered HTTP 403", passing=True)

    async with at_a_team(CLAUDE, tmp_path, monkeypatch, challenged) as assistant:
        await assistant.finds_out()
        await assistant.makes_itself_known()
        await assistant.signs_in()
        await assistant.opens()


async def test_a_client_in_a_browser_reads_what_everybody_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_a_team(CURSOR, tmp_path, monkeypatch) as assistant:
        page = {"origin": "https://vscode.dev"}
        preflight = {
            **page,
            "access-control-request-method": "GET",
            "access-control-request-headers": "mcp-protocol-version",
        }
        for path in (SERVER, RESOURCE, f"{RESOURCE}/mcp"):
            assert (await assistant.http.options(path, headers=preflight)).status_code == 200
            read = await assistant.http.get(path, headers={**page, "mcp-protocol-version": "2025-11-25"})
            assert (read.status_code, read.headers["access-control-allow-origin"]) == (200, "*")


async def test_a_client_in_a_browser_registers_and_trades_its_code_there_and_the_rest_stays_closed_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_a_team(CURSOR, tmp_path, monkeypatch) as assistant:
        page = {"origin": "https://vscode.dev"}
        made = await assistant.http.post("/register", json=dict(CURSOR.registers), headers=page)
        assert (made.status_code, made.headers["access-control-allow-origin"]) == (201, "*")
        sent = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": made.json()["client_id"]}
        traded = await assistant.http.post("/token", data=sent, headers=page)
        assert (traded.status_code, traded.json()["error"]) == (400, "invalid_grant")
        for path in ("/mcp", "/approvals/", "/sign-in", "/consent", "/authorize"):
            assert (await assistant.http.post(path, headers=page)).status_code == 403


async def test_what_clients_try_besides_is_answered_so_that_they_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_a_team(CLAUDE, tmp_path, monkeypatch) as assistant:
        http = assistant.http
        for path in ("/.well-known/openid-configuration", SERVER + "/mcp", "/favicon.ico", "/register", "/sse"):
            assert (await http.get(path)).status_code == 404, path
        for method in ("GET", "POST", "DELETE"):  # not before it is known who asks
            assert (await http.request(method, "/mcp")).status_code == 401, method
        assert (await http.head("/mcp")).status_code == 401
        await assistant.finds_out()
        await assistant.makes_itself_known()
        await assistant.signs_in()
        token = {"authorization": f"Bearer {assistant.tokens['access_token']}", "accept": "text/event-stream"}
        for method in ("GET", "DELETE"):  # there is no session: a stream of its own, or an end, means nothing
            assert (await http.request(method, "/mcp", headers=token)).status_code == 405, method
        slashed = await http.post("/mcp/", json={}, headers=token)
        assert (slashed.status_code, slashed.headers["location"]) == (307, f"{PUBLIC}/mcp")
