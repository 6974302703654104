"""How many requests an ERP says are left, by its rate-limit headers: the ERP is the authority, nothing is counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from fraction_mcp.erp.endpoints import System

__all__ = ["Budget", "budget", "number_in"]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests the ERP says are left in its window, and when the window ends."""

    limit: int | None
    remaining: int | None
    resets_at: datetime | None


def budget(system: System, headers: Mapping[str, str], now: datetime) -> Budget | None:
    """What the rate-limit headers say; None where there are none.

    FractionERP: X-RateLimit-*, the reset a unix time. Fracttal: Request-Call-*, the reset in seconds.
    A unix time is the server's clock: it is moved by the difference between the two clocks (`Date`).
    """
    if system is System.FRACTIONERP:
        limit, remaining, reset = (
            number_in(headers, f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset")
        )
        resets_at = None if reset is None else _moment(reset) + (now - _server_time(headers, now))
    else:
        limit = number_in(headers, "request-call-limit")
        remaining = number_in(headers, "request-call-remaining", "request-call-limit-remaining")
        reset = number_in(headers, "request-call-reset", "request-call-limit-reset")
        resets_at = None if reset is None else now + timedelta(seconds=min(reset, 86_400))
    return None if limit is remaining is None and resets_at is None else Budget(limit, remaining, resets_at)


def number_in(headers: Mapping[str, str], *names: str) -> int | None:
    text = next((headers[name].strip() for name in names if name in headers), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(min(unix, 32_503_680_000), UTC)


def _server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    try:
        moment = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, OverflowError):
        return now
    return moment if moment.tzinfo and abs(moment - now) < timedelta(days=366) else now
