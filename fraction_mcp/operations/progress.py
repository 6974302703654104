"""How far a long answer has come, told to whoever waits for it; nothing where nobody asked to be told."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

__all__ = ["Reporter", "report", "reporter"]

Reporter = Callable[[float, float | None, str], Awaitable[None]]
"""`(done, of how many, of what)`."""

reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


async def report(done: float, total: float | None, what: str) -> None:
    tell = reporter.get()
    if tell is not None:
        await tell(done, total, what)
