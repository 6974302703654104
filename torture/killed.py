"""A server in a process of its own, over stdio, that is killed (SIGKILL) while its form is open."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.session import ElicitationFnT

from fraction_mcp import sandbox
from torture.wire import Wire
from torture.worlds import Subject, World

__all__ = ["killed_with_a_form_open"]

_PACKAGE = Path(__file__).parents[1]
_STARTS = 'echo $$ >"$1"; exec "$2" -m fraction_mcp serve'
_TIMEOUT_S = 10


def _environment(world: World, url: str) -> dict[str, str]:
    return {
        "FRACTION_BASE_URL": url + sandbox.FRACTION_PATH,
        "FRACTION_EMAIL": sandbox.EMAIL,
        "FRACTION_PASSWORD": sandbox.PASSWORD,
        "FRACTION_MCP_STATE_DIR": str(world.settings().state_dir),
        "FRACTION_MCP_ELICITATION": "full",
        "FRACTION_MCP_OPEN_INBOX": "false",
        "FRACTION_MCP_TIMEOUT_S": str(_TIMEOUT_S),
    }


async def killed_with_a_form_open(world: World, mode: str, subject: Subject) -> None:
    """The call of this write, up to its question; the process is gone when this returns."""
    told = world.folder / "pid"
    over = anyio.Event()
    killed = []

    async def opens(*_: object) -> Any:
        killed.append(int(told.read_text()))
        os.kill(killed[0], signal.SIGKILL)
        over.set()
        await anyio.sleep_forever()

    async with Wire(world.erps()).served() as wire:
        server = StdioServerParameters(
            command="/bin/sh",
            args=["-c", _STARTS, "sh", str(told), sys.executable],
            env=_environment(world, wire.url),
            cwd=_PACKAGE,
        )
        async with Client(server, mode=mode, elicitation_callback=cast(ElicitationFnT, opens)) as client:

            async def calls() -> None:
                with suppress(Exception):  # whatever a client makes of a server that is gone
                    await client.call_tool(subject.tool, dict(subject.arguments))
                over.set()

            async with anyio.create_task_group() as group:
                group.start_soon(calls)
                await over.wait()
                group.cancel_scope.cancel()
    assert killed, "no form was shown"
