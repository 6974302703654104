"""The few numbers that a test or a demonstration may turn while the sandbox runs."""

from typing import Final

DEFAULTS: Final[dict[str, float]] = {
    "token_lifetime_s": 12 * 3600,
    "fracttal_token_lifetime_s": 7200,
    "fraction_limit_per_hour": 2000,
    "fracttal_limit_per_minute": 200,
}
