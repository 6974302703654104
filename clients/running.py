"""One client's whole run: its environment, its conversation, its steps, and what each of them came to."""

import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients import environments, person, schemas, steps
from clients.conversation import Conversation, Gone, Wire, driven, server_command

HERE = Path(__file__).parent
ATTEMPTS = 3  # a busy machine is slow to start a server; what comes of that is the slow start's own step
LATE_S = 3


@dataclass(frozen=True)
class Client:
    """One entry of `clients.toml`."""

    name: str
    title: str
    package: str
    folder: str = ""
    drive: str = ""
    forms: bool = False
    fills: bool = False
    shows: str = "nothing: the inbox decides"
    set: str = "nothing"
    notes: str = ""
    expected: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return HERE / (self.folder or self.name)

    @property
    def version(self) -> str:
        return environments.version_in(self.home, self.package)

    def command(self) -> tuple[list[str], dict[str, str]]:
        """What runs its driver, and what the driver needs beside. Raises NotInstalled."""
        drive = self.home / (self.drive or ("drive.mjs" if (self.home / "drive.mjs").is_file() else "drive.py"))
        if not (self.home / "package.json").is_file():
            return [str(environments.python_of(self.home)), str(drive)], {}
        node = str(environments.node_of(self.home))
        if drive.suffix == ".mjs":
            return [node, str(drive)], {}
        return [sys.executable, str(drive)], {"node": node, "folder": str(self.home)}


@dataclass
class Told:
    """What a step came to. `ok` is None where it was not tried."""

    ok: bool | None
    said: str


@dataclass
class Ran:
    """What a client came to. `trouble`: why there is nothing to tell."""

    client: Client
    trouble: str = ""
    steps: dict[str, Told] = field(default_factory=dict)
    opening: dict[str, Any] = field(default_factory=dict)
    with_forms: dict[str, Any] = field(default_factory=dict)
    hands: str = ""
    servers: str = ""
    conversions: list[schemas.Conversion] = field(default_factory=list)

    def surprises(self) -> list[str]:
        """What makes a run fail: a step that fails unexpectedly, and one that passes unexpectedly."""
        if self.trouble:
            return [f"{self.client.name}: {self.trouble}"]
        found = []
        for name, told in self.steps.items():
            reason = self.client.expected.get(name)
            if told.ok is False and reason is None:
                found.append(f"{self.client.name}, {name}: {told.said}")
            if told.ok and reason is not None:
                found.append(f"{self.client.name}, {name}: unexpected pass; it was expected to fail: {reason}")
        stale = set(self.client.expected) - set(self.steps)
        return found + [f"{self.client.name}: there is no step {name}" for name in sorted(stale)]


def clients() -> dict[str, Client]:
    entries = tomllib.loads((HERE / "clients.toml").read_text(encoding="utf-8"))
    reasons = entries.pop("reasons")
    for entry in entries.values():
        entry["expected"] = {step: reasons[key] for step, key in entry.get("expected", {}).items()}
    return {name: Client(name, **entry) for name, entry in entries.items()}


def run(client: Client) -> Ran:
    """All steps of one client; nothing that goes wrong in it is raised."""
    ran = Ran(client)
    try:
        command, tools = client.command()
    except environments.NotInstalled as error:
        ran.trouble = f"not installed: {error}"
        return ran
    with tempfile.TemporaryDirectory(prefix="clients-", ignore_cleanup_errors=True) as folder:
        state, log = Path(folder) / "state", Path(folder) / "wire.jsonl"
        for _ in range(ATTEMPTS):
            try:
                with driven(command, state=state, log=log, tools=tools) as conversation:
                    _all_steps(ran, conversation, Wire(log), state)
                ran.trouble = ""
                break
            except Gone as error:
                ran.trouble = f"{error}: {_last_words(Path(folder))}"
                if ran.steps:
                    break
        if not ran.trouble:
            _slow_start(ran, command, tools, Path(folder))
        if client.forms and not ran.trouble:
            _form(ran, command, tools, Path(folder))
    return ran


def _slow_start(ran: Ran, command: list[str], tools: dict[str, str], folder: Path) -> None:
    """A connection to a server that comes up late."""
    state, log = folder / "state", folder / "wire-of-slow-start.jsonl"
    try:
        with driven(command, state=state, log=log, tools=tools, TAP_WAIT_S=str(LATE_S)) as conversation:
            ran.steps["slow start"] = Told(ok=bool(conversation.names), said="connects")
    except Gone as error:
        ran.steps["slow start"] = Told(ok=False, said=steps.short(str(error)))


def _all_steps(ran: Ran, conversation: Conversation, wire: Wire, state: Path) -> None:
    talk = steps.Talk(ran.client.name, conversation, wire, state, ran.client.fills)
    for name, step in steps.STEPS.items():
        ran.steps[name] = _tried(step, talk)
    ran.opening = wire.opening()
    ran.hands = steps.hands(talk.price(part="WIDGET-001", quantity=250, customer="Acme Corp"))
    ran.servers = "one" if wire.servers() == 1 else "one a call"
    ran.conversions = list(schemas.converted(conversation, wire.tools()))


def _form(ran: Ran, command: list[str], tools: dict[str, str], folder: Path) -> None:
    """A second conversation, in which somebody answers what the framework shows."""
    state, log = folder / "state", folder / "wire-of-forms.jsonl"
    settings = {"FRACTION_MCP_ELICITATION": "full"} if _knows_full(state) else {}
    try:
        with driven(command, state=state, log=log, tools=tools, person=True, **settings) as conversation:
            talk = steps.Talk(ran.client.name, conversation, Wire(log), state, ran.client.fills)
            ran.steps["form"] = _tried(steps.form, talk)
            ran.with_forms = Wire(log).opening()
    except Gone as error:
        ran.steps["form"] = Told(ok=False, said=f"{error}: {_last_words(folder)}")


def _knows_full(state: Path) -> bool:
    """Whether this server can be told that the client shows forms whole."""
    env = {**person.environment(state), "FRACTION_MCP_ELICITATION": "full"}
    return (
        subprocess.run(server_command("tools"), capture_output=True, check=False, timeout=60, env=env).returncode == 0
    )


def _tried(step: Any, talk: steps.Talk) -> Told:
    try:
        return Told(ok=True, said=step(talk))
    except Gone:
        raise
    except steps.Failed as error:
        return Told(ok=False, said=str(error))
    except (person.NotApproved, subprocess.SubprocessError) as error:
        return Told(ok=False, said=steps.short(f"{type(error).__name__}: {error}"))


def _last_words(folder: Path) -> str:
    lines = (folder / "stderr.txt").read_text(encoding="utf-8").strip().splitlines()
    return steps.short(lines[-1]) if lines else "nothing on stderr"
