"""One framework, driven: its process, what it is told, what it saw, and what went over the wire meanwhile."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONNECTS_S = 90  # importing CrewAI alone takes 20 s on a slow machine
ANSWERS_S = 60

# Nothing of the caller's accounts reaches a framework, and none of them calls home.
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
QUIET = {
    "ANONYMIZED_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "MASTRA_TELEMETRY_DISABLED": "1",
    "MCP_USE_ANONYMIZED_TELEMETRY": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
}


class Gone(Exception):
    """The framework's process ended or said nothing in time."""


@dataclass
class Answer:
    """What a framework made of one call. `saw` is what its model would get, `shown` what a person was shown."""

    saw: str = ""
    raised: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all(self) -> str:
        return self.saw or self.raised


class Wire:
    """The lines between client and server, as `tap.py` wrote them down."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def _lines(self, who: str) -> Iterator[dict[str, Any]]:
        if not self._log.is_file():
            return
        for record in map(json.loads, self._log.read_text(encoding="utf-8").splitlines()):
            if record["from"] == who and record["line"].startswith("{"):
                yield json.loads(record["line"])

    def opening(self) -> dict[str, Any]:
        """Era, who the client says it is, and what it says it can do: of its last connection."""
        told: dict[str, Any] = {"era": "", "client": {}, "capabilities": {}}
        for line in self._lines("client"):
            params = line.get("params") or {}
            if line.get("method") == "initialize":
                told = {
                    "era": params["protocolVersion"],
                    "client": params["clientInfo"],
                    "capabilities": params["capabilities"],
                }
            meta = params.get("_meta") or {}
            if "io.modelcontextprotocol/protocolVersion" in meta:
                told = {
                    "era": meta["io.modelcontextprotocol/protocolVersion"],
                    "client": meta.get("io.modelcontextprotocol/clientInfo", {}),
                    "capabilities": meta.get("io.modelcontextprotocol/clientCapabilities", {}),
                }
        return told

    def tools(self) -> list[dict[str, Any]]:
        """What the server listed, as it listed it."""
        lists = [line["result"]["tools"] for line in self._lines("server") if "tools" in (line.get("result") or {})]
        return list(lists[-1]) if lists else []

    def sent(self, tool: str) -> dict[str, Any] | None:
        """The arguments of the last call of a tool."""
        calls = [line["params"] for line in self._lines("client") if line.get("method") == "tools/call"]
        return next((call.get("arguments") or {} for call in reversed(calls) if call["name"] == tool), None)

    def servers(self) -> int:
        """How many times the server was connected to."""
        return sum(line.get("method") in {"initialize", "server/discover"} for line in self._lines("client"))


class Conversation:
    """A driver's process that is told to call and to convert."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._reads, daemon=True).start()
        hello = self._next(CONNECTS_S)
        if "raised" in hello:
            raise Gone(hello["raised"])
        self.names: list[str] = hello["names"]
        self.converts: list[str] = hello.get("converts", [])

    def call(self, tool: str, **arguments: Any) -> Answer:
        told = self._ask({"do": "call", "tool": tool, "arguments": arguments})
        return Answer(told.get("saw", ""), told.get("raised", ""), told.get("shown", []))

    def convert(self, by: str, tool: Mapping[str, Any]) -> dict[str, Any]:
        """`{"made": ...}` or `{"raised": ...}`."""
        return self._ask({"do": "convert", "by": by, "tool": dict(tool)})

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Gone("its process has ended") from error
        return self._next(ANSWERS_S)

    def _next(self, patience_s: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=patience_s)
        except queue.Empty:
            raise Gone(f"it said nothing for {patience_s:.0f} s") from None
        if not line:
            raise Gone("its process has ended")
        told: dict[str, Any] = json.loads(line)
        return told

    def _reads(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


def server_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "fraction_mcp", *words]


@contextmanager
def driven(
    command: list[str], *, state: Path, log: Path, person: bool = False, tools: Mapping[str, str], **settings: str
) -> Iterator[Conversation]:
    """A framework connected to `serve --sandbox` on that state folder. `person`: somebody answers what it shows."""
    state.mkdir(exist_ok=True)
    server = server_command("serve", "--sandbox")
    env = {"FRACTION_MCP_STATE_DIR": str(state), "FRACTION_MCP_OPEN_INBOX": "false", "PYTHONUTF8": "1", **settings}
    told = {
        "server": {"command": sys.executable, "args": [str(HERE / "tap.py"), str(log), *server], "env": env},
        "person": person,
        "tools": dict(tools),
    }
    home = state.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with (state.parent / "stderr.txt").open("a", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [*command, json.dumps(told)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, encoding="utf-8",
            env={**kept, **QUIET, "HOME": str(home), "PYTHONPATH": str(HERE / "common")},
            cwd=home, start_new_session=True,
        )  # fmt: skip
    try:
        yield Conversation(process)
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
