"""Who and when, as people say it: for cards, lists and the journal; and what goes on failing, for the log."""

import logging
import os
import sys
from dataclasses import dataclass
from datetime import datetime

from fraction_mcp.errors import FractionMcpError
from fraction_mcp.shapes import clean

__all__ = ["Moment", "moment", "told_once", "who_is_here"]

_LONGEST = 257  # Windows' longest account name, and its end


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


def who_is_here() -> str:
    """The account that this process runs as, by the name that the operating system has for it.

    Not LOGNAME, USER or USERNAME, as `getpass.getuser` would have it: whoever starts a process chooses those.
    """
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - only there, and only when asked

        size, name = ctypes.c_ulong(_LONGEST), ctypes.create_unicode_buffer(_LONGEST)
        known = ctypes.windll.advapi32.GetUserNameW(name, ctypes.byref(size))
        return clean(name.value, _LONGEST) if known else "somebody"
    import pwd  # noqa: PLC0415 - Windows lacks it

    try:
        return clean(pwd.getpwuid(os.geteuid()).pw_name, _LONGEST)
    except KeyError:  # a container without users
        return f"uid {os.geteuid()}"


def told_once(logger: logging.Logger, error: Exception, told: str) -> str:
    """What has just failed and is tried again, as a line in the log unless it is what was told last. A traceback for
    what is no error of ours, and for nothing else."""
    now, trace = (error.message, None) if isinstance(error, FractionMcpError) else (repr(error), error)
    if now != told:
        logger.warning("seeing to the writes that wait failed, and is tried again: %s", now, exc_info=trace)
    return now
