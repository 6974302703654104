"""Which command a program is told to start, for each way in which this one can be installed."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from fraction_mcp import __version__
from fraction_mcp.cli.clients.launch import Running, launch
from fraction_mcp.errors import ConfigError


def script(folder: Path, name: str = "fraction-mcp") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def running(prefix: Path, argv0: object = "", **different: Any) -> Running:
    prefix.mkdir(parents=True, exist_ok=True)
    usual = Running(
        argv0=str(argv0) or str(prefix / "lib/fraction_mcp/__main__.py"),
        executable=str(prefix / "bin/python"),
        prefix=prefix,
        base_prefix=Path("/usr"),
        scripts=prefix / "bin",
        windows=False,
        environ={},
        from_index=True,
    )
    return dataclasses.replace(usual, **different)


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        (".local/share/uv/tools/fraction-mcp", "uv-receipt.toml"),
        (".local/share/pipx/venvs/fraction-mcp", "pipx_metadata.json"),
    ],
    ids=["uv tool", "pipx"],
)
def test_an_installed_tool_is_given_as_the_link_that_an_upgrade_leaves_in_place(
    tmp_path: Path, environment: str, mark: str
) -> None:
    inside = script(tmp_path / environment / "bin")
    (tmp_path / environment / mark).touch()
    link = tmp_path / ".local/bin/fraction-mcp"
    link.parent.mkdir(parents=True)
    link.symlink_to(inside)
    found = launch(running(tmp_path / environment, link))
    assert (found.words, found.note) == ((str(link),), "")


def test_a_command_in_an_environment_is_given_with_the_word_that_it_goes_with_it(tmp_path: Path) -> None:
    command = script(tmp_path / ".venv/bin")
    found = launch(running(tmp_path / ".venv", command))
    assert found.words == (str(command),)
    assert str(tmp_path / ".venv") in found.note


def test_a_relative_call_is_given_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = script(tmp_path / ".venv/bin")
    monkeypatch.chdir(tmp_path)
    assert launch(running(tmp_path / ".venv", ".venv/bin/fraction-mcp")).words == (str(command),)


def test_called_as_a_module_it_is_the_command_beside_the_interpreter_or_the_module(tmp_path: Path) -> None:
    module = running(tmp_path / ".venv")
    assert launch(module).words == (module.executable, "-m", "fraction_mcp")
    command = script(tmp_path / ".venv/bin")
    assert launch(module).words == (str(command),)


def test_on_windows_the_launcher_s_ending_is_put_back(tmp_path: Path) -> None:
    command = script(tmp_path / "Scripts", "fraction-mcp.exe")
    for argv0 in (command, command.with_suffix(""), tmp_path / "__main__.py"):
        assert launch(running(tmp_path, argv0, windows=True, scripts=tmp_path / "Scripts")).words == (str(command),)


@pytest.mark.parametrize("cache", ["archive-v0/21rWQOXbhAWUZm75", "environments-v2/8b0cbae4892decd7"])
def test_through_uvx_it_is_uv_itself_with_this_version(tmp_path: Path, cache: str) -> None:
    environment = tmp_path / ".cache/uv" / cache
    command = script(environment / "bin")
    found = launch(running(environment, command, environ={"UV": "/opt/uv"}))
    assert found.words == ("/opt/uv", "tool", "run", "--from", f"fraction-mcp=={__version__}", "fraction-mcp")
    assert "uv tool install" in found.note


def test_what_is_thrown_away_is_refused_with_the_mend(tmp_path: Path) -> None:
    cache = tmp_path / ".cache/uv/archive-v0/x"
    with pytest.raises(ConfigError, match="uv tool install"):
        launch(running(cache, script(cache / "bin"), from_index=False, environ={"UV": "/opt/uv"}))
    with pytest.raises(ConfigError, match="uv itself was not found"):
        launch(running(cache, script(cache / "bin")))
    once = tmp_path / ".cache/pipx/f3d24533e1d839e"
    command = script(once / "bin")
    (once / "pipx_metadata.json").touch()
    with pytest.raises(ConfigError, match="pipx install"):
        launch(running(once, command))


@pytest.mark.skipif(os.name == "nt", reason="a file name there is text")
def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written as text"):
        launch(running(tmp_path, executable=os.fsdecode(b"/opt/\xff/python")))


def test_this_very_process_can_be_started_again() -> None:
    found = launch(Running.here())
    assert Path(found.words[0]).is_absolute()
    assert os.access(found.words[0], os.X_OK)
