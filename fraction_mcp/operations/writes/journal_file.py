"""The journal's file, where it lives on SQLite: where it is, whose it is, and whether this program knows its schema.

Loads no SQLAlchemy: a server looks at it when it starts, and opens the journal with the first write.
"""

from contextlib import closing
from pathlib import Path

from fraction_mcp.database_url import read_database_url
from fraction_mcp.errors import ConfigError
from fraction_mcp.operations.writes.migrations import refuse_newer
from fraction_mcp.private_files import private_database, private_file, private_folder

__all__ = ["check_at_start", "file_in", "is_there", "made_private"]

_URL, _FOLDER = "FRACTION_MCP_DATABASE_URL", "FRACTION_MCP_STATE_DIR"
_FILE = "journal.sqlite3"


def file_in(url: str, folder: Path) -> Path | None:
    """The file of the database at `url`, or the usual one in `folder` where it is empty; None for PostgreSQL.

    Raises ConfigError for an address that is none.
    """
    if not url:
        return folder / _FILE
    try:
        return read_database_url(url).file
    except ValueError as error:
        raise ConfigError(f"{_URL}: {error}") from None


def is_there(url: str, folder: Path) -> bool:
    """Whether there is a journal to open, for whoever only wants to look; a PostgreSQL that is named counts as one."""
    file = file_in(url, folder)
    return file is None or file.exists()


def made_private(file: Path, *, named: bool) -> Path:
    """The file, made where it is new, its owner's alone, as are those that SQLite keeps beside it.

    `named` says that its place was set by a URL. Raises ConfigError for another user's.
    """
    setting = _URL if named else _FOLDER
    private_file(file, setting=setting)
    return private_database(file, setting=setting)


def check_at_start(url: str, folder: Path) -> None:
    """Raises ConfigError for what would else come out with the first write. Nothing is made."""
    file = file_in(url, folder)
    if file is not None and file.exists():
        refuse_newer(_version_in(made_private(file, named=bool(url))))
    elif not url and folder.exists():
        private_folder(folder)


def _version_in(file: Path) -> int:
    """The version of the schema; 0 where it cannot be told without waiting: whoever opens the journal will tell."""
    import sqlite3  # noqa: PLC0415 - only where there is a journal already

    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=0)) as database:
            row = database.execute("SELECT version FROM head").fetchone()
    except sqlite3.Error:
        return 0
    return row[0] if row and isinstance(row[0], int) else 0
