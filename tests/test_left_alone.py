"""A server whose parent is killed ends, although somebody else holds its stdin; and what blocks holds up no end."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from fraction_mcp.threads import left_behind
from tests.process import real
from tests.support import child_environment
from tests.terminal import small_company, state, terminal

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.anyio

# A host that starts a server and something else, which inherits the writing end of the server's stdin; then it waits.
HOST = """
import json, os, subprocess, sys, time
reading, writing = os.pipe()
server = subprocess.Popen(json.loads(sys.argv[1]), stdin=reading, stdout=subprocess.PIPE)
holder = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], pass_fds=[writing],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.write(writing, (sys.argv[2] + "\\n").encode())
server.stdout.readline()
print(server.pid, holder.pid, flush=True)
time.sleep(60)
"""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
ACCOUNT = {"FRACTION_EMAIL": "clerk@example.com", "FRACTION_PASSWORD": "dummy"}


def until_the_end(stream: int, deadline_s: float) -> str:
    """What is written until every writer is gone; fails where one is still there."""
    told, deadline = b"", time.monotonic() + deadline_s
    while True:
        ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"it is still there after {deadline_s} s: {told!r}"
        piece = os.read(stream, 65_536)
        if not piece:
            return told.decode()
        told += piece


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there a process does not learn that its parent died")
def test_a_server_whose_parent_was_killed_ends_within_five_seconds(tmp_path: Path) -> None:
    opening = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
    reading, writing = os.pipe()
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path), **ACCOUNT)
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, json.dumps(real("serve")), opening],
        stdout=subprocess.PIPE, stderr=writing, env=environment, text=True,
    )  # fmt: skip
    os.close(writing)
    assert host.stdout is not None
    _, holder = map(int, host.stdout.readline().split())
    try:
        host.kill()
        assert until_the_end(reading, 5) == "fraction-mcp: the program that started this server is gone, so it ends\n"
    finally:
        os.kill(holder, signal.SIGKILL)
        os.close(reading)
        host.wait()
        host.stdout.close()


# --------------------------------------------------------------------------------------------------------- what blocks


@pytest.mark.process
def test_the_first_ctrl_c_ends_doctor_while_a_host_does_not_answer(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"https://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        environment = {**child_environment(), **ACCOUNT, "FRACTION_BASE_URL": base}
        with terminal(state, "doctor", environment=environment) as screen:
            silent.settimeout(30)
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)  # it greets, and waits for an answer
                screen.types("\x03")
                assert screen.process.wait(6) == 130  # before the host is given up
        assert "Traceback" not in screen.seen


async def test_what_blocks_is_left_behind_when_its_caller_is_cancelled() -> None:
    released = threading.Event()
    with anyio.fail_after(25):
        with anyio.move_on_after(0.01) as waited:
            await left_behind(released.wait)
        assert waited.cancelled_caught
    released.set()


async def test_what_it_returns_or_raises_reaches_its_caller() -> None:
    assert await left_behind(lambda: 7) == 7
    with pytest.raises(KeyError, match="nothing"):
        await left_behind(lambda: {}["nothing"])
