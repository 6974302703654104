"""A team's whole server in this process, over ASGI, and people of the embedded company at it: a browser that runs no
script, and tools called by a token of theirs."""

import base64
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import httpx
from starlette.types import Message

from fraction_mcp.cli.serve import _open_sandbox, settings_for_writes
from fraction_mcp.config import Settings
from fraction_mcp.sandbox import EMAIL, PASSWORD
from fraction_mcp.server.team.fetch import Fetcher
from fraction_mcp.server.team.front import Front
from fraction_mcp.server.team.http import TeamServer
from fraction_mcp.server.team.joined import Joined, joined
from fraction_mcp.server.team.options import Asked, TeamOptions, team_options
from tests.server.team.person import CALLBACK, hidden

HOME = "http://127.0.0.1:8765"
ANNA, BEN = EMAIL, "sam@harrow-pike.example"
KEY = "a key of the tests, and of nobody else"
VERIFIER = "a-verifier-of-the-tests-that-is-long-enough-to-be-one"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass
class Whole:
    app: Front
    parts: Joined
    settings: Settings
    options: TeamOptions

    def browser(self, address: str = "192.0.2.7", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=HOME, headers=headers)

    def person(self, email: str = ANNA, address: str = "192.0.2.7") -> "Colleague":
        return Colleague(self, email, self.browser(address))

    def ends_in_the_erp(self, email: str) -> None:
        """The embedded ERP takes none of this person's tokens any more."""
        with closing(sqlite3.connect(self.settings.state_root() / "sandbox.sqlite3")) as company, company:
            assert company.execute("DELETE FROM tokens WHERE owner = ?", (email,)).rowcount


@asynccontextmanager
async def whole(
    *, fetch: Fetcher | None = None, asked: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Whole]:
    """`asked` are flags of `serve`, `changes` settings; the state folder is the environment's."""
    settings = settings_for_writes(sandbox=True).model_copy(update=changes)
    settings = settings.model_copy(update={"secret_key": type(settings.secret_key)(KEY)})
    flags = {"auth": "sign-in", "public_url": HOME, "allow_registration": True, **(asked or {})}
    options = team_options(settings, Asked(**flags), host="127.0.0.1")
    server = TeamServer(settings, options)
    async with joined(settings, options, server, sandbox=_open_sandbox(settings), fetch=fetch) as parts:
        app = server.app(parts.mcp_app, parts.routes, ())
        async with parts.mcp_app.router.lifespan_context(parts.mcp_app):
            yield Whole(app, parts, settings, options)
    await server.aclose()


@dataclass
class Colleague:
    """One person: their browser, and a client of theirs."""

    team: Whole
    email: str
    http: httpx.AsyncClient
    client_id: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)

    async def sends(self, path: str, page: str, **typed: str) -> httpx.Response:
        """A form of a page, as browsers send it."""
        own = {"origin": "null", "sec-fetch-site": "same-origin"}
        return await self.http.post(path, data=hidden(page) | typed, headers=own)

    async def signs_in(self, password: str = PASSWORD, email: str = "", to: str = "/account") -> httpx.Response:
        page = await self.http.get("/sign-in", params={"next": to})
        return await self.sends("/sign-in", page.text, email=email or self.email, password=password)

    async def registers(self, redirect: str = CALLBACK, name: str = "A client") -> str:
        told = {"redirect_uris": [redirect], "token_endpoint_auth_method": "none", "client_name": name}
        self.client_id = (await self.http.post("/register", json=told)).json()["client_id"]
        return self.client_id

    def question(self, **changes: str | None) -> dict[str, str]:
        """What a well-behaved client asks at /authorize, changed; None leaves a parameter out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "a state",
            "scope": "erp:read erp:write",
            "resource": f"{HOME}/mcp",
        }
        return {name: text for name, text in (asked | changes).items() if text is not None}

    async def authorize(self, **changes: str | None) -> httpx.Response:
        return await self.http.get("/authorize", params=self.question(**changes))

    async def allows(self, decision: str = "allow", **changes: str | None) -> dict[str, str]:
        """What the client is told at its own address, when its person has answered."""
        if not self.client_id:
            await self.registers()
        if (await self.http.get("/account")).status_code != 200:
            assert (await self.signs_in()).status_code == 303
        asked = await self.authorize(**changes)
        page = await self.http.get(asked.headers["location"])
        answer = await self.sends("/consent", page.text, decision=decision)
        assert answer.status_code == 303, answer.text
        return {name: texts[0] for name, texts in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def token(self, **changes: str | None) -> httpx.Response:
        asked: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            "resource": f"{HOME}/mcp",
        } | changes
        return await self.http.post("/token", data={name: text for name, text in asked.items() if text is not None})

    async def refresh(self, token: str = "") -> httpx.Response:
        asked = {"grant_type": "refresh_token", "refresh_token": token or self.tokens["refresh_token"]}
        return await self.http.post("/token", data=asked | {"client_id": self.client_id})

    async def connects(self, scope: str = "erp:read erp:write") -> "Colleague":
        """The whole way to a token."""
        told = await self.allows(scope=scope)
        self.tokens = (await self.token(code=told["code"])).json()
        return self

    async def watches(self, told: Callable[[str], object]) -> None:
        """What an open inbox is told, until its stream ends."""
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.http.cookies.jar)
        headers = [(b"host", urlsplit(HOME).netloc.encode()), (b"cookie", cookies.encode())]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
                 "path": "/approvals/events", "raw_path": b"/approvals/events", "query_string": b"", "root_path": "",
                 "headers": headers, "client": ("192.0.2.7", 50_000), "server": ("127.0.0.1", 8765)}  # fmt: skip

        async def receive() -> Message:
            await anyio.sleep_forever()
            raise AssertionError("never woken")

        async def send(message: Message) -> None:
            text = message.get("body", b"").decode()
            if text.startswith("data:"):
                told(text)

        await self.team.app(scope, receive, send)

    # -------------------------------------------------------------------------------------------------------- the tools

    async def asks(self, method: str, params: dict[str, Any], *, token: str = "", **headers: str) -> httpx.Response:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        }
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": meta, **params}}
        name = params.get("name") or params.get("uri")
        named = {"Mcp-Name": name} if name else {}
        return await self.posts(json.dumps(body).encode(), token=token, **{"Mcp-Method": method, **named, **headers})

    async def posts(self, body: bytes, *, token: str = "", **headers: str) -> httpx.Response:
        sent = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
            "Authorization": f"Bearer {token or self.tokens['access_token']}",
            **headers,
        }
        return await self.http.post("/mcp", content=body, headers=sent)

    async def calls(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The result, or the error, of a tool's call."""
        params = {"name": tool, "arguments": arguments or {}, **more}
        return told(await self.asks("tools/call", params))

    async def proposes(self, reference: str = "WHOLE-1", customer: str = "Harrow") -> dict[str, Any]:
        return await self.calls("create_enquiry", {"customer": customer, "customer_ref": reference})


def told(answer: httpx.Response) -> dict[str, Any]:
    """What stands in the answer, as one object or as a stream of one."""
    lines = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
    message = json.loads(lines[-1] if lines else answer.text)
    return message.get("result") or message["error"]


def location(answer: httpx.Response) -> str:
    return urljoin(HOME, answer.headers["location"])
