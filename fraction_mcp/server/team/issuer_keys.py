"""The keys that an identity provider signs with: read from its own metadata, and read anew as it changes them.

Knows RFC 8414 and OpenID Connect's discovery, and JWK sets. A key is used only for what it is fit for: asymmetric
signatures of an allow-list, of a size that stands. Refuses to know what is signed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
from jwt import PyJWK, PyJWTError
from jwt.algorithms import AllowedPublicKeys

from fraction_mcp.server.team.fetch import JWKS_BYTES, Fetcher, FetchError

__all__ = ["ALGORITHMS", "IssuerKeys"]

logger = logging.getLogger(__name__)

_FITTING = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ALGORITHMS = frozenset(algorithm for fitting in _FITTING.values() for algorithm in fitting)
"""Never `none`, and none whose key would be a secret: the public key of another would do for it."""

_RSA_BITS = range(2_048, 8_193)  # a larger one only costs whoever checks
_MOST_KEYS = 100
_FRESH_S = 3_600.0  # how long a key that the issuer took back may go on, while its keys can be read
_USABLE_S = 6 * 3_600.0  # and while they cannot
_APART_S = 30.0
_FIRST_APART_S = 5.0
_LONGEST_S = 10.0


class _UnfitError(Exception):
    """What is wrong with what the issuer sent, fit for a log: none of its own words."""


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str | None
    algorithms: frozenset[str]
    public: AllowedPublicKeys


class IssuerKeys:
    """One issuer's keys, kept for an hour; for six where it does not answer."""

    def __init__(self, issuer: str, fetch: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[_Key, ...] = ()
        self._read_at = float("-inf")
        self._begun_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._failed = ""

    async def key(self, algorithm: str, kid: str | None) -> AllowedPublicKeys | None:
        """The one key that the issuer signs with so; None where it has none, or more than one, that is known now.

        An unknown one has the keys read anew, at most once in 30 seconds, whoever asks and however many do.
        """
        known = self._known_key(algorithm, kid)
        if known is not None and self._age() < _FRESH_S:
            return known
        reading = self._begun()
        if known is None and reading is not None:
            await asyncio.shield(reading)  # it goes on for the others, where this one gives up
        return self._known_key(algorithm, kid)

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _known_key(self, algorithm: str, kid: str | None) -> AllowedPublicKeys | None:
        if self._age() >= _USABLE_S:
            return None
        fitting = [key for key in self._keys if algorithm in key.algorithms and kid in {None, key.kid}]
        return fitting[0].public if len(fitting) == 1 else None

    def _begun(self) -> asyncio.Task[None] | None:
        """The reading that is under way, or one that begins; None where it is too soon for another."""
        if self._reading is None or self._reading.done():
            now = self._clock()
            if now - self._begun_at < (_APART_S if self._keys else _FIRST_APART_S):
                return None
            self._begun_at = now
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            with anyio.fail_after(_LONGEST_S):
                keys = _keys_in(await self._set())
        except (FetchError, _UnfitError, TimeoutError) as error:
            self._say(str(error) or "it took too long")
            return
        self._keys, self._read_at = keys, self._clock()
        self._say("")

    async def _set(self) -> dict[str, Any]:
        metadata = await self._metadata()
        if metadata.get("issuer") != self._issuer:
            raise _UnfitError("its metadata is of another issuer")
        address = metadata.get("jwks_uri")
        if not isinstance(address, str):
            raise _UnfitError("its metadata names no key set")
        return (await self._fetch(address, most=JWKS_BYTES)).document

    async def _metadata(self) -> dict[str, Any]:
        *first, last = _metadata_addresses(self._issuer)
        for address in first:
            try:
                return (await self._fetch(address, most=JWKS_BYTES)).document
            except FetchError as error:
                if error.passing:
                    raise
        return (await self._fetch(last, most=JWKS_BYTES)).document

    def _say(self, failed: str) -> None:
        """Once, until something else happens."""
        if failed and failed != self._failed:
            hours = f"those known serve for {_USABLE_S / 3_600:.0f} hours" if self._keys else "nobody can sign in"
            logger.warning("the keys of %s could not be read: %s; %s", urlsplit(self._issuer).hostname, failed, hours)
        elif self._failed and not failed:
            logger.info("the keys of %s can be read again", urlsplit(self._issuer).hostname)
        self._failed = failed


def _metadata_addresses(issuer: str) -> list[str]:
    """Where an issuer's metadata may be: OpenID Connect's place, then those of RFC 8414."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    return [
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/oauth-authorization-server{path}",
        *([f"{root}/.well-known/openid-configuration{path}"] if path else []),
    ]


def _keys_in(document: dict[str, Any]) -> tuple[_Key, ...]:
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise _UnfitError("its key set is no list of keys, or a very long one")
    keys = tuple(key for each in listed if isinstance(each, dict) and (key := _key(each)) is not None)
    if not keys:
        raise _UnfitError("its key set holds no key that is fit to check a signature")
    return keys


def _key(jwk: dict[str, Any]) -> _Key | None:
    """A key for checking signatures; None for what is for something else, secret, too small, or none at all."""
    kind, kid, algorithm = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or "d" in jwk or not (isinstance(operations, list) and "verify" in operations):
        return None
    fitting = _FITTING.get((str(kind), None if kind == "RSA" else str(jwk.get("crv"))), ())
    algorithms = frozenset(each for each in fitting if algorithm is None or algorithm == each)
    if not algorithms or not isinstance(kid, str | None):
        return None
    try:
        public = PyJWK(jwk, algorithm=fitting[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if kind == "RSA" and public.key_size not in _RSA_BITS:
        return None
    return _Key(kid, algorithms, public)
