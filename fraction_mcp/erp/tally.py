"""How many requests went to the ERPs for one call, and which ids the ERPs gave to those that they refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["Tally", "counted", "refused", "sent"]


@dataclass
class Tally:
    """Requests on the wire, sign-ins and repeats included, and the request ids of what failed, the latest last."""

    requests: int = 0
    request_ids: list[str] = field(default_factory=list)


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counted() -> Iterator[Tally]:
    """Everything that is sent inside, also by tasks started there."""
    tally = Tally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


def sent() -> None:
    """A request is about to leave."""
    if (tally := _tally.get()) is not None:
        tally.requests += 1


def refused(request_id: str) -> None:
    """An ERP's answer was an error, which the ERP knows by this id (empty where it gave none)."""
    if request_id and (tally := _tally.get()) is not None:
        tally.request_ids.append(request_id)
