"""Whether a token that an identity provider issued is good here, and what it allows: the resource server's half.

Knows JWTs as RFC 8725 and RFC 9068 want them judged. A token is looked at for its algorithm and its key's id, and for
nothing else before its signature is found good. No log shows a token, nor anything that stood in one.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier

from fraction_mcp.server.team.issuer_keys import ALGORITHMS, IssuerKeys
from fraction_mcp.server.team.scope_claim import ScopeClaim
from fraction_mcp.values.characters import unseen

__all__ = ["LEEWAY_S", "JwtVerifier"]

logger = logging.getLogger(__name__)

LEEWAY_S = 30

_LONGEST = 16 * 1024
_LONGEST_SUBJECT = 255
_KINDS = {"jwt", "at+jwt", "application/at+jwt"}  # another is something else that the issuer signs: a logout, a proof
_CLIENT_CLAIMS = ("client_id", "azp", "appid", "cid")  # RFC 9068; OpenID Connect; Entra's first version; Okta
_LOGGED_APART_S = 60.0
_WHY = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet, or of the future: compare the clocks",
    jwt.InvalidAudienceError: "it is for another audience (--audience)",
    jwt.InvalidIssuerError: "it is of another issuer (--issuer)",
    jwt.InvalidSignatureError: "its signature is not the issuer's",
    jwt.MissingRequiredClaimError: "it lacks one of exp, iss, aud and sub",
}


class _RefusedError(Exception):
    """Why a token is not good, fit for a log."""


class JwtVerifier(TokenVerifier):
    """Judges the tokens of one issuer, for one audience.

    `audience` is what the tokens' `aud` holds, `resource` the address of this server that it stands for where the
    issuer has a name of its own for it.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: IssuerKeys,
        *,
        resource: str = "",
        scope_claim: ScopeClaim | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._resource = resource or audience
        self._scope_claim = scope_claim or ScopeClaim()
        self._clock = clock
        self._quiet_until: dict[str, float] = {}

    async def verify_token(self, token: str) -> AccessToken | None:
        """What a good token allows, and to whom; None for any other."""
        try:
            claims = await self._claims(token)
            return AccessToken(
                token=token,
                client_id=_client(claims),
                scopes=sorted(self._scopes(claims)),
                expires_at=int(_moment(claims, "exp")) + LEEWAY_S,  # until when it is good here: the SDK has no leeway
                resource=self._resource,
                subject=_subject(claims),
                claims={"iss": self._issuer},
            )
        except _RefusedError as error:
            self._say(str(error))
            return None

    async def _claims(self, token: str) -> dict[str, Any]:
        algorithm, kid = _header(token)
        key = await self._keys.key(algorithm, kid)
        if key is None:
            raise _RefusedError("the issuer has no key of its key's name")
        try:
            claims = jwt.decode(
                token,
                key=key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _RefusedError(_WHY.get(type(error), "it is no token of a kind that is taken")) from None
        _consider(claims)
        return claims

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        scopes = self._scope_claim.scopes(claims)
        if not scopes:
            where = self._scope_claim.name or "scope or scp"
            raise _RefusedError(f"it allows nothing here: its {where} names neither erp:read nor erp:write")
        return scopes

    def _say(self, why: str) -> None:
        """At most once a minute: anybody can send a token."""
        now = self._clock()
        if now >= self._quiet_until.get(why, 0.0):
            self._quiet_until[why] = now + _LOGGED_APART_S
            logger.info("a token of an identity provider is refused: %s", why)


def _header(token: str) -> tuple[str, str | None]:
    """Its algorithm and its key's id. Whatever else it says of keys (`jku`, `jwk`, `x5u`, `x5c`) is not looked at."""
    if len(token) > _LONGEST or token.count(".") != 2 or not token.isascii():
        raise _RefusedError("it is no signed JWT: this server takes no other tokens")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _RefusedError("it is no token of a kind that is taken") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _RefusedError("its algorithm is none of those taken")
    kind, kid = header.get("typ", "JWT"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise _RefusedError("it is no token of a kind that is taken")
    return algorithm, kid


def _consider(claims: dict[str, Any]) -> None:
    """What a library that is made for every JWT leaves to whoever knows what these are for."""
    times = {name: _moment(claims, name) for name in ("exp", "iat", "nbf") if name in claims}
    if times.get("iat", -math.inf) >= times["exp"] or times.get("nbf", -math.inf) >= times["exp"]:
        raise _RefusedError("it ended before it began")
    if "cnf" in claims:  # RFC 7800: it is good only with a proof, which is not asked for here
        raise _RefusedError("it is bound to a key of its client's, and could be somebody else's here")


def _moment(claims: dict[str, Any], name: str) -> float:
    timestamp = claims[name]
    if not isinstance(timestamp, int | float) or not 0 <= timestamp < 2**53:
        raise _RefusedError("its times are none")
    return timestamp


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    flawed = not subject.strip() or len(subject) > _LONGEST_SUBJECT or any(map(unseen, subject))
    if flawed:
        raise _RefusedError("its subject is empty, too long, or holds what nobody could see")
    return str(subject)


def _client(claims: dict[str, Any]) -> str:
    candidates = (claims.get(name) for name in _CLIENT_CLAIMS)
    return next((each for each in candidates if isinstance(each, str) and len(each) <= 500), "")
