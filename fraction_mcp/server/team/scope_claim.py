"""What an identity provider's own words allow here, where it cannot issue `erp:read` and `erp:write`.

Knows claims and what an operator says of them; nobody's token is good for what nobody said of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fraction_mcp.errors import ConfigError
from fraction_mcp.server.team.scopes import SCOPES

__all__ = ["ScopeClaim", "granted"]


@dataclass(frozen=True, slots=True)
class ScopeClaim:
    """Where a token says what it allows, and what that is here.

    For issuers that can issue `erp:read` and `erp:write` there is nothing to say. `name` is another claim (`roles`,
    `groups`), a text of words or a list of texts; `grants` has what each of them allows. What is in neither allows
    nothing.
    """

    name: str = ""
    grants: Mapping[str, frozenset[str]] = field(default_factory=lambda: {each: frozenset({each}) for each in SCOPES})

    def scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        claim = claims.get(self.name) if self.name else claims.get("scope", claims.get("scp"))
        words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
        known = (self.grants.get(word, frozenset()) for word in words if isinstance(word, str))
        return frozenset[str]().union(*known)


def granted(text: str) -> tuple[str, frozenset[str]]:
    """One of `grants` as an operator types it: `ERP buyers=erp:read erp:write`. Raises ConfigError."""
    name, sign, words = text.rpartition("=")
    scopes = frozenset(words.split())
    if not sign or not name.strip() or not scopes or not scopes <= {*SCOPES}:
        raise ConfigError(f"--grant: {text!r} is no NAME=erp:read or NAME=erp:read erp:write")
    return name.strip(), scopes
