"""The package with one promise broken on purpose: what finds nothing wrong with these finds nothing.

`python -m torture --short --broken NAME PART` must end with 1; a test holds it to that.
"""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["BROKEN", "broken"]


def _claim() -> None:
    """A claim that is no compare-and-set: the write stays approved while it is sent."""
    from fraction_mcp.operations.writes.journal import Journal

    async def claimed(self: Journal, write_id: str, **facts: Any) -> bool:
        del self, write_id, facts
        return True

    async def held(self: Journal, write_id: str, **facts: Any) -> bool:
        del self, write_id, facts
        return True

    Journal.claim, Journal.hold = claimed, held  # type: ignore[method-assign]


def _retry() -> None:
    """A write whose answer is lost is sent again."""
    from fraction_mcp import errors
    from fraction_mcp.erp.client import ErpClient

    call = ErpClient.call

    async def again(self: ErpClient, *words: Any, **facts: Any) -> Any:
        try:
            return await call(self, *words, **facts)
        except errors.ErpOutcomeUnknown:
            return await call(self, *words, **facts)

    ErpClient.call = again  # type: ignore[method-assign]


def _accept() -> None:
    """A form that was accepted is a yes, whatever stands in it and however fast it came."""
    from fraction_mcp.server import consent

    consent.READING_S = 0.0
    consent._choice = lambda answer: "approve" if answer.action == "accept" else ""


BROKEN: Mapping[str, Callable[[], None]] = {"claim": _claim, "retry": _retry, "accept": _accept}


def broken(name: str) -> None:
    """Break it in this process; nothing where the name is empty."""
    if name:
        BROKEN[name]()
