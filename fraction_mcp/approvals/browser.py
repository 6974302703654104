"""A person's own browser, and how it gets a sign-in link that nobody else can read.

What a process is started with stands in the process list, for every user of the machine. So the browser is given the
address of a file, which its user alone can read and which leads on to the link; the file goes as soon as somebody has
come in. Knows browsers, files and clocks, and nothing of writes.
"""

import html
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path, PurePath

import anyio

from fraction_mcp.approvals.auth import Link
from fraction_mcp.private_files import private_file, private_folder

__all__ = ["PAGE_HEAD", "browser_is_there", "lead_in", "readable_folder", "wait_to_open_s"]

ENTER_S = 15.0
"""How long a browser has to come in by the file that it was given."""

_APART_S = 60.0
_OPENED = "browser-opened"
_VISIBLE = "fraction-mcp-inbox"
_TEXT_BROWSERS = {"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh"}
_SNAPS = Path("/var/lib/snapd/desktop/applications")
_KEPT_FROM_IT = ("FRACTION_", "FRACTTAL_")  # passwords, above all: they are no business of a browser
PAGE_HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Approval inbox</title>
"""
"""How a page begins that is a file and not the inbox's own."""

_PAGE = f"""\
{PAGE_HEAD}<meta http-equiv="refresh" content="0; url={{address}}">
<p><a href="{{address}}">Go on to the approval inbox</a></p>
"""


def browser_is_there(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser with windows can be opened: one that is named, or any where there is a display."""
    if words := _named(environment):
        return PurePath(words[0]).name not in _TEXT_BROWSERS
    if platform in {"win32", "darwin", "cygwin"}:
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def wait_to_open_s(folder: Path) -> float:
    """In how many seconds the browser may be opened; 0: now, and this call counts as an opening.

    Once a minute, whoever asks for it: all processes that keep their state in `folder` go by one clock. Raises
    ConfigError where that cannot be kept.
    """
    with private_file(folder / _OPENED).open("r+", encoding="ascii") as clock:
        _locked(clock.fileno())
        now = time.time()
        try:
            wait = float(clock.read()) + _APART_S - now
        except ValueError:  # it is new
            wait = 0
        if 0 < wait < _APART_S + 1:  # beyond that, the machine's time was set back
            return wait
        clock.seek(0)
        clock.truncate()
        clock.write(str(now))
    return 0


async def lead_in(link: Link, folder: Path) -> None:
    """Open the browser on the way to `link`, and see that the way is gone when somebody has come in by it, or after
    `ENTER_S` seconds.

    `folder` is where this user's state is kept. Raises ConfigError where it is not this user's alone.
    """
    with _way_in(link, readable_folder(folder, os.environ)) as way:
        async with _started(way.as_uri()):
            with anyio.move_on_after(ENTER_S):
                await link.used.wait()


@contextmanager
def _way_in(link: Link, folder: Path) -> Iterator[Path]:
    private_folder(folder)
    for left in folder.glob("inbox-*.html"):  # by a process that was killed; its links have ended with it
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - _APART_S:
                left.unlink()
    descriptor, name = tempfile.mkstemp(".html", "inbox-", folder)  # new, and 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as way:
            way.write(_PAGE.format(address=html.escape(link.address)))
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        if folder.name == _VISIBLE:
            with suppress(OSError):  # another process of this user has one there
                folder.rmdir()


@asynccontextmanager
async def _started(address: str) -> AsyncIterator[None]:
    """From a process of its own: whatever a browser prints or reads is not our stdin and stdout."""
    # Without TERM the standard library does not fall back to a text browser.
    kept = {name: value for name, value in os.environ.items() if name != "TERM" and not name.startswith(_KEPT_FROM_IT)}
    process = await anyio.open_process(
        [sys.executable, "-P", "-m", "webbrowser", address],  # -P: no module of the folder that we were started in
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=kept,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                process.kill()  # it may wait for a browser in the foreground, which goes on
            await process.aclose()


def _locked(descriptor: int) -> None:
    """Until it is closed. Where there are no locks, two processes in the same millisecond may both open the browser."""
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - not there on Windows

        with suppress(OSError):  # some file systems have none
            fcntl.flock(descriptor, fcntl.LOCK_EX)


# --------------------------------------------------------------------------------------------------------------- snaps


def readable_folder(folder: Path, environment: Mapping[str, str]) -> Path:
    """`folder`, or one in sight where the browser would be a snap, which sees no hidden folder of its user's home."""
    if not _is_snap(environment):
        return folder
    home = Path.home()
    inside = folder.absolute().relative_to(home).parts if folder.absolute().is_relative_to(home) else (".",)
    return folder if inside and not inside[0].startswith(".") else home / _VISIBLE


def _is_snap(environment: Mapping[str, str]) -> bool:
    if words := _named(environment):
        program = shutil.which(words[0], path=environment.get("PATH"))
        return program is not None and _leads_to_a_snap(Path(program))
    # Where any browser is one, the way in lies in sight: whichever is opened can read it there.
    return any(b"x-scheme-handler/http" in _opening(entry) for entry in _SNAPS.glob("*.desktop"))


def _leads_to_a_snap(program: Path) -> bool:
    if {"snap", "snapd"} & {*program.parts, *program.resolve().parts}:
        return True
    opening = _opening(program)
    return opening.startswith(b"#!") and b"/snap/" in opening  # Ubuntu's own /usr/bin/chromium-browser


def _opening(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(65_536)
    return b""


def _named(environment: Mapping[str, str]) -> list[str]:
    return environment.get("BROWSER", "").partition(os.pathsep)[0].split()
