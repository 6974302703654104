"""`login`, `logout` and `whoami`: accounts kept in profiles, tried before they are kept.

Knows what to ask for, and how an account is tried: a sign-in and one harmless read, since a plan without API access
shows only there. Where an account is kept is `fraction_mcp.accounts`'.
"""

import sys
from dataclasses import dataclass
from typing import Any

import anyio
from pydantic import SecretStr, ValidationError

from fraction_mcp import accounts
from fraction_mcp.accounts import ErpName
from fraction_mcp.cli.asking import ask, ask_hidden, choose, needs_person
from fraction_mcp.cli.currencies import currency
from fraction_mcp.cli.output import as_json_text
from fraction_mcp.cli.serve import checked_settings, is_embedded_place, runtime_of
from fraction_mcp.config import Settings, is_in_environment
from fraction_mcp.erp import Erp, endpoints
from fraction_mcp.erp.endpoints import System
from fraction_mcp.errors import ConfigError, ErpError, FractionMcpError
from fraction_mcp.values.text import clean, quoted

__all__ = ["INSTEAD", "Trial", "ask_accounts", "login", "logout", "place_of", "profile_of", "tried", "whoami"]

INSTEAD = "where there is none, FRACTION_EMAIL and FRACTION_PASSWORD_FILE name an account"
_TRIES = 3
_NOTHING: dict[str, Any] = {
    "fraction_email": "",
    "fraction_password": SecretStr(""),
    "fraction_password_file": None,
    "fracttal_client_id": "",
    "fracttal_client_secret": SecretStr(""),
    "fracttal_client_secret_file": None,
}


def login(*, profile: str) -> int:
    """Ask for accounts, try them, and keep them. Raises ConfigError without a terminal."""
    needs_person("login", INSTEAD)
    settings = profile_of(profile)
    _say("Which ERP?")
    (which,) = choose("Number", ["FractionERP", "Fracttal", "both"], default="1")
    both: tuple[ErpName, ...] = ("fractionerp", "fracttal")
    ask_accounts(settings, (both[:1], both[1:], both)[which])
    return 0


def logout(*, profile: str) -> int:
    """Forget a profile's accounts and secrets. No token is kept on disk that could be revoked: each server revokes its
    own when it ends."""
    settings = profile_of(profile)
    gone = accounts.forget_profile(settings.state_folder())
    if not gone:
        print(f"Profile {settings.profile} holds no account.")
        return 0
    for each in gone:
        print(f"Forgotten: {System(each.erp).label} as {each.account}, and its secret.")
    print("Servers that run with it go on until they end, and revoke their sign-in then. The journal stays.")
    return 0


def whoami(*, profile: str, sandbox: bool, as_json: bool) -> int:
    """Who is signed in where, tried now: exit code 1 where an account does not work."""
    settings = checked_settings(sandbox=sandbox, profile=profile)
    trials = anyio.run(tried, settings)
    facts = {
        "profile": "sandbox" if is_embedded_place(settings) else settings.profile,
        "journal": str(settings.state_folder() / "journal.sqlite3"),
        "systems": [{**trial.facts(), "secret": _where(settings, trial.system)} for trial in trials],
        "profiles": accounts.profile_names(settings.state_root()),
    }
    if as_json:
        print(as_json_text(facts))
    else:
        badge = "SANDBOX  " if is_embedded_place(settings) else ""
        print(f"{badge}profile {facts['profile']}")
        for trial in trials:
            print(f"  {trial.sentence()}")
            print(f"    its secret: {_where(settings, trial.system)}")
        others = [name for name in accounts.profile_names(settings.state_root()) if name != settings.profile]
        if others:
            print(f"  other profiles: {', '.join(others)}")
    return 1 if any(trial.problem for trial in trials) else 0


def profile_of(profile: str) -> Settings:
    """The settings of a profile that need not be there yet, without any account."""
    settings = Settings.load(stored=False)
    if profile:
        try:
            named: dict[str, Any] = {"FRACTION_MCP_PROFILE": profile}
            settings = settings.model_copy(update={"profile": Settings(**named).profile})
        except ValidationError:
            raise ConfigError(
                f"{quoted(profile)} is no profile's name: letters, digits, dots, dashes, underscores"
            ) from None
    return settings.model_copy(update=_NOTHING)


def _where(settings: Settings, system: System) -> str:
    if is_embedded_place(settings):
        return "no secret: it is the embedded company's"
    field = "fraction_password" if system is System.FRACTIONERP else "fracttal_client_secret"
    if is_in_environment(field):
        return "in the environment"
    if getattr(settings, f"{field}_file"):
        return f"in the file {getattr(settings, f'{field}_file')}"
    for each in accounts.read_profile(settings.state_folder()):
        if each.erp == system:
            return place_of(each)
    return "in the environment"


def place_of(account: accounts.StoredAccount) -> str:
    if account.kept_in == "keychain":
        return f"in the keychain ({accounts.keychain_title() or 'which is not here now'})"
    return f"in a file that only you can read ({account.folder / 'secrets.json'}); there is no keychain here"


# --------------------------------------------------------------------------------------------------------------- asking


def ask_accounts(settings: Settings, erps: tuple[ErpName, ...]) -> None:
    """Ask for these accounts, each tried before it is kept in the profile of `settings`."""
    for erp in erps:
        kept = _ask_fraction(settings) if erp == "fractionerp" else _ask_fracttal(settings)
        _say(f"Kept as profile {settings.profile}; the secret is {place_of(kept)}.")


def _ask_fraction(settings: Settings) -> accounts.StoredAccount:
    base_url = ask("FractionERP's address", settings.fraction_base_url, check=_address)
    for left in reversed(range(_TRIES)):
        email = ask("E-mail", check=_not_empty)
        password = ask_hidden("Password (not shown)")
        trial = _told_trial(
            settings, fraction_base_url=base_url, fraction_email=email, fraction_password=SecretStr(password)
        )
        if not trial.problem:
            break
        if not left:
            raise FractionMcpError("no account was kept: none of these could be used")
    code = ask("The company's base currency, which FractionERP does not state, such as GBP", check=currency)
    return accounts.keep_account(
        settings.state_folder(), settings.profile, "fractionerp",
        base_url=base_url, account=email, secret=password, currency=code,
    )  # fmt: skip


def _ask_fracttal(settings: Settings) -> accounts.StoredAccount:
    base_url = ask("Fracttal's address", settings.fracttal_base_url, check=_address)
    usual = settings.fracttal_token_url
    token_url = ask("Where its tokens are", usual, check=_address)
    for left in reversed(range(_TRIES)):
        client_id = ask("Client id", check=_not_empty)
        secret = ask_hidden("Client secret (not shown)")
        trial = _told_trial(
            settings,
            fracttal_base_url=base_url,
            fracttal_token_url=token_url,
            fracttal_client_id=client_id,
            fracttal_client_secret=SecretStr(secret),
        )
        if not trial.problem:
            break
        if not left:
            raise FractionMcpError("no account was kept: none of these could be used")
    return accounts.keep_account(
        settings.state_folder(), settings.profile, "fracttal",
        base_url=base_url, account=client_id, secret=secret, token_url=token_url,
    )  # fmt: skip


def _told_trial(settings: Settings, **account: Any) -> "Trial":
    _say("Trying it ...")
    (trial,) = anyio.run(tried, settings.model_copy(update=account))
    _say(f"  {trial.sentence()}")
    return trial


def _address(text: str) -> str:
    named: dict[str, Any] = {"fraction_base_url": text}
    try:
        return Settings(**named).fraction_base_url
    except ValidationError as error:
        raise ValueError("It " + error.errors()[0]["msg"].removeprefix("Value error, ") + ".") from None


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("It cannot be empty.")
    return text


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


# --------------------------------------------------------------------------------------------------------------- trying


@dataclass(frozen=True)
class Trial:
    """What became of a sign-in and one harmless read. `problem` is empty where both worked."""

    system: System
    base_url: str
    account: str
    user: str = ""
    company: str = ""
    plan: str = ""
    remaining: int | None = None
    limit: int | None = None
    problem: str = ""
    hint: str = ""
    signed_in: bool = False
    error: ErpError | None = None

    def sentence(self) -> str:
        name = self.system.label
        if self.problem:
            return f"{name} ({self.base_url}) as {self.account}: {self.problem}. {self.hint}".rstrip()
        of = f" of {quoted(self.company)}" if self.company else ""
        plan = f", plan {self.plan}" if self.plan else ""
        return f"{name}{of} ({self.base_url}) as {self.user or self.account}{plan}: signed in, and a read works."

    def facts(self) -> dict[str, Any]:
        return {
            "system": str(self.system),
            "base_url": self.base_url,
            "account": self.account,
            "user": self.user or None,
            "company": self.company or None,
            "plan": self.plan or None,
            "signed_in": self.signed_in,
            "problem": self.problem or None,
        }


async def tried(settings: Settings) -> list[Trial]:
    """Each configured ERP: signed in to, and asked for one record. What fails is told, not raised."""
    async with runtime_of(settings) as runtime:
        context = await runtime.context()
        return [await _trial(erp) for erp in context.erps.values()]


async def _trial(erp: Erp) -> Trial:
    known = erp.connection()
    failed: ErpError | None = None
    try:
        await erp.ready()
        if erp.system is System.FRACTIONERP:
            await erp.call(endpoints.ME, fresh=True)
            await erp.call(endpoints.PARTS, query={"per_page": 1}, fresh=True)
        else:
            await erp.call(endpoints.WAREHOUSES, query={"start": 0, "limit": 1}, fresh=True)
    except ErpError as error:
        failed = error
    known = erp.connection()
    user, company = known.user or {}, known.company or {}
    return Trial(
        erp.system,
        known.base_url,
        known.account,
        user=clean(str(user.get("email") or user.get("name") or "")),
        company=clean(str(company.get("company") or company.get("name") or "")),
        plan=clean(str(company.get("plan") or "")),
        remaining=known.budget.remaining if known.budget else None,
        limit=known.budget.limit if known.budget else None,
        problem=failed.message if failed else "",
        hint=failed.hint if failed else "",
        signed_in=known.signed_in,
        error=failed,
    )
