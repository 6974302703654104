"""Whatever is sent as a frame of JSON-RPC, on a pipe or over HTTP, is answered or dropped, and the next proper request
is answered. Real processes of the package: garbage, cut, huge and nested frames, wrong types at every key, batches."""

import copy
import json
import os
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from fraction_mcp import sandbox
from torture.spoiling import GONE, WAYS, places, spoilt

__all__ = ["OverHttp", "OverStdio"]

_LATE_S = 20.0
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "0"},
}
_PART = {"name": "get_part", "arguments": {"part": "WIDGET-001"}}
_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "0"}}
_FRAMES: tuple[dict[str, Any], ...] = tuple(
    {"jsonrpc": "2.0", **frame}
    for frame in (
        {"id": 1, "method": "ping"},
        {"id": 2, "method": "tools/list", "params": {"cursor": "x"}},
        {"id": 3, "method": "tools/call", "params": _PART},
        {"id": 4, "method": "tools/call", "params": {**_PART, "_meta": {"progressToken": 7, **_META}}},
        {"id": 5, "method": "prompts/get", "params": {"name": "quote", "arguments": {"customer": "Acme Corp"}}},
        {"id": 6, "method": "resources/read", "params": {"uri": "fraction://parts/WIDGET-001"}},
        {"id": 7, "method": "completion/complete", "params": {
            "ref": {"type": "ref/resource", "uri": "fraction://parts/{part_number}"},
            "argument": {"name": "part_number", "value": "WID"}}},
        {"id": 8, "method": "logging/setLevel", "params": {"level": "debug"}},
        {"id": 9, "method": "initialize", "params": _HELLO},
        {"id": 10, "method": "server/discover", "params": {"_meta": _META}},
        {"method": "notifications/cancelled", "params": {"requestId": 3, "reason": "x"}},
        {"method": "notifications/progress", "params": {"progressToken": 7, "progress": 1}},
        {"id": 11, "result": {"action": "accept", "content": {"decision": "approve"}}},
        {"id": 12, "error": {"code": -32601, "message": "no"}},
        {"id": "a", "method": "tools/call", "params": {
            "name": "create_part", "arguments": {"part_number": "FUZZ-1"}, "requestState": "x",
            "inputResponses": {"decision": {"action": "accept", "content": {"decision": "approve"}}}}},
    )
)  # fmt: skip


def made(random_: random.Random, *, huge: bool) -> bytes:
    """One frame, spoilt in one way."""
    frame: Any = copy.deepcopy(random_.choice(_FRAMES))
    for _ in range(random_.choice((0, 1, 1, 2))):
        place = random_.choice(list(places(frame))[1:] or [()])
        way = random_.choice(WAYS)
        frame = spoilt(frame, place, way if way is GONE else copy.deepcopy(way))
        if not isinstance(frame, dict) or not frame:
            break
    if random_.random() < 0.1:
        frame = [frame] * random_.choice((0, 1, 2, 50))
    return _mangled(random_, json.dumps(frame).encode("utf-8", "surrogatepass"), huge=huge)


def _mangled(random_: random.Random, data: bytes, *, huge: bool) -> bytes:
    at = random_.randrange(len(data) + 1)
    match random_.randrange(14 if huge else 13):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + random_.randbytes(random_.randrange(1, 40)) + data[at:]
        case 2:
            return random_.randbytes(random_.randrange(200))
        case 3:
            return b"\xef\xbb\xbf" + data
        case 4:
            return data + data
        case 5:
            return b"[" * random_.choice((10, 1_000, 100_000))
        case 6:
            return b'{"a":' * random_.choice((10, 1_000, 50_000))
        case 7:
            return _ID.sub(lambda _: random_.choice(_IDS), data)
        case 13:
            return json.dumps({**_FRAMES[2], "params": {"name": "x" * 2_000_000, "arguments": {}}}).encode()
    return data


_ID = re.compile(rb'"id": \d+')
_IDS = (b'"id": null', b'"id": 1.5', b'"id": -1', b'"id": ' + b"9" * 400, b'"id": ""', b'"id": {}', b'"id": true',
        b'"id": 1, "id": 2', b'"id": NaN', b'"id": "' + b"x" * 5_000 + b'"', b'"id": "\\ud800"')  # fmt: skip


def _environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRACTION_", "FRACTTAL_"))}
    return {**kept, "FRACTION_MCP_STATE_DIR": str(folder), "FRACTION_MCP_OPEN_INBOX": "false", **settings}


@contextmanager
def _process(*words: str, **settings: str) -> Iterator["tuple[subprocess.Popen[bytes], Path]"]:
    """`serve --sandbox` with a state folder of its own, and the file that its stderr goes into."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        sandbox.open_sandbox(folder / "sandbox.sqlite3", parts=40).state.store.close()
        log = folder / "stderr"
        command = [sys.executable, "-m", "fraction_mcp", "serve", "--sandbox", *words]
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(folder, settings),
            ) as process,
        ):
            try:
                yield process, log
            finally:
                process.kill()


def _raised(log: Path) -> str:
    text = log.read_text("utf-8", "replace")
    return f"a traceback: {text[text.index('Traceback') :][-1500:]}" if "Traceback" in text else ""


@dataclass(slots=True)
class OverStdio:
    """One process on pipes, whose client opened the older protocol. `tried` counts frames."""

    random: random.Random
    tried: int = 0
    _number: int = 1_000_000
    _heard: "queue.Queue[bytes]" = field(default_factory=queue.Queue)
    _process: "subprocess.Popen[bytes] | None" = None
    _log: Path = Path()

    @contextmanager
    def served(self) -> Iterator["OverStdio"]:
        with _process() as (self._process, self._log):
            threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
            self._say(json.dumps({**_FRAMES[8], "id": 0}).encode())
            self._say(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
            yield self

    def _listen(self, stdout: Any) -> None:
        for line in stdout:
            self._heard.put(line)
        self._heard.put(b"")

    def _say(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.replace(b"\n", b" ") + b"\n")
        self._process.stdin.flush()

    def once(self) -> str:
        """Some frames, and a proper request. What is wrong, empty where it is answered."""
        frames = [made(self.random, huge=True) for _ in range(5)]
        self.tried += len(frames)
        self._number += 1
        try:
            for frame in frames:
                self._say(frame)
            self._say(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": "ping"}).encode())
        except OSError as error:
            return f"the server has gone ({error}) at {frames!r:.3000}\n{_raised(self._log)}"
        wrong = self._answered() or _raised(self._log)
        return wrong and f"{wrong} after {frames!r:.3000}"

    def _answered(self) -> str:
        try:
            while line := self._heard.get(timeout=_LATE_S):
                answer = json.loads(line)
                if answer.get("id") == self._number:
                    return "" if answer.get("result") == {} else f"the next request got {answer}"
        except (queue.Empty, ValueError) as error:
            return f"the next request got no answer ({error!r})"
        return "the server has ended"


@dataclass(slots=True)
class OverHttp:
    """One process on a port. `tried` counts requests."""

    random: random.Random
    tried: int = 0
    url: str = ""
    _log: Path = Path()
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=_LATE_S))

    @contextmanager
    def served(self) -> Iterator["OverHttp"]:
        with _process("--http", "--port", "0") as (process, self._log), self._client:
            self.url = self._address(process)
            yield self

    def _address(self, process: "subprocess.Popen[bytes]") -> str:
        waited = threading.Event()
        for _ in range(2_000):
            if found := re.search(r"http://\S+/mcp", self._log.read_text("utf-8")):
                return found[0]
            if process.poll() is not None:
                break
            waited.wait(0.02)
        raise RuntimeError(self._log.read_text("utf-8"))

    def once(self) -> str:
        frame, headers = made(self.random, huge=False), self._headers()
        self.tried += 1
        try:
            answer = self._client.post(self.url, content=frame, headers=headers)
            wrong = f"status {answer.status_code}: {answer.text:.300}" if answer.status_code >= 500 else ""
        except httpx.RemoteProtocolError:
            wrong = ""  # what is no HTTP may be hung up on
        except httpx.HTTPError as error:
            wrong = f"{error!r}"
        wrong = wrong or self._next() or _raised(self._log)
        return wrong and f"{wrong} after {headers} {frame!r:.2000}"

    def _headers(self) -> dict[str, str]:
        pick = self.random.choice
        headers = {
            "content-type": pick(("application/json", "application/json", "text/plain", "")),
            "accept": pick(("application/json, text/event-stream", "*/*", "text/html", "")),
            "mcp-protocol-version": pick(("2026-07-28", "2025-11-25", "2025-06-18", "1.0", "\x7f", "9" * 300)),
            "mcp-method": pick(("tools/call", "tools/list", "ping", "x", "")),
            "mcp-name": pick(("get_part", "create_part", "\x01", "")),
            "mcp-session-id": pick(("", "", "x", "\x7f", "a" * 2_000)),
        }
        return {name: value for name, value in headers.items() if value and self.random.random() < 0.8}

    def _next(self) -> str:
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**_PART, "_meta": _META}}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "get_part",
        }
        try:
            answer = self._client.post(self.url, json=request, headers=headers)
        except httpx.HTTPError as error:
            return f"the next request: {error!r}"
        return (
            "" if answer.status_code == 200 and "WIDGET-001" in answer.text else f"the next request: {answer.text:.300}"
        )
