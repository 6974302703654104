"""What every measurement needs: an embedded ERP on a loopback port, servers as child processes, paired rounds.

A time of its own means nothing on a shared machine: each figure here is taken in alternation with its reference in the
same run, and what counts is the median of the ratios.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fraction_mcp import sandbox

HERE = Path(__file__).parent
BARE = [sys.executable, str(HERE / "bare_server.py")]
OURS = [sys.executable, "-m", "fraction_mcp", "serve"]
PRICE = ("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250})
ECHO = ("echo", {"text": "x"})


@dataclass(frozen=True)
class Figure:
    """One line of the results."""

    what: str
    ours: str
    reference: str
    ratio: str
    mark: str
    met: bool | None


def compared(what: str, ours: Sequence[float], reference: Sequence[float], *, unit: str, mark: float) -> Figure:
    """Paired rounds as a figure: medians, and the median of the ratios, which the mark bounds from above."""
    ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    left, right = (f"{statistics.median(values):.3g} {unit}" for values in (ours, reference))
    return Figure(what, left, right, f"{ratio:.2f} ×", f"≤ {mark:g} ×", ratio <= mark)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")


@contextlib.contextmanager
def running(*command: str, port: int, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that listens on a port, ended by its process id."""
    process = subprocess.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def erp(parts: int = 600) -> Iterator[dict[str, str]]:
    """The embedded ERPs on a port of their own, without a rate limit; yields the environment that leads there."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "FRACTION_MCP_STATE_DIR": folder,
            **sandbox.environment(base),
        }
        serve = (sys.executable, "-m", "fraction_mcp", "sandbox", "--port", str(port), "--parts", str(parts))
        with running(*serve, port=port, environment=environment):
            control(base, "settings", {"fraction_limit_per_hour": 10**9})
            yield environment


def control(base: str, what: str, body: dict[str, Any] | None = None) -> Any:
    """One of the sandbox's own controls: `settings`, `requests`, `faults`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}/_sandbox/{what}", data=data)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class Session:
    """A server on its stdin and stdout, spoken to line by line: the least client that there can be."""

    def __init__(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )
        self._id = 0
        info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}
        self.ask("initialize", info)
        self.first_answer_s = time.perf_counter() - self.began
        self._send({"method": "notifications/initialized"})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        assert self.process.stdout is not None
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        return json.loads(self.process.stdout.readline())["result"]

    def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert not result.get("isError"), result
        return result

    def timed(self, call: tuple[str, dict[str, Any]], times: int) -> float:
        """Milliseconds a call, over so many."""
        began = time.perf_counter()
        for _ in range(times):
            self.call(*call)
        return (time.perf_counter() - began) / times * 1000

    def memory_mb(self) -> float:
        """What the process holds now (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
