"""What an operator says about a team's server, checked as a whole before anything listens.

Knows flags, their counterparts in the environment and what contradicts what; knows neither how somebody signs in nor
how requests come in. Whatever could leave the server open, or make a sign-in that nobody can finish, is a ConfigError.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from fraction_mcp.config import Settings, stays_here
from fraction_mcp.errors import ConfigError
from fraction_mcp.loopback import ADDRESSES
from fraction_mcp.operations.writes.approvers import Approvers
from fraction_mcp.server.team.scope_claim import ScopeClaim, granted

__all__ = ["Asked", "Auth", "Network", "TeamOptions", "said_at_start", "team_options"]

Auth = Literal["jwt", "sign-in"]
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_KEY_MAKER = 'python -c "import secrets; print(secrets.token_hex(32))"'


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `serve --http`, as they were typed. Empty where they were not."""

    auth: Auth
    issuer: str = ""
    audience: str = ""
    public_url: str = ""
    allowed_host: Sequence[str] = ()
    trusted_proxy: Sequence[str] = ()
    client_host: Sequence[str] = ()
    subject: Sequence[str] = ()
    scope_claim: str = ""
    grant: Sequence[str] = ()
    allow_registration: bool = False
    metrics_host: str = ""
    metrics_port: int | None = None


@dataclass(frozen=True, slots=True)
class TeamOptions:
    """A team's server, without contradictions.

    `public_url` is an origin without a slash at its end, and `issuer` what tokens name as theirs, letter by letter.
    `allowed_hosts` are names as a `Host` header spells them, small letters, `host` or `host:port`, the public URL's
    first. `subjects` maps a token's subject to the profile whose ERP account it uses; empty: all use this server's own.
    `metrics_port` None: no metrics.
    """

    auth: Auth
    public_url: str
    allowed_hosts: tuple[str, ...]
    issuer: str = ""
    audience: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    client_hosts: tuple[str, ...] = ()
    subjects: Mapping[str, str] = field(default_factory=dict)
    scope_claim: ScopeClaim = field(default_factory=ScopeClaim)
    allow_registration: bool = False
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The pages that may speak to this server: its own, under each of its names."""
        scheme = urlsplit(self.public_url).scheme
        return tuple(dict.fromkeys(f"{scheme}://{host}" for host in self.allowed_hosts))


def team_options(settings: Settings, asked: Asked, *, host: str) -> TeamOptions:
    """Raises ConfigError for the first contradiction."""
    _address(host, "--host")
    _refuse_misplaced(asked)
    public_url = _public_url(settings, asked)
    if not len(settings.secret_key):
        raise ConfigError(
            f"--auth {asked.auth} needs FRACTION_MCP_SECRET_KEY, the same on every replica; make one with: {_KEY_MAKER}"
        )
    Approvers.read(settings.approvers)  # each person's runtime reads them again, at a first call: too late to say so
    listed = [name for name in settings.allowed_hosts.replace(",", " ").split() if name]
    named = [_host(name, "FRACTION_MCP_ALLOWED_HOSTS") for name in listed]
    named += [_host(name, "--allowed-host") for name in asked.allowed_host]
    return TeamOptions(
        auth=asked.auth,
        public_url=public_url,
        allowed_hosts=tuple(dict.fromkeys([urlsplit(public_url).netloc, *named])),
        issuer=_issuer(asked.issuer) if asked.issuer else "",
        audience=asked.audience,
        trusted_proxies=tuple(_network(text) for text in asked.trusted_proxy),
        client_hosts=tuple(_host(name, "--client-host", port=False) for name in asked.client_host),
        subjects=_subjects(asked.subject),
        scope_claim=_scope_claim(asked.scope_claim, asked.grant),
        allow_registration=asked.allow_registration,
        metrics_host=_address(asked.metrics_host, "--metrics-host") if asked.metrics_host else "127.0.0.1",
        metrics_port=asked.metrics_port,
    )


def said_at_start(settings: Settings, options: TeamOptions) -> list[str]:
    """What an operator should know of the choices that were made, a line each, without an end of line."""
    lines = []
    if not settings.database_url.get_secret_value().startswith("postgresql"):
        lines.append("the journal is a file of this machine: one process serves; replicas need PostgreSQL")
    if settings.confirm == "two_step" and not settings.read_only:
        lines.append("under two_step, each person's own assistant confirms their writes")
    if options.auth == "jwt" and not options.subjects:
        lines.append("everybody with a token of the issuer works under this server's one ERP account")
    return [f"fraction-mcp: {line}" for line in lines]


def _refuse_misplaced(asked: Asked) -> None:
    if asked.auth == "jwt":
        if missing := [flag for flag in ("issuer", "audience") if not getattr(asked, flag)]:
            raise ConfigError(f"--auth jwt needs {' and '.join(map(_flag, missing))}: whose tokens, made for whom")
        if asked.allow_registration or asked.client_host:
            flag = "--allow-registration" if asked.allow_registration else "--client-host"
            raise ConfigError(f"{flag} is for --auth sign-in: with --auth jwt, clients are known to the issuer")
    elif misplaced := next(
        (name for name in ("issuer", "audience", "subject", "scope_claim", "grant") if getattr(asked, name)), ""
    ):
        raise ConfigError(f"{_flag(misplaced)} is for --auth jwt: with --auth sign-in, this server issues the tokens")
    if asked.metrics_host and asked.metrics_port is None:
        raise ConfigError("--metrics-host needs --metrics-port")


def _public_url(settings: Settings, asked: Asked) -> str:
    if not asked.public_url:
        if not settings.public_url:
            raise ConfigError(
                f"--auth {asked.auth} needs --public-url (or FRACTION_MCP_PUBLIC_URL): the https:// address that "
                "people and their assistants use"
            )
        return settings.public_url
    url = urlsplit(_url(asked.public_url, "--public-url"))
    if url.path:
        raise ConfigError("--public-url: must end with the host and its port: a path in it is not served")
    return f"{url.scheme}://{url.netloc.lower()}"


def _url(text: str, flag: str) -> str:
    """An address whose traffic is encrypted, or stays on this machine; without a slash at its end."""
    try:
        url = urlsplit(text.strip().rstrip("/"))
        usable = url.scheme in {"https", "http"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.username or url.password or url.query or url.fragment or not text.isascii():
        raise ConfigError(f"{flag}: {text!r} is no address such as https://tools.example.com")
    if url.scheme == "http" and not stays_here(text):
        raise ConfigError(f"{flag}: must begin with https:// (plain http is taken for this machine only)")
    return url.geturl()


def _issuer(text: str) -> str:
    """As typed: it is compared with what tokens say, letter by letter, and some issuers end with a slash."""
    if not _url(text, "--issuer").startswith("https://"):
        raise ConfigError("--issuer: must begin with https:// (its keys are read over TLS only)")
    return text.strip()


def _host(text: str, flag: str, *, port: bool = True) -> str:
    """A name as a `Host` header spells it, in small letters."""
    name, colon, number = text.strip().lower().partition(":")
    if not _NAME.fullmatch(name) or (colon and not (port and number.isdigit() and 0 < int(number) < 65_536)):
        example = "tools.example.com" + (" or tools.example.com:8443" if port else "")
        raise ConfigError(f"{flag}: {text!r} is no name such as {example}")
    return name + colon + number


def _network(text: str) -> Network:
    try:
        network = ip_network(text.strip())
    except ValueError:
        raise ConfigError(
            f"--trusted-proxy: {text!r} is neither an address nor a network such as 10.0.0.0/8 (its own bits zero)"
        ) from None
    if network.prefixlen == 0:
        raise ConfigError(f"--trusted-proxy {text} would believe everybody: name the proxies alone")
    return network


def _address(text: str, flag: str) -> str:
    if text not in ADDRESSES:
        try:
            ip_address(text)
        except ValueError:
            raise ConfigError(f"{flag}: {text!r} is no address of this machine such as 127.0.0.1 or 0.0.0.0") from None
    return text


def _subjects(pairs: Sequence[str]) -> dict[str, str]:
    profiles: dict[str, str] = {}
    for pair in pairs:
        subject, is_pair, profile = pair.rpartition("=")
        if not (is_pair and subject and profile) or subject in profiles:
            raise ConfigError(f"--subject: {pair!r} is no SUBJECT=PROFILE, each subject once")
        profiles[subject] = profile
    return profiles


def _scope_claim(name: str, grants: Sequence[str]) -> ScopeClaim:
    if not grants:
        return ScopeClaim(name)
    pairs = [granted(text) for text in grants]
    if len(dict(pairs)) < len(pairs):
        raise ConfigError("--grant: each name once, with all that it allows")
    return ScopeClaim(name, dict(pairs))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
