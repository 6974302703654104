"""`serve` and `sandbox`: the server itself, and the embedded ERPs, in this process or on a port."""

import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from fraction_mcp.cli.signals import run
from fraction_mcp.config import Settings, nothing_configured
from fraction_mcp.errors import ConfigError
from fraction_mcp.private_files import private_database
from fraction_mcp.runtime import Runtime

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["check_journal", "checked_settings", "runtime_for", "serve", "serve_embedded"]

_PARTS, _SEED = 600, 1
_EMBEDDED = "http://embedded.sandbox"  # an address that leads nowhere: requests never leave the process


def checked_settings(*, sandbox: bool) -> Settings:
    """The settings of this environment. Raises ConfigError where there is nothing to work in."""
    settings = Settings.load()
    if sandbox:
        return _embedded_settings(settings)
    if not (settings.fraction_configured or settings.fracttal_configured):
        raise nothing_configured()
    return settings


def check_journal(settings: Settings) -> None:
    """Raises ConfigError where the journal of a server that writes is another user's, or newer than this program."""
    if not settings.read_only:
        from fraction_mcp.operations.writes.journal_file import check_at_start  # noqa: PLC0415 - a server that writes needs it

        check_at_start(settings.database_url.get_secret_value(), settings.state_folder())


def runtime_for(*, sandbox: bool) -> Runtime:
    """A working place for decisions about writes. It may be one without accounts: then it decides and sends nothing."""
    settings = Settings.load()
    if not sandbox:
        return Runtime(settings)
    settings = _embedded_settings(settings)
    return Runtime(settings, _open_sandbox(settings))


def serve(*, sandbox: bool, http: bool, host: str, port: int, read_only: bool) -> int:
    settings = checked_settings(sandbox=sandbox)
    if read_only:
        settings = settings.model_copy(update={"read_only": True})
    check_journal(settings)
    logging.basicConfig(level=settings.log_level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    runtime = Runtime(
        settings, _open_sandbox(settings) if sandbox else None, inbox_command=_inbox_command(sandbox=sandbox)
    )
    if http:
        from fraction_mcp.server.http import serve_http  # noqa: PLC0415 - stdio needs none of it

        return run(_served, lambda: serve_http(runtime, host, port))
    from fraction_mcp.server.stdio import serve_stdio  # noqa: PLC0415

    return run(_served, lambda: serve_stdio(runtime))


def _inbox_command(*, sandbox: bool) -> list[str]:
    """What a server starts for its person: accounts and secrets are in the environment, never here."""
    words = [sys.executable, "-P", "-m", "fraction_mcp", "approvals", "--for-servers"]
    return [*words, "--sandbox"] if sandbox else words


async def _served(serving: Callable[[], Awaitable[None]]) -> int:
    await serving()
    return 0


def serve_embedded(*, port: int, parts: int, seed: int, reset: bool) -> int:
    """The embedded ERPs over HTTP, until interrupted; says on stderr how to reach them."""
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    base = f"http://127.0.0.1:{port}"
    lines = [
        f"The embedded FractionERP and Fracttal listen on {base}. To work in them:",
        f"  export FRACTION_BASE_URL={base}{sandbox.FRACTION_PATH}",
        f"  export FRACTION_EMAIL={sandbox.EMAIL} FRACTION_PASSWORD={sandbox.PASSWORD}",
        f"  export FRACTTAL_BASE_URL={base}{sandbox.FRACTTAL_PATH}",
        f"  export FRACTTAL_TOKEN_URL={base}{sandbox.FRACTTAL_TOKEN_PATH}",
        "  export FRACTION_CURRENCY=GBP",
        f"  export FRACTTAL_CLIENT_ID={sandbox.CLIENT_ID} FRACTTAL_CLIENT_SECRET={sandbox.CLIENT_SECRET}",
        "  fraction-mcp serve",
    ]

    def ready() -> None:
        sys.stderr.write("\n".join(lines) + "\n")

    path = _sandbox_file(Settings.load(), parts, seed)
    try:
        with _file_told(path):
            sandbox.serve_sandbox(path, port=port, parts=parts, seed=seed, reset=reset, ready=ready)
    except OSError as error:
        raise ConfigError(f"the sandbox cannot listen on port {port}: {error.strerror or error}") from error
    return 0


def _embedded_settings(settings: Settings) -> Settings:
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    return settings.model_copy(
        update={
            "fraction_base_url": _EMBEDDED + sandbox.FRACTION_PATH,
            "fraction_email": sandbox.EMAIL,
            "fraction_password": SecretStr(sandbox.PASSWORD),
            "fracttal_base_url": _EMBEDDED + sandbox.FRACTTAL_PATH,
            "fracttal_token_url": _EMBEDDED + sandbox.FRACTTAL_TOKEN_PATH,
            "fracttal_client_id": sandbox.CLIENT_ID,
            "fracttal_client_secret": SecretStr(sandbox.CLIENT_SECRET),
        }
    )


def _open_sandbox(settings: Settings) -> "ASGIApp":
    from fraction_mcp import sandbox  # noqa: PLC0415 - see the package's docstring

    path = _sandbox_file(settings, _PARTS, _SEED)
    try:
        with _file_told(path):
            return sandbox.open_sandbox(path)
    except OSError as error:
        raise ConfigError(f"the embedded ERPs cannot be kept in {path.parent}: {error.strerror or error}") from error


def _sandbox_file(settings: Settings, parts: int, seed: int) -> Path:
    """One file for each company: the usual one is shared by every process of this user, and of no other."""
    usual = (parts, seed) == (_PARTS, _SEED)
    name = "sandbox.sqlite3" if usual else f"sandbox-{parts}-parts-seed-{seed}.sqlite3"
    return private_database(settings.state_folder() / name)


@contextmanager
def _file_told(path: Path) -> Iterator[None]:
    """Raises ConfigError for a file that is no company's, is damaged or locked, or has no room."""
    import sqlite3  # noqa: PLC0415 - the sandbox has loaded it

    try:
        yield
    except sqlite3.Error as error:
        raise ConfigError(
            f"the embedded ERPs' file {path} cannot be used: {error}; they start afresh where it is removed"
        ) from error
