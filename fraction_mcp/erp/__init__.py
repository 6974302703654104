"""What the two ERPs are. This floor knows HTTP and knows nothing of MCP.

`Erp` is what the floor above is given: it asks for an endpoint and gets an `ErpAnswer` or one error. Tests of that
floor put a fake in its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fraction_mcp.erp.budget import Budget
    from fraction_mcp.erp.endpoints import Endpoint, System
    from fraction_mcp.erp.records import Record
    from fraction_mcp.erp.response import ErpAnswer

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
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> ErpAnswer:
        """Ask for an endpoint. Raises ErpError. `fresh` reads past any memory of an earlier answer; a `body` of bytes
        goes out as it is.

        `before_send` is awaited each time a write is about to go out, with the token in hand and nothing left to wait
        for: what it raises is raised here, and nothing is sent.
        """
        ...

    async def ready(self) -> None:
        """Be signed in, so that what comes next does not wait for it. Raises ErpError."""
        ...

    @property
    def writes(self) -> int:
        """How many writes were sent so far: what was made of reads before the last one is older than it."""
        ...

    def seen(self, endpoint: Endpoint, field: str, text: str) -> Record | None:
        """The one record of a list whose field reads so, where an answer that is still remembered holds it. Using it
        counts as a read, of the age of that answer."""
        ...

    def connection(self) -> Connection: ...
