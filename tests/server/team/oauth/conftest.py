"""A team's authorization server as a client meets it: the provider on a real store, its endpoints, and a resource that
the SDK's own middleware guards. The person always consents, and the clock moves when it is told to."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AuthorizationParams
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyHttpUrl, SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response

from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.server.team.endpoints import authorization_routes
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.metadata import resource_routes, server_routes
from fraction_mcp.server.team.provider import Provider
from fraction_mcp.server.team.scopes import SCOPES
from fraction_mcp.server.team.store import TeamStore

JournalDatabase.answer_s = 60.0  # the machine may be busy, and no test here is of the limit

PUBLIC = "https://erp.example.com"
RESOURCE = f"{PUBLIC}/mcp"
CLIENT = "https://claude.ai/oauth/client.json"
DESK = "https://desk.example/client.json"
REDIRECTS = {
    CLIENT: ["https://claude.ai/api/mcp/auth_callback"],
    DESK: ["http://127.0.0.1/callback", "http://localhost:33418", "https://desk.example/callback"],
}
ANNA = "anna@example.com"
KEY = b"a key of the tests, and of nobody else"
VERIFIER = "a-verifier-of-the-tests-that-is-long-enough-to-be-one"


@dataclass
class Clock:
    """Ahead of the machine's, so that what the SDK holds against that one is never what a test sees."""

    now: float = field(default_factory=lambda: float(int(time.time())) + 86_400)

    def __call__(self) -> float:
        return self.now


def session(account: str = ANNA, token: str = "erp-token-of-anna", **facts: Any) -> ErpSession:
    return ErpSession(account, SecretStr(token), **facts)


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


async def _clients(client_id: str) -> OAuthClientInformationFull | None:
    if client_id not in REDIRECTS:
        return None
    return OAuthClientInformationFull.model_validate(
        {"client_id": client_id, "client_name": "A client", "redirect_uris": REDIRECTS[client_id]}
    )


@dataclass
class Replica:
    """One process of the team's server."""

    store: TeamStore
    journal: Journal
    provider: Provider
    http: httpx.AsyncClient
    asked: list[AuthorizationParams]
    """What its people were asked to consent to."""

    async def authorize(self, **changes: str | list[str] | None) -> httpx.Response:
        """What a well-behaved client asks, changed; None leaves a parameter out."""
        asked: dict[str, Any] = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": REDIRECTS[CLIENT][0],
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": "a state & more",
            "scope": "erp:read erp:write",
            "resource": RESOURCE,
        } | changes
        return await self.http.get(
            "/authorize", params={name: text for name, text in asked.items() if text is not None}
        )

    async def code(self, subject: str = ANNA, client_id: str = CLIENT, **changes: str | None) -> str:
        """Of a person who consented."""
        changes = {"redirect_uri": REDIRECTS[client_id][0], **changes}
        assert where(await self.authorize(client_id=client_id, **changes))[0] == f"{PUBLIC}/consent"
        return where(await self.provider.granted(client_id, self.asked[-1], subject))[1]["code"]

    async def token(self, code: str, **changes: str | None) -> httpx.Response:
        asked: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": CLIENT,
            "redirect_uri": REDIRECTS[CLIENT][0],
            "code_verifier": VERIFIER,
            "resource": RESOURCE,
        } | changes
        return await self.http.post("/token", data={name: text for name, text in asked.items() if text is not None})

    async def refresh(self, refresh_token: str, **changes: str) -> httpx.Response:
        asked = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT, **changes}
        return await self.http.post("/token", data=asked)

    async def tokens(self, subject: str = ANNA, client_id: str = CLIENT, **changes: str | None) -> dict[str, Any]:
        """The whole way of somebody who has signed in with the ERP."""
        code = await self.code(subject, client_id, **changes)
        answer = await self.token(code, client_id=client_id, redirect_uri=REDIRECTS[client_id][0])
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def reads(self, access_token: str) -> httpx.Response:
        """A call to the guarded resource, which tells whose it is."""
        return await self.http.post("/mcp", headers={"Authorization": f"Bearer {access_token}"})


def where(answer: httpx.Response | str) -> tuple[str, dict[str, str]]:
    """Where a browser is sent: the address before its query, and what stands in that."""
    address = answer if isinstance(answer, str) else answer.headers["location"]
    parts = urlsplit(address)
    return address.partition("?")[0], {name: texts[0] for name, texts in parse_qs(parts.query).items()}


def error_of(answer: httpx.Response) -> str:
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["error"]


async def _whoami(request: Request) -> Response:
    token = request.user.access_token
    return JSONResponse({"subject": token.subject, "scopes": token.scopes, "claims": token.claims})


def _application(provider: Provider, resource: str) -> Starlette:
    """As a server of the SDK guards its /mcp, with `validate_token_resource` on."""
    guarded = RequireAuthMiddleware(request_response(_whoami), ["erp:read"])
    return Starlette(
        routes=[
            *server_routes(PUBLIC, scopes=SCOPES, allow_registration=provider.allow_registration),
            *resource_routes(resource, issuers=[PUBLIC], scopes=SCOPES),
            *authorization_routes(provider),
            Route("/mcp", guarded, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                AuthenticationMiddleware,
                backend=BearerAuthBackend(provider, resource_server_url=AnyHttpUrl(resource)),
            )
        ],
    )


@dataclass
class Team:
    """Where the replicas of a team's server meet: one database, one clock."""

    url: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    replicas: list[Replica] = field(default_factory=list)

    async def replica(self, *keys: bytes, resource: str = RESOURCE, allow_registration: bool = False) -> Replica:
        journal = await Journal.open(self.url, self.folder, clock=self.clock)
        store = TeamStore(journal.database, KeyRing(list(keys or [KEY])), self.clock)
        asked: list[AuthorizationParams] = []

        def consent_address(_: OAuthClientInformationFull, params: AuthorizationParams) -> str:
            asked.append(params)
            return f"{PUBLIC}/consent?request=sealed"

        provider = Provider(
            store,
            issuer=PUBLIC,
            resource=resource,
            clients=_clients,
            consent_address=consent_address,
            allow_registration=allow_registration,
        )
        transport = httpx.ASGITransport(_application(provider, resource))
        http = httpx.AsyncClient(transport=transport, base_url=PUBLIC)
        self.replicas.append(Replica(store, journal, provider, http, asked))
        return self.replicas[-1]

    async def signed_in(self, subject: str = ANNA, *, token: str = "erp-token-of-anna") -> Replica:
        """A replica, with somebody who has signed in."""
        replica = await self.replica()
        await replica.store.signed_in(session(subject, token))
        return replica

    async def aclose(self) -> None:
        for replica in self.replicas:
            await replica.http.aclose()
            await replica.journal.aclose()


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    """On a SQLite file."""
    made = Team("", tmp_path / "state")
    yield made
    await made.aclose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Team]:
    """On each of the two databases, where they could differ and only `make cover` needs to see that they do not."""
    made = Team(request.getfixturevalue("postgres") if request.param == "postgresql" else "", tmp_path / "state")
    yield made
    await made.aclose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Team]:
    """On each of the two databases, where what is tried is what they do with two at once."""
    made = Team(request.getfixturevalue("postgres") if request.param == "postgresql" else "", tmp_path / "state")
    yield made
    await made.aclose()
