"""A file of another program's, read once and replaced whole, or not at all.

Knows bytes and the file system, no formats. A replacement is written beside the file, synced and moved over it; a link
is followed, the mode is kept, and the file as it was stays beside it. What changed since it was read is not written
over. The last look and the move are two steps: a program that writes between them, within microseconds, is not
noticed.
"""

import os
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fraction_mcp.errors import ConfigError, FractionMcpError

__all__ = ["Snapshot"]

_LARGEST = 64 * 1024 * 1024
_BACKUP = ".before-fraction-mcp"


@dataclass(frozen=True)
class Snapshot:
    """A file's bytes when it was read; None where it was not there. `path` is where a link leads in the end."""

    path: Path
    content: bytes | None

    @classmethod
    def of(cls, path: Path) -> "Snapshot":
        """Raises ConfigError for what is no file, or cannot be read."""
        real = Path(os.path.realpath(path))
        try:
            return cls(real, _read(real))
        except OSError as error:
            raise ConfigError(f"{real} cannot be read: {error.strerror or error}; nothing was written") from error

    @property
    def backup(self) -> Path:
        return self.path.with_name(self.path.name + _BACKUP)

    def backed_up(self) -> bytes | None:
        """What the back-up beside the file holds, None where there is none that can be read."""
        try:
            return _read(self.backup)
        except (ConfigError, OSError):
            return None

    def replace(self, content: bytes, *, backup: bytes | None) -> None:
        """Write the file anew, with a back-up beside it where there is something to keep.

        Raises ConfigError where it is not ours to write, FractionMcpError where it changed since it was read. In both
        cases nothing was written.
        """
        self._refuse_others()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_changed()
            if backup is not None:
                self._write(self.backup, backup)
            self._write(self.path, content, watched=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def remove(self) -> None:
        """Take the file away, where it is still as it was read. Raises as `replace` does."""
        self._refuse_others()
        try:
            self._refuse_changed()
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def drop_backup(self) -> None:
        """It may hold what other servers are given; once the file is as it was, nobody needs it."""
        with suppress(OSError):
            self.backup.unlink(missing_ok=True)

    # --------------------------------------------------------------------------------------------------------- inside

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self.path} cannot be written: {error.strerror or error}; nothing was written")

    def _refuse_others(self) -> None:
        try:
            status = next(path for path in (self.path, *self.path.parents) if path.exists()).stat()
        except OSError as error:
            raise self._unwritable(error) from error
        new = not self.path.exists()
        if sys.platform != "win32" and status.st_uid != os.geteuid() and (not new or os.geteuid() == 0):
            # Where it is new, the folder's mode decides; but root would leave a file that its user cannot write.
            raise ConfigError(f"{self.path} belongs to another user, or would; nothing was written")
        if new:
            return
        if not status.st_mode & stat.S_IWUSR:
            raise ConfigError(f"{self.path} is write-protected; nothing was written")

    def _refuse_changed(self) -> None:
        if _read(self.path) != self.content:
            raise FractionMcpError(
                f"{self.path} was changed by another program in the meantime; nothing was written", hint="Try again."
            )

    def _write(self, path: Path, content: bytes, *, watched: bool = False) -> None:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if self.path.exists():  # otherwise 0600, as mkstemp makes it: what a new file will hold is nobody else's
                fresh.chmod(stat.S_IMODE(self.path.stat().st_mode))
            if watched:
                self._refuse_changed()
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync(path.parent)


def _read(path: Path) -> bytes | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path} is no file; nothing was written")
    if status.st_size > _LARGEST:
        raise ConfigError(f"{path} is too large to be a list of servers; nothing was written")
    return path.read_bytes()


def _sync(folder: Path) -> None:
    """The move itself reaches the disk; Windows has no way to ask for it."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # some file systems refuse it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
