"""Settings: everything an operator may set, from the environment, checked at start.

Knows names, defaults and what contradicts what. Secrets are `SecretStr`, so that no repr, log or error shows one. A
wrong setting is a `ConfigError` whose message names the variable and the mend.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from fraction_mcp.database_url import read_database_url
from fraction_mcp.errors import ConfigError

__all__ = ["Settings", "nothing_configured", "stays_here"]

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


BaseUrl = Annotated[str, AfterValidator(_base_url)]
DatabaseSecret = Annotated[SecretStr, AfterValidator(_database_url)]

_YEAR_S = 31_536_000


class Settings(BaseSettings):
    """The environment, as `contract.md` names it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, env_ignore_empty=True
    )

    fraction_base_url: BaseUrl = "https://fraction.app/api/v1"
    fraction_email: str = ""
    fraction_password: SecretStr = SecretStr("")
    fraction_currency: Annotated[str, Field(pattern="^([A-Z]{3})?$")] = ""

    fracttal_base_url: BaseUrl = "https://app.fracttal.com/api"
    fracttal_token_url: BaseUrl = "https://one.fracttal.com/oauth/token"  # noqa: S105 - an address
    fracttal_client_id: str = ""
    fracttal_client_secret: SecretStr = SecretStr("")

    confirm: Literal["human", "two_step"] = Field("human", alias="FRACTION_MCP_CONFIRM")
    elicitation: Literal["auto", "full", "off"] = Field("auto", alias="FRACTION_MCP_ELICITATION")
    structured: Literal["on", "off"] = Field("on", alias="FRACTION_MCP_STRUCTURED")
    read_only: bool = Field(default=False, alias="FRACTION_MCP_READ_ONLY")
    state_dir: Path | None = Field(None, alias="FRACTION_MCP_STATE_DIR")
    database_url: DatabaseSecret = Field(SecretStr(""), alias="FRACTION_MCP_DATABASE_URL")
    secret_key: SecretStr = Field(SecretStr(""), alias="FRACTION_MCP_SECRET_KEY")
    open_inbox: bool = Field(default=True, alias="FRACTION_MCP_OPEN_INBOX")
    approval_ttl_s: Annotated[int, Field(ge=10, le=_YEAR_S, alias="FRACTION_MCP_APPROVAL_TTL_S")] = 86_400
    cache_s: Annotated[float, Field(ge=0, le=3600, alias="FRACTION_MCP_CACHE_S")] = 30
    timeout_s: Annotated[float, Field(gt=0, le=600, alias="FRACTION_MCP_TIMEOUT_S")] = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "WARNING", alias="FRACTION_MCP_LOG_LEVEL"
    )

    @classmethod
    def load(cls) -> Self:
        """Read and check the process's environment. Raises ConfigError with every problem in one message."""
        _refuse_unknown(os.environ)
        try:
            settings = cls()
        except ValidationError as error:
            raise ConfigError("; ".join(_told(problem) for problem in error.errors())) from None
        settings._refuse_halves()
        if not all(map(stays_here, settings._addresses())):
            _refuse_unusable_proxies(os.environ)
        if 0 < len(settings.secret_key.get_secret_value().encode()) < 32:
            raise ConfigError(
                "FRACTION_MCP_SECRET_KEY: must be at least 32 bytes; make one with: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )
        return settings

    @property
    def fraction_configured(self) -> bool:
        return bool(self.fraction_email and self.fraction_password.get_secret_value())

    @property
    def fracttal_configured(self) -> bool:
        return bool(self.fracttal_client_id and self.fracttal_client_secret.get_secret_value())

    def state_folder(self) -> Path:
        """Where local state lives. Nothing is created here."""
        if self.state_dir is not None:
            return self.state_dir.expanduser()
        from platformdirs import user_state_path  # noqa: PLC0415 - only who keeps state needs it

        return user_state_path("fraction-mcp", appauthor=False)

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
            if bool(value) != bool(secret.get_secret_value()):
                there, missing = (name, secret_name) if value else (secret_name, name)
                raise ConfigError(f"{there} is set, but {missing} is not")


def nothing_configured() -> ConfigError:
    """What `serve` says when it was given neither an account nor the sandbox: both ways on."""
    return ConfigError(
        "no ERP is configured: set FRACTION_EMAIL and FRACTION_PASSWORD (and/or FRACTTAL_CLIENT_ID and "
        "FRACTTAL_CLIENT_SECRET), or try it without an account: fraction-mcp serve --sandbox"
    )


def _name_of(field: str) -> str:
    info = Settings.model_fields.get(field)
    return (info.alias if info else None) or field.upper()


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {_name_of(field) for field in Settings.model_fields}
    for name in sorted(environment):
        if name.upper().startswith("FRACTION_MCP_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
            raise ConfigError(f"{name} is not a setting of fraction-mcp; did you mean {near[0]}?")


def stays_here(url: str) -> bool:
    """Whether what is sent to an address never leaves this machine. It goes through no proxy: a password in plain http
    would be read there."""
    host = (urlsplit(url).hostname or "").lower()
    return (
        host in _LOOPBACK
        or host.endswith(".localhost")
        or (host.startswith("127.") and host.replace(".", "").isdigit())
    )


# -------------------------------------------------------------------------------------------------------------- proxies


def _refuse_unusable_proxies(environment: Mapping[str, str]) -> None:
    """Raises ConfigError for a proxy that no request could go through. Its value may hold a password: not shown."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        set_as, value = _proxy_setting(environment, name)
        if value and (flaw := _proxy_flaw(value)):
            raise ConfigError(f"{set_as}: {flaw}")
    set_as, value = _proxy_setting(environment, "NO_PROXY")
    if any(map(_is_odd_host, value.split(","))):
        raise ConfigError(f"{set_as}: must be hosts between commas, such as localhost,::1,192.168.0.0/16,.example.com")


def _proxy_setting(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """A variable as it is spelt, and its value: the small letters win, as everywhere (urllib.request.getproxies)."""
    if name == "HTTP_PROXY" and "REQUEST_METHOD" in environment and not environment.get("http_proxy"):
        return name, ""  # of a CGI script it is a header of the request
    spelt = name.lower() if name.lower() in environment else name
    return spelt, environment.get(spelt, "")


def _proxy_flaw(value: str) -> str:
    example = "must be a proxy's address such as http://proxy.example:3128"
    if not value.isascii() or not value.isprintable() or " " in value:
        return example
    try:
        url = urlsplit(value if "://" in value else f"http://{value}")
        usable = bool(url.hostname) and url.port != 0
    except ValueError:  # its own words would show what stands there
        return example
    if url.scheme in {"socks5", "socks5h"} and usable:
        return "" if find_spec("socksio") else 'a SOCKS proxy needs a package more: pip install "httpx[socks]"'
    return "" if url.scheme in {"http", "https"} and usable else f"{example} (http, https or socks5)"


def _is_odd_host(entry: str) -> bool:
    """Whether an entry of NO_PROXY is none that httpx takes."""
    host = entry.strip()
    _, _, port = host.rpartition(":")
    of_one_port = host.count(":") == 1 and "://" not in host
    odd = not host.isascii() or not host.isprintable() or " " in host or "[" in host or "]" in host
    return odd or (of_one_port and not port.isdigit())


# --------------------------------------------------------------------------------------------------------------- errors


def _told(problem: ErrorDetails) -> str:
    told = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":  # the currency's, the only pattern here
        told = "must be a currency's three capital letters, such as GBP"
    return f"{_name_of(str(problem['loc'][0]))}: {told}"
