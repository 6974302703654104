"""The address of the journal's database: what is understood, what it means, and what it lacks.

Checked with the other settings, at start, and so without SQLAlchemy. No message repeats what stands there: it may hold
a password.
"""

import importlib.util
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

__all__ = ["DatabaseUrl", "read_database_url"]

_SQLITE, _POSTGRESQL = "sqlite+aiosqlite", "postgresql+asyncpg"
_DRIVERS = {
    "sqlite": _SQLITE,
    _SQLITE: _SQLITE,
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,  # as hosting services print it
    _POSTGRESQL: _POSTGRESQL,
}
_SQLITE_FORM = f"{_SQLITE}:///{'C:' if sys.platform == 'win32' else ''}/FOLDER/journal.sqlite3"
_POSTGRESQL_FORM = f"{_POSTGRESQL}://USER:PASSWORD@HOST:5432/NAME"
_OPTIONS = ("host", "port", "passfile", "ssl")
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# SQLAlchemy's own pattern (engine/url.py), with an @ in no place but before the host: a password that is not
# percent-encoded would be taken for a host, and be shown as one.
_SHAPE = re.compile(
    r"(?P<scheme>[\w+]+)://"
    r"(?P<user>[^:/@]*(?::[^@]*)?@)?"
    r"(?P<host>\[[^]/?@]+\]|[^/:?@]*)(?::(?P<port>[^/?@]*))?"
    r"(?:/(?P<database>[^?]*))?"
    r"(?:\?(?P<query>.*))?"
)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """`text` names the driver and holds only options that it takes; `file` is SQLite's, None for PostgreSQL."""

    text: str
    file: Path | None


def read_database_url(text: str) -> DatabaseUrl:
    """Raises ValueError, in words for whoever set it: what is wrong, and a form or a command that works."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"must be {_SQLITE_FORM} or {_POSTGRESQL_FORM} (in a password, @ : / ? # % are written percent-encoded)"
        )
    driver = _DRIVERS.get(match["scheme"].lower())
    if driver is None:
        raise ValueError(
            f"must name SQLite or PostgreSQL, and the driver that is used here: {_SQLITE_FORM} or {_POSTGRESQL_FORM}"
        )
    return _on_sqlite(match) if driver == _SQLITE else _on_postgresql(match)


def _on_sqlite(match: re.Match[str]) -> DatabaseUrl:
    path = unquote(match["database"] or "")
    if match["user"] or match["host"] or match["port"] is not None:
        raise ValueError(f"a path comes after three slashes, and has one of its own: {_SQLITE_FORM}")
    if path in {"", ":memory:"}:
        raise ValueError(f"a journal in memory would be forgotten with the process; name a file: {_SQLITE_FORM}")
    if match["query"] is not None:
        raise ValueError(f"SQLite takes no options here (a ? in a path is written %3F): {_SQLITE_FORM}")
    return DatabaseUrl(f"{_SQLITE}:///{match['database']}", Path(path))


def _on_postgresql(match: re.Match[str]) -> DatabaseUrl:
    if not _is_port(match["port"] or "5432"):
        raise ValueError(f"its port must be a number up to 65535: {_POSTGRESQL_FORM}")
    if importlib.util.find_spec("asyncpg") is None:
        raise ValueError(f"PostgreSQL needs asyncpg, which is not installed here; install it with: {_install()}")
    options = _options(match["query"])
    end = len(match.string) if match["query"] is None else match.start("query") - 1
    place = match.string[match.end("scheme") : end]
    return DatabaseUrl(_POSTGRESQL + place + ("?" + urlencode(options) if options else ""), None)


def _options(query: str | None) -> list[tuple[str, str]]:
    options = []
    for name, value in parse_qsl(query or "", keep_blank_values=True):
        known = "ssl" if name == "sslmode" else name  # libpq's name for it, as hosting services print it
        if known not in _OPTIONS:
            shown = f" {name}" if re.fullmatch("[a-z_]{2,30}", name) else ""
            raise ValueError(
                f"its option{shown} is not understood: there are {', '.join(_OPTIONS)}, as in "
                f"{_POSTGRESQL_FORM}?ssl=require"
            )
        if known == "ssl" and value not in _SSL:
            raise ValueError(f"its option ssl must be one of {', '.join(_SSL)}")
        if known == "port" and not _is_port(value):
            raise ValueError("its option port must be a number up to 65535")
        options.append((known, value))
    return options


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _install() -> str:
    """The command that adds the driver to the environment that this program runs in."""
    package = '"fraction-mcp[postgres]"' if sys.platform == "win32" else "'fraction-mcp[postgres]'"
    folders = Path(sys.prefix).parts
    if "pipx" in folders:
        return "pipx inject fraction-mcp asyncpg"
    if "uv" in folders and "tools" in folders:
        return f"uv tool install {package}"
    if any(name.startswith(("archive-v", "environments-v")) for name in folders):  # uvx runs it from its cache
        return f"uvx --from {package} fraction-mcp"
    python = f'"{sys.executable}"' if sys.platform == "win32" else shlex.quote(sys.executable)
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {python} {package}"
    return f"{python} -m pip install {package}"
