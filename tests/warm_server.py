"""A process that has loaded everything, and forks: `warm_server.py SOCKET`. Not a test.

What comes out is a process of its own, with its own streams, environment, session and signals, as a shell would start
it, in a few hundredths of a second. The only thing that it does not show is how an interpreter starts; the tests of
that start one. A request is one line of JSON with descriptors 0, 1 and 2 of whoever asks; the answer is two lines, the
process's id and, when it has ended, its exit code (negative for a signal). Whoever hangs up before kills it.
"""

import array
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("warm_launcher.py")
BESIDE = ("aiosqlite", "asyncpg", "h11", "httpx", "jsonschema", "mcp.client.stdio", "rich.console", "rich.table",
          "sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite", "uvicorn",
          "uvicorn.protocols.http.h11_impl", "uvicorn.lifespan.off")  # fmt: skip


class Forked(BaseException):
    """Raised in the child, and caught at the very end, so that it ends as an interpreter ends."""

    def __init__(self, words: list[str]) -> None:
        self.words = words


class Server:
    def __init__(self, path: str) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(64)
        self._path = path
        self._clients: dict[int, socket.socket] = {}
        self._ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until stdin is closed: whoever started this has gone."""
        with selectors.DefaultSelector() as ready:
            for source in (0, self._listening, self._ended):
                ready.register(source, selectors.EVENT_READ)
            print("ready", flush=True)
            while True:
                for key, _ in ready.select():
                    if key.fileobj == 0:
                        for pid in self._clients:
                            os.kill(pid, signal.SIGKILL)
                        return
                    if key.fileobj == self._ended:
                        os.read(self._ended, 4096)
                        self._reap(ready)
                    elif key.fileobj is self._listening:
                        client, _ = self._listening.accept()
                        self._start(client)
                        ready.register(client, selectors.EVENT_READ)
                    else:
                        self._hung_up(key.fileobj)
                        ready.unregister(key.fileobj)

    def _start(self, client: socket.socket) -> None:
        fds = array.array("i")
        text, ancillary, _, _ = client.recvmsg(1 << 20, socket.CMSG_LEN(3 * fds.itemsize))
        for _, _, content in ancillary:
            fds.frombytes(content)
        while not text.endswith(b"\n"):
            text += client.recv(1 << 20)
        asked = json.loads(text)
        pid = os.fork()
        if not pid:
            become(asked, list(fds), self._path)
        for fd in fds:
            os.close(fd)
        self._clients[pid] = client
        client.sendall(f"{pid}\n".encode())

    def _reap(self, ready: selectors.DefaultSelector) -> None:
        for pid, client in list(self._clients.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._clients[pid]
                with contextlib.suppress(OSError):  # nobody waits for it
                    client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                if client in ready.get_map():
                    ready.unregister(client)
                client.close()

    def _hung_up(self, client: Any) -> None:
        for pid, waiting in self._clients.items():
            if waiting is client:
                os.kill(pid, signal.SIGKILL)


def become(asked: dict[str, Any], fds: list[int], path: str) -> None:
    """In the child: what an exec would have made new is made new."""
    signal.set_wakeup_fd(-1)
    for one in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, fd in enumerate(fds):
        os.dup2(fd, place)
    os.closerange(3, 1024)
    if asked["session"]:
        os.setsid()
    if asked["terminal"]:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = open(  # noqa: SIM115 - as an interpreter opens its own
            getattr(sys, name).fileno(), mode, encoding=encoding or "utf-8", closefd=False,
            errors=errors or ("backslashreplace" if name == "stderr" else "strict"),
            buffering=1 if name == "stderr" or os.isatty(("stdin", "stdout", "stderr").index(name)) else -1,
        )  # fmt: skip
        assert isinstance(stream, io.TextIOWrapper)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    from fraction_mcp.cli import session

    # What a command starts in its turn is warm as well.
    session._command = lambda flags: [sys.executable, "-ISE", str(LAUNCHER), path, "serve", *flags]
    raise Forked(asked["words"])


def load() -> None:
    import fraction_mcp

    for module in pkgutil.walk_packages(fraction_mcp.__path__, "fraction_mcp."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in BESIDE:
        importlib.import_module(name)
    importlib.import_module("fraction_mcp.tools.catalogue").catalogue()


def run(words: list[str]) -> int:
    from fraction_mcp.cli import main

    if words[0].endswith(".py"):
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        return 0
    sys.argv = ["fraction-mcp", *words]
    return main(words)


def ended(words: list[str]) -> int:
    """Run it, and do what an interpreter does at its end, but for taking apart all that was loaded."""
    try:
        code = run(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = -signal.SIGINT
    except BaseException:  # noqa: BLE001 - as an interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # it was closed
            try:
                stream.flush()
            except OSError:
                code = 120
    return code


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()
    try:
        Server(sys.argv[1]).serve()
    except Forked as forked:
        asked_for = forked.words
    else:
        sys.exit(0)
    end = ended(asked_for)
    if end < 0:
        signal.signal(-end, signal.SIG_DFL)
        os.kill(os.getpid(), -end)
    os._exit(end)
