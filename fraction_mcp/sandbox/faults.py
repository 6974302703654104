"""What shall go wrong, and when.

Knows the kinds of trouble, which requests they are meant for, and how often. Refuses to know how trouble is made: that
is the gate's work. A fault is armed in this process, or in the company's file, for whichever process works in it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Protocol

KINDS: Final[dict[str, str]] = {
    "status": "answer with `status` (default 500) in the documented envelope; nothing is done",
    "timeout": "hold the request for `seconds`, or until the client leaves, before anything is done",
    "timeout_after": "do the work, then hold the answer for `seconds`, or until the client leaves",
    "drop_before": "close the connection before anything is done",
    "drop_after": "do the work, then close the connection without a byte of an answer",
    "cut": "do the work, then send half of the answer under its full length and close the connection",
    "truncate": "do the work, then send half of the answer as if it were the whole",
    "html": "answer with an HTML page and `status` (default 502); nothing is done",
    "empty": "answer with `status` (default 200) and no body; nothing is done",
    "garbage": "answer with `status` (default 200) and JSON of the wrong type, or `body`; nothing is done",
    "after_500": "do the work, then answer 500",
    "expire": "every token of the system ends just before the request is read",
}
SYSTEMS: Final = ("*", "fraction", "fracttal")


@dataclass(slots=True)
class Fault:
    kind: str
    method: str = "*"
    path: str = "*"
    system: str = "*"
    times: int = 1
    after: int = 0
    seconds: float = 60.0
    status: int = 0
    code: str = ""
    message: str = ""
    body: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.system not in SYSTEMS:
            raise ValueError(f"system must be one of {', '.join(SYSTEMS)}")
        for name, kind in _TYPES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise ValueError(f"{name} must be {'a text' if kind is str else 'a number'}")  # noqa: TRY004 - it came from outside
        if self.times < 1 or self.after < 0 or self.seconds < 0:
            raise ValueError("times must be at least 1, after and seconds at least 0")
        if self.status and not 200 <= self.status <= 599:
            raise ValueError("status must be between 200 and 599")

    def suits(self, system: str, method: str, endpoint: str, path: str) -> bool:
        return (
            self.system in {"*", system}
            and self.method.upper() in {"*", method}
            and (fnmatchcase(endpoint, self.path) or fnmatchcase(path, self.path))
        )


_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("method", "path", "code", "message", "body"), str),
    **dict.fromkeys(("times", "after", "status"), int),
    "seconds": (int, float),
}


class FaultFile(Protocol):
    """The company's file, as `Store` keeps it: rows of (id, fault as JSON)."""

    def armed_faults(self) -> list[tuple[int, str]]: ...

    def add_fault(self, fault: str) -> None: ...

    def change_faults(self, change: Callable[[list[tuple[int, str]]], dict[int, str | None]]) -> None:
        """In one transaction: what stands there, and by id what shall stand there instead, None for nothing."""
        ...


@dataclass(slots=True)
class Faults:
    """The armed faults, in the order in which they were armed, those of this process before those of the `file`; a
    request meets at most one of them."""

    armed: list[Fault] = field(default_factory=list)
    file: FaultFile | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(
        self,
        kind: str,
        *,
        method: str = "*",
        path: str = "*",
        system: str = "*",
        times: int = 1,
        after: int = 0,
        seconds: float = 60.0,
        status: int = 0,
        code: str = "",
        message: str = "",
        body: str = "",
    ) -> Fault:
        """Arm one fault for the next `times` requests that match, once `after` of them have passed unharmed.

        `path` is a shell pattern over the percent-encoded path behind the mount ("/parts*"), or over all of it.
        Raises ValueError if the fault makes no sense.
        """
        fault = Fault(kind, method, path, system, times, after, seconds, status, code, message, body)
        with self._lock:
            self.armed.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self.armed.clear()

    def strike(self, system: str, method: str, endpoint: str, path: str) -> Fault | None:
        """The fault that this request meets, used up by one."""
        with self._lock:
            struck = _strike(self.armed, system, method, endpoint, path)
        if struck is None and self.file is not None and self.file.armed_faults():
            return _strike_shared(self.file, system, method, endpoint, path)
        return struck

    def described(self) -> list[dict[str, object]]:
        with self._lock:
            return [asdict(fault) for fault in self.armed]


def _strike(armed: list[Fault], system: str, method: str, endpoint: str, path: str) -> Fault | None:
    struck = None
    for fault in list(armed):
        if not fault.suits(system, method, endpoint, path):
            continue
        if fault.after:
            fault.after -= 1
        elif struck is None:
            struck = fault
            fault.times -= 1
            if fault.times == 0:
                armed.remove(fault)
    return struck


def _strike_shared(file: FaultFile, system: str, method: str, endpoint: str, path: str) -> Fault | None:
    """As `_strike`, one process at a time."""
    struck: list[Fault | None] = [None]

    def change(rows: list[tuple[int, str]]) -> dict[int, str | None]:
        faults = {number: Fault(**json.loads(text)) for number, text in rows}
        armed = list(faults.values())
        struck[0] = _strike(armed, system, method, endpoint, path)
        left = {id(fault) for fault in armed}
        return {
            number: json.dumps(asdict(fault)) if id(fault) in left else None
            for number, fault in faults.items()
            if id(fault) not in left or json.dumps(asdict(fault)) != dict(rows)[number]
        }

    file.change_faults(change)
    return struck[0]


def arm_shared(file: FaultFile, fault: Fault) -> None:
    """Arm a fault for every process that works in the company of this file."""
    file.add_fault(json.dumps(asdict(fault)))


def shared_faults(file: FaultFile) -> list[Fault]:
    return [Fault(**json.loads(text)) for _, text in file.armed_faults()]


def clear_shared(file: FaultFile) -> None:
    file.change_faults(lambda rows: dict.fromkeys((number for number, _ in rows), None))
