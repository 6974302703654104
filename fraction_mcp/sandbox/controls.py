"""What is done to a company from outside, by its file: started afresh, and made to fail.

It holds for every process that works in it, the running ones included: the file is changed, and never replaced.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .faults import KINDS, Fault, arm_shared, clear_shared, shared_faults
from .store import Store

__all__ = ["arm_fault", "armed_faults", "clear_faults", "fault_kinds", "reset_company"]


def reset_company(path: Path, *, parts: int = 600, seed: int = 1) -> None:
    """Records as on the first day; nobody is signed in any more, and nothing is armed. Raises OSError."""
    Store(path, parts=parts, seed=seed, reset=True).close()


def fault_kinds() -> Mapping[str, str]:
    return KINDS


def arm_fault(company: Path, kind: str, **how: Any) -> None:
    """See `Faults.arm`. Raises ValueError if the fault makes no sense."""
    fault = Fault(kind, **how)
    with _opened(company) as store:
        arm_shared(store, fault)


def armed_faults(path: Path) -> list[Fault]:
    with _opened(path) as store:
        return shared_faults(store)


def clear_faults(path: Path) -> None:
    with _opened(path) as store:
        clear_shared(store)


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    store = Store(path, parts=600, seed=1, reset=False)
    try:
        yield store
    finally:
        store.close()
