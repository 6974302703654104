"""What a client reads before it asks: which authorization server a team's server trusts, and what that one can do.

The SDK's own routes announce neither client id documents nor clients without a secret nor `iss` in the answer, and end
the issuer in a slash, which ChatGPT and others compare as a string; so these go before them.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.routes import cors_middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["resource_metadata_url", "resource_routes", "server_routes"]

_SERVER = "/.well-known/oauth-authorization-server"
_RESOURCE = "/.well-known/oauth-protected-resource"
_HEADERS = {"Cache-Control": "public, max-age=3600"}


def server_routes(issuer: str, *, scopes: Sequence[str], allow_registration: bool) -> list[Route]:
    """The authorization server's metadata (RFC 8414). `issuer` is told as it is given."""
    metadata: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }
    if allow_registration:
        metadata["registration_endpoint"] = f"{issuer}/register"
    return [_route(_SERVER + urlsplit(issuer).path, metadata)]


def resource_routes(resource: str, *, issuers: Sequence[str], scopes: Sequence[str]) -> list[Route]:
    """The protected resource's metadata (RFC 9728), also where a client looks that knows the origin only."""
    metadata = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": "FractionERP",
    }
    return [_route(path, metadata) for path in (_RESOURCE + urlsplit(resource).path, _RESOURCE)]


def resource_metadata_url(resource: str) -> str:
    """What a 401 names."""
    url = urlsplit(resource)
    return f"{url.scheme}://{url.netloc}{_RESOURCE}{url.path}"


def _route(path: str, metadata: dict[str, Any]) -> Route:
    async def tell(_: Request) -> Response:
        return JSONResponse(metadata, headers=_HEADERS)

    return Route(path, cors_middleware(tell, ["GET", "OPTIONS"]), methods=["GET", "OPTIONS"])
