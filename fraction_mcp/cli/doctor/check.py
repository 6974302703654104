"""What a check says: its name, how it went, what was seen, and what mends it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "failure", "ok", "warning"]

State = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Check:
    """`failure`: a call would fail. `warning`: something is missing that calls can do without."""

    name: str
    state: State
    told: str
    mend: str = ""


def ok(name: str, told: str) -> Check:
    return Check(name, "ok", told)


def warning(name: str, told: str, mend: str) -> Check:
    return Check(name, "warning", told, mend)


def failure(name: str, told: str, mend: str) -> Check:
    return Check(name, "failure", told, mend)
