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

from mcp.server.auth.provider import AuthorizationParams, AuthorizeError
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import BaseModel, ConfigDict, ValidationError

from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.values.text import clean

__all__ = ["ConsentRequest", "ConsentRequests", "Destination", "destination_of"]

LIFE_S = 10 * 60.0
_LONGEST = 6_000  # of the sealed text, which stands in addresses
_ABOUT = "consent request"


class ConsentRequest(BaseModel):
    """`id` is of this request alone, `until` in Unix seconds. `client_name` is what the client calls itself."""

    model_config = ConfigDict(frozen=True)

    id: str
    until: float
    client_id: str
    client_name: str
    params: AuthorizationParams


class ConsentRequests:
    """The requests of one server, which is reached at `public_url` (an origin)."""

    def __init__(self, keys: KeyRing, public_url: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._public_url = public_url
        self._clock = clock

    def address(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """The consent page for what `client` asks, whose parameters have been checked against its registration.

        Raises AuthorizeError for more than an address holds.
        """
        request = ConsentRequest(
            id=secrets.token_urlsafe(16),
            until=self._clock() + LIFE_S,
            client_id=client.client_id or "",
            client_name=clean(client.client_name or "", 80),
            params=params,
        )
        sealed = _text(self._keys.seal(request.model_dump_json().encode(), about=_ABOUT))
        if len(sealed) > _LONGEST:
            raise AuthorizeError("invalid_request", "state, client_id and redirect_uri are too long together")
        return f"{self._public_url}/consent?request={sealed}"

    def read(self, sealed: str) -> ConsentRequest | None:
        """None for what is not one of ours, has been altered, or has run out."""
        if len(sealed) > _LONGEST:
            return None
        try:
            plain = self._keys.unseal(_bytes(sealed), about=_ABOUT)
            request = ConsentRequest.model_validate_json(plain) if plain else None
        except (binascii.Error, ValueError, ValidationError):
            return None
        return request if request and self._clock() < request.until else None

    def token(self, request: ConsentRequest, csrf: str) -> str:
        """What stands in the form of this request in the browser of this `csrf`: another page's, or another browser's,
        does not count for it."""
        return self._keys.derive("consent form", request.id, csrf).hex()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer goes, for people. `shown` is a host as a browser asks for it (never the letters that it may stand
    for), or a scheme. `here`: a program on this computer gets it, whichever that is."""

    shown: str
    here: bool


def destination_of(redirect_uri: str) -> Destination:
    """Of an address that a client may have answers sent to."""
    parts = urlsplit(redirect_uri)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        return Destination(f"{parts.scheme}:", here=True)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Destination(host + (f":{parts.port}" if parts.port else ""), here=_is_here(parts.hostname))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
