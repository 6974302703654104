"""What a failing database means for whoever needs the journal: one of our errors, in words for the reader who can act.

Knows the codes of SQLite and PostgreSQL, and three kinds of trouble: what an operator must set right, what passes by
itself, and what is broken. No message holds a path, an address or a password.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fraction_mcp.errors import ConfigError, JournalError, JournalUnreachable
from fraction_mcp.values.text import quoted

__all__ = ["told"]

Kind = Literal["setting", "passing", "broken"]


@dataclass(frozen=True, slots=True)
class _Trouble:
    kind: Kind
    message: str
    hint: str = ""


_AGAIN = "Try again in a moment."
_LOCKED = _Trouble(
    "passing",
    "another process holds the journal locked",
    "Close what has it open (a database browser, a backup), and try again.",
)
_FULL = _Trouble("broken", "the disk that holds the journal is full", "Make room on it, and try again.")
_DAMAGED = _Trouble(
    "broken",
    "the journal's database is damaged",
    "Keep it as it is, stop every fraction-mcp, and restore it from a backup. What waited or was being sent stands "
    "nowhere else: look in the ERP before it is asked for again.",
)
_NOT_WRITABLE = _Trouble(
    "setting", "the journal may not be written: its file, its folder or its whole disk is read-only"
)

# By the primary code of SQLite's errors (sqlite.org/rescode.html); extended ones begin with it.
_SQLITE: Mapping[str, _Trouble] = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _Trouble("setting", "the journal's file is not an SQLite database"),
    "SQLITE_READONLY": _NOT_WRITABLE,
    "SQLITE_CANTOPEN": _Trouble("setting", "the journal's file cannot be opened"),
    "SQLITE_IOERR": _Trouble(
        "broken", "the journal's file could not be read or written", "Look at the disk that holds it, and try again."
    ),
}
# By the beginning of the SQLSTATE, the longest first (PostgreSQL's documentation, appendix A).
_POSTGRESQL: Mapping[str, _Trouble] = {
    "25006": _Trouble("setting", "the journal's database takes no writes: it is a standby, or read-only"),
    "42501": _Trouble("setting", "the journal's user may not read and change its tables: grant it the right to"),
    "55P03": _LOCKED,
    "53100": _FULL,
    "08": _Trouble("passing", "the connection to the journal's database broke", _AGAIN),
    "25": _Trouble("passing", "the journal's database ended a transaction that had been idle for too long", _AGAIN),
    "28": _Trouble("setting", "the journal's database refuses the user or the password of FRACTION_MCP_DATABASE_URL"),
    "3D": _Trouble("setting", "the database that FRACTION_MCP_DATABASE_URL names does not exist: create it first"),
    "40": _LOCKED,
    "53": _Trouble("passing", "the journal's database has no room for another connection", _AGAIN),
    "57": _Trouble("passing", "the journal's database is starting or stopping", _AGAIN),
    "XX": _DAMAGED,
}


def told(error: Exception, *, within_s: float, opening: bool, where: str) -> Exception:
    """The error to raise instead; the same one where it has nothing to do with a database.

    While a journal is opened, what an operator must set right is a ConfigError.
    """
    trouble = _trouble(error, within_s)
    if trouble is None:
        return error
    if trouble.kind == "passing":
        return JournalUnreachable(trouble.message, hint=trouble.hint, where=where)
    if trouble.kind == "setting" and opening:
        return ConfigError(trouble.message, where=where)
    return JournalError(trouble.message, hint=trouble.hint, where=where)


def _trouble(error: Exception, within_s: float) -> _Trouble | None:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlite_errorname", None)
    if code:
        return next((_SQLITE[name] for name in _SQLITE if code.startswith(name)), _unknown(cause))
    state = getattr(cause, "sqlstate", None)
    if state:
        return next((_POSTGRESQL[start] for start in _POSTGRESQL if state.startswith(start)), _unknown(cause))
    if isinstance(cause, OSError):
        return _unreached(cause, within_s)
    if isinstance(error, PoolTimeout):
        return _Trouble("passing", "the journal is busy", _AGAIN)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _POSTGRESQL["08"]
    return _unknown(cause) if isinstance(error, SQLAlchemyError) else None


def _unreached(error: OSError, within_s: float) -> _Trouble:
    if isinstance(error, TimeoutError):
        return _Trouble("passing", f"the journal's database did not answer within {within_s:g} seconds", _AGAIN)
    if isinstance(error, socket.gaierror):
        return _Trouble("passing", "the host of the journal's database is not known by that name", _AGAIN)
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return _Trouble(
            "passing",
            "nothing answers where the journal's database should be",
            "Start PostgreSQL, or set FRACTION_MCP_DATABASE_URL right.",
        )
    reason = error.strerror or type(error).__name__
    return _Trouble("passing", f"the journal's database cannot be reached: {reason}", _AGAIN)


def _unknown(cause: BaseException) -> _Trouble:
    reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return _Trouble("broken", f"the journal's database failed: {quoted(reason, 200)}")
