"""What is on this machine: versions, settings, the journal, the keychain, a browser, the assistants, a start."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
from pydantic import SecretStr

from fraction_mcp import accounts
from fraction_mcp.approvals.browser import browser_is_there
from fraction_mcp.cli.clients.found import Entry, Found, found_clients
from fraction_mcp.cli.doctor.check import Check, failure, ok, warning
from fraction_mcp.cli.session import own_server
from fraction_mcp.cli.version import version_lines
from fraction_mcp.config import Settings, is_in_environment, unused_names
from fraction_mcp.errors import FractionMcpError

__all__ = ["assistants", "browser", "given", "journal", "keychain", "start", "unused", "versions"]

_SLOW_S = 5.0
_PATIENCE_S = 60.0


def versions() -> list[Check]:
    return [ok("versions", "; ".join(version_lines()))]


def unused() -> Iterator[Check]:
    for name in unused_names(os.environ):
        yield warning("environment", f"{name} is no setting of fraction-mcp", "see docs/configuration.md for the names")


def given(settings: Settings) -> Iterator[Check]:
    """Every setting that is not its default, and where it comes from; no secret is shown."""
    for field, info in Settings.model_fields.items():
        value = getattr(settings, field)
        if value == info.default or (isinstance(value, SecretStr) and not len(value)):
            continue
        name = info.alias or field.upper()
        if is_in_environment(field):
            where = "the environment"
        elif getattr(settings, f"{field}_file", None):
            where = f"the file {getattr(settings, f'{field}_file')}"
        else:
            where = f"profile {settings.profile}"
        shown = "********" if isinstance(value, SecretStr) else str(value)
        yield ok("setting", f"{name}={shown}, from {where}")


async def journal(settings: Settings) -> list[Check]:
    """Where the journal is, whether it can be written, its version, and whether its chain is whole."""
    from fraction_mcp.operations.writes.journal import Journal  # noqa: PLC0415 - SQLAlchemy, only here
    from fraction_mcp.operations.writes.journal_file import check_at_start, file_in  # noqa: PLC0415

    url, folder = settings.database_url.get_secret_value(), settings.state_folder()
    place = file_in(url, folder)
    where = str(place) if place else "PostgreSQL"
    try:
        check_at_start(url, folder)
        if place is not None:
            _try_to_write(place.parent)
        if not Journal.is_there(url, folder):
            return [ok("journal", f"{where}: none yet; the first write makes it")]
        opened = await Journal.open(url, folder)
    except FractionMcpError as error:
        return [failure("journal", error.message, error.hint or "what the line says")]
    except OSError as error:
        return [
            failure(
                "journal",
                f"{error.filename or where} cannot be written: {error.strerror or error}",
                "give this user its folder, or name another with FRACTION_MCP_STATE_DIR",
            )
        ]
    try:
        wrong = await opened.verify("")
        count = len(await opened.events())
    except FractionMcpError as error:
        return [failure("journal", error.message, error.hint or "restore it from a backup")]
    finally:
        await opened.aclose()
    if wrong:
        return [
            failure("journal", f"its chain is broken: {wrong}", "restore it from a backup, and find out who wrote it")
        ]
    return [
        ok(
            "journal",
            f"{where}: writable, its schema is this program's, its chain of {count} event{'s' * (count != 1)} is whole",
        )
    ]


def _try_to_write(folder: Path) -> None:
    """Raises OSError where no file can be made in it, or in the folder that it would be made in."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with tempfile.TemporaryFile(dir=there) as trial:
        trial.write(b"x" * 4096)
        trial.flush()
        os.fsync(trial.fileno())


def keychain() -> Check:
    title = accounts.keychain_title()
    if title:
        return ok("keychain", title)
    return warning(
        "keychain",
        "there is none that keeps anything",
        "login keeps secrets in a file of yours; on Linux a Secret Service (GNOME Keyring, KWallet) serves",
    )


def browser() -> Check:
    if browser_is_there(os.environ):
        return ok("browser", "one can be opened for the approval inbox")
    return warning("browser", "none can be opened here", "decide about writes with `fraction-mcp approve`")


def assistants() -> Iterator[Check]:
    """Each assistant's file, and whether what it is told to start still exists."""
    try:
        programs = [program for program in found_clients() if program.is_here or program.entry is not Entry.NONE]
        stored = accounts.profile_names(Settings.load(stored=False).state_root())
    except FractionMcpError as error:
        yield warning("assistants", error.message, "what the line says")
        return
    for program in programs:
        yield _assistant(program, stored)
    if not any(program.entry is Entry.OURS for program in programs):
        yield warning("assistants", "none is set up", "fraction-mcp setup, or fraction-mcp install CLIENT")


def _assistant(program: Found, stored: Sequence[str]) -> Check:
    name, mend = program.client.title, f"fraction-mcp install {program.client.name}"
    if program.entry is Entry.OURS and not program.command_is_there:
        return failure(name, f"it is told to start {program.command}, which is not there", mend)
    if program.problem:
        return warning(name, program.problem, mend)
    if program.entry is not Entry.OURS:
        return ok(name, f"is here, and not set up; {mend} does it")
    profile = program.options.profile
    if profile and profile not in stored:
        return failure(
            name, f"it starts profile {profile}, which is not stored", f"fraction-mcp login --profile {profile}"
        )
    what = " for the SANDBOX" if program.options.sandbox else f" for profile {profile}" if profile else ""
    return ok(name, f"set up{what} in {program.path}; its command is there")


async def start(flags: Sequence[str]) -> Check:
    """How long a server takes until it has listed its tools, as a host would start it."""
    began = time.perf_counter()
    try:
        with anyio.fail_after(_PATIENCE_S):
            async with own_server(*flags) as client:
                count = len((await client.list_tools()).tools)
                took = time.perf_counter() - began
    except Exception as error:  # noqa: BLE001 - however it failed, the server did not come up
        mend = "run the command itself and read what it says: fraction-mcp serve"
        return failure("start", f"the server did not list its tools ({type(error).__name__})", mend)
    timing = f"{count} tools after {took:.1f} s"
    if took > _SLOW_S:
        return warning(
            "start", timing, "some hosts give up after 10 s; `uv tool install fraction-mcp` starts faster than uvx"
        )
    return ok("start", timing)
