"""Where each program keeps its list of servers, on every platform; the sources stand beside the places."""

from pathlib import Path
from typing import Literal

import pytest

from fraction_mcp.cli.clients.commands import CLIENT_NAMES
from fraction_mcp.cli.clients.places import CLIENTS
from fraction_mcp.errors import ConfigError
from tests.clients.support import EVERY_CLIENT, PLATFORMS, machine

LINUX, MAC, WINDOWS = PLATFORMS
MAC_APPS, ROAMING = "Library/Application Support", "AppData/Roaming"


@pytest.mark.parametrize(
    ("client", "platform", "place"),
    [
        ("claude-desktop", LINUX, ".config/Claude/claude_desktop_config.json"),
        ("claude-desktop", MAC, f"{MAC_APPS}/Claude/claude_desktop_config.json"),
        ("claude-desktop", WINDOWS, f"{ROAMING}/Claude/claude_desktop_config.json"),
        ("vscode", LINUX, ".config/Code/User/mcp.json"),
        ("vscode", MAC, f"{MAC_APPS}/Code/User/mcp.json"),
        ("vscode", WINDOWS, f"{ROAMING}/Code/User/mcp.json"),
        *(("claude-code", platform, ".claude.json") for platform in PLATFORMS),
        *(("cursor", platform, ".cursor/mcp.json") for platform in PLATFORMS),
        *(("codex", platform, ".codex/config.toml") for platform in PLATFORMS),
        *(("gemini-cli", platform, ".gemini/settings.json") for platform in PLATFORMS),
    ],
)
def test_the_file_of_a_program(
    tmp_path: Path, client: str, platform: Literal["linux", "darwin", "win32"], place: str
) -> None:
    assert CLIENTS[client].path(machine(tmp_path, platform)) == tmp_path / place


@pytest.mark.parametrize(
    ("client", "platform", "name", "place"),
    [
        ("claude-desktop", LINUX, "XDG_CONFIG_HOME", "Claude/claude_desktop_config.json"),
        ("claude-desktop", WINDOWS, "APPDATA", "Claude/claude_desktop_config.json"),
        ("vscode", LINUX, "XDG_CONFIG_HOME", "Code/User/mcp.json"),
        ("vscode", WINDOWS, "APPDATA", "Code/User/mcp.json"),
        ("vscode", MAC, "VSCODE_APPDATA", "Code/User/mcp.json"),
        ("vscode", WINDOWS, "VSCODE_PORTABLE", "user-data/User/mcp.json"),
        ("claude-code", MAC, "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("codex", LINUX, "CODEX_HOME", "config.toml"),
        ("gemini-cli", WINDOWS, "GEMINI_CLI_HOME", ".gemini/settings.json"),
    ],
)
def test_a_variable_moves_it_as_it_moves_the_program_s(
    tmp_path: Path, client: str, platform: Literal["linux", "darwin", "win32"], name: str, place: str
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert CLIENTS[client].path(machine(tmp_path, platform, **{name: str(other)})) == other / place
    usual = CLIENTS[client].path(machine(tmp_path, platform))
    assert CLIENTS[client].path(machine(tmp_path, platform, **{name: ""})) == usual


def test_a_folder_that_is_not_absolute_counts_as_not_given(tmp_path: Path) -> None:
    usual = CLIENTS["claude-desktop"].path(machine(tmp_path))
    assert CLIENTS["claude-desktop"].path(machine(tmp_path, XDG_CONFIG_HOME="config")) == usual


def package(home: Path, name: str) -> Path:
    folder = home / "AppData/Local/Packages" / name / "LocalCache/Roaming/Claude"
    folder.mkdir(parents=True)
    return folder


def test_claude_desktop_as_a_windows_package_reads_a_file_inside_it(tmp_path: Path) -> None:
    inside = package(tmp_path, "Claude_pzs8sxrjxfjjc")
    (tmp_path / ROAMING / "Claude").mkdir(parents=True)
    client, here = CLIENTS["claude-desktop"], machine(tmp_path, WINDOWS)
    assert client.path(here) == inside / "claude_desktop_config.json"
    assert client.is_here(here)


def test_of_several_packages_the_used_one_counts_and_otherwise_none_is_guessed(tmp_path: Path) -> None:
    first, second = package(tmp_path, "Claude_one"), package(tmp_path, "Claude_two")
    here = machine(tmp_path, WINDOWS)
    with pytest.raises(ConfigError, match="several times") as told:
        CLIENTS["claude-desktop"].path(here)
    assert str(first) in told.value.message
    (second / "claude_desktop_config.json").write_text("{}")
    assert CLIENTS["claude-desktop"].path(here) == second / "claude_desktop_config.json"


def test_the_store_s_python_is_refused_where_windows_hides_what_it_writes(tmp_path: Path) -> None:
    store = r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.13_3.13.1.0_x64__qbz5n2kfra8p0"
    here = machine(tmp_path, WINDOWS)
    hidden = type(here)(WINDOWS, here.environ, here.home, python=store)
    with pytest.raises(ConfigError, match="Microsoft Store"):
        CLIENTS["claude-desktop"].path(hidden)
    assert CLIENTS["cursor"].path(hidden) == tmp_path / ".cursor/mcp.json"


def test_codex_s_folder_that_is_not_there_is_told_as_codex_would(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CODEX_HOME"):
        CLIENTS["codex"].path(machine(tmp_path, CODEX_HOME=str(tmp_path / "gone")))


@pytest.mark.parametrize("client", EVERY_CLIENT, ids=lambda client: client.name)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_program_is_here_once_its_folder_is(
    tmp_path: Path, client: object, platform: Literal["linux", "darwin", "win32"]
) -> None:
    one = next(each for each in EVERY_CLIENT if each is client)
    here = machine(tmp_path, platform)
    if not (platform == MAC and Path("/Applications/Claude.app").exists()):
        assert not one.is_here(here)
    path = one.path(here)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert one.is_here(here)


def test_the_command_line_names_every_program() -> None:
    assert tuple(CLIENTS) == CLIENT_NAMES
