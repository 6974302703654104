"""The commands as a person types them: what they print, where, and with which exit code."""

import itertools
import json
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED

from fraction_mcp import __version__
from fraction_mcp.cli import main, session
from tests.process import children_of_commands_are_ours, command
from tests.support import child_environment, free_port, wait_for

SCHEMAS = Path(__file__).parents[1] / "tool_schemas"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def _no_settings_of_the_developers_own(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(state))
    children_of_commands_are_ours(monkeypatch)


def ran(state: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(state), **settings),
    )


# ----------------------------------------------------------------------------------------------------- wrong beginnings


@pytest.mark.process
def test_serve_without_an_account_stops_and_names_both_ways_on(state: Path) -> None:
    run = ran(state, "serve")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("fraction-mcp: no ERP is configured: run fraction-mcp setup, or set FRACTION_EMAIL")
    assert "fraction-mcp serve --sandbox" in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"FRACTION_EMAIL": "a@b.example"}, "FRACTION_EMAIL is set, but FRACTION_PASSWORD is not"),
        ({"FRACTION_MCP_CACHE": "1"}, "FRACTION_MCP_CACHE is not a setting of fraction-mcp; did you mean"),
        ({"FRACTION_MCP_CONFIRM": "never"}, "FRACTION_MCP_CONFIRM: "),
    ],
)
def test_a_wrong_setting_stops_serve_with_its_name(
    settings: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", "--sandbox"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"fraction-mcp: {told}")


@pytest.mark.parametrize(
    "arguments",
    [["serv"], ["serve", "--sand"], ["serve", "--port", "70000"], ["serve", "--port", "x"], ["demo", "--fast"],
     ["sandbox", "--parts", "5"], ["schemas", "--format", "xml"], ["schemas", "--write", "a", "--check", "b"],
     ["call"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_exit_code_2_and_told_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    said = capsys.readouterr()
    assert (stop.value.code, said.out) == (2, "")
    assert "usage: fraction-mcp" in said.err


def test_the_versions_of_program_sdk_protocol_and_python_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    lines = capsys.readouterr().out.splitlines()
    assert (stop.value.code, lines[0]) == (0, f"fraction-mcp {__version__}")
    assert lines[1] == f"MCP SDK {metadata.version('mcp')}"
    assert lines[2].startswith("MCP protocol 2024-11-05, ")
    assert lines[2].endswith(", 2026-07-28")
    assert lines[3].startswith(f"Python {platform.python_version()} on ")


# ---------------------------------------------------------------------------------------------------------------- tools


def test_tools_lists_each_tool_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "search_parts"
    assert all(re.fullmatch(r"[a-z_]+ {2,}[A-Z].+\.", line) for line in lines)


def test_tools_json_is_what_tools_list_sends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "--json"]) == 0
    tools = json.loads(capsys.readouterr().out)
    published = json.loads((SCHEMAS / "get_price_for_quantity.json").read_text(encoding="utf-8"))
    (same,) = [tool for tool in tools if tool["name"] == "get_price_for_quantity"]
    assert set(same) == set(published)
    assert same["inputSchema"] == published["inputSchema"]


def test_tools_of_one_erp_are_listed_where_only_that_one_is_configured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRACTTAL_CLIENT_ID", "x")
    monkeypatch.setenv("FRACTTAL_CLIENT_SECRET", "y")
    assert main(["tools"]) == 0
    out = capsys.readouterr().out
    assert "get_connection_status" in out
    assert "get_price_for_quantity" not in out


@pytest.mark.slow
@pytest.mark.parametrize("configured", [True, False])
def test_tools_lists_what_the_settings_of_this_environment_leave(
    configured: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> set[str]:
        assert main(["tools", "--json"]) == 0
        return {tool["name"] for tool in json.loads(capsys.readouterr().out)}

    if configured:
        for name in ("FRACTION_EMAIL", "FRACTION_PASSWORD", "FRACTTAL_CLIENT_ID", "FRACTTAL_CLIENT_SECRET"):
            monkeypatch.setenv(name, "x")
    human = names()
    assert "create_part" in human
    assert "confirm_write" not in human
    monkeypatch.setenv("FRACTION_MCP_CONFIRM", "two_step")
    assert names() == human | {"confirm_write"}
    monkeypatch.setenv("FRACTION_MCP_READ_ONLY", "true")
    left = names()
    assert "get_part" in left
    assert not any(name.startswith(("create_", "set_", "confirm_")) for name in left)


# -------------------------------------------------------------------------------------------------------------- schemas


@pytest.mark.slow
def test_schemas_check_finds_what_is_missing_stale_and_extra_and_names_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "new" / "folder")
    assert main(["schemas", "--write", folder]) == 0
    assert main(["schemas", "--check", folder]) == 0
    (Path(folder) / "get_part.json").unlink()
    (Path(folder) / "get_customer.json").write_text("{}\n", encoding="utf-8")
    (Path(folder) / "get_weather.json").write_text("{}\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["schemas", "--check", folder]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "get_part.json is missing",
        "get_customer.json holds no tool",
        "get_weather.json is of no tool",
        "  breaking: name: the tool is gone",
        f"To mend it: fraction-mcp schemas --write {folder}",
        "It breaks those who call: say so in CHANGELOG.md, or add a name beside the old one.",
    ]
    assert main(["schemas", "--write", folder]) == 0
    assert main(["schemas", "--check", folder]) == 0


@pytest.mark.slow
def test_schemas_check_shows_what_has_changed_in_a_stale_file_and_whether_it_breaks_those_who_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schemas", "--write", str(tmp_path)]) == 0
    published = json.loads((tmp_path / "get_customer.json").read_text(encoding="utf-8"))
    published["description"] = "Read a customer."
    published["inputSchema"]["properties"]["deep"] = {"type": "boolean", "default": False, "description": "All of it"}
    (tmp_path / "get_customer.json").write_text(json.dumps(published), encoding="utf-8")
    assert main(["schemas", "--check", str(tmp_path)]) == 1
    stale, description, deep, mend, breaks = capsys.readouterr().err.splitlines()
    assert stale == "get_customer.json is stale"
    assert description.startswith("  compatible: description: 'Read a customer.' -> ")
    assert deep == "  breaking: inputSchema.deep: is no longer taken"
    assert mend.startswith("To mend it: ")
    assert "CHANGELOG.md" in breaks


@pytest.mark.slow
def test_schemas_check_of_a_folder_that_is_not_there_misses_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schemas", "--check", str(tmp_path / "nowhere")]) == 1
    assert "get_part.json is missing" in capsys.readouterr().err


def test_published_files_are_the_same_bytes_on_every_platform(tmp_path: Path) -> None:
    assert main(["schemas", "--write", str(tmp_path)]) == 0
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert content.endswith(b"}\n")
        assert b"\r" not in content
        assert json.loads(content)["name"] == file.stem


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("style", "path"),
    [
        ("mcp", ["inputSchema"]),
        ("openai-responses", ["parameters"]),
        ("openai-chat", ["function", "parameters"]),
        ("anthropic", ["input_schema"]),
        ("gemini", ["parameters"]),
    ],
)
def test_schemas_are_spelt_for_other_apis(style: str, path: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "--format", style]) == 0
    tools = json.loads(capsys.readouterr().out)
    assert len(tools) >= 9
    for tool in tools:
        for step in path:
            tool = tool[step]  # noqa: PLW2901 - down the path
        assert tool["type"] == "object"


@pytest.mark.slow
def test_the_schemas_do_not_depend_on_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["schemas"]) == 0
    everything = capsys.readouterr().out
    monkeypatch.setenv("FRACTION_MCP_STRUCTURED", "off")
    monkeypatch.setenv("FRACTION_MCP_READ_ONLY", "true")
    assert main(["schemas"]) == 0
    assert capsys.readouterr().out == everything


# ----------------------------------------------------------------------------------------------------------------- call


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`fraction-mcp call --sandbox ...` -> exit code, stdout, stderr; its server is a process of its own."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["call", "--sandbox", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


Called = Callable[..., tuple[int, str, str]]


@pytest.mark.smoke
@pytest.mark.process
def test_call_prints_the_text_of_a_result(state: Path) -> None:
    run = ran(
        state, "call", "--sandbox", "get_price_for_quantity", "part=WIDGET-001", "quantity=250", "customer=Acme Corp"
    )
    assert (run.returncode, run.stderr) == (0, "SANDBOX  The embedded company; nothing here is real.\n")
    assert run.stdout.startswith("250 EA of 'WIDGET-001' cost 2500.00 GBP for 'Acme Corp'")
    assert run.stdout.endswith("1750.00\n")


@pytest.mark.process
def test_call_json_prints_the_structured_result_and_takes_arguments_as_json(called: Called) -> None:
    lines = [{"part": "Ø12 PIN", "quantity": "1000"}, {"part": 'PLATE & COVER "A"', "quantity": 1}]
    arguments = ("customer=Müller & Söhne GmbH", "--args", json.dumps({"lines": lines}), "--json")
    code, out, err = called("price_order_lines", *arguments)
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert (data["customer"]["id"], data["lines"][0]["line_total"]) == (3, "31.25")


@pytest.mark.process
def test_call_takes_lists_and_numbers_as_they_are_typed(called: Called) -> None:
    _, out, _ = called("list_records", "kind=contracts", 'fields=["status"]', "limit=2", "--json")
    data = json.loads(out)
    assert (data["columns"], len(data["rows"])) == (["id", "status"], 2)


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["get_part", "part=WIDGET-001", "colour=red"], 1, "INVALID_INPUT: colour: is not a known name."),
        (["get_record", "kind=contracts", "id=999999"], 4, "NOT_FOUND: FractionERP refused to read a contract"),
        (["get_weather"], 2, "fraction-mcp: there is no tool get_weather; there are search_parts, get_part"),
        (["get_part", "WIDGET-001"], 2, "fraction-mcp: WIDGET-001 is not name=value"),
        (["get_part", "--args", "[1]"], 2, "fraction-mcp: --args must be a JSON object"),
    ],
)
def test_a_call_that_fails_says_so_on_stderr_with_its_exit_code(
    called: Called, arguments: list[str], code: int, told: str
) -> None:
    returned, out, err = called(*arguments)
    assert (returned, out) == (code, "")
    assert err.startswith(told), err


@pytest.mark.process
def test_a_failed_call_with_json_prints_the_error_for_a_program_to_read(called: Called) -> None:
    code, out, err = called("get_part", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["error"]["code"] == "INVALID_INPUT"


def test_a_call_without_an_account_names_both_ways_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "get_part", "part=1"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fraction-mcp: no ERP is configured")
    assert "fraction-mcp serve --sandbox" in said.err


@pytest.mark.process
@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("import sys; sys.exit(3)", "the MCP server of this session ended before it answered"),
        ("import sys; sys.stdin.readline(); sys.exit(3)", "the MCP server of this session ended before it answered"),
    ],
    ids=["at once", "when asked"],
)
@pytest.mark.parametrize("command", [["call", "--sandbox", "get_part", "part=1"], ["demo"]], ids=["call", "demo"])
def test_a_server_that_dies_is_told_in_a_line(
    child: str, told: str, command: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_command", lambda _flags: [sys.executable, "-c", child])
    assert main(command) == 1
    assert capfd.readouterr().err == f"fraction-mcp: {told}\n"


GROUPED = "unhandled errors in a TaskGroup"


@pytest.mark.parametrize("command", [["call", "get_part"], ["tools"]], ids=["call", "tools"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MCPError(-32600, "no\n'such' thing"), "the MCP server failed: 'no ’such’ thing'"),
        (ExceptionGroup(GROUPED, [anyio.BrokenResourceError(), MCPError(CONNECTION_CLOSED, "Connection closed")]),
         "the MCP server of this session ended before it answered"),
    ],
    ids=["alone", "grouped"],
)  # fmt: skip
def test_a_session_that_fails_is_told_in_a_line(
    command: list[str],
    error: Exception,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("fraction_mcp.cli.call.call", fails)
    monkeypatch.setattr("fraction_mcp.cli.schemas.list_tools", fails)
    assert main(command) == 1
    assert capsys.readouterr().err == f"fraction-mcp: {told}\n"


def test_a_bug_keeps_its_traceback_also_beside_a_session_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ExceptionGroup(GROUPED, [MCPError(CONNECTION_CLOSED, "Connection closed"), ZeroDivisionError()])

    def fails(**_: object) -> int:
        raise both

    monkeypatch.setattr("fraction_mcp.cli.schemas.list_tools", fails)
    with pytest.raises(ExceptionGroup, match=GROUPED):
        main(["tools"])


# --------------------------------------------------------------------------------------------------------------- Ctrl-C


INTERRUPTED = {
    "call get_part": "call.call",
    "tools": "schemas.list_tools",
    "serve": "serve.serve",
    "sandbox": "serve.serve_embedded",
    "demo": "demo.demo",
    "approvals": "inbox.approvals",
}


@pytest.mark.parametrize("command", INTERRUPTED)
@pytest.mark.parametrize(
    "raised",
    [
        KeyboardInterrupt(),
        BaseExceptionGroup(GROUPED, [ValueError(), BaseExceptionGroup(GROUPED, [KeyboardInterrupt()])]),
    ],
    ids=["bare", "grouped"],
)
def test_an_interrupt_ends_a_command_without_a_traceback(
    command: str, raised: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise raised

    monkeypatch.setattr(f"fraction_mcp.cli.{INTERRUPTED[command]}", interrupted)
    assert main(command.split()) == 130
    assert capsys.readouterr().err == ""


def test_an_interrupt_while_the_command_is_still_being_read_is_no_traceback_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fraction_mcp.cli._parser", interrupted)
    assert main(["tools"]) == 130


# ----------------------------------------------------------------------------------------------------- demo and sandbox


def spent() -> float:
    """Seconds of processor time of the children so far: how long they took on a machine with nothing else to do."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.smoke
@pytest.mark.process
def test_the_demo_takes_seconds_and_is_plain_where_it_is_piped(state: Path) -> None:
    began = spent()
    run = ran(state, "demo")
    assert spent() - began < 10
    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    assert "2500.00 GBP" in run.stdout
    assert "get_price_for_quantity(" in run.stdout
    assert "fraction-mcp serve --sandbox" in run.stdout
    assert not list(state.glob("*demo*"))


@pytest.mark.process
def test_the_sandbox_serves_over_http_and_a_server_works_in_it(tmp_path: Path) -> None:
    port = free_port()
    environment = child_environment(FRACTION_MCP_STATE_DIR=str(tmp_path))
    with subprocess.Popen(
        command("sandbox", "--port", str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            wait_for(process, port)
            assert process.stderr is not None
            page = httpx.get(f"http://127.0.0.1:{port}/")
            assert "an embedded FractionERP and Fracttal" in page.text
            told = itertools.takewhile(lambda line: line.strip() != "fraction-mcp serve", process.stderr)
            exports = dict(re.findall(r"(FRACT\w+)=(\S+)", " ".join(told)))
            run = ran(
                tmp_path, "call", "get_price_for_quantity", "part=BRKT-1", "quantity=250", "customer=52", **exports
            )
        finally:
            process.terminate()
            out, _ = process.communicate(timeout=60)
    assert out == ""
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("250 EA of 'BRKT-1' cost 1617.81 GBP for 'Acme Corp' (id 52), at 6.47125 each")


@pytest.mark.process
def test_a_port_that_is_taken_is_told_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = ran(tmp_path, "sandbox", "--port", str(port))
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith(f"fraction-mcp: the sandbox cannot listen on port {port}")


@pytest.mark.slow
@pytest.mark.process
def test_the_command_is_installed_under_its_name() -> None:
    installed = shutil.which("fraction-mcp", path=str(Path(sys.executable).parent))
    assert installed is not None
    run = subprocess.run([installed, "--version"], capture_output=True, text=True, check=False, timeout=30)
    assert run.stdout.startswith(f"fraction-mcp {__version__}\n")
