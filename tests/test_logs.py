"""What the log says: one line a call, as text or JSON, and never what was searched for."""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from fraction_mcp.logs import log_call, set_up_logs
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

NAMES = ("", "httpx", "httpcore", "h11", "h2", "hpack")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {name: (list((one := logging.getLogger(name)).handlers), one.level, one.propagate) for name in NAMES}
    yield
    for name, (handlers, level, propagate) in before.items():
        one = logging.getLogger(name)
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def one_call() -> None:
    log_call(
        client="Claude Desktop 1.4\nfake line", tool="create_part", outcome="done", ms=12.6, erp_requests=3,
        write_id="w12", request_id="req-7",
    )  # fmt: skip


def test_a_call_is_one_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "text")
    one_call()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO fraction_mcp\.call: "
        r'client="Claude Desktop 1\.4 fake line" tool=create_part outcome=done ms=13 erp_requests=3 '
        r"write_id=w12 request_id=req-7\n",
        capsys.readouterr().err,
    )


def test_a_call_is_one_object_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    one_call()
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "INFO", "logger": "fraction_mcp.call", "client": "Claude Desktop 1.4 fake line",
        "tool": "create_part", "outcome": "done", "ms": 13, "erp_requests": 3, "write_id": "w12", "request_id": "req-7",
    }  # fmt: skip


def test_a_traceback_stays_in_its_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("WARNING", "json")
    logging.getLogger("fraction_mcp.x").error("failed", exc_info=ValueError("it\nbroke"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: it\nbroke" in json.loads(line)["traceback"]


def test_the_default_level_says_nothing_of_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("WARNING", "text")
    one_call()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11"])
def test_httpx_s_own_lines_are_never_written(capsys: pytest.CaptureFixture[str], name: str) -> None:
    set_up_logs("DEBUG", "text")
    logging.getLogger(name).critical("GET https://erp.example/parts?search=secret-plans")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.anyio
async def test_a_server_logs_each_call_with_what_it_cost_and_the_id_of_what_was_refused(
    state: Path, tmp_path: Path
) -> None:
    log = tmp_path / "stderr"
    env = {**os.environ, "FRACTION_MCP_LOG_LEVEL": "DEBUG", "FRACTION_MCP_LOG_FORMAT": "json"}
    words = ["-m", "fraction_mcp", "serve", "--sandbox"]
    server = StdioServerParameters(command=sys.executable, args=words, env={**env, "FRACTION_MCP_OPEN_INBOX": "false"})
    with anyio.fail_after(60), log.open("w") as errlog:
        async with Client(stdio_client(server, errlog=errlog)) as client:
            await client.call_tool("search_parts", {"query": "canary-search"})
            await client.call_tool("get_record", {"kind": "contracts", "id": "999999"})
            await client.call_tool("create_part", {"part_number": "LOG-1"})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    calls = [line for line in lines if line["logger"] == "fraction_mcp.call"]
    assert [(call["tool"], call["outcome"]) for call in calls] == [
        ("search_parts", "ok"), ("get_record", "NOT_FOUND"), ("create_part", "awaiting_approval"),
    ]  # fmt: skip
    assert calls[0]["erp_requests"] >= 2, "the sign-in counts"
    assert calls[0]["client"].startswith("mcp ")
    assert calls[2]["write_id"].startswith("w")
    assert "canary-search" not in log.read_text()
