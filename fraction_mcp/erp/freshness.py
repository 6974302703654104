"""When what an answer rests on was read: the oldest of its reads, gathered wherever they were made."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

__all__ = ["Reads", "gathered", "read"]


class Reads:
    """The reads behind one answer. `as_of` is empty where there were none."""

    def __init__(self) -> None:
        self._oldest: datetime | None = None

    def add(self, at: datetime) -> None:
        self._oldest = at if self._oldest is None else min(self._oldest, at)

    @property
    def oldest(self) -> datetime | None:
        return self._oldest

    @property
    def as_of(self) -> str:
        return self._oldest.astimezone(UTC).isoformat(timespec="seconds") if self._oldest else ""


_reads: ContextVar[Reads | None] = ContextVar("reads", default=None)


@contextmanager
def gathered() -> Iterator[Reads]:
    """Everything that is read inside, also by tasks started there."""
    reads = Reads()
    token = _reads.set(reads)
    try:
        yield reads
    finally:
        _reads.reset(token)


def read(at: datetime) -> None:
    """An answer that was read at this time is being used."""
    if (reads := _reads.get()) is not None:
        reads.add(at)
