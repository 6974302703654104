"""Files that are this user's alone: made closed, closed where they were left open, refused where they are another's.

Whoever can write the journal, the key or the inbox's files can decide what counts as approved. On Windows a profile's
folders are private by inheritance, and nothing is checked here.
"""

import os
import stat
import sys
from pathlib import Path

from fraction_mcp.errors import ConfigError

__all__ = ["private_file", "private_folder"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANY = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> Path:
    """The folder, made where it is new (0700). One of ours that others may write is closed, with a line on stderr.

    Raises ConfigError for another user's folder, and for one that cannot be made or closed.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "it is no folder")
        _closed(path, path.stat(), _OTHERS_WRITE, 0o700)
    except OSError as error:
        raise ConfigError(f"{path} cannot be used: {error.strerror or error}; {_ELSEWHERE}") from error
    return path


def private_file(path: Path) -> Path:
    """The file, made where it is new (0600), in a folder of ours. Others may neither write nor read it.

    Raises ConfigError as `private_folder` does.
    """
    private_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _closed(path, os.fstat(descriptor), _OTHERS_ANY, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError(f"{path} cannot be used: {error.strerror or error}; {_ELSEWHERE}") from error
    return path


_ELSEWHERE = "FRACTION_MCP_STATE_DIR names another folder to keep state in"


def _closed(path: Path, found: os.stat_result, open_to_others: int, mode: int) -> None:
    if sys.platform == "win32":
        return
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user, who could change what is approved there; {_ELSEWHERE}")
    if not found.st_mode & open_to_others:
        return
    path.chmod(mode)
    if path.stat().st_mode & open_to_others:
        raise ConfigError(f"{path} is open to other users and cannot be closed; {_ELSEWHERE}")
    sys.stderr.write(f"fraction-mcp: {path} was open to other users; it is closed to them now ({mode:04o})\n")
