"""The pages of a team over ASGI, on a real store in a SQLite file, under a clock that moves when it is told to; and
browsers at them that run no script."""

import html
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from mcp.server.auth.provider import AuthorizationParams
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl, SecretStr
from starlette.applications import Starlette

from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.errors import ErpError, NotAuthenticated
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.team.consent_request import ConsentRequests
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.pages import TeamPages
from fraction_mcp.server.team.provider import Provider
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.store import TeamStore

HERE = "https://tools.example.com"
ANNA, HERS = "anna@harrow-pike.example", "correct horse battery"
BEN, HIS = "ben@harrow-pike.example", "staple"
CLIENT = "https://claude.ai/oauth/client.json"
BACK = "https://claude.ai/api/mcp/auth_callback"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Erp:
    """Who may sign in, with what, and what was asked. `fails` is raised instead of an answer."""

    passwords: dict[str, str] = field(default_factory=lambda: {ANNA: HERS, BEN: HIS})
    asked: list[str] = field(default_factory=list)
    fails: ErpError | None = None

    async def __call__(self, email: str, password: SecretStr) -> ErpSession:
        self.asked.append(email)
        if self.fails is not None:
            raise self.fails
        if self.passwords.get(email.lower()) != password.get_secret_value():
            raise NotAuthenticated("Invalid credentials", system="FractionERP", operation="sign-in", status=401)
        user = {"name": email.partition("@")[0].title()}
        return ErpSession(email.lower(), SecretStr(f"erp-token-of-{email}"), user=user)


@dataclass
class Team:
    """One server's pages. `url` is where people reach it."""

    store: TeamStore
    erp: Erp
    keys: KeyRing
    clock: Clock
    requests: ConsentRequests
    app: Starlette
    outcomes: list[str]
    url: str = HERE

    def asks(
        self, *, name: str = "Claude", redirect: str = BACK, scopes: str = "erp:read erp:write", **more: Any
    ) -> str:
        """Where a client's /authorize leads a browser."""
        client = OAuthClientInformationFull(
            client_id=more.pop("client_id", CLIENT), client_name=name, redirect_uris=[AnyUrl(redirect)]
        )
        facts: dict[str, Any] = {
            "state": "the client's state",
            "scopes": scopes.split(),
            "resource": f"{HERE}/mcp",
            "code_challenge": "c" * 43,
            "redirect_uri": AnyUrl(redirect),
            "redirect_uri_provided_explicitly": True,
        }
        return self.requests.address(client, AuthorizationParams(**(facts | more)))


def team_at(url: str, store: TeamStore, clock: Clock, shown: Shown | None = None) -> Team:
    async def no_client(_: str) -> None:
        return None

    keys, erp, outcomes = store._ring, Erp(), list[str]()
    requests = ConsentRequests(keys, url, clock)
    provider = Provider(store, issuer=url, resource=f"{url}/mcp", clients=no_client, consent_address=requests.address)
    pages = TeamPages(store, keys, erp, requests, provider, public_url=url, shown=shown, counted=outcomes.append)
    return Team(store, erp, keys, clock, requests, Starlette(routes=pages.routes), outcomes, url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[TeamStore]:
    journal = await Journal.open("", tmp_path / "state", clock=clock)
    yield TeamStore(journal.database, KeyRing([b"a key of at least thirty-two bytes"]), clock)
    await journal.aclose()


@pytest.fixture
def team(store: TeamStore, clock: Clock) -> Team:
    return team_at(HERE, store, clock)


class Browser:
    """One browser, at one address of the network, without JavaScript. It sends what browsers send with a form."""

    def __init__(self, team: Team, address: str = "192.0.2.7") -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(team.app, client=(address, 50_000)), base_url=team.url
        )
        self.page = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.http.get(path, headers=headers)
        self.page = answer.text
        return answer

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """A form, sent as from a page of the server's own unless `headers` say otherwise."""
        own = {"origin": "null", "sec-fetch-site": "same-origin"}
        answer = await self.http.post(path, data=fields, headers={**own, **headers})
        self.page = answer.text
        return answer

    def hidden(self, page: str = "") -> dict[str, str]:
        """The hidden fields of the page's first form."""
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page or self.page)
        return {name: html.unescape(value) for name, value in reversed(found)}

    async def tries(self, email: str, password: str, path: str = "/sign-in") -> httpx.Response:
        await self.get(path)
        return await self.send("/sign-in", {**self.hidden(), "email": email, "password": password})

    async def signs_in(self, email: str = ANNA, password: str = HERS, path: str = "/sign-in") -> httpx.Response:
        answer = await self.tries(email, password, path)
        assert answer.status_code == 303, answer.text
        return answer

    async def says(self, decision: str, asked: str, **changes: str) -> httpx.Response:
        """Look at a consent page, and press a button of it."""
        shown = await self.get(asked)
        assert shown.status_code == 200, shown.text
        return await self.send("/consent", {**self.hidden(), "decision": decision, **changes})


@pytest.fixture
async def browser_at(team: Team) -> AsyncIterator[Callable[..., Browser]]:
    """Makes browsers, each with its own cookies."""
    made: list[Browser] = []

    def another(address: str = "192.0.2.7") -> Browser:
        made.append(Browser(team, address))
        return made[-1]

    yield another
    for each in made:
        await each.http.aclose()


@pytest.fixture
def browser(browser_at: Callable[..., Browser]) -> Browser:
    return browser_at()


def query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def text(page: str) -> str:
    """What a reader sees of it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
