"""The last ten thousand requests that the embedded ERPs received.

Knows what was asked and with which status it was answered. Refuses to know headers and bodies, which hold secrets.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

_KEPT: Final = 10_000


@dataclass(slots=True)
class LoggedRequest:
    """`endpoint` is the path behind the mount; `status` is None while, or because, no answer was given."""

    system: str
    method: str
    path: str
    endpoint: str
    query: str
    status: int | None = None
    fault: str | None = None


class RequestLog:
    def __init__(self) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(list(self._entries))

    def __getitem__(self, index: int) -> LoggedRequest:
        return self._entries[index]

    def append(self, entry: LoggedRequest) -> None:
        self._entries.append(entry)

    def clear(self) -> None:
        self._entries.clear()

    def described(self) -> list[dict[str, object]]:
        return [asdict(entry) for entry in self]
