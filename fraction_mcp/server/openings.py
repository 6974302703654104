"""One stdio connection whose client asks what there is, and then opens the older protocol all the same.

The SDK binds a connection to the protocol of its first request. A client that waits a second for the answer to
`server/discover`, and then sends `initialize`, was refused wherever the start took longer. Here `server/discover`
alone binds nothing: an `initialize` behind it ends the SDK's connection in order and begins another on the same
streams. After any other request the SDK decides, and refuses it.
"""

from contextvars import Context
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

__all__ = ["serve_connection"]

_ANSWERED_S = 5.0  # how long what was asked before is waited for; it is answered in milliseconds

Item = SessionMessage | Exception


async def serve_connection(server: Server[Any], read: Any, write: Any) -> None:
    """Serve one client on these streams until it leaves."""
    opening = _Opening(read, write)
    while not opening.ended:
        await server.run(opening, _Outgoing(opening), server.create_initialization_options())
    await write.aclose()


class _Opening:
    """What a client sends, ended for the SDK where an `initialize` follows `server/discover` and nothing else."""

    def __init__(self, read: Any, write: Any) -> None:
        self.write = write
        self.ended = False
        self._read = read
        self._held: Item | None = None
        self._bound = False  # a request that is not `server/discover` has come
        self._unanswered: set[str | int] = set()
        self._all_answered = anyio.Event()

    @property
    def last_context(self) -> Context | None:
        context: Context | None = getattr(self._read, "last_context", None)
        return context

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> Item:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        try:
            item: Item = await self._read.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self.ended = True
            raise
        if not self._bound and await self._opens_anew(item):
            self._held = item
            raise anyio.EndOfStream
        return item

    async def _opens_anew(self, item: Item) -> bool:
        match item.message if isinstance(item, SessionMessage) else None:
            case JSONRPCRequest(method="server/discover", id=number):
                self._unanswered.add(number)
                return False
            case JSONRPCNotification(method="notifications/cancelled", params=params):
                self.answered((params or {}).get("requestId", ""))  # it is not answered any more
                return False
            case JSONRPCRequest(method=method):
                self._bound = True
                return method == "initialize" and await self._discovered()
        return False

    async def _discovered(self) -> bool:
        """Whether there was anything before, all of which is answered now."""
        if self._all_answered.is_set():
            return True
        if not self._unanswered:
            return False
        with anyio.move_on_after(_ANSWERED_S):
            await self._all_answered.wait()
        return True

    def answered(self, number: str | int | None) -> None:
        if number in self._unanswered:
            self._unanswered.discard(number)
            if not self._unanswered:
                self._all_answered.set()

    async def aclose(self) -> None:
        """The SDK closes what it read; the client is read on, unless it has left."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Outgoing:
    """What the SDK writes to, which it closes at the end of each of its connections."""

    def __init__(self, opening: _Opening) -> None:
        self._opening = opening

    async def send(self, item: SessionMessage, /) -> None:
        await self._opening.write.send(item)
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            self._opening.answered(item.message.id)

    async def aclose(self) -> None:
        """Left open for the next connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
