"""The sandbox's one SQLite file, which several processes of one user share.

Knows how a file comes into being whole or not at all, how it is opened, locked and reset, and where tokens are kept.
Refuses to know what the rows mean.
"""

import contextlib
import hashlib
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import schema
from .seed import fill

_BUSY_MS = 10_000


class Store:
    """A connection that any thread may use, one at a time: every statement of the sandbox takes milliseconds."""

    def __init__(self, path: Path, *, parts: int, seed: int, reset: bool) -> None:
        self._lock = threading.RLock()
        self._db = _open(path, parts=parts, seed=seed, reset=reset)
        # Closed with the store, not by the collector: Python 3.13 warns about connections that nobody closed.
        self._closer = weakref.finalize(self, self._db.close)

    def close(self) -> None:
        with self._lock:
            self._closer()

    def all(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
            return row

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that owns the write lock from its first statement, so that it cannot fail half-way."""
        with self._lock, _transaction(self._db):
            yield self._db

    def issue_token(self, system: str, owner: str, lifetime_s: float) -> tuple[str, float]:
        """A new bearer token and the unix time at which it ends."""
        token = ".".join((_JWT_HEADER, secrets.token_urlsafe(60), secrets.token_urlsafe(32)))
        expires_at = time.time() + lifetime_s
        with self.writing() as db:
            db.execute("DELETE FROM tokens WHERE expires_at < ?", (time.time() - 86_400,))
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (_hash(token), system, owner, expires_at))
        return token, expires_at

    def token_owner(self, system: str, token: str) -> str | None:
        row = self.one(
            "SELECT owner FROM tokens WHERE hash = ? AND system = ? AND expires_at > ?",
            (_hash(token), system, time.time()),
        )
        return None if row is None else str(row["owner"])

    def revoke_token(self, token: str) -> bool:
        """Whether there still was such a token."""
        with self.writing() as db:
            return db.execute("DELETE FROM tokens WHERE hash = ?", (_hash(token),)).rowcount > 0

    def expire_tokens(self, system: str) -> None:
        with self.writing() as db:
            db.execute("UPDATE tokens SET expires_at = 0 WHERE system = ? OR ? = '*'", (system, system))

    def armed_faults(self) -> list[tuple[int, str]]:
        with self._lock:
            rows = self._db.execute("SELECT id, fault FROM faults ORDER BY id").fetchall()
        return [(row["id"], row["fault"]) for row in rows]

    def add_fault(self, fault: str) -> None:
        with self.writing() as db:
            db.execute("INSERT INTO faults (fault) VALUES (?)", (fault,))

    def change_faults(self, change: Callable[[list[tuple[int, str]]], dict[int, str | None]]) -> None:
        """See `faults.FaultFile`."""
        with self.writing() as db:
            for number, fault in change(self.armed_faults()).items():
                if fault is None:
                    db.execute("DELETE FROM faults WHERE id = ?", (number,))
                else:
                    db.execute("UPDATE faults SET fault = ? WHERE id = ?", (fault, number))


# {"typ":"JWT","alg":"HS256"}: what follows is random, and a client has no business in it.
_JWT_HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _open(path: Path, *, parts: int, seed: int, reset: bool) -> sqlite3.Connection:
    if parts < 1:
        raise ValueError("parts must be at least 1")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and not _is_ours(path):
        _set_aside(path)
    if not path.exists():
        _create(path, parts=parts, seed=seed)
        reset = False
    db = _connect(path)
    with _closed_on_error(db):
        if reset or not _is_current(db):
            # In place and in one transaction: a file replaced under another process would leave it in a dead company.
            with _transaction(db):
                if reset or not _is_current(db):
                    _rebuild(db, parts=parts, seed=seed)
    return db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    with _closed_on_error(db):  # a damaged file shows at the first statement
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        db.execute("PRAGMA synchronous = NORMAL")
    return db


@contextlib.contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def _is_ours(path: Path) -> bool:
    """Whether the file's header names this application; the 16-byte magic and the id's offset are SQLite's format."""
    with path.open("rb") as file:
        header = file.read(100)
    return header[:16] == b"SQLite format 3\0" and int.from_bytes(header[68:72], "big") == schema.APPLICATION_ID


def _is_current(db: sqlite3.Connection) -> bool:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version == schema.VERSION


def _set_aside(path: Path) -> None:
    """Move a file that is not ours out of the way; it may be somebody's, so it is never deleted."""
    judged = path.stat().st_ino
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.set-aside")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if aside.stat().st_ino != judged and _is_ours(aside):
        # Another process was quicker: this is its new company, so it goes back.
        aside.rename(path)
        return
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))


def _create(path: Path, *, parts: int, seed: int) -> None:
    """Build a company under another name and put it in place only if nobody else has."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with contextlib.closing(_connect(draft)) as db:
            # Nobody sees the draft, so it needs no journal; WAL is a property of the finished file.
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            with _transaction(db):
                _rebuild(db, parts=parts, seed=seed)
            db.execute("PRAGMA journal_mode = WAL")
        _install(draft, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _install(draft: Path, path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: rename refuses an existing target on Windows only
            if not path.exists():
                draft.rename(path)


def _rebuild(db: sqlite3.Connection, *, parts: int, seed: int) -> None:
    for row in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        db.execute(f'DROP TABLE "{row["name"]}"')
    _run(db, schema.TABLES)
    fill(db, parts=parts, seed=seed)
    _run(db, schema.INDICES)
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {schema.VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    """`executescript` would commit the transaction that this must be part of."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)
