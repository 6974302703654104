"""A clock that goes as fast as a test wants."""

import time
from dataclasses import dataclass

__all__ = ["READS_S", "Clock"]

READS_S = 2.0
"""How long a person reads a question."""


@dataclass
class Clock:
    """This machine's, which may be moved on: nobody waits for a person to have read."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    def passes(self, seconds: float) -> None:
        self.ahead_s += seconds
