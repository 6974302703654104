"""What setup and doctor learn about the programs on a machine."""

from pathlib import Path

import pytest

from fraction_mcp.cli.clients.entry import Options
from fraction_mcp.cli.clients.found import Entry, Found, found_clients
from fraction_mcp.cli.clients.launch import Launch
from fraction_mcp.cli.clients.places import CLIENTS, Machine
from tests.clients.support import EVERY_CLIENT, SANDBOX, file_of, installed, machine


def found(name: str, here: Machine) -> Found:
    return next(each for each in found_clients(here) if each.client.name == name)


def test_on_an_empty_machine_every_program_is_known_and_none_is_here(tmp_path: Path) -> None:
    every = found_clients(machine(tmp_path))
    assert [each.client for each in every] == EVERY_CLIENT
    assert not any(each.is_here or each.problem or each.command for each in every)
    assert {each.entry for each in every} == {Entry.NONE}


def test_a_program_on_the_path_is_here_before_its_first_start(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "codex").touch(0o755)
    assert found("codex", machine(tmp_path, PATH=str(folder))).is_here


@pytest.mark.parametrize("client", EVERY_CLIENT, ids=lambda client: client.name)
def test_our_entry_is_found_with_its_command_and_options(tmp_path: Path, client: object) -> None:
    one = next(each for each in EVERY_CLIENT if each is client)
    command, here = tmp_path / "fraction-mcp", machine(tmp_path)
    command.touch(0o755)
    installed(one, here, Options(profile="acme"), Launch((str(command),)))
    it = found(one.name, here)
    assert (it.entry, it.is_here, it.command, it.command_is_there) == (Entry.OURS, True, str(command), True)
    assert (it.options, it.problem, it.path) == (Options(profile="acme"), "", one.path(here))
    command.unlink()
    it = found(one.name, here)
    assert not it.command_is_there
    assert f"{command}, which is not there; `fraction-mcp install {one.name}` writes it anew" in it.problem


def test_a_command_that_may_not_be_run_is_not_there(tmp_path: Path) -> None:
    command, here = tmp_path / "fraction-mcp", machine(tmp_path)
    command.touch(0o644)
    installed(CLIENTS["cursor"], here, SANDBOX, Launch((str(command),)))
    assert not found("cursor", here).command_is_there


@pytest.mark.parametrize(
    ("content", "entry", "told"),
    [
        (b"{", Entry.UNREADABLE, "cannot be read, by Cursor either: line 1"),
        (b"\xff\xfe", Entry.UNREADABLE, "it is not UTF-8 text"),
        (b'{"mcpServers": {"fraction": {"command": "x"}}}', Entry.ANOTHERS, "starts another program"),
        (b'{"mcpServers": {"fraction": {"command": "uvx", "args": ["fraction-mcp", "serve"]}}}', Entry.OURS, "uvx"),
        (b'{"mcpServers": {"fraction": {"command": "fraction-mcp"}}}', Entry.OURS, "is told to start fraction-mcp,"),
    ],
)
def test_what_is_wrong_is_told_and_never_raised(tmp_path: Path, content: bytes, entry: Entry, told: str) -> None:
    here = machine(tmp_path)
    file_of(CLIENTS["cursor"], here, content)
    it = found("cursor", here)
    assert it.entry is entry
    assert told in it.problem


def test_a_byte_order_mark_and_a_switch_are_told(tmp_path: Path) -> None:
    command, here = tmp_path / "fraction-mcp", machine(tmp_path)
    command.touch(0o755)
    for name in ("claude-desktop", "codex"):
        installed(CLIENTS[name], here, SANDBOX, Launch((str(command),)))
    desktop, codex = (CLIENTS[name].path(here) for name in ("claude-desktop", "codex"))
    desktop.write_bytes(b"\xef\xbb\xbf" + desktop.read_bytes())
    codex.write_bytes(codex.read_bytes() + b"enabled = false\n")
    assert "byte order mark" in found("claude-desktop", here).problem
    assert "switched off" in found("codex", here).problem


def test_a_folder_that_cannot_be_told_is_a_problem_not_an_error(tmp_path: Path) -> None:
    it = found("codex", machine(tmp_path, CODEX_HOME=str(tmp_path / "gone")))
    assert (it.path, it.entry) == (None, Entry.UNREADABLE)
    assert "CODEX_HOME" in it.problem
