"""The team's server as a whole: who signs in how, whose calls run where, and what is served beside them.

Joins the parts, and decides nothing that one of them could.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl, SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from fraction_mcp.config import Settings, is_embedded
from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.erp.client import sign_in_to_fraction
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.app import create_server
from fraction_mcp.server.team.accounts import OwnAccounts, ServiceAccounts
from fraction_mcp.server.team.browser import PageGuard
from fraction_mcp.server.team.client_documents import CLIENT_HOSTS, ClientDocuments
from fraction_mcp.server.team.consent_request import ConsentRequests
from fraction_mcp.server.team.endpoints import authorization_routes
from fraction_mcp.server.team.fetch import Fetch, Fetcher
from fraction_mcp.server.team.http import TeamServer, serve_team
from fraction_mcp.server.team.inbox import INBOX, inbox_routes
from fraction_mcp.server.team.issuer_keys import IssuerKeys
from fraction_mcp.server.team.jwt import JwtVerifier
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.metadata import resource_metadata_url, resource_routes, server_routes
from fraction_mcp.server.team.options import TeamOptions
from fraction_mcp.server.team.pages import TeamPages
from fraction_mcp.server.team.people import People
from fraction_mcp.server.team.provider import Provider
from fraction_mcp.server.team.scopes import READ, SCOPES, ScopeMiddleware, refuse_beyond_scope
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.sign_in import ErpLogin
from fraction_mcp.server.team.store import TeamStore
from fraction_mcp.server.team.watch import Watch
from fraction_mcp.server.team.without_sessions import WithoutSessions

__all__ = ["Joined", "joined", "serve_joined"]

_LARGEST_REQUEST = 1_048_576


class TeamSettings(Settings):
    """Those of a server that has no account of its own in FractionERP: each person brings theirs."""

    @property
    def fraction_configured(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Joined:
    """What is served: the MCP application, the routes before its own, and the people who call it."""

    mcp_app: Starlette
    routes: list[BaseRoute]
    people: People


async def serve_joined(
    settings: Settings,
    options: TeamOptions,
    host: str,
    port: int,
    *,
    sandbox: ASGIApp | None,
    hurry: Callable[[], Awaitable[None]],
) -> None:
    """Serve until cancelled. Raises ConfigError for what cannot be served."""
    live: list[People] = []
    server = TeamServer(settings, options, live_sessions=lambda: sum(map(len, live)))
    async with joined(settings, options, server, sandbox=sandbox) as parts:
        live.append(parts.people)
        await serve_team(server, host, port, mcp_app=parts.mcp_app, routes=parts.routes, hurry=hurry)


@asynccontextmanager
async def joined(
    settings: Settings,
    options: TeamOptions,
    server: TeamServer,
    *,
    sandbox: ASGIApp | None = None,
    fetch: Fetcher | None = None,
) -> AsyncIterator[Joined]:
    """The parts, set up and cleared away. `fetch` reads what clients and issuers publish; it is the network's, unless
    given."""
    by_sign_in = options.auth == "sign-in"
    kind = TeamSettings if by_sign_in else Settings
    own = kind.model_construct(**{**dict(settings), "open_inbox": False})
    journal = await Journal.open(own.database_url.get_secret_value(), own.state_folder())
    try:
        ring = KeyRing([key.encode() for key in own.secret_keys()])
        store = TeamStore(journal.database, ring)
        resource = f"{options.public_url}/mcp"
        accounts = OwnAccounts(own, store, sandbox) if by_sign_in else ServiceAccounts(own, options.subjects, sandbox)
        address = f"{options.public_url}{INBOX}" if by_sign_in else ""

        async def once(what: str, until: float) -> bool:
            return await store.once(what, until=until)

        async with People(own, accounts, journal, address, once=once) as people, anyio.create_task_group() as tasks:
            tasks.start_soon(Watch(people, journal).run)
            if by_sign_in:
                signing = _SignIn(
                    own,
                    options,
                    store,
                    ring,
                    _login(own, sandbox),
                    counted=server.metrics.signed_in,
                    fetch=fetch,
                )
                verifier, routes = signing.verifier, signing.routes
                guard = [Middleware(PageGuard, signing.origins)]
                routes += inbox_routes(people, signing.pages.browsers, tasks, server.closing, guard)
            else:
                verifier, routes = _by_jwt(options, resource, fetch), []
            issuer = options.public_url if by_sign_in else options.issuer
            routes += resource_routes(resource, issuers=[issuer], scopes=SCOPES)
            yield Joined(_mcp_app(people, verifier, issuer, resource), routes, people)
            tasks.cancel_scope.cancel()
        await accounts.aclose()
    finally:
        await journal.aclose()


class _SignIn:
    """`--auth sign-in`: our own authorization server, and its pages."""

    def __init__(
        self,
        settings: Settings,
        options: TeamOptions,
        store: TeamStore,
        ring: KeyRing,
        login: ErpLogin,
        *,
        counted: Callable[[str], None],
        fetch: Fetcher | None,
    ) -> None:
        url = options.public_url
        fetch = fetch or Fetch(named=options.client_hosts)
        requests = ConsentRequests(ring, url)
        provider = Provider(
            store,
            issuer=url,
            resource=f"{url}/mcp",
            clients=ClientDocuments({*CLIENT_HOSTS, *options.client_hosts}, fetch).client,
            consent_address=requests.address,
            allow_registration=options.allow_registration,
        )
        self.origins = (url, *options.allowed_origins)
        self.pages = TeamPages(
            store,
            ring,
            login,
            requests,
            provider,
            public_url=url,
            origins=options.allowed_origins,
            shown=Shown(erp=_erp_named(settings), writes="none" if settings.read_only else settings.confirm),
            counted=counted,
        )
        self.verifier: TokenVerifier = _OurTokens(provider)
        self.routes: list[BaseRoute] = [
            *server_routes(url, scopes=SCOPES, allow_registration=options.allow_registration),
            *authorization_routes(provider),
            *self.pages.routes,
        ]


class _OurTokens(TokenVerifier):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def verify_token(self, token: str) -> AccessToken | None:
        return await self._provider.load_access_token(token)


def _erp_named(settings: Settings) -> str:
    return "SANDBOX FractionERP" if is_embedded(settings.fraction_base_url) else "FractionERP"


def _login(settings: Settings, sandbox: ASGIApp | None) -> ErpLogin:
    async def login(email: str, password: SecretStr) -> ErpSession:
        return await sign_in_to_fraction(settings, email, password, sandbox)

    return login


def _by_jwt(options: TeamOptions, resource: str, fetch: Fetcher | None) -> TokenVerifier:
    # The operator named the issuer: it may stand in the company's own network.
    fetch = fetch or Fetch(named=[urlsplit(options.issuer).netloc])
    return JwtVerifier(
        options.issuer,
        options.audience,
        IssuerKeys(options.issuer, fetch),
        resource=resource,
        scope_claim=options.scope_claim,
    )


def _mcp_app(people: People, verifier: TokenVerifier, issuer: str, resource: str) -> Starlette:
    server = create_server(people)
    server.middleware.append(refuse_beyond_scope)
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(issuer),
        resource_server_url=AnyHttpUrl(resource),
        required_scopes=[READ],
        validate_token_resource=True,
    )
    app = server.streamable_http_app(
        stateless_http=True,  # any replica may answer an older client
        max_request_body_size=_LARGEST_REQUEST,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # `front` sees to it
        auth=auth,
        token_verifier=verifier,
    )
    app.user_middleware.append(Middleware(WithoutSessions, path="/mcp"))
    app.user_middleware.append(Middleware(ScopeMiddleware, metadata=resource_metadata_url(resource)))
    return app
