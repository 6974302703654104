"""What the two ERPs are. This floor knows HTTP and knows nothing of MCP.

`Erp` is what the floor above is given: it asks for an endpoint and gets an `Answer` or one error. Tests of that floor
put a fake in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fraction_mcp.erp.endpoints import Endpoint, System
    from fraction_mcp.erp.wire import Answer, Budget

__all__ = ["Connection", "Erp"]


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of a connection without asking: who is signed in, and what is left of the rate limit."""

    base_url: str
    account: str
    signed_in: bool
    user: Mapping[str, Any] | None
    company: Mapping[str, Any] | None
    budget: Budget | None


class Erp(Protocol):
    """One ERP, signed in on demand."""

    @property
    def system(self) -> System: ...

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,
    ) -> Answer:
        """Ask for an endpoint. Raises ErpError. `fresh` reads past any memory of an earlier answer; a `body` of bytes
        goes out as it is."""
        ...

    def connection(self) -> Connection: ...
