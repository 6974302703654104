"""`serve` and `sandbox`: the server itself, and the embedded ERPs, in this process or on a port."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from fraction_mcp.cli.signals import run, told_again
from fraction_mcp.config import DEFAULT_PROFILE, EMBEDDED, Settings, is_embedded, nothing_configured
from fraction_mcp.errors import ConfigError
from fraction_mcp.logs import set_up_logs
from fraction_mcp.private_files import private_database
from fraction_mcp.runtime import Runtime

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = [
    "check_journal",
    "checked_settings",
    "is_embedded_place",
    "runtime_for",
    "runtime_of",
    "sandbox_file",
    "sandbox_told",
    "serve",
    "serve_embedded",
    "settings_for_writes",
]

_PARTS, _SEED = 600, 1


def checked_settings(*, sandbox: bool, profile: str = "") -> Settings:
    """The settings of this environment and profile. Raises ConfigError where there is nothing to work in."""
    if sandbox:
        return _embedded_settings(Settings.load(stored=False))
    settings = Settings.load(profile)
    if not (settings.fraction_configured or settings.fracttal_configured):
        raise nothing_configured()
    return settings


def settings_for_writes(*, sandbox: bool, profile: str = "") -> Settings:
    """Whose journal a command is about: also without any account, since it lies in the state folder all the same."""
    return checked_settings(sandbox=True) if sandbox else Settings.load(profile)


def check_journal(settings: Settings) -> None:
    """Raises ConfigError where the journal of a server that writes is another user's, or newer than this program."""
    if not settings.read_only:
        from fraction_mcp.operations.writes.journal_file import check_at_start  # noqa: PLC0415 - a server that writes needs it

        check_at_start(settings.database_url.get_secret_value(), settings.state_folder())


def runtime_for(*, sandbox: bool, profile: str = "") -> Runtime:
    """A working place for decisions about writes. It may be one without accounts: then it decides and sends nothing."""
    return runtime_of(settings_for_writes(sandbox=sandbox, profile=profile))


def runtime_of(settings: Settings, inbox_command: Sequence[str] = ()) -> Runtime:
    """A working place in the ERPs of these settings: the embedded ones where they are meant."""
    embedded = _open_sandbox(settings) if is_embedded_place(settings) else None
    return Runtime(settings, embedded, inbox_command=inbox_command)


def is_embedded_place(settings: Settings) -> bool:
    return is_embedded(settings.fraction_base_url)


def serve(
    *, sandbox: bool, profile: str, http: bool, host: str, port: int, read_only: bool, auth: str, **team: Any
) -> int:
    """`team` are the flags of `server.team.options.Asked`, which say something only where there is a sign-in."""
    if auth != "none":
        return _serve_team(sandbox=sandbox, profile=profile, http=http, host=host, port=port, read_only=read_only,
                           flags={"auth": auth, **team})  # fmt: skip
    _refuse_flags_of_teams(team)
    settings = _read_only(checked_settings(sandbox=sandbox, profile=profile), read_only)
    check_journal(settings)
    set_up_logs(settings.log_level, settings.log_format)
    runtime = runtime_of(settings, inbox_command=_inbox_command(sandbox=sandbox, profile=profile))
    if http:
        from fraction_mcp.server.http import serve_http  # noqa: PLC0415 - stdio needs none of it

        return run(_served, lambda: serve_http(runtime, host, port))
    from fraction_mcp.server.stdio import serve_stdio  # noqa: PLC0415

    return run(_served, lambda: serve_stdio(runtime))


def _serve_team(
    *, sandbox: bool, profile: str, http: bool, host: str, port: int, read_only: bool, flags: dict[str, Any]
) -> int:
    if not http:
        raise ConfigError(f"--auth {flags['auth']} is for --http: over stdio, whoever started the server is asking")
    from fraction_mcp.server.team.joined import serve_joined  # noqa: PLC0415 - nothing of it on a desk
    from fraction_mcp.server.team.options import Asked, team_options  # noqa: PLC0415

    by_account = flags["auth"] == "sign-in" or flags["subject"]  # each person has an account of their own
    settings = (settings_for_writes if by_account else checked_settings)(sandbox=sandbox, profile=profile)
    settings = _read_only(settings, read_only)
    options = team_options(settings, Asked(**flags), host=host)
    check_journal(settings)
    set_up_logs(settings.log_level, settings.log_format)
    sandbox_app = _open_sandbox(settings) if is_embedded_place(settings) else None
    return run(_served, lambda: serve_joined(settings, options, host, port, sandbox=sandbox_app, hurry=told_again))


def _refuse_flags_of_teams(team: Mapping[str, Any]) -> None:
    for name, value in team.items():
        if value or (name == "metrics_port" and value is not None):
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} is for a server that people sign in to: add --auth sign-in or --auth jwt")


def _read_only(settings: Settings, read_only: bool) -> Settings:
    return settings.model_copy(update={"read_only": True}) if read_only else settings


def _inbox_command(*, sandbox: bool, profile: str) -> list[str]:
    """What a server starts for its person: secrets are in the environment or the keychain, never here."""
    words = [sys.executable, "-P", "-m", "fraction_mcp", "approvals", "--for-servers"]
    return [*words, *(["--sandbox"] if sandbox else ["--profile", profile] if profile else [])]


async def _served(serving: Callable[[], Awaitable[None]]) -> int:
    await serving()
    return 0


def serve_embedded(*, port: int, parts: int, seed: int) -> int:
    """The embedded ERPs over HTTP, until interrupted; says on stderr how to reach them."""
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    base = f"http://127.0.0.1:{port}"
    lines = [
        f"The embedded FractionERP and Fracttal listen on {base}. To work in them:",
        *(f"  export {name}={value}" for name, value in sandbox.environment(base).items()),
        f"  export FRACTION_CURRENCY={sandbox.CURRENCY}",
        "  fraction-mcp serve",
    ]

    def ready() -> None:
        sys.stderr.write("\n".join(lines) + "\n")

    path = sandbox_file(parts, seed)
    try:
        with sandbox_told(path):
            sandbox.serve_sandbox(path, port=port, parts=parts, seed=seed, ready=ready)
    except OSError as error:
        raise ConfigError(f"the sandbox cannot listen on port {port}: {error.strerror or error}") from error
    return 0


def _embedded_settings(settings: Settings) -> Settings:
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    account: dict[str, Any] = {name.lower(): value for name, value in sandbox.environment(EMBEDDED).items()}
    for secret in ("fraction_password", "fracttal_client_secret"):
        account[secret] = SecretStr(account[secret])
    kept = {"state_dir": settings.state_root(), "profile": DEFAULT_PROFILE, "fraction_currency": sandbox.CURRENCY}
    return settings.model_copy(update={**account, **kept})


def _open_sandbox(settings: Settings) -> "ASGIApp":
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    path = _file_of_company(settings.state_root(), _PARTS, _SEED)
    with sandbox_told(path):
        return sandbox.open_sandbox(path)


def sandbox_file(parts: int = _PARTS, seed: int = _SEED) -> Path:
    """The file of this user's company of that shape."""
    return _file_of_company(Settings.load(stored=False).state_root(), parts, seed)


def _file_of_company(root: Path, parts: int, seed: int) -> Path:
    """One file for each company: the usual one is shared by every process of this user, and of no other."""
    usual = (parts, seed) == (_PARTS, _SEED)
    name = "sandbox.sqlite3" if usual else f"sandbox-{parts}-parts-seed-{seed}.sqlite3"
    return private_database(root / name)


@contextmanager
def sandbox_told(path: Path) -> Iterator[None]:
    """Raises ConfigError for a file that cannot be made, is no company's, is damaged or locked, or has no room."""
    import sqlite3  # noqa: PLC0415 - the sandbox has loaded it

    try:
        yield
    except OSError as error:
        if not isinstance(error.filename, str | Path):  # a port, which is told where it was asked for
            raise
        raise ConfigError(f"the embedded ERPs cannot be kept in {path.parent}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise ConfigError(
            f"the embedded ERPs' file {path} cannot be used: {error}; they start afresh where it is removed"
        ) from error
