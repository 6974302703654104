"""The accounts: a sign-in, one harmless read, and what is left of the rate budget."""

from collections.abc import Iterator

from fraction_mcp import errors
from fraction_mcp.cli.accounts import Trial, tried
from fraction_mcp.cli.doctor.check import Check, failure, ok, warning
from fraction_mcp.config import Settings
from fraction_mcp.erp.endpoints import System

__all__ = ["addresses", "checks"]

_LOW = 0.05


def addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.fraction_configured:
        yield System.FRACTIONERP.label, settings.fraction_base_url
    if settings.fracttal_configured:
        yield "Fracttal tokens", settings.fracttal_token_url
        yield System.FRACTTAL.label, settings.fracttal_base_url


async def checks(settings: Settings) -> list[Check]:
    return [check for trial in await tried(settings) for check in _of(trial)]


def _of(trial: Trial) -> Iterator[Check]:
    name = trial.system.label
    signing = f"{name} sign-in"
    if not trial.signed_in:
        yield failure(signing, trial.problem or "it did not work", _mend(trial.error, trial.system))
        return
    of = f" of {trial.company}" if trial.company else ""
    yield ok(signing, f"as {trial.user or trial.account}{of}")
    reading = f"{name} plan" if trial.system is System.FRACTIONERP else f"{name} list"
    if trial.problem:
        yield failure(reading, f"a read was refused: {trial.problem}", _mend(trial.error, trial.system))
    else:
        yield ok(reading, f"a read works{f' (plan {trial.plan})' if trial.plan else ''}")
    if trial.remaining is None or trial.problem:
        return
    left = f"{trial.remaining} of {trial.limit} requests are left" if trial.limit else f"{trial.remaining} are left"
    if trial.limit and trial.remaining < trial.limit * _LOW:
        yield warning(f"{name} budget", left, "wait until the window ends, or ask who else uses this account")
    else:
        yield ok(f"{name} budget", left)


def _mend(error: errors.ErpError | None, system: System) -> str:
    """What to do about it, and who can."""
    match error:
        case errors.NotAuthenticated():
            return (
                "fraction-mcp login, with the right e-mail and password"
                if system is System.FRACTIONERP
                else ("fraction-mcp login, with a client id and secret of Fracttal's API settings")
            )
        case errors.PlanRestricted():
            return "the company's plan needs API access: Pro or Moulding"
        case errors.AccountInactive():
            return "an administrator of the company has to activate the account"
        case errors.Forbidden():
            return "an administrator of the company has to allow this account to use the API"
        case errors.RateLimited() | errors.BudgetSpent():
            return "wait: too many requests were made with this account"
        case errors.ErpTimedOut():
            return "try again; FRACTION_MCP_TIMEOUT_S allows more time"
        case errors.ErpContractBroken():
            return "check the address: what answers there is not the ERP's API, a proxy's page perhaps"
        case _:
            return "try again in a moment; if it stays, the ERP's operator has to look"
