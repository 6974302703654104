"""How often a read is tried. For a call, again where that may help; for what is worth one request alone, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["tried_once", "tries"]

_MOST = 4

_tries: ContextVar[int] = ContextVar("tries", default=_MOST)


def tries() -> int:
    return _tries.get()


@contextmanager
def tried_once() -> Iterator[None]:
    """No read inside is repeated, whatever its failure."""
    token = _tries.set(1)
    try:
        yield
    finally:
        _tries.reset(token)
