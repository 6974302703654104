"""The authorization server's endpoints: /authorize, /token, /revoke and, where allowed, /register.

What the SDK's own do well is theirs. Its /authorize tells no `iss` with an error, takes a missing
`code_challenge_method` (which means `plain`, RFC 7636) for S256, and reads addresses through a parser before it
compares them; its /token does not look at `resource`; its /revoke wants a secret of clients that have none.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.handlers.token import TokenHandler
from mcp.server.auth.middleware.client_auth import AuthenticationError, ClientAuthenticator
from mcp.server.auth.provider import AuthorizationParams, AuthorizeError
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.auth import InvalidRedirectUriError, OAuthClientInformationFull
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from pydantic import AnyUrl
from starlette.datastructures import FormData, QueryParams
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp

from fraction_mcp.errors import JournalError
from fraction_mcp.server.team.provider import Provider, TeamClient, is_resource

__all__ = ["authorization_routes"]

_LARGEST_BODY = 65_536
_UNSTORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_Handler = Callable[[Request], Awaitable[Response]]


def authorization_routes(provider: Provider) -> list[Route]:
    """They go before the SDK's."""
    token = TokenHandler(provider, ClientAuthenticator(provider))
    endpoints = {"/token": _Token(provider, token).handle, "/revoke": _Revoke(provider).handle}
    if provider.allow_registration:
        options = ClientRegistrationOptions(enabled=True)  # whatever scopes it names, it is told ours
        endpoints["/register"] = RegistrationHandler(provider, options).handle
    authorize = Route("/authorize", _bounded(_Authorize(provider).handle), methods=["GET", "POST"])
    return [
        authorize,
        *(Route(path, _from_anywhere(handle), methods=["POST", "OPTIONS"]) for path, handle in endpoints.items()),
    ]


@dataclass(eq=False)
class _Refusal(Exception):
    """An error of /authorize: told to the client where its address is known to be its own, or else to the person."""

    error: str
    description: str
    redirect_uri: str | None = None
    state: str | None = None


class _Authorize:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def handle(self, request: Request) -> Response:
        try:
            to = await self._where(request.query_params if request.method == "GET" else await request.form())
        except _Refusal as refusal:
            error_fields = {"error": refusal.error, "error_description": refusal.description}
            if refusal.redirect_uri is None:
                return JSONResponse(error_fields, status_code=400, headers=_UNSTORED)
            to = self._provider.answered(refusal.redirect_uri, **error_fields, state=refusal.state)
        return RedirectResponse(to, status_code=302, headers=_UNSTORED)

    async def _where(self, params: QueryParams | FormData) -> str:
        """Where the browser goes to be asked. Raises _Refusal."""
        client, redirect_uri = await self._whose(params)
        state = _text(params, "state")
        try:
            return await self._provider.authorize(client, _authorization_params(params, redirect_uri))
        except AuthorizeError as error:
            raise _Refusal(error.error, error.error_description or "", redirect_uri, state) from None

    async def _whose(self, params: QueryParams | FormData) -> tuple[TeamClient, str]:
        """Nothing goes to an address before it is known to be the client's."""
        twice = {"client_id", "redirect_uri"} & set(_repeated(params))
        if twice:
            raise _Refusal("invalid_request", f"{' and '.join(sorted(twice))} may be named once only")
        client = await self._provider.get_client(_text(params, "client_id") or "")
        if client is None:
            raise _Refusal("invalid_request", "this server does not know the client that client_id names")
        try:
            return client, client.redirect(_text(params, "redirect_uri"))
        except InvalidRedirectUriError as error:
            raise _Refusal("invalid_request", error.message) from None


def _authorization_params(params: QueryParams | FormData, redirect_uri: str) -> AuthorizationParams:
    """Raises AuthorizeError for what makes no sense whatever the provider thinks of it."""
    if twice := _repeated(params):
        raise AuthorizeError("invalid_target" if "resource" in twice else "invalid_request", "named more than once")
    if params.get("response_type") != "code":
        raise AuthorizeError("unsupported_response_type", "response_type must be code")
    if params.get("response_mode", "query") != "query":
        raise AuthorizeError("invalid_request", "response_mode must be query")
    if params.get("code_challenge_method") != "S256":
        raise AuthorizeError("invalid_request", "code_challenge_method must be S256 (PKCE)")
    scope = _text(params, "scope")
    return AuthorizationParams(
        state=_text(params, "state"),
        scopes=scope.split() if scope else None,
        code_challenge=_text(params, "code_challenge") or "",
        redirect_uri=AnyUrl(redirect_uri),
        redirect_uri_provided_explicitly=_text(params, "redirect_uri") is not None,
        resource=_text(params, "resource"),
    )


class _Token:
    def __init__(self, provider: Provider, inner: TokenHandler) -> None:
        self._provider = provider
        self._inner = inner

    async def handle(self, request: Request) -> Response:
        form = await request.form()  # the request keeps it for whoever reads it next
        resources = form.getlist("resource")
        if any(not isinstance(each, str) or not is_resource(each, self._provider.resource) for each in resources):
            return _refused("invalid_target", f"tokens are for {self._provider.resource} only")
        if twice := set(_repeated(form)) - {"resource"}:
            return _refused("invalid_request", f"named more than once: {', '.join(sorted(twice))}")
        answer: Response = await self._inner.handle(request)
        return answer


class _Revoke:
    """RFC 7009: a token of this client is good no more, with all that its grant gave; any other is none of its
    business."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._clients = ClientAuthenticator(provider)

    async def handle(self, request: Request) -> Response:
        try:
            client = await self._clients.authenticate_request(request)
            token = _text(await request.form(), "token")
            if token is None:
                return _refused("invalid_request", "token is missing")
            await self._revoke(client, token)
        except AuthenticationError as error:
            return JSONResponse({"error": "invalid_client", "error_description": error.message}, 401, _UNSTORED)
        return Response(status_code=200, headers=_UNSTORED)

    async def _revoke(self, client: OAuthClientInformationFull, token: str) -> None:
        refresh = await self._provider.load_refresh_token(client, token)
        stored_token = refresh or await self._provider.load_access_token(token)
        if stored_token is not None and stored_token.client_id == client.client_id:
            await self._provider.revoke_token(stored_token)


def _text(params: QueryParams | FormData, name: str) -> str | None:
    """What is empty counts as left out (RFC 6749, 3.1)."""
    value = params.get(name)
    return value if isinstance(value, str) and value else None


def _repeated(params: QueryParams | FormData) -> list[str]:
    return [name for name in params if len(params.getlist(name)) > 1]


def _refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=400, headers=_UNSTORED)


def _unavailable(error: JournalError) -> Response:
    """Nothing has been decided: the same request is good again in a moment."""
    error_body = {"error": "temporarily_unavailable", "error_description": error.message}
    return JSONResponse(error_body, status_code=503, headers={**_UNSTORED, "Retry-After": "2"})


def _bounded(handle: _Handler) -> ASGIApp:
    async def answered(request: Request) -> Response:
        try:
            return await handle(request)
        except JournalError as error:
            return _unavailable(error)

    return RequestBodyLimitMiddleware(request_response(answered), _LARGEST_BODY)


def _from_anywhere(handle: _Handler) -> ASGIApp:
    """A client that is a page itself may ask: there is no cookie that it could misuse."""
    return CORSMiddleware(
        _bounded(handle),
        allow_origins=["*"],
        allow_methods=["POST", "OPTIONS"],
        allow_headers=[MCP_PROTOCOL_VERSION_HEADER],
    )
