"""The authorization server of a team's sign-in: what the SDK's endpoints ask, answered from the store.

Knows clients, redirect addresses, resources and scopes. Who the person is, and whether they consent, their pages find
out (`consent_address`): they come back with `granted` or `declined`. What may happen once only the store decides.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    RegistrationError,
    TokenError,
)
from mcp.shared.auth import InvalidRedirectUriError, OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl, Field

from fraction_mcp.server.team import redirects
from fraction_mcp.server.team.scopes import SCOPES
from fraction_mcp.server.team.store import Consented, Grant, TeamStore, Tokens

__all__ = ["Provider", "TeamClient", "is_resource"]

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # a SHA-256, in base64url
_REGISTERED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # what the SDK names one that registers itself
_LARGEST_DOCUMENT = 8_192
_OFFLINE = "offline_access"  # some ask for it unasked: whoever has consented once has a refresh token here anyway


class TeamClient(OAuthClientInformationFull):
    """A client as it counts here: public, with both grants and both scopes, whatever its document says or leaves
    out."""

    @classmethod
    def of(cls, client: OAuthClientInformationFull) -> "TeamClient":
        ours = {
            "token_endpoint_auth_method": "none",
            "client_secret": None,
            "client_secret_expires_at": None,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": " ".join(SCOPES),
        }
        return cls.model_validate(client.model_dump() | ours)

    def validate_redirect_uri(self, redirect_uri: AnyUrl | None) -> AnyUrl:
        """Raises InvalidRedirectUriError for an address that is not registered as it is spelt, and for none where the
        client has several."""
        return AnyUrl(self.redirect(None if redirect_uri is None else str(redirect_uri)))

    def redirect(self, requested_uri: str | None) -> str:
        """The same, of texts."""
        registered = [str(uri) for uri in self.redirect_uris or ()]
        if requested_uri is None:
            if len(registered) == 1 and redirects.is_usable(registered[0]):
                return registered[0]
            raise InvalidRedirectUriError("redirect_uri must be named: the client has not registered exactly one")
        if not redirects.matching(requested_uri, registered):
            raise InvalidRedirectUriError("redirect_uri is none that the client has registered, or not one to be used")
        return requested_uri


class GrantRefresh(RefreshToken):
    """The SDK's, not shown, with the grant that it is of, and when it came."""

    token: str = Field(repr=False)
    grant: str
    asked_at: float


class GrantAccess(AccessToken):
    """The SDK's, not shown. Its claims tell the grant (`grant`), who gave it (`iss`) and the person's `name`."""

    token: str = Field(repr=False)


class GrantCode(AuthorizationCode):
    """The SDK's, not shown, with when it came."""

    code: str = Field(repr=False)
    asked_at: float


class Provider(OAuthAuthorizationServerProvider[GrantCode, GrantRefresh, GrantAccess]):
    """`issuer` is the server's public address, without a slash at its end, and `resource` that of its /mcp. `clients`
    finds a client that was not registered here; `consent_address` is where a person is asked."""

    def __init__(
        self,
        store: TeamStore,
        *,
        issuer: str,
        resource: str,
        clients: Callable[[str], Awaitable[OAuthClientInformationFull | None]],
        consent_address: Callable[[OAuthClientInformationFull, AuthorizationParams], str],
        allow_registration: bool = False,
    ) -> None:
        self.issuer = issuer
        self.resource = resource
        self.allow_registration = allow_registration
        self._store = store
        self._clients = clients
        self._consent_address = consent_address

    # ------------------------------------------------------------------------------------------------------- clients

    async def get_client(self, client_id: str) -> TeamClient | None:
        if _REGISTERED.fullmatch(client_id):
            document = await self._store.client(client_id) if self.allow_registration else None
            return None if document is None else TeamClient.model_validate_json(document)
        client_info = await self._clients(client_id)
        return None if client_info is None or client_info.client_id != client_id else TeamClient.of(client_info)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """Raises RegistrationError where it names no address that anybody may be sent to, and where too many wait to be
        used.

        What is not as it counts here is changed in place: it is what the client is told (RFC 7591, 3.2.1). So are
        further addresses left out: Cursor names its old `cursor://…` beside those that it uses.
        """
        if not self.allow_registration:
            raise RegistrationError("invalid_client_metadata", "clients cannot register themselves here")
        client_info.redirect_uris = [uri for uri in client_info.redirect_uris or () if redirects.is_usable(str(uri))]
        if not client_info.redirect_uris:
            raise RegistrationError("invalid_redirect_uri", "https only, or http to a loopback address")
        kept = TeamClient.of(client_info)
        for name in ("token_endpoint_auth_method", "client_secret", "client_secret_expires_at", "grant_types", "scope"):
            setattr(client_info, name, getattr(kept, name))
        document = kept.model_dump_json(exclude_none=True)
        if len(document) > _LARGEST_DOCUMENT:
            raise RegistrationError("invalid_client_metadata", f"more than {_LARGEST_DOCUMENT} bytes")
        if not await self._store.new_client(kept.client_id, document):
            raise RegistrationError("invalid_client_metadata", "too many clients have registered; try again tomorrow")

    # --------------------------------------------------------------------------------------------------- the consent

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """Where the person is asked. Raises AuthorizeError for what they must not be asked."""
        if not _CHALLENGE.fullmatch(params.code_challenge):
            raise AuthorizeError("invalid_request", "code_challenge must be an S256 challenge (PKCE)")
        if params.resource is not None and not is_resource(params.resource, self.resource):
            raise AuthorizeError("invalid_target", f"tokens are for {self.resource} only")
        scopes = [scope for scope in params.scopes or () if scope != _OFFLINE] or list(SCOPES)
        if not set(scopes) <= set(SCOPES):
            raise AuthorizeError("invalid_scope", f"the scopes are {' and '.join(SCOPES)}")
        completed_params = params.model_copy(
            update={"resource": self.resource, "scopes": [s for s in SCOPES if s in scopes]}
        )
        return self._consent_address(client, completed_params)

    async def granted(self, client_id: str, params: AuthorizationParams, subject: str) -> str:
        """Where to send the browser of a person who consented to what `authorize` asked of them."""
        consented = Consented(
            subject=subject,
            client_id=client_id,
            scopes=tuple(scope for scope in SCOPES if scope in (params.scopes or ())),
            resource=self.resource,
            redirect_uri=str(params.redirect_uri),
            redirect_named=params.redirect_uri_provided_explicitly,
            challenge=params.code_challenge,
        )
        return self.answered(str(params.redirect_uri), code=await self._store.new_code(consented), state=params.state)

    def declined(self, params: AuthorizationParams) -> str:
        """Where to send the browser of a person who did not."""
        return self.answered(str(params.redirect_uri), error="access_denied", state=params.state)

    def answered(self, redirect_uri: str, **answer: str | None) -> str:
        """Every answer says who gives it, so that a client of several servers is not told one's for another's
        (RFC 9207)."""
        return redirects.answered(redirect_uri, **answer, iss=self.issuer)

    # -------------------------------------------------------------------------------------------------------- tokens

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> GrantCode | None:
        asked_at = self._store.now()
        stored_code = await self._store.find_code(authorization_code)
        if stored_code is None or stored_code.consented.client_id != client.client_id:
            return None
        return GrantCode(
            code=authorization_code,
            scopes=list(stored_code.consented.scopes),
            expires_at=stored_code.expires_at,
            client_id=stored_code.consented.client_id,
            code_challenge=stored_code.consented.challenge,
            redirect_uri=AnyUrl(stored_code.consented.redirect_uri),
            redirect_uri_provided_explicitly=stored_code.consented.redirect_named,
            resource=stored_code.consented.resource,
            subject=stored_code.consented.subject,
            asked_at=asked_at,
        )

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: GrantCode
    ) -> OAuthToken:
        code, asked_at = authorization_code.code, authorization_code.asked_at
        return self._oauth_token(await self._store.take_code(code, client.client_id, asked_at=asked_at))

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> GrantRefresh | None:
        asked_at = self._store.now()
        grant = await self._store.grant_of_refresh(refresh_token)
        if grant is None or grant.client_id != client.client_id:
            return None
        return GrantRefresh(token=refresh_token, grant=grant.id, asked_at=asked_at, **_facts(grant))

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: GrantRefresh, scopes: list[str]
    ) -> OAuthToken:
        token, asked_at = refresh_token.token, refresh_token.asked_at
        return self._oauth_token(await self._store.rotate(token, client.client_id, scopes, asked_at=asked_at))

    async def load_access_token(self, token: str) -> GrantAccess | None:
        grant = await self._store.grant_of_access(token)
        if grant is None:
            return None
        return GrantAccess(
            token=token, claims={"iss": self.issuer, "grant": grant.id, "name": grant.name}, **_facts(grant)
        )

    async def verify_token(self, token: str) -> GrantAccess | None:
        """As the SDK's TokenVerifier."""
        return await self.load_access_token(token)

    async def revoke_token(self, token: GrantAccess | GrantRefresh) -> None:
        grant = token.grant if isinstance(token, GrantRefresh) else (token.claims or {}).get("grant")
        await self._store.revoke(str(grant))

    def _oauth_token(self, tokens: Tokens | None) -> OAuthToken:
        if tokens is None:
            raise TokenError("invalid_grant", "it is not good any more: the person has to sign in again")
        return OAuthToken(
            access_token=tokens.access,
            expires_in=max(int(tokens.expires_at - self._store.now()), 0),
            scope=" ".join(tokens.scopes),
            refresh_token=tokens.refresh,
        )


def is_resource(indicator: str, ours: str) -> bool:
    """Whether a resource indicator means ours: the case of scheme and host aside, and a slash at the end."""
    scheme, _, rest = indicator.removesuffix("/").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}" == ours


def _facts(grant: Grant) -> dict[str, Any]:
    return {
        "client_id": grant.client_id,
        "scopes": list(grant.scopes),
        "expires_at": int(grant.expires_at),
        "resource": grant.resource,
        "subject": grant.subject,
    }
