"""Processes of `fraction-mcp`, for tests of what only a process shows.

Warm ones (warm_server.py), which cost a twentieth, and in which branches are counted as well; real interpreters where
those cannot be had, where `real` asks for one, and everywhere under FRACTION_TESTS_COLD=1.
"""

import array
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pytest

__all__ = ["Started", "children_of_commands_are_ours", "command", "real", "run", "start"]

_COLD = "FRACTION_TESTS_COLD"
_LAUNCHER = Path(__file__).with_name("warm_launcher.py")
_AT_MOST_S = 60


def command(*words: str) -> list[str]:
    """What starts `fraction-mcp WORDS`; or a script of the tests' own, where the first word ends in .py."""
    sys.audit("tests.process", " ".join(words))
    return _interpreter(words) if _cold() else [sys.executable, "-ISE", str(_LAUNCHER), str(_warm()), *words]


def real(*words: str) -> list[str]:
    """An interpreter, for what only its start shows: streams that are closed, modules that are loaded."""
    sys.audit("tests.process", " ".join(words))
    return _interpreter(words)


def children_of_commands_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that `call`, `tools` or `demo` starts is as warm as any, also where they run in this process."""
    monkeypatch.setattr("fraction_mcp.cli.session._command", lambda flags: command("serve", *flags))


def _interpreter(words: Sequence[str]) -> list[str]:
    return [sys.executable, *([] if words[0].endswith(".py") else ["-m", "fraction_mcp"]), *words]


def start(
    *words: str,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    terminal: bool = False,
) -> "Started":
    """`fraction-mcp WORDS` with text streams in UTF-8; `terminal`: what stands at stdin is its controlling one."""
    sys.audit("tests.process", " ".join(words))
    if _cold():
        return _cold_one(words, env, stdin, stdout, stderr, terminal=terminal)
    return Started(words, env, (stdin, stdout, stderr), terminal=terminal)


def run(*words: str, env: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    with start(*words, env=env, stdin=subprocess.PIPE) as process:
        out, err = process.communicate(stdin, timeout=_AT_MOST_S)
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(words), process.returncode, out, err)


class Started:
    """A warm process, with as much of `subprocess.Popen` as tests use."""

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], streams: tuple[int, int, int], *, terminal: bool
    ) -> None:
        self.returncode: int | None = None
        self.args = list(words)
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(_warm()))
        theirs, ours = _opened(streams)
        asked = {"words": self.args, "environment": dict(env), "folder": os.getcwd(), "session": terminal,  # noqa: PTH109
                 "terminal": terminal}  # fmt: skip
        content = json.dumps(asked).encode() + b"\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", theirs))]
        self._server.sendall(content[self._server.sendmsg([content], rights) :])
        for fd, asked_for in zip(theirs, streams, strict=True):
            if asked_for in {subprocess.PIPE, subprocess.DEVNULL}:
                os.close(fd)
        self.stdin, self.stdout, self.stderr = ours
        self._answers = self._server.makefile()
        self.pid = int(self._answers.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended without reading all of it
                    stream.close()
        if kind is not None:
            self.kill()
        self.wait(_AT_MOST_S)

    def poll(self) -> int | None:
        try:
            return self.wait(0.001)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            if self.returncode is None:
                self._server.settimeout(None)
                if timeout is not None:
                    self._until(timeout)
                self.returncode = int(self._answers.readline())
                self._answers.close()
                self._server.close()
            return self.returncode

    def _until(self, timeout: float) -> None:
        import select

        if not select.select([self._server], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, text: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        read: dict[str, str] = {"stdout": "", "stderr": ""}

        def reading(name: str, stream: IO[str]) -> None:
            read[name] = stream.read()

        readers = [
            threading.Thread(target=reading, args=(name, stream))
            for name in read
            if (stream := getattr(self, name)) is not None
        ]
        for reader in readers:
            reader.start()
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(text or "")
                self.stdin.close()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            for reader in readers:
                reader.join(_AT_MOST_S)
        return read["stdout"], read["stderr"]


def _opened(streams: tuple[int, int, int]) -> tuple[list[int], list[IO[str] | None]]:
    """The child's three descriptors, and our ends of those that are pipes."""
    theirs: list[int] = []
    ours: list[IO[str] | None] = []
    for place, asked in enumerate(streams):
        if asked == subprocess.PIPE:
            reading, writing = os.pipe()
            theirs.append(writing if place else reading)
            ours.append(
                os.fdopen(reading, "r", encoding="utf-8") if place else os.fdopen(writing, "w", encoding="utf-8")
            )
        else:
            theirs.append(os.open(os.devnull, os.O_RDWR) if asked == subprocess.DEVNULL else asked)
            ours.append(None)
    return theirs, ours


# ------------------------------------------------------------------------------------------------------ where they are


def _cold() -> bool:
    return _COLD in os.environ or not hasattr(os, "fork") or sys.platform == "darwin"


@cache
def _warm() -> Path:
    """The socket of this test process's own server, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="fmcp-warm-")
    path = Path(folder.name) / "socket"
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm_server.py")), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C at the developer's terminal is the tests' alone
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def end() -> None:
        process.stdin.close()
        process.stdout.close()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    assert process.stdout.readline() == "ready\n"
    return path


# Gives the child's terminal to it, as a shell does.
_IN_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def _cold_one(
    words: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int, stderr: int, *, terminal: bool
) -> Any:
    through = [sys.executable, "-S", "-c", _IN_ITS_TERMINAL] if terminal else []
    return subprocess.Popen(
        [*through, *_interpreter(words)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=dict(env),
        encoding="utf-8",
        start_new_session=terminal,
    )
