"""Which programs there are, and where each keeps its list of MCP servers, on Linux, macOS and Windows.

Knows paths and what each program's own reader takes (comments, trailing commas, a byte order mark); reads no file.
The machine is given, not asked, so that every platform's layout can be looked at from any other. Each place stands
with its source.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fraction_mcp.errors import ConfigError

__all__ = ["CLIENTS", "Client", "Machine"]

Platform = Literal["linux", "darwin", "win32"]


@dataclass(frozen=True)
class Machine:
    """What decides where a program keeps its files: the platform, the environment, the person's own folder."""

    platform: Platform
    environ: Mapping[str, str]
    home: Path
    python: str = sys.base_prefix

    @classmethod
    def here(cls) -> "Machine":
        platform: Platform = "win32" if sys.platform == "win32" else "darwin" if sys.platform == "darwin" else "linux"
        try:
            return cls(platform, os.environ, Path.home())
        except RuntimeError as error:
            raise ConfigError("this person's own folder is not known: HOME is not set") from error

    def folder(self, name: str, usual: Path) -> Path:
        """The folder that an environment variable names; the usual one where it is unset, empty or not absolute."""
        named = Path(self.environ.get(name, ""))
        return named if named.is_absolute() else usual

    @property
    def roaming(self) -> Path:
        """Windows' %APPDATA%."""
        return self.folder("APPDATA", self.home / "AppData" / "Roaming")

    @property
    def local(self) -> Path:
        """Windows' %LOCALAPPDATA%."""
        return self.folder("LOCALAPPDATA", self.home / "AppData" / "Local")

    @property
    def app_data(self) -> Path:
        """Where Electron's programs keep a folder of their own.

        Electron's app.getPath("appData"): %APPDATA%, $XDG_CONFIG_HOME or ~/.config, ~/Library/Application Support
        (electronjs.org/docs/latest/api/app#appgetpathname).
        """
        if self.platform == "win32":
            return self.roaming
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")

    def has_command(self, name: str) -> bool:
        return shutil.which(name, path=self.environ.get("PATH", "")) is not None


@dataclass(frozen=True)
class Client:
    """A program that starts MCP servers, and what is particular about its file.

    `expands` is set where the program replaces $NAME or ${NAME} in the strings of its file by something else.
    """

    name: str
    title: str
    place: Callable[[Machine], Path]
    signs: Callable[[Machine], bool]
    servers: str = "mcpServers"
    typed: bool = False
    comments: bool = False
    trailing_commas: bool = False
    byte_order_mark: bool = True
    expands: bool = True
    toml: bool = False
    afterwards: str = ""

    def path(self, machine: Machine) -> Path:
        """The file, which need not be there. Raises ConfigError where it cannot be told or not be reached."""
        path = self.place(machine)
        hidden = machine.platform == "win32" and "PythonSoftwareFoundation" in machine.python
        if hidden and any(folder in path.parents for folder in (machine.roaming, machine.local)):
            # docs.python.org/3/using/windows.html: a Store app writes to a private copy of AppData.
            raise ConfigError(
                f"this Python comes from the Microsoft Store, which hides what it writes to {path.parent} from "
                f"{self.title}; install fraction-mcp with uv or with Python from python.org"
            )
        return path

    def is_here(self, machine: Machine) -> bool:
        """Whether the program seems to be on this machine."""
        with suppress(ConfigError, OSError):
            if self.path(machine).exists():
                return True
        with suppress(ConfigError, OSError):
            return self.signs(machine)
        return False


def _claude_desktop_folder(machine: Machine) -> Path:
    """modelcontextprotocol.io/docs/develop/connect-local-servers for macOS and Windows, contract.md for Linux.

    Since February 2026 Claude Desktop comes to Windows as an MSIX package, whose files lie inside the package's folder
    (github.com/anthropics/claude-code/issues/25579 and 26073).
    """
    usual = machine.app_data / "Claude"
    if machine.platform != "win32":
        return usual
    packages = sorted(machine.local.glob("Packages/Claude_*"))
    folders = [package / "LocalCache" / "Roaming" / "Claude" for package in packages]
    used = [folder for folder in folders if (folder / "claude_desktop_config.json").exists()]
    if len(used or folders) > 1:
        raise ConfigError(
            f"Claude Desktop is here several times, in {' and '.join(map(str, used or folders))}; "
            "remove the one that is not used"
        )
    return (used or folders or [usual])[0]


def _claude_desktop_signs(machine: Machine) -> bool:
    app = machine.platform == "darwin" and Path("/Applications/Claude.app").exists()
    package = machine.platform == "win32" and any(machine.local.glob("Packages/Claude_*"))
    return app or package or (machine.app_data / "Claude").is_dir()


def _claude_code(machine: Machine) -> Path:
    """code.claude.com/docs/en/mcp: user scope is `mcpServers` at the top of ~/.claude.json on every platform.

    CLAUDE_CONFIG_DIR moves that file with the rest (code.claude.com/docs/en/settings, "Environment variables").
    """
    return machine.folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"


def _vs_code_folder(machine: Machine) -> Path:
    """microsoft/vscode, src/vs/platform/environment/node/userDataPath.ts; "Code" is the released product's name.

    The file of the default profile is User/mcp.json (src/vs/platform/userDataProfile/common/userDataProfile.ts).
    """
    portable = machine.environ.get("VSCODE_PORTABLE")
    folder = Path(portable) / "user-data" if portable else machine.folder("VSCODE_APPDATA", machine.app_data) / "Code"
    return folder / "User"


def _codex_folder(machine: Machine) -> Path:
    """openai/codex, codex-rs/utils/home-dir/src/lib.rs: $CODEX_HOME, which must be there, or ~/.codex."""
    named = machine.environ.get("CODEX_HOME")
    if named and not Path(named).is_dir():
        raise ConfigError(f"CODEX_HOME is {named}, which is no folder: Codex itself does not start so")
    return Path(named) if named else machine.home / ".codex"


def _gemini_folder(machine: Machine) -> Path:
    """google-gemini/gemini-cli, packages/core/src/config/storage.ts and utils/paths.ts (GEMINI_CLI_HOME)."""
    return Path(machine.environ.get("GEMINI_CLI_HOME") or machine.home) / ".gemini"


CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(
            "claude-desktop",
            "Claude Desktop",
            lambda machine: _claude_desktop_folder(machine) / "claude_desktop_config.json",
            _claude_desktop_signs,
            # Reads with JSON.parse; at a byte order mark it falls back to its defaults and writes the file anew
            # without its servers (github.com/tradesdontlie/tradingview-mcp/issues/406, anthropics/claude-code/81355).
            byte_order_mark=False,
            expands=False,
            afterwards="Quit Claude Desktop, from its menu or tray icon, and start it again.",
        ),
        Client(
            "claude-code",
            "Claude Code",
            _claude_code,
            lambda machine: (machine.home / ".claude").is_dir() or machine.has_command("claude"),
            typed=True,
            afterwards="Claude Code takes it up in its next session; /mcp shows it.",
        ),
        Client(
            "cursor",
            "Cursor",
            # cursor.com/docs/mcp: ~/.cursor/mcp.json for all projects, on every platform.
            lambda machine: machine.home / ".cursor" / "mcp.json",
            lambda machine: (machine.home / ".cursor").is_dir() or machine.has_command("cursor"),
            # Its page does not say; files with comments are in use (zenn.dev/manase/scraps/e229facd691446).
            comments=True,
            trailing_commas=True,
            afterwards="Cursor may list it switched off at first: Settings, Customize, MCPs.",
        ),
        Client(
            "vscode",
            "VS Code",
            lambda machine: _vs_code_folder(machine) / "mcp.json",
            lambda machine: _vs_code_folder(machine).is_dir() or machine.has_command("code"),
            # code.visualstudio.com/docs/copilot/reference/mcp-configuration; read with comments and trailing commas
            # (microsoft/vscode, src/vs/platform/mcp/common/mcpResourceScannerService.ts).
            servers="servers",
            typed=True,
            comments=True,
            trailing_commas=True,
            afterwards="VS Code starts it when it is first used, and asks whether to trust it. "
            "A profile other than the default one has a list of its own.",
        ),
        Client(
            "codex",
            "Codex",
            # openai/codex, docs/config.md and codex-rs/config/src/mcp_edit.rs: [mcp_servers.NAME] in config.toml.
            lambda machine: _codex_folder(machine) / "config.toml",
            lambda machine: (machine.home / ".codex").is_dir() or machine.has_command("codex"),
            servers="mcp_servers",
            toml=True,
            expands=False,
            afterwards="Codex takes it up when it is next started.",
        ),
        Client(
            "gemini-cli",
            "Gemini CLI",
            lambda machine: _gemini_folder(machine) / "settings.json",
            lambda machine: _gemini_folder(machine).is_dir() or machine.has_command("gemini"),
            # JSON.parse behind strip-json-comments (google-gemini/gemini-cli, packages/cli/src/config/settings.ts),
            # which leaves trailing commas and a byte order mark where they are.
            comments=True,
            byte_order_mark=False,
            afterwards="Gemini CLI takes it up when it is next started; /mcp shows it.",
        ),
    )
}
