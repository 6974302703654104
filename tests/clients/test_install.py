"""install and uninstall: what comes into a program's file, that it goes again, and what is left alone."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraction_mcp.cli import main
from fraction_mcp.cli.clients.entry import Options
from fraction_mcp.cli.clients.install import Change, change_to_install, change_to_uninstall
from fraction_mcp.cli.clients.launch import Launch
from fraction_mcp.cli.clients.places import CLIENTS, Client, Machine
from fraction_mcp.errors import ConfigError, FractionMcpError
from tests.clients import test_json_text, test_toml_text
from tests.clients.support import (
    COMMAND,
    EVERY_CLIENT,
    JSON_CLIENTS,
    PLATFORMS,
    SANDBOX,
    file_of,
    installed,
    machine,
    servers,
    uninstalled,
)
from tests.process import command
from tests.support import child_environment

EACH = pytest.mark.parametrize("client", EVERY_CLIENT, ids=lambda client: client.name)
OTHER = {
    "json": b'{\n  "theme": "dark",\n  "%s": {\n    "other": {"command": "npx", "env": {"TOKEN": "sekret"}}\n  }\n}\n',
    "toml": b'model = "x"\n\n[%s.other]\ncommand = "npx"\nenv = { TOKEN = "sekret" }\n',
}


def other(client: Client) -> bytes:
    """A file with somebody else's server in it."""
    return OTHER["toml" if client.toml else "json"] % client.servers.encode()


def change_to(act: str, client: Client, here: Machine) -> Change:
    return change_to_install(client, here, COMMAND, SANDBOX) if act == "install" else change_to_uninstall(client, here)


# --------------------------------------------------------------------------------------------------------- in and out


@EACH
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("start", ["no file", "an empty file", "another's server"])
def test_uninstall_puts_the_file_back_byte_for_byte(
    tmp_path: Path, client: Client, platform: Literal["linux", "darwin", "win32"], start: str
) -> None:
    before = {"no file": None, "an empty file": b"", "another's server": other(client)}[start]
    here = machine(tmp_path, platform)
    path = file_of(client, here, before)
    installed(client, here)
    found = servers(client, path.read_bytes())
    assert found["fraction"]["command"] == COMMAND.words[0]
    assert found["fraction"]["args"] == ["serve", "--sandbox"]
    assert ("other" in found) == (start == "another's server")
    uninstalled(client, here)
    assert (path.read_bytes() if path.exists() else None) == before
    assert [each for each in path.parent.iterdir() if each != path] == [], "nothing is left lying beside it"


def documents(client: Client) -> st.SearchStrategy[bytes]:
    texts = test_toml_text.documents() if client.toml else test_json_text.documents(client)
    return st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), texts).map(lambda both: both[0] + both[1].encode())


@pytest.mark.matrix
@EACH
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_whatever_the_file_is_it_comes_back_byte_for_byte(client: Client, data: st.DataObject) -> None:
    before = data.draw(documents(client))
    steps = data.draw(
        st.lists(st.sampled_from([SANDBOX, Options(), Options(profile="acme é")]), min_size=1, max_size=3)
    )
    with tempfile.TemporaryDirectory() as folder:
        here = machine(Path(folder))
        path = file_of(client, here, before)
        for step in steps:
            installed(client, here, step)
        after = path.read_bytes()
        assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
        assert servers(client, after)["fraction"]["args"] == ["serve", *steps[-1].words]
        uninstalled(client, here)
        assert path.read_bytes() == before


@EACH
def test_what_was_changed_since_stays_when_our_entry_goes(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    path = file_of(client, here, other(client))
    installed(client, here)
    changed = path.read_bytes().replace(b"npx", b"bunx")
    path.write_bytes(changed)
    uninstalled(client, here)
    assert path.read_bytes() == other(client).replace(b"npx", b"bunx")
    assert path.with_name(path.name + ".before-fraction-mcp").read_bytes() == changed


@EACH
def test_the_file_as_it_was_stays_beside_it_with_the_same_mode(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    path = file_of(client, here, other(client))
    path.chmod(0o640)
    installed(client, here)
    backup = path.with_name(path.name + ".before-fraction-mcp")
    assert backup.read_bytes() == other(client)
    if os.name != "nt":
        assert {stat.S_IMODE(each.stat().st_mode) for each in (path, backup)} == {0o640}


def test_a_new_file_is_the_person_s_alone(tmp_path: Path) -> None:
    client, here = CLIENTS["cursor"], machine(tmp_path)
    installed(client, here)
    if os.name != "nt":
        assert stat.S_IMODE(client.path(here).stat().st_mode) == 0o600


@EACH
def test_installing_again_changes_nothing_and_other_options_change_them_alone(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    file_of(client, here, other(client))
    installed(client, here)
    assert not change_to_install(client, here, COMMAND, SANDBOX).changes
    change = change_to_install(client, here, COMMAND, Options(profile="acme"))
    assert [line[:2] for line in change.lines] == ["- ", "+ "]
    moved = change_to_install(client, here, Launch(("/new/fraction-mcp",)), SANDBOX)
    assert [line[:2] for line in moved.lines] == ["- ", "+ "]


@EACH
def test_a_link_is_followed_and_stays_one(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    link = file_of(client, here, None)
    real = tmp_path / "dotfiles" / "the real one"
    real.parent.mkdir()
    real.write_bytes(other(client))
    link.symlink_to(real)
    installed(client, here)
    assert link.is_symlink()
    assert "fraction" in servers(client, real.read_bytes())
    uninstalled(client, here)
    assert link.is_symlink()
    assert real.read_bytes() == other(client)


def test_uninstalling_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    for client in EVERY_CLIENT:
        here = machine(tmp_path)
        assert not change_to_uninstall(client, here).changes
        file_of(client, here, other(client))
        assert not change_to_uninstall(client, here).changes


# ------------------------------------------------------------------------------------------------------------ refusals


@EACH
@pytest.mark.parametrize("entry", [{"command": "other-mcp", "args": []}, {"url": "https://example.com"}, {}])
def test_another_s_entry_of_our_name_is_left_alone(tmp_path: Path, client: Client, entry: dict[str, Any]) -> None:
    here = machine(tmp_path)
    if client.toml:
        lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
        content = "\n".join([f"[{client.servers}.fraction]", *lines, ""]).encode()
    else:
        content = json.dumps({client.servers: {"fraction": entry}}).encode()
    path = file_of(client, here, content)
    changes: tuple[Callable[[], object], ...] = (
        lambda: change_to_install(client, here, COMMAND, SANDBOX),
        lambda: change_to_uninstall(client, here),
    )
    for change in changes:
        with pytest.raises(ConfigError, match="starts another program; nothing was written"):
            change()
    assert path.read_bytes() == content


@EACH
@pytest.mark.parametrize(
    ("content", "told"),
    [(b"{ = [", "cannot be changed"), ("{}".encode("utf-16"), "is not UTF-8 text"), (b"\xff", "is not UTF-8 text")],
)
def test_what_cannot_be_read_is_left_alone(tmp_path: Path, client: Client, content: bytes, told: str) -> None:
    here = machine(tmp_path)
    path = file_of(client, here, content)
    with pytest.raises(ConfigError, match="nothing was written") as refused:
        change_to_install(client, here, COMMAND, SANDBOX)
    assert told in refused.value.message
    assert str(path) in refused.value.message
    assert path.read_bytes() == content


def test_an_unusual_file_is_refused_by_its_name(tmp_path: Path) -> None:
    client, here = CLIENTS["cursor"], machine(tmp_path)
    path = client.path(here)
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="is no file"):
        change_to_install(client, here, COMMAND, SANDBOX)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_itself_is_refused_by_its_name(tmp_path: Path) -> None:
    client, here = CLIENTS["cursor"], machine(tmp_path)
    path = file_of(client, here, None)
    path.symlink_to(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        change_to_install(client, here, COMMAND, SANDBOX)


@EACH
def test_a_write_protected_file_is_left_alone(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    path = file_of(client, here, other(client))
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="write-protected; nothing was written"):
        installed(client, here)
    assert path.read_bytes() == other(client)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
def test_another_user_s_file_is_left_alone(tmp_path: Path) -> None:
    client, here = CLIENTS["codex"], machine(tmp_path)
    path = file_of(client, here, other(client))
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user, or would; nothing was written"):
        installed(client, here)
    assert path.read_bytes() == other(client)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder away")
def test_root_leaves_no_file_of_its_own_in_another_user_s_folder(tmp_path: Path) -> None:
    client, here = CLIENTS["cursor"], machine(tmp_path)
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user, or would; nothing was written"):
        installed(client, here)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written_is_told_in_a_line() -> None:
    program = (
        "import locale, os, sys; from fraction_mcp.cli import main; from fraction_mcp.cli.clients import install\n"
        "install.Running.here()\n"
        "os.setgid(65534); os.setuid(65534)  # once everything is loaded: it may stand where only root can read\n"
        "sys.exit(main(['install', 'cursor', '--sandbox']))"
    )
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders are closed to others
        Path(home).chmod(0o755)
        (Path(home) / ".cursor").mkdir(mode=0o755)
        # Not measured: whoever it becomes could not write the figures down.
        bare = {name: value for name, value in child_environment(HOME=home).items() if not name.startswith("COVERAGE")}
        done = subprocess.run(
            [sys.executable, "-c", program], env=bare, capture_output=True, text=True, timeout=60, check=False
        )
        assert list((Path(home) / ".cursor").iterdir()) == []
    assert done.returncode == 2
    assert done.stderr.startswith(f"fraction-mcp: {home}/.cursor/mcp.json cannot be written: Permission denied")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("client", [each for each in EVERY_CLIENT if each.expands], ids=lambda client: client.name)
def test_a_path_that_the_program_would_take_for_a_variable_is_refused(tmp_path: Path, client: Client) -> None:
    with pytest.raises(ConfigError, match="for a variable"):
        change_to_install(client, machine(tmp_path), Launch(("/home/a$b/fraction-mcp",)), SANDBOX)


# ---------------------------------------------------------------------------------------------------- other programs'


@EACH
@pytest.mark.parametrize("act", ["install", "uninstall"])
@pytest.mark.parametrize("instead", [b"{}", None, b""])
def test_what_another_program_wrote_in_the_meantime_is_not_written_over(
    tmp_path: Path, client: Client, act: str, instead: bytes | None
) -> None:
    here = machine(tmp_path)
    path = file_of(client, here, other(client))
    if act == "uninstall":
        installed(client, here)
    before = set(path.parent.iterdir())
    change = (
        change_to_install(client, here, COMMAND, SANDBOX) if act == "install" else change_to_uninstall(client, here)
    )
    if instead is None:
        path.unlink()
    else:
        path.write_bytes(instead)
    with pytest.raises(FractionMcpError, match="changed by another program in the meantime; nothing was written"):
        change.carry_out()
    assert (path.read_bytes() if path.exists() else None) == instead
    assert set(path.parent.iterdir()) == before - ({path} if instead is None else set())


@pytest.mark.parametrize("client", JSON_CLIENTS, ids=lambda client: client.name)
def test_a_file_that_appears_in_the_meantime_is_not_written_over(tmp_path: Path, client: Client) -> None:
    here = machine(tmp_path)
    change = change_to_install(client, here, COMMAND, SANDBOX)
    path = file_of(client, here, b'{"theirs": 1}')
    with pytest.raises(FractionMcpError, match="in the meantime"):
        change.carry_out()
    assert path.read_bytes() == b'{"theirs": 1}'


def test_a_write_that_fails_leaves_the_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, here = CLIENTS["vscode"], machine(tmp_path)
    path = file_of(client, here, other(client))
    change = change_to_install(client, here, COMMAND, SANDBOX)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device; nothing was written"):
        change.carry_out()
    assert path.read_bytes() == other(client)
    assert list(path.parent.iterdir()) == [path]


# ------------------------------------------------------------------------------------------------------------ commands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home for this process."""
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "GEMINI_CLI_HOME", "VSCODE_PORTABLE", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command prints on stdout, which ends with this exit code and says this on stderr."""

    def ran(*words: str, code: int = 0, told: str = "") -> str:
        assert main(words) == code
        printed = capsys.readouterr()
        assert told in printed.err
        assert bool(told) == bool(printed.err), printed.err
        return printed.out

    return ran


@pytest.mark.matrix
@EACH
def test_the_command_shows_the_difference_and_no_other_server_s_secrets(
    home: Path, said: Callable[..., str], client: Client
) -> None:
    here = machine(home)
    for one_line in (False, True):
        content = other(client)
        if one_line and not client.toml:
            content = json.dumps(json.loads(content)).encode()
        path = file_of(client, here, content)
        dry = said("install", client.name, "--sandbox", "--dry-run")
        assert path.read_bytes() == content
        assert "Nothing was written (--dry-run)." in dry
        done = said("install", client.name, "--sandbox")
        assert done.startswith(f"{client.title}: {path}\n")
        assert str(path) + ".before-fraction-mcp" in done
        assert "fraction-mcp" in next(line for line in done.splitlines() if line.startswith("+ ") and "command" in line)
        gone = said("uninstall", client.name)
        assert "the file is as it was before" in gone
        assert path.read_bytes() == content
        for printed in (dry, done, gone):
            assert "sekret" not in printed
            assert "TOKEN" not in printed


@EACH
def test_our_entry_s_own_settings_are_not_shown_when_it_goes(
    home: Path, said: Callable[..., str], client: Client
) -> None:
    here = machine(home)
    installed(client, here)
    path = client.path(here)
    if client.toml:
        path.write_bytes(path.read_bytes() + b'[mcp_servers.fraction.env]\nFRACTION_PASSWORD = "sekret"\n')
    else:
        path.write_bytes(path.read_bytes().replace(b'"args":', b'"env": {"FRACTION_PASSWORD": "sekret"},\n"args":'))
    assert "sekret" in path.read_text("utf-8")
    assert "sekret" not in said("install", client.name, "--profile", "acme")
    assert "sekret" in path.read_text("utf-8"), "what the person put there stays"
    printed = said("uninstall", client.name)
    assert "command" in printed
    assert "sekret" not in printed
    assert "sekret" not in path.read_text("utf-8")


def test_what_is_set_in_the_terminal_alone_is_named_without_its_value(
    home: Path, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".cursor").mkdir()
    monkeypatch.setenv("FRACTION_PASSWORD", "sekret")
    printed = said("install", "cursor", told="without what is set here alone (FRACTION_PASSWORD)")
    assert "sekret" not in printed
    assert b"sekret" not in (home / ".cursor/mcp.json").read_bytes()


def test_a_program_that_is_not_here_is_set_up_with_a_word_about_it(home: Path, said: Callable[..., str]) -> None:
    said("install", "cursor", "--sandbox", told="Cursor was not found on this machine")
    assert "fraction" in servers(CLIENTS["cursor"], (home / ".cursor/mcp.json").read_bytes())


def test_a_byte_order_mark_stays_and_is_told_where_the_program_stumbles_over_it(
    home: Path, said: Callable[..., str]
) -> None:
    client, here = CLIENTS["gemini-cli"], machine(home)
    path = file_of(client, here, b"\xef\xbb\xbf" + other(client))
    said("install", client.name, told="does not read a file that begins with a byte order mark")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"mcpServers": {"fraction": {"command": "x"}}}', 'has an entry "fraction" that starts another program'),
        (b"{", "cannot be changed: line 1: "),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(home: Path, said: Callable[..., str], content: bytes, told: str) -> None:
    path = file_of(CLIENTS["cursor"], machine(home), content)
    assert said("install", "cursor", code=2, told=told) == ""
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "words",
    [
        ("install",),
        ("install", "emacs"),
        ("install", "cursor", "--sandbox", "--profile", "a"),
        ("uninstall", "--sandbox"),
    ],
)
def test_wrong_usage_is_exit_code_2(home: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert list(home.iterdir()) == []


def test_uninstall_for_a_profile_leaves_another_s_entry(home: Path, said: Callable[..., str]) -> None:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    said("install", "cursor", "--profile", "acme")
    before = path.read_bytes()
    for options in (("--sandbox",), ("--profile", "other")):
        assert said("uninstall", "cursor", *options, code=2, told="Cursor's entry is for --profile acme") == ""
        assert path.read_bytes() == before
    said("uninstall", "cursor", "--profile", "acme")
    assert not path.exists()


@pytest.mark.parametrize("name", ["-x", "a\nb"])
def test_a_profile_that_would_be_taken_for_something_else_is_refused(
    home: Path, said: Callable[..., str], name: str
) -> None:
    said("install", "cursor", f"--profile={name}", code=2, told="a profile's name")


@pytest.mark.process
def test_a_path_that_the_terminal_cannot_show_is_escaped(home: Path) -> None:
    folder = home / "Müller → \x1b[31m"
    folder.mkdir()
    environment = child_environment(CODEX_HOME=str(folder), HOME=str(home), PYTHONIOENCODING="ascii")
    done = subprocess.run(
        command("install", "codex", "--sandbox"),
        env=environment, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert b"M\\xfcller \\u2192 \\x1b[31m" in done.stdout
    assert b"\x1b" not in done.stdout
    assert "fraction" in servers(CLIENTS["codex"], (folder / "config.toml").read_bytes())
