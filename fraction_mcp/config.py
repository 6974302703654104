"""Settings: everything an operator may set, from the environment or a stored profile, checked at start.

Knows names, defaults and what contradicts what. Secrets are `SecretStr`, so that no repr, log or error shows one. A
wrong setting is a `ConfigError` whose message names the variable and the mend.

The environment wins over a profile, ERP by ERP: an account comes whole from one of the two, so that a stored password
never goes to an address that it was not stored for. Where the environment names an account and no profile was named,
no profile is looked at.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from fraction_mcp.database_url import read_database_url
from fraction_mcp.errors import ConfigError
from fraction_mcp.proxy_settings import refuse_unusable_proxies

__all__ = [
    "DEFAULT_PROFILE",
    "EMBEDDED",
    "Settings",
    "is_embedded",
    "is_in_environment",
    "nothing_configured",
    "profile_folder",
    "stays_here",
    "unused_names",
]

DEFAULT_PROFILE = "default"

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _base_url(value: str) -> str:
    """A base URL whose traffic is encrypted, or stays on this machine: it carries the account's password."""
    try:
        url = urlsplit(value.strip().rstrip("/"))
        usable = url.scheme in {"https", "http"} and url.hostname and url.port != 0
    except ValueError:  # its own words would show what stands there, a password perhaps
        usable = False
    if not usable:
        raise ValueError("must be a URL such as https://fraction.app/api/v1")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("must begin with https:// (plain http is taken for this machine only)")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("must not hold a user name, a query or a fragment")
    return url.geturl()


def _database_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    return SecretStr(read_database_url(text).text) if text else value


def _webhook(value: SecretStr) -> SecretStr:
    """An address that is told something: encrypted, or on this machine. Who knows it may post there: a secret."""
    text = value.get_secret_value().strip()
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and url.port != 0 and not (url.username or url.password or url.fragment)
    except ValueError:
        url, usable = urlsplit(""), False
    plain = text.isascii() and text.isprintable() and " " not in text
    if text and not (usable and plain and url.scheme in {"https", "http"}):
        raise ValueError("must be a URL such as https://chat.example.com/hooks/1, with no user name and no fragment")
    if url.scheme == "http" and not stays_here(text):
        raise ValueError("must begin with https:// (plain http is taken for this machine only)")
    return SecretStr(text)


def _public_url(value: str) -> str:
    """Where people and their assistants reach a team's server: an origin, since everything is under its root."""
    if not value.strip():
        return ""
    try:
        url = urlsplit(_base_url(value))
    except ValueError as error:
        raise ValueError(str(error).replace("https://fraction.app/api/v1", "https://erp-tools.example.com")) from None
    if url.path:
        raise ValueError("must end with the host and its port: a path in it is not served")
    return f"{url.scheme}://{url.netloc.lower()}"


def _profile_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("must be letters, digits, dots, dashes and underscores, 64 at most, no dot or dash first")
    return value


def profile_folder(root: Path, profile: str) -> Path:
    return root if profile == DEFAULT_PROFILE else root / "profiles" / profile


PROFILE_FILE = "profile.json"
BaseUrl = Annotated[str, AfterValidator(_base_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook)]
DatabaseSecret = Annotated[SecretStr, AfterValidator(_database_url)]

_YEAR_S = 31_536_000
_ACCOUNT_FIELDS = {
    "fractionerp": {"fraction_email", "fraction_password", "fraction_password_file"},
    "fracttal": {"fracttal_client_id", "fracttal_client_secret", "fracttal_client_secret_file"},
}
_LONGEST_SECRET = 10_000
_SHORTEST_KEY = 32


class Settings(BaseSettings):
    """The environment, as `contract.md` names it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, env_ignore_empty=True
    )

    fraction_base_url: BaseUrl = "https://fraction.app/api/v1"
    fraction_email: str = ""
    fraction_password: SecretStr = SecretStr("")
    fraction_password_file: Path | None = None
    fraction_currency: Annotated[str, Field(pattern="^([A-Z]{3})?$")] = ""

    fracttal_base_url: BaseUrl = "https://app.fracttal.com/api"
    fracttal_token_url: BaseUrl = "https://one.fracttal.com/oauth/token"  # noqa: S105 - an address
    fracttal_client_id: str = ""
    fracttal_client_secret: SecretStr = SecretStr("")
    fracttal_client_secret_file: Path | None = None

    profile: Annotated[str, AfterValidator(_profile_name)] = Field(DEFAULT_PROFILE, alias="FRACTION_MCP_PROFILE")
    confirm: Literal["human", "two_step"] = Field("human", alias="FRACTION_MCP_CONFIRM")
    approvers: str = Field("", alias="FRACTION_MCP_APPROVERS")
    elicitation: Literal["auto", "full", "off"] = Field("auto", alias="FRACTION_MCP_ELICITATION")
    structured: Literal["on", "off"] = Field("on", alias="FRACTION_MCP_STRUCTURED")
    read_only: bool = Field(default=False, alias="FRACTION_MCP_READ_ONLY")
    state_dir: Path | None = Field(None, alias="FRACTION_MCP_STATE_DIR")
    database_url: DatabaseSecret = Field(SecretStr(""), alias="FRACTION_MCP_DATABASE_URL")
    secret_key: SecretStr = Field(SecretStr(""), alias="FRACTION_MCP_SECRET_KEY")
    public_url: PublicUrl = Field("", alias="FRACTION_MCP_PUBLIC_URL")
    allowed_hosts: str = Field("", alias="FRACTION_MCP_ALLOWED_HOSTS")
    open_inbox: bool = Field(default=True, alias="FRACTION_MCP_OPEN_INBOX")
    notify_url: WebhookSecret = Field(SecretStr(""), alias="FRACTION_MCP_NOTIFY_URL")
    approval_ttl_s: Annotated[int, Field(ge=10, le=_YEAR_S, alias="FRACTION_MCP_APPROVAL_TTL_S")] = 86_400
    cache_s: Annotated[float, Field(ge=0, le=3600, alias="FRACTION_MCP_CACHE_S")] = 30
    timeout_s: Annotated[float, Field(gt=0, le=600, alias="FRACTION_MCP_TIMEOUT_S")] = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "WARNING", alias="FRACTION_MCP_LOG_LEVEL"
    )
    log_format: Literal["text", "json"] = Field("text", alias="FRACTION_MCP_LOG_FORMAT")

    @classmethod
    def load(cls, profile: str = "", *, stored: bool = True) -> Self:
        """Read and check the process's environment, and the stored profile where that counts.

        `profile` is the one that was named on the command line, which wins over FRACTION_MCP_PROFILE; without `stored`
        none is looked at. Raises ConfigError with every problem in one message.
        """
        _refuse_unknown(os.environ)
        named: dict[str, Any] = {"FRACTION_MCP_PROFILE": profile} if profile else {}
        try:
            settings = cls(**named)
        except ValidationError as error:
            raise ConfigError("; ".join(_problem_text(problem) for problem in error.errors())) from None
        return settings.completed(stored=stored)

    def completed(self, *, stored: bool) -> Self:
        """With what files and the profile hold. Raises ConfigError for what contradicts itself."""
        settings = self._with_secret_files()
        settings = settings.with_profile() if stored else settings
        settings.refuse_contradictions()
        return settings

    def refuse_contradictions(self) -> None:
        self._refuse_halves()
        if not all(map(stays_here, self._addresses())):
            refuse_unusable_proxies(os.environ)
        if any(len(key.encode()) < _SHORTEST_KEY for key in self.secret_keys()):
            raise ConfigError(
                "FRACTION_MCP_SECRET_KEY: each key must be at least 32 bytes; make one with: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )

    @property
    def fraction_configured(self) -> bool:
        return bool(self.fraction_email and len(self.fraction_password))

    @property
    def fracttal_configured(self) -> bool:
        return bool(self.fracttal_client_id and len(self.fracttal_client_secret))

    def secret_keys(self) -> list[str]:
        """Those of FRACTION_MCP_SECRET_KEY: the first seals, every one of them opens.

        Commas part them where what they part is long enough for keys: else it is one key, which may hold a comma.
        """
        text = self.secret_key.get_secret_value()
        parts = [part.strip() for part in text.split(",")]
        several = all(len(part.encode()) >= _SHORTEST_KEY for part in parts)
        return list(dict.fromkeys(parts)) if several else [text] if text else []

    def state_folder(self) -> Path:
        """Where this profile's local state lives. Nothing is created here."""
        return profile_folder(self.state_root(), self.profile)

    def state_root(self) -> Path:
        """Where the local state of every profile lives."""
        if self.state_dir is not None:
            return self.state_dir.expanduser()
        from platformdirs import user_state_path  # noqa: PLC0415 - only who keeps state needs it

        return user_state_path("fraction-mcp", appauthor=False)

    def fetch_secrets(self) -> None:
        """Take the secrets out of the keychain, where they are in one: it may ask its person, and block meanwhile.

        Raises ConfigError where one is not to be had.
        """
        self.fraction_password.get_secret_value()
        self.fracttal_client_secret.get_secret_value()

    def _with_secret_files(self) -> Self:
        """The secrets that stand in files, as containers are given them."""
        read = {}
        for secret in ("fraction_password", "fracttal_client_secret"):
            path: Path | None = getattr(self, f"{secret}_file")
            if path is None:
                continue
            if len(getattr(self, secret)):
                raise ConfigError(f"{secret.upper()} and {secret.upper()}_FILE are both set: unset one of them")
            read[secret] = SecretStr(_secret_in(path, f"{secret.upper()}_FILE"))
        return self.model_copy(update=read) if read else self

    def with_profile(self) -> Self:
        """The accounts of the profile, where the environment names none, or names a profile as well."""
        erps_set = {erp for erp, fields in _ACCOUNT_FIELDS.items() if not self.model_fields_set.isdisjoint(fields)}
        named = "profile" in self.model_fields_set
        if erps_set and not named:
            return self
        path = self.state_folder() / PROFILE_FILE
        if not path.exists():
            if named and not erps_set and self.profile != DEFAULT_PROFILE:
                raise ConfigError(
                    f"there is no profile {self.profile}; `fraction-mcp login --profile {self.profile}` makes it"
                )
            return self
        from fraction_mcp.accounts import read_profile  # noqa: PLC0415 - only where one is stored

        update: dict[str, object] = {}
        for account in read_profile(self.state_folder()):
            if account.erp in erps_set:
                continue
            for field, value in account.settings().items():
                is_address = field.endswith("_url")
                if field in self.model_fields_set and is_address and getattr(self, field) != value:
                    raise ConfigError(
                        f"{field.upper()} is set, but the account of profile {self.profile} is for {value}: unset it, "
                        "or set the account in the environment, too"
                    )
                if field not in self.model_fields_set:
                    update[field] = _stored_address(value, path) if is_address else value
        return self.model_copy(update=update)

    def _addresses(self) -> Iterator[str]:
        """The addresses of the ERPs that are configured."""
        if self.fraction_configured:
            yield self.fraction_base_url
        if self.fracttal_configured:
            yield from (self.fracttal_base_url, self.fracttal_token_url)

    def _refuse_halves(self) -> None:
        """One half of a pair of credentials is a mistake worth stopping for, not an ERP to leave out silently."""
        pairs = (
            ("FRACTION_EMAIL", self.fraction_email, "FRACTION_PASSWORD", self.fraction_password),
            ("FRACTTAL_CLIENT_ID", self.fracttal_client_id, "FRACTTAL_CLIENT_SECRET", self.fracttal_client_secret),
        )
        for name, value, secret_name, secret in pairs:
            if bool(value) != bool(len(secret)):
                there, missing = (name, secret_name) if value else (secret_name, name)
                raise ConfigError(f"{there} is set, but {missing} is not")


def nothing_configured() -> ConfigError:
    """What `serve` says when it was given neither an account nor the sandbox: both ways on."""
    return ConfigError(
        "no ERP is configured: run fraction-mcp setup, or set FRACTION_EMAIL and FRACTION_PASSWORD (and/or "
        "FRACTTAL_CLIENT_ID and FRACTTAL_CLIENT_SECRET), or try it without an account: fraction-mcp serve --sandbox"
    )


def _name_of(field: str) -> str:
    info = Settings.model_fields.get(field)
    return (info.alias if info else None) or field.upper()


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raises ConfigError for what was meant for us: every FRACTION_MCP_ name, and what is nearly one of the others."""
    for name in _unknown(environment):
        if near := _meant(name):
            raise ConfigError(f"{name} is not a setting of fraction-mcp; did you mean {near}?")


def _meant(name: str) -> str:
    """The setting that an unknown name was meant for; empty where that cannot be said."""
    known = [_name_of(field) for field in Settings.model_fields]
    ours = name.upper().startswith("FRACTION_MCP_")
    return next(iter(difflib.get_close_matches(name.upper(), known, n=1, cutoff=0 if ours else 0.8)), "")


def is_in_environment(field: str) -> bool:
    """Whether the environment says anything about a field of `Settings`."""
    return any(value and name.upper() == _name_of(field) for name, value in os.environ.items())


def unused_names(environment: Mapping[str, str]) -> list[str]:
    """Names that begin as ours do and are none: another program's, or meant for us and spelt beyond recognition."""
    return [name for name in _unknown(environment) if not _meant(name)]


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {_name_of(field) for field in Settings.model_fields}
    ours = (name for name in environment if name.upper().startswith(("FRACTION_", "FRACTTAL_")))
    return sorted(name for name in ours if name.upper() not in known)


def _secret_in(path: Path, name: str) -> str:
    """What stands in a file, without the end of its line. No error shows any of it."""
    try:
        text = path.expanduser().read_bytes()[: _LONGEST_SECRET + 1].decode()
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read: {error.strerror or 'unreadable'}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: {path} is not UTF-8 text") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret or len(secret) > _LONGEST_SECRET or "\n" in secret:
        raise ConfigError(f"{name}: {path} must hold the secret and nothing else, in one line")
    return secret


def _stored_address(value: object, path: Path) -> str:
    try:
        return _base_url(str(value))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged (an address in it {error}); fraction-mcp login writes it anew") from None


EMBEDDED = "http://embedded.sandbox"
"""An address that leads nowhere: requests to the embedded ERPs never leave the process."""


def is_embedded(url: str) -> bool:
    """Whether an ERP's address is that of the embedded one: what is shown of it carries the badge SANDBOX."""
    return url == EMBEDDED or url.startswith(f"{EMBEDDED}/")


def stays_here(url: str) -> bool:
    """Whether what is sent to an address never leaves this machine. It goes through no proxy: a password in plain http
    would be read there."""
    host = (urlsplit(url).hostname or "").lower()
    return (
        host in _LOOPBACK
        or host.endswith(".localhost")
        or (host.startswith("127.") and host.replace(".", "").isdigit())
    )


# --------------------------------------------------------------------------------------------------------------- errors


def _problem_text(problem: ErrorDetails) -> str:
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":  # the currency's, the only pattern here
        text = "must be a currency's three capital letters, such as GBP"
    return f"{_name_of(str(problem['loc'][0]))}: {text}"
