"""How many requests somebody may still send in the current window.

Knows counting. Refuses to know whose headers say so.
"""

import math
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Budget:
    limit: int
    remaining: int
    resets_at: int
    exceeded: bool


@dataclass(slots=True)
class Counter:
    """Fixed windows, each beginning with the first request after the one before has ended."""

    window_s: int
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)

    def count(self, owner: str, limit: int) -> Budget:
        now = time.time()
        ends, used = self._windows.get(owner, (0.0, 0))
        if ends <= now:
            ends, used = now + self.window_s, 0
        exceeded = used >= limit
        used += not exceeded
        self._windows[owner] = (ends, used)
        return Budget(limit, max(0, limit - used), math.ceil(ends), exceeded)
