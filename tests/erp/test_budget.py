"""The rate limit as the ERPs tell it: what is left, when it ends, and how long to wait, by their clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.budget import Budget, budget
from fraction_mcp.erp.decipher import decipher
from fraction_mcp.erp.endpoints import Endpoint, System
from fraction_mcp.erp.response import Response

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def unix(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def fraction(reset: str = "", **headers: str) -> dict[str, str]:
    return {"x-ratelimit-limit": "2000", "x-ratelimit-remaining": "7", "x-ratelimit-reset": reset, **headers}


def test_fractionerp_tells_its_reset_as_a_unix_time() -> None:
    ends = NOW + timedelta(minutes=20)
    assert budget(System.FRACTIONERP, fraction(unix(ends)), NOW) == Budget(2000, 7, ends)


@pytest.mark.parametrize("skew", [timedelta(hours=3), timedelta(hours=-3), timedelta(seconds=40)])
def test_a_clock_that_is_off_does_not_move_the_end_of_the_window(skew: timedelta) -> None:
    server_now = NOW + skew
    headers = fraction(unix(server_now + timedelta(minutes=5)), date=format_datetime(server_now, usegmt=True))
    told = budget(System.FRACTIONERP, headers, NOW)
    assert told.resets_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Sat, 21 Nov 2026 17:00:00 -0000",
    ],
)
def test_a_date_that_tells_nothing_is_no_correction(date: str) -> None:
    ends = NOW + timedelta(minutes=5)
    assert budget(System.FRACTIONERP, fraction(unix(ends), date=date), NOW).resets_at == ends


def test_fracttal_tells_its_reset_in_seconds_under_either_name() -> None:
    ends = NOW + timedelta(seconds=30)
    for prefix in ("request-call-", "request-call-limit-"):
        headers = {"request-call-limit": "200", f"{prefix}remaining": "3", f"{prefix}reset": "30"}
        assert budget(System.FRACTTAL, headers, NOW) == Budget(200, 3, ends)


@pytest.mark.parametrize("value", ["", "-1", "1.5", "many", "9" * 500, "１", "0x10"])
def test_a_figure_that_is_no_count_is_not_known(value: str) -> None:
    assert budget(System.FRACTIONERP, fraction(value), NOW) == Budget(2000, 7, None)
    assert budget(System.FRACTIONERP, {"x-ratelimit-remaining": value}, NOW) is None


def test_without_headers_nothing_is_known() -> None:
    assert budget(System.FRACTIONERP, {}, NOW) is None
    assert budget(System.FRACTTAL, fraction("1"), NOW) is None


@given(
    st.dictionaries(st.sampled_from([*fraction(), "date", "retry-after", "request-call-reset"]), st.text(max_size=20))
)
def test_no_header_at_all_breaks_the_reading(headers: dict[str, Any]) -> None:
    for endpoint, status in ((e.PARTS, 429), (e.WAREHOUSES, 406)):
        with pytest.raises(errors.RateLimited):
            decipher(endpoint, Response(status, headers, b"", NOW))


# ------------------------------------------------------------------------------------------------------------ waiting


def limited(endpoint: Endpoint, status: int, headers: dict[str, Any]) -> errors.RateLimited:
    with pytest.raises(errors.RateLimited) as caught:
        decipher(endpoint, Response(status, headers, b"", NOW))
    assert caught.value.retryable
    return caught.value


def test_the_wait_is_told_by_retry_after_first_and_by_the_window_else() -> None:
    headers = fraction(unix(NOW + timedelta(seconds=90)))
    assert limited(e.PARTS, 429, headers).retry_after_s == 90
    assert limited(e.PARTS, 429, {**headers, "retry-after": "17"}).retry_after_s == 17
    assert limited(e.WAREHOUSES, 406, {"request-call-reset": "42"}).retry_after_s == 42


def test_a_window_that_has_ended_means_no_wait() -> None:
    assert limited(e.PARTS, 429, fraction(unix(NOW - timedelta(seconds=90)))).retry_after_s == 0


def test_an_unknown_wait_is_not_made_up() -> None:
    error = limited(e.PARTS, 429, {})
    assert error.retry_after_s is None
    assert "Wait a while" in error.hint


def test_the_seconds_stand_in_the_message_and_the_hint() -> None:
    error = limited(e.PARTS, 429, {"retry-after": "90"})
    assert "90 seconds" in error.message
    assert "Wait 90 seconds" in error.hint
