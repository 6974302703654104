"""A point in time as people say it: for cards, lists and the journal."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Moment", "moment"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: for machines, for people, and how far it is from now."""

    iso: str
    spoken: str
    distance: str


def moment(at: float, now: float) -> Moment:
    """Both in unix seconds; spoken in this machine's zone."""
    local = datetime.fromtimestamp(at).astimezone()
    return Moment(local.isoformat(timespec="seconds"), f"{local:%d %b %Y, %H:%M} {local.tzname()}", _distance(at - now))


def _distance(seconds: float) -> str:
    """In plain words, in the largest unit that says enough."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if abs(seconds) >= 2 * size or (unit == "minute" and abs(seconds) >= size):
            count = int(abs(seconds) // size)
            words = f"{count} {unit}{'s' if count != 1 else ''}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "in less than a minute" if seconds > 0 else "just now"
