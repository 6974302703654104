"""What a client asks for, on its way from `/authorize` to the person who says yes or no, and where the answer goes.

It travels sealed in the address of the consent page, so that any replica can read it and nobody can alter it, and
counts for ten minutes. Knows OAuth's parameters; neither pages nor who is signed in.
"""

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from mcp.server.auth.provider import AuthorizationParams, AuthorizeError, construct_redirect_uri
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import BaseModel, ConfigDict, ValidationError

from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.values.text import clean

__all__ = ["ConsentRequest", "ConsentRequests", "Destination", "destination_of"]

LIFE_S = 10 * 60.0
_LONGEST = (
    6_000  # of the sealed text: it stands in an address, and once more in the one that leads back from signing in
)
_ABOUT = "consent request"
# What a browser would run or show by itself, instead of handing it to a program.
_NO_PROGRAMS = {"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "view-source", "vbscript"}


class ConsentRequest(BaseModel):
    """`id` is of this request alone; `until` in Unix seconds. `client_name` is what the client calls itself."""

    model_config = ConfigDict(frozen=True)

    id: str
    until: float
    client_id: str
    client_name: str
    params: AuthorizationParams

    @property
    def redirect_uri(self) -> str:
        return str(self.params.redirect_uri)

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self.params.scopes or ())

    def answered(self, issuer: str, *, code: str | None = None, error: str | None = None) -> str:
        """Where the browser goes with the answer; `iss` (RFC 9207) tells the client whose it is."""
        answer = {"code": code, "error": error, "state": self.params.state, "iss": issuer}
        return construct_redirect_uri(self.redirect_uri, **answer)


class ConsentRequests:
    """The requests of one server, which is reached at `public_url` (an origin, which is its issuer, too)."""

    def __init__(self, keys: KeyRing, public_url: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._public_url = public_url
        self._clock = clock

    def address(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """The consent page for what `client` asks, whose parameters have been checked against its registration.

        Raises AuthorizeError where the answer must not be sent to its redirect address, and for more than an address
        holds.
        """
        request = ConsentRequest(
            id=secrets.token_urlsafe(16),
            until=self._clock() + LIFE_S,
            client_id=client.client_id or "",
            client_name=clean(client.client_name or "", 80),
            params=params,
        )
        destination_of(request.redirect_uri)
        sealed = base64.urlsafe_b64encode(self._keys.seal(request.model_dump_json().encode(), about=_ABOUT)).decode()
        if len(sealed) > _LONGEST:
            raise AuthorizeError("invalid_request", "state, client_id and redirect_uri are too long together")
        return f"{self._public_url}/consent?request={sealed}"

    def read(self, sealed: str) -> ConsentRequest | None:
        """None for what is not one of ours, has been altered, or has run out."""
        if len(sealed) > _LONGEST:
            return None
        try:
            plain = self._keys.unseal(base64.b64decode(sealed, b"-_", validate=True), about=_ABOUT)
            request = ConsentRequest.model_validate_json(plain) if plain else None
        except (binascii.Error, ValueError, ValidationError):
            return None
        return request if request and self._clock() < request.until else None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer goes, for people. `shown` is a host as a browser asks for it (never the letters that it may stand
    for), or a scheme. `here`: a program on this computer gets it, whichever that is."""

    shown: str
    here: bool


def destination_of(redirect_uri: str) -> Destination:
    """Raises AuthorizeError for an address that no answer is sent to: plain http to elsewhere, and what is not an
    address of a program."""
    try:
        parts = urlsplit(redirect_uri)
        host, scheme = (parts.hostname or "").rstrip("."), parts.scheme
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        host, scheme, port = "", "", ""
    if scheme == "https" and host and host.isascii():
        return Destination(host + port, here=_is_here(host))
    if scheme == "http" and _is_here(host):
        return Destination(host + port, here=True)
    if scheme and scheme not in {*_NO_PROGRAMS, "http", "https"} and not redirect_uri.startswith(f"{scheme}:#"):
        return Destination(f"{scheme}:", here=True)
    raise AuthorizeError("invalid_request", "no answer is sent to such a redirect_uri")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
