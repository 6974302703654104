"""`fraction-mcp serve --sandbox --http`, as a process of its own on a free port of this machine."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.conversation import KEPT

STARTS_S = 90


class NotServed(Exception):
    """The server did not come up; its last words say why."""


@contextmanager
def desk() -> Iterator[str]:
    """The server of one desk: nobody signs in. Its origin."""
    with _served(lambda _: []) as url:
        yield url


@contextmanager
def team() -> Iterator[str]:
    """The server of a team: everybody signs in, and any client may register itself. Its origin."""
    words = ["--auth", "sign-in", "--allow-registration"]
    with _served(lambda port: [*words, "--public-url", f"http://127.0.0.1:{port}"]) as url:
        yield url


@contextmanager
def _served(words: Callable[[int], list[str]]) -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="served-", ignore_cleanup_errors=True) as folder:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        env = {
            **kept,
            "HOME": folder,
            "FRACTION_MCP_STATE_DIR": str(Path(folder) / "state"),
            "FRACTION_MCP_SECRET_KEY": secrets.token_hex(32),
            "FRACTION_MCP_OPEN_INBOX": "false",
            "PYTHONUTF8": "1",
        }
        command = [sys.executable, "-m", "fraction_mcp", "serve", "--sandbox", "--http", "--port", str(port)]
        log = Path(folder) / "stderr.txt"
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                [*command, *words(port)], env=env, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True
            )
        try:
            _wait(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTS_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    said = log.read_text(encoding="utf-8").strip().splitlines()
    raise NotServed(said[-1] if said else "the server said nothing")


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])
