"""The package with one promise broken on purpose: what finds nothing wrong with these finds nothing.

`python -m torture --short --broken NAME PART` must end with 1; a test holds it to that.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

__all__ = ["BROKEN", "broken"]


def _claim() -> None:
    """A claim that is no compare-and-set: it takes a write in whatever state it is, as if it were approved still. All
    else of it is the true one's, so that nothing shows it but a second process that sends."""
    from fraction_mcp.operations.writes.journal import Journal
    from fraction_mcp.operations.writes.journal_tables import Transaction
    from fraction_mcp.operations.writes.states import State

    claim = Journal.claim

    async def claimed(self: Journal, write_id: str, **facts: Any) -> bool:
        @asynccontextmanager
        async def blind() -> AsyncIterator[Transaction]:
            async with self._transaction() as transaction:
                read = transaction.write

                async def approved(asked: str) -> Any:
                    write = await read(asked)
                    return replace(write, state=State.APPROVED) if asked == write_id else write

                transaction.write = approved  # type: ignore[method-assign, assignment]
                yield transaction

        journal = Journal(self.database, self._clock, self._seen, self._changes)
        journal._transaction = blind  # type: ignore[method-assign]
        return await claim(journal, write_id, **facts)

    Journal.claim = claimed  # type: ignore[method-assign]


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
