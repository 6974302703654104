"""Files that are this user's alone: made closed, closed where they were left open, refused where they are another's.

Whoever can write the journal, the key or the inbox's files can decide what counts as approved. On Windows a profile's
folders are private by inheritance, and nothing is checked here.
"""

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from fraction_mcp.errors import ConfigError

__all__ = ["kept_secret", "private_database", "private_file", "private_folder"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANY = stat.S_IRWXG | stat.S_IRWXO
_SECRET_BYTES = 32
_STATE_DIR = "FRACTION_MCP_STATE_DIR"


def private_folder(path: Path, *, setting: str = _STATE_DIR) -> Path:
    """The folder, made where it is new (0700). One of ours that others may write is closed, with a line on stderr.

    Raises ConfigError for another user's folder, for one that everybody shares, as /tmp is, and for one that cannot be
    made or closed. `setting` is what names another place.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder")
        _closed(path, path.stat(), _OTHERS_WRITE, 0o700, setting)
    except OSError as error:
        raise ConfigError(f"{path} cannot be used: {error.strerror or error}; {_elsewhere(setting)}") from error
    return path


def private_file(path: Path, *, setting: str = _STATE_DIR) -> Path:
    """The file, made where it is new (0600), in a folder of ours. Others may neither write nor read it.

    Raises ConfigError as `private_folder` does.
    """
    private_folder(path.parent, setting=setting)
    try:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            _kept_private(path, setting)
    except OSError as error:
        raise ConfigError(f"{path} cannot be used: {error.strerror or error}; {_elsewhere(setting)}") from error
    return path


def _kept_private(path: Path, setting: str) -> None:
    """One that is there. It is not opened: closing it again would drop the locks that this process has on it."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    _closed(path, status, _OTHERS_ANY, 0o600, setting)
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def private_database(path: Path, *, setting: str = _STATE_DIR) -> Path:
    """The path of an SQLite file in a folder of ours. Where it is there it is closed, with those that stand beside it.

    Raises ConfigError as `private_folder` does.
    """
    private_folder(path.parent, setting=setting)
    for file in (path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal")):
        if not (file.exists() or file.is_symlink()):
            continue
        try:
            _kept_private(file, setting)
        except OSError as error:
            if os.path.lexists(file):  # else SQLite has done with it meanwhile, in another process
                raise ConfigError(f"{file} cannot be used: {error.strerror or error}; {_elsewhere(setting)}") from error
    return path


def kept_secret(path: Path) -> str:
    """The random text that a file of ours holds: made at the first call, whichever process it is in, and kept.

    Raises ConfigError as `private_folder` does, and for a file that holds something else.
    """
    private_folder(path.parent)
    if not path.exists():
        new = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
        private_file(new).write_text(secrets.token_hex(_SECRET_BYTES), encoding="ascii")
        try:
            with suppress(FileExistsError):  # another process was the first: its own counts
                os.link(new, path)
        except OSError:  # no links here
            if not path.exists():
                new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    text = private_file(path).read_text(encoding="ascii", errors="replace").strip()
    if len(text) < 2 * _SECRET_BYTES or not text.isalnum():
        raise ConfigError(f"{path} holds no key of ours; remove it, and a new one is made")
    return text


def _elsewhere(setting: str) -> str:
    return f"{setting} names another {'folder to keep state in' if setting == _STATE_DIR else 'place for it'}"


def _closed(path: Path, status: os.stat_result, open_to_others: int, mode: int, setting: str) -> None:
    if sys.platform == "win32":
        return
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to another user, who could change what is approved there; {_elsewhere(setting)}"
        )
    if not status.st_mode & open_to_others:
        return
    if status.st_mode & stat.S_ISVTX:  # closed to the others who share it, it would break what they do there
        raise ConfigError(f"{path} is a folder that everybody shares; {_elsewhere(setting)}")
    path.chmod(mode)
    if path.stat().st_mode & open_to_others:
        raise ConfigError(f"{path} is open to other users and cannot be closed; {_elsewhere(setting)}")
    sys.stderr.write(f"fraction-mcp: {path} was open to other users; it is closed to them now ({mode:04o})\n")
