"""The streams of `serve`: what is too long for them, what cannot be spelt in them, and a terminal in their place."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from fraction_mcp.server.sendable import encodable
from tests.process import command
from tests.support import child_environment, free_port, wait_for
from tests.terminal import LONG_ENOUGH_S, small_company, state, terminal

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.anyio

MOST = 64 * 1024 * 1024
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}


@contextmanager
def served(state: Path, stdout: Any = subprocess.PIPE) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command("serve", "--sandbox"),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state)),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ping(number: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode() + b"\n"


# ------------------------------------------------------------------------------------------------------ too long a line


def tells(process: "subprocess.Popen[bytes]", *pieces: bytes) -> None:
    for piece in pieces:
        process.stdin.write(piece)
    process.stdin.flush()


def hears(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


@pytest.mark.process
def test_a_line_of_more_than_64_mib_is_answered_and_the_next_is_served(state: Path) -> None:
    with served(state) as process:
        tells(process, ping(1))
        assert hears(process)["id"] == 1
        tells(process, b"x" * (MOST + 1) + b"\n", ping(2))
        refused = hears(process)
        assert refused["id"] is None
        assert refused["error"]["code"] == -32600
        assert "more than 64 MiB was not read; nothing was done" in refused["error"]["message"]
        assert hears(process) == {"jsonrpc": "2.0", "id": 2, "result": {}}
        rest, err = process.communicate(timeout=LONG_ENOUGH_S)
    assert (rest, process.returncode) == (b"", 0)
    assert err.decode().count("more than 64 MiB") == 1
    assert b"Traceback" not in err


@pytest.mark.process
def test_lines_that_are_far_too_long_and_one_without_an_end_are_each_answered(state: Path) -> None:
    long = b"x" * (2 * MOST + 7)
    with served(state) as process:
        tells(process, long + b"\n" + long + b"\n", ping(1))
        assert [hears(process)["id"] for _ in range(3)] == [None, None, 1]
        rest, _ = process.communicate(b"y" * (MOST + 9), timeout=LONG_ENOUGH_S)
    assert json.loads(rest)["id"] is None
    assert process.returncode == 0


# -------------------------------------------------------------------------------------------------- half of a character


@pytest.mark.process
@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\\ude00\\ud83d", "\\ud83d\\ud83d\\ude00"])
def test_a_request_that_holds_half_a_character_is_answered(state: Path, half: str) -> None:
    """As a model's text that was cut in the middle of an emoji is sent: parsers refuse it, and nobody would answer."""
    asked = '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_part","arguments":{"part":"x%s"}}}\n'
    with served(state) as process:
        tells(
            process, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}).encode() + b"\n"
        )
        assert hears(process)["id"] == 1
        late = threading.Timer(LONG_ENOUGH_S, process.kill)
        late.start()
        tells(process, (asked % (2, half)).encode(), (asked % (3, "\\\\ud83d \\ud83d\\ude00")).encode(), ping(4))
        answers = {answer["id"]: answer for answer in (hears(process) for _ in range(3))}
        late.cancel()
    assert "\ufffd" in str(answers[2]["result"])
    assert "\\ud83d \U0001f600" in answers[3]["result"]["structuredContent"]["summary"]
    assert set(answers) == {2, 3, 4}


# ------------------------------------------------------------------------------------------------ a call without an id


@pytest.mark.process
def test_a_call_without_an_id_whose_state_is_made_up_leaves_no_traceback(state: Path) -> None:
    """As JSON-RPC has it, it is a notification, which is answered by nothing. (Found by `python -m torture fuzz`.)"""
    params = {"name": "create_part", "arguments": {"part_number": "X-1"}, "requestState": "made up"}
    with served(state) as process:
        for frame in (
            {"id": 1, "method": "initialize", "params": HELLO},
            {"method": "notifications/initialized"},
            {"method": "tools/call", "params": params},
        ):
            tells(process, json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
        assert hears(process)["id"] == 1
        tells(process, ping(2))
        assert hears(process)["id"] == 2
        _, err = process.communicate(timeout=LONG_ENOUGH_S)
    assert b"Traceback" not in err


# A server whose tools answer what no UTF-8 can spell, in a field's name, a value and the text.
HALVES = """
import sys
from mcp.types import CallToolResult, TextContent
from fraction_mcp.cli import main
from fraction_mcp.server import calls

async def answered(*_):
    record = {"na\\ud800me": "va\\udfffue", "rows": [["\\ud83d", 1]]}
    data = {"summary": "te\\ud800xt", "kind": "parts", "record": record}
    return CallToolResult(content=[TextContent(text="te\\ud800xt")], structured_content=data)

calls.answered = answered
sys.exit(main(sys.argv[1:]))
"""


async def answers_all_the_same(client: Client) -> None:
    for _ in range(2):  # the session goes on
        result = await client.call_tool("get_record", {"kind": "parts", "id": "1"})
        assert result.structured_content is not None
        assert result.structured_content["record"] == {"na\ufffdme": "va\ufffdue", "rows": [["\ufffd", 1]]}
        assert isinstance(result.content[0], TextContent)
        assert result.content[0].text == "te\ufffdxt"


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_half_a_character_in_a_result_ends_no_session_on_stdio(state: Path, mode: str) -> None:
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(state))
    words = ["-c", HALVES, "serve", "--sandbox"]
    with anyio.fail_after(LONG_ENOUGH_S):
        server = StdioServerParameters(command=sys.executable, args=words, env=environment)
        async with Client(server, mode=mode) as client:
            await answers_all_the_same(client)


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_half_a_character_in_a_result_ends_no_session_on_http(state: Path, mode: str) -> None:
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for elsewhere
        [sys.executable, "-c", HALVES, "serve", "--sandbox", "--http", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state)),
    )
    with process, anyio.fail_after(LONG_ENOUGH_S):
        try:
            await anyio.to_thread.run_sync(wait_for, process, port)
            async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
                await answers_all_the_same(client)
        finally:
            process.kill()


def test_what_can_be_spelt_is_sent_as_it_is() -> None:
    value = {"a": ["→ 精密 😀", 1, None, True], "b": {"c": "x"}}
    assert encodable(value) is value
    assert encodable({"\ud83d\ude00": "\ud83d\ude00"}) == {"😀": "😀"}


# ----------------------------------------------------------------------------------------------------------- a terminal


@pytest.mark.process
def test_the_first_ctrl_c_ends_serve_on_a_terminal(state: Path) -> None:
    with terminal(state, "serve", "--sandbox") as screen:
        screen.until("speaks MCP on stdin and stdout")
        screen.types(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}) + "\n")
        screen.until(r'"serverInfo"')
        screen.types("\x03")
        assert screen.exit_code() == 130
        assert "Traceback" not in screen.seen


@pytest.mark.process
def test_the_end_of_input_ends_serve_on_a_terminal(state: Path) -> None:
    with terminal(state, "serve", "--sandbox") as screen:
        screen.until("speaks MCP on stdin and stdout")
        screen.types("\x04")
        assert screen.exit_code() == 0


@pytest.mark.process
def test_serve_on_a_terminal_whose_answers_go_elsewhere_ends_on_ctrl_c(state: Path, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, terminal(state, "serve", "--sandbox", stdout=out.fileno()) as screen:
        screen.until("speaks MCP on stdin and stdout")
        screen.types(ping(1).decode())
        screen.types("\x03")
        assert screen.exit_code() == 130


@pytest.mark.process
@pytest.mark.parametrize("stdin", ["a file", "nothing"])
def test_serve_ends_at_the_end_of_whatever_its_stdin_is(state: Path, tmp_path: Path, stdin: str) -> None:
    (tmp_path / "in").write_bytes(ping(1) if stdin == "a file" else b"")
    source = tmp_path / "in" if stdin == "a file" else Path("/dev/null")
    with source.open("rb") as incoming:
        run = subprocess.run(
            command("serve", "--sandbox"),
            stdin=incoming,
            capture_output=True,
            check=False,
            timeout=LONG_ENOUGH_S,
            env=child_environment(FRACTION_MCP_STATE_DIR=str(state)),
        )
    assert run.returncode == 0
    assert run.stdout.count(b'"id":1') == (stdin == "a file")
