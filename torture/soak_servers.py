"""The two processes beside a soak: the embedded ERPs, a request in fifty of which meets a fault, and the server.

`python -m torture.soak_servers erps FOLDER` and `... server FOLDER`. The server tells how many tasks it has when it is
sent SIGUSR1.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from fraction_mcp import sandbox
from fraction_mcp.sandbox.limits import Budget
from fraction_mcp.sandbox.limits import Counter as Requests

__all__ = ["LATE_S", "TOLD", "WINDOW_S", "served"]

LATE_S = 60.0
TOLD = ("asked", "refused", "faults", "spent", "untold")
"""What the ERPs tell of themselves at /_soak."""

WINDOW_S, _NARROW_EVERY, _FIRST, _PART = 10, 8, 80, 0.5
"""Of FractionERP's budget: how long a window is, the how manieth is narrow, how many requests the first of all takes,
and which part of what was last asked in a wide one the others take, so that any machine reaches it."""
_ONE_IN = 50
_WORSE = ("status", "drop_before", "drop_after", "html", "garbage", "cut", "after_500")
_EDGE = 16  # so many requests may be under way


@contextmanager
def served(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str, str]]:
    """The server's process, and the addresses of the ERPs and of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRACTION_", "FRACTTAL_"))}
    with _started("erps", folder, kept) as (_, erps):
        settings = {
            **sandbox.environment(erps),
            "FRACTION_MCP_STATE_DIR": str(folder / "state"),
            "FRACTION_MCP_OPEN_INBOX": "false",
            "FRACTION_MCP_CONFIRM": "two_step",
        }
        with _started("server", folder, {**kept, **settings}) as (server, url):
            yield server, erps, url


@contextmanager
def _started(
    what: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    log = folder / f"{what}.log"
    command = [sys.executable, "-m", "torture.soak_servers", what, str(folder)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            yield process, _address(process, log)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + LATE_S
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text("utf-8").splitlines():
            if "listens on " in line:
                return line.rpartition(" ")[2]
        time.sleep(0.05)
    raise RuntimeError(log.read_text("utf-8"))


class _Narrowing(Requests):
    """A budget that suffices, but for one window in a few, which takes less than is asked for."""

    def __init__(self) -> None:
        super().__init__(WINDOW_S)
        self.spent, self.left = 0, 0
        self._at, self._most, self._wide = -1, 0, 0

    def count(self, owner: str, limit: int) -> Budget:
        ends, used = self._windows.get(owner, (0.0, 0))
        if ends <= time.time():
            self._wide = self._wide if self._is_narrow else used
            self._at += 1
            self._most = max(_FIRST, round(self._wide * _PART)) if self._is_narrow else limit
        budget = super().count(owner, self._most)
        self.left = budget.remaining
        self.spent += not budget.remaining and not budget.exceeded
        return budget

    @property
    def _is_narrow(self) -> bool:
        return self._at % _NARROW_EVERY == 0


def _erps(folder: Path) -> None:
    """The embedded ERPs on a port of their own; one request in fifty meets a fault."""
    import socket

    import uvicorn
    from starlette.responses import JSONResponse
    from starlette.routing import Mount
    from starlette.types import Message, Receive, Scope, Send

    app = sandbox.open_sandbox(folder / "erp.sqlite3")
    budget, chance, told = _Narrowing(), random.Random(1), Counter[str]()
    (fraction,) = (each.app for each in app.routes if isinstance(each, Mount) and each.path == sandbox.FRACTION_PATH)
    fraction.counter = budget  # type: ignore[attr-defined]

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == "/_soak":
            told["spent"] = budget.spent
            await JSONResponse({name: told[name] for name in TOLD})(scope, receive, send)
            return
        at_work = scope["type"] == "http" and not path.startswith("/_") and "token" not in path and "/auth/" not in path
        if at_work:
            told["asked"] += 1
            if chance.randrange(_ONE_IN) == 0:
                told["faults"] += 1
                told["untold"] += budget.left <= _EDGE
                app.state.faults.arm(kind=chance.choice(_WORSE))

        async def sent(message: Message) -> None:
            told["refused"] += message.get("status") in {406, 429}
            await send(message)

        await app(scope, receive, sent)

    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"listens on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(counted, log_level="critical", http="h11")).run(sockets=[listener])


def _server(folder: Path) -> None:
    from fraction_mcp.cli import main

    def tell(*_: object) -> None:
        new = folder / "tasks.new"
        new.write_text(str(len(asyncio.all_tasks())))
        new.replace(folder / "tasks")

    signal.signal(signal.SIGUSR1, tell)
    sys.exit(main(["serve", "--http", "--port", "0"]))


if __name__ == "__main__":
    {"erps": _erps, "server": _server}[sys.argv[1]](Path(sys.argv[2]))
