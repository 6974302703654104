"""What every Python client here has in common: it is told what to do line by line, and says what came of it.

Runs inside a framework's own environment, so it imports nothing but the standard library. A client's `drive.py` hands
`driven` an async context manager that connects the framework to the server, and gets the person's part (`Person`) for
frameworks that can show a form.

A line that comes in is `{"do": "call", "tool": ..., "arguments": ...}` or `{"do": "convert", "by": ..., "tool": ...}`;
a line that goes out holds `saw` (what the framework hands its model), or `raised`, and `shown` (what a person was
shown meanwhile). Frameworks print what they like: the answers go through a descriptor that they do not know.
"""

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

READS_S = 1.5  # an answer within a second is no person's (the server says so, rightly)


@dataclass
class Server:
    """How the server is started, as a user would write it into the framework's configuration."""

    command: str
    args: list[str]
    env: dict[str, str]
    node: str = ""  # for programs of npm, which are run rather than imported
    folder: str = ""


@dataclass
class Person:
    """Somebody who reads what the framework shows and approves it, when the framework can show anything."""

    is_there: bool
    shown: list[dict[str, Any]] = field(default_factory=list)

    async def decides(self, message: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The content of the answer, after a person's time: whatever field the form has, filled in explicitly."""
        self.shown.append({"message": message, "schema": schema})
        await asyncio.sleep(READS_S)
        return {name: "approve" if "boolean" not in str(one) else True for name, one in schema["properties"].items()}


@dataclass
class Connected:
    """A framework that is connected: the tools' names, how one is called, how it turns a schema into its own."""

    names: list[str]
    call: Callable[[str, dict[str, Any]], Any | Awaitable[Any]]
    converts: Mapping[str, Callable[[str, str, dict[str, Any]], Any]] = field(default_factory=dict)


Connect = Callable[[Server, Person], AbstractAsyncContextManager[Connected]]


def driven(connect: Connect) -> None:
    """Do as told until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    told = json.loads(sys.argv[1])
    asyncio.run(_serve(connect, Server(**told["server"], **told["tools"]), Person(told["person"]), answers))
    os._exit(0)  # some frameworks leave threads behind that never end


async def _serve(connect: Connect, server: Server, person: Person, answers: Any) -> None:
    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()

    try:
        async with connect(server, person) as client:
            say({"names": client.names, "converts": list(client.converts)})
            async for order in _orders():
                say(await _done(client, person, order))
    except BaseException as error:  # noqa: BLE001 - the runner is told, whatever it was
        traceback.print_exc()
        say({"raised": told(error)})


async def _orders() -> AsyncIterator[dict[str, Any]]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def _done(client: Connected, person: Person, order: dict[str, Any]) -> dict[str, Any]:
    person.shown.clear()
    try:
        if order["do"] == "convert":
            tool = order["tool"]
            made = client.converts[order["by"]](tool["name"], tool["description"], tool["inputSchema"])
            return {"made": plain(made)}
        answer = client.call(order["tool"], order["arguments"])
        answer = await answer if inspect.isawaitable(answer) else answer
        return {"saw": answer if isinstance(answer, str) else json.dumps(plain(answer)), "shown": list(person.shown)}
    except Exception as error:  # noqa: BLE001 - what a framework raises is what is looked at
        traceback.print_exc()
        return {"raised": told(error), "shown": list(person.shown)}


async def ran(*command: str) -> str:
    """What a program printed. Raises RuntimeError with its complaint where it printed nothing."""
    piped = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=piped, stderr=piped
    )
    out, err = await process.communicate()
    if not out:
        raise RuntimeError(err.decode().strip() or "it printed nothing")
    return out.decode()


def told(error: BaseException) -> str:
    """One line of what went wrong, the innermost where frameworks wrap."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def plain(value: Any) -> Any:
    """As JSON has it: models as what they hold."""
    for name in ("model_dump", "to_json_dict", "dict"):
        if not isinstance(value, (dict, list, str)) and hasattr(value, name):
            dump = getattr(value, name)
            return plain(dump(mode="json", exclude_none=True) if name == "model_dump" else dump())
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
