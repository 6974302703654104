"""A team's server: a cached price with sign-in on, beside the SDK's barest server with the same check of a token; and
what a person who has signed in costs in memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from benchmarks.harness import BARE, ECHO, OURS, PRICE, Figure, erp, free_port, running
from benchmarks.load import Load, Outcome, request
from benchmarks.over_http import HEADERS, META
from benchmarks.team_store import database, signed_in

__all__ = ["measure"]

_CLIENTS = (1, 16, 64, 256)
_PEOPLE = 100
_SECONDS = 3.0
_ROUNDS = 3
_NOWHERE = "https://127.0.0.1:9"  # never asked: only what a runtime for it holds is looked at


def measure(rounds: int = _ROUNDS, seconds: float = _SECONDS, clients: Sequence[int] = _CLIENTS) -> Iterator[Figure]:
    for kind, replicas in (("SQLite", 1), ("PostgreSQL", 1), ("PostgreSQL", 2)):
        yield from _throughput(kind, replicas, clients, rounds=rounds, seconds=seconds)
    yield from _memory()


# ---------------------------------------------------------------------------------------------------------- throughput


@dataclass
class _Team:
    """Servers that run, and the tokens of people who have signed in to them."""

    ports: list[int]
    tokens: list[str]
    processes: "list[subprocess.Popen[bytes]]"

    def asking(self, call: tuple[str, dict[str, Any]]) -> list[tuple[int, str]]:
        """The requests of as many clients as there are people, each at the next server."""
        return [
            request(self.ports[number % len(self.ports)], _headers(call, token), _body(call))
            for number, token in enumerate(self.tokens)
        ]

    def loaded(self, load: Load) -> Outcome:
        """What came of it, and what it cost the servers."""
        before = sum(map(_core_s, self.processes))
        outcome = _loaded(load)
        outcome.core_ms = (sum(map(_core_s, self.processes)) - before) * 1000 / len(outcome.milliseconds)
        return outcome


def _throughput(kind: str, replicas: int, clients: Sequence[int], *, rounds: int, seconds: float) -> Iterator[Figure]:
    with erp() as environment, _team(environment, kind, replicas, people=max(clients)) as team, _bare(team) as bare:
        ours, reference = team.asking(PRICE), bare.asking(ECHO)
        _answered(ours)
        for count in clients:
            pairs = [
                (team.loaded(Load(count, seconds, ours)), bare.loaded(Load(count, seconds, reference)))
                for _ in range(rounds)
            ]
            what = f"team, {replicas} on {kind}, {count} client{'s' if count > 1 else ''}"
            ratio = statistics.median(a.rate / b.rate for a, b in pairs)
            left, right = map(_shown, zip(*pairs, strict=True))
            yield Figure(what, left, right, f"{ratio:.2f} ×", "", None)


def _shown(outcomes: Sequence[Outcome]) -> str:
    rate, p50, p99, core = (
        statistics.median(values)
        for values in zip(*((o.rate, o.percentile(50), o.percentile(99), o.core_ms) for o in outcomes), strict=True)
    )
    return f"{rate:.0f}/s, p50 {p50:.3g} ms, p99 {p99:.3g} ms, {core:.2f} ms of a core each"


def _answered(requests: Sequence[tuple[int, str]], *, refused: bool = False) -> None:
    """Each once, a few at a time: then every runtime is there, and every price remembered."""
    for start in range(0, len(requests), 32):
        some = requests[start : start + 32]
        _loaded(Load(len(some), 0.0, some, refused=refused))


def _loaded(load: Load) -> Outcome:
    """What came of it, by clients in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(command, input=json.dumps(asdict(load)), capture_output=True, text=True, check=True)
    outcome = Outcome(**json.loads(done.stdout))
    assert not outcome.failed, outcome.failed[0]
    return outcome


def _headers(call: tuple[str, dict[str, Any]], token: str) -> dict[str, str]:
    return {**HEADERS, "Content-Type": "application/json", "Mcp-Name": call[0], "Authorization": f"Bearer {token}"}


def _body(call: tuple[str, dict[str, Any]]) -> bytes:
    params = {"name": call[0], "arguments": call[1], "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


@contextmanager
def _team(
    environment: dict[str, str], kind: str, replicas: int, *, people: int, besides: dict[str, str] | None = None
) -> Iterator[_Team]:
    """Replicas on one database. A price is remembered for as long as the measurement takes."""
    ports = [free_port() for _ in range(replicas)]
    url = f"http://127.0.0.1:{ports[0]}"
    with ExitStack() as stack:
        environment = {
            **environment,
            **stack.enter_context(database(kind)),
            "FRACTION_MCP_SECRET_KEY": "k" * 64,
            "FRACTION_MCP_PUBLIC_URL": url,
            "FRACTION_MCP_CACHE_S": "3600",
        }
        tokens = anyio.run(lambda: signed_in(people, environment, resource=f"{url}/mcp"))
        environment |= besides or {}
        processes = []
        for port in ports:
            # As behind a proxy: what one address may have at once is no bound to it.
            flags = ("--http", "--auth", "sign-in", "--port", str(port), "--trusted-proxy", "127.0.0.1")
            processes.append(stack.enter_context(running(*OURS, *flags, port=port, environment=environment)))
        yield _Team(ports, tokens, processes)


@contextmanager
def _bare(team: _Team) -> Iterator[_Team]:
    """As many of the reference, for the same tokens: each looks them up in a dictionary."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        known = Path(folder) / "tokens.json"
        known.write_text(json.dumps(team.tokens))
        ports = [free_port() for _ in team.ports]
        processes = [
            stack.enter_context(running(*BARE, "--http", str(port), "--tokens", str(known), port=port))
            for port in ports
        ]
        yield _Team(ports, team.tokens, processes)


# -------------------------------------------------------------------------------------------------------------- memory


def _memory() -> Iterator[Figure]:
    refused = (PRICE[0], {"part": "WIDGET-001"})  # it needs a runtime to be refused in, and nothing of the ERP
    elsewhere = {"FRACTION_BASE_URL": _NOWHERE}
    yield from _grown("a runtime that has asked the ERP nothing (over TLS)", refused, elsewhere)
    yield from _grown("a runtime, with a price", PRICE, {})


def _grown(what: str, call: tuple[str, dict[str, Any]], besides: dict[str, str]) -> Iterator[Figure]:
    with erp() as environment, _team(environment, "SQLite", 1, people=_PEOPLE + 1, besides=besides) as team:
        asked = team.asking(call)
        _answered(asked[:1], refused=call is not PRICE)  # the first one brings what everybody needs
        before = _resident_mb(team.processes[0])
        _answered(asked[1:], refused=call is not PRICE)
        after = _resident_mb(team.processes[0])
    each = (after - before) / _PEOPLE * 1024
    yield Figure(f"memory a person: {what}", f"{each:.0f} KB", "", "", "", None)


def _resident_mb(process: "subprocess.Popen[bytes]") -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _core_s(process: "subprocess.Popen[bytes]") -> float:
    """The processor time that it has used up to now: that of the servers alone, however busy the machine is."""
    told = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
