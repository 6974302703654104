"""The keys of a team's server: what is kept of others' secrets is sealed under them, and tokens are derived from them.

Every replica holds the same ones. Several are the way to change one: add the new key behind the old, on every replica;
then put it first; then, once what the old one sealed has been renewed, take the old one away.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fraction_mcp.errors import ConfigError

__all__ = ["KeyRing"]

_SHORTEST = 32
_NONCE = 12
_NAME = 4  # so many bytes tell which key sealed


class KeyRing:
    """Seals under its first key, opens under every one of them."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        """Of `Settings.secret_keys`. Raises ConfigError for a key that is too short, and where there is none."""
        if not secrets or any(len(secret) < _SHORTEST for secret in secrets):
            raise ConfigError(
                f"FRACTION_MCP_SECRET_KEY: each of its keys, parted by commas, must be at least {_SHORTEST} bytes; "
                'make one with: python -c "import secrets; print(secrets.token_hex(32))"'
            )
        self._deriving = [_subkey(secret, "derive") for secret in secrets]
        sealing = [_subkey(secret, "seal") for secret in secrets]
        self._opening = {_subkey(key, "name")[:_NAME]: AESGCM(key) for key in reversed(sealing)}
        self._first = _subkey(sealing[0], "name")[:_NAME]

    def seal(self, plain: bytes, *, about: str) -> bytes:
        """Opens only as being `about` the same: what is sealed for one person is of no use in another's row."""
        nonce = os.urandom(_NONCE)
        return self._first + nonce + self._opening[self._first].encrypt(nonce, plain, about.encode())

    def unseal(self, sealed: bytes, *, about: str) -> bytes | None:
        """None for what none of the keys sealed, or not as being `about` this."""
        opening = self._opening.get(sealed[:_NAME])
        if opening is None or len(sealed) < _NAME + _NONCE:
            return None
        try:
            return opening.decrypt(sealed[_NAME : _NAME + _NONCE], sealed[_NAME + _NONCE :], about.encode())
        except InvalidTag:
            return None

    def opens(self, sealed: bytes) -> bool:
        """Whether the key is here under which this was sealed; whether it was, `unseal` tells."""
        return sealed[:_NAME] in self._opening

    def derive(self, label: str, *parts: str) -> bytes:
        """32 bytes that nobody without the first key can tell from the parts, the same on every replica."""
        return next(self.derivations(label, *parts))

    def derivations(self, label: str, *parts: str) -> Iterator[bytes]:
        """The same under each of the keys, the first one's first."""
        message = b"".join(len(part).to_bytes(4) + part for part in (text.encode() for text in (label, *parts)))
        for key in self._deriving:
            yield hmac.digest(key, message, "sha256")


def _subkey(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(hashlib.sha256(secret).digest(), f"fraction-mcp team {purpose}".encode(), "sha256")
