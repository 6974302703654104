"""The command that a program is to start this server with: its full path, and how long that path can be relied on.

Knows how each of Python's installers lays a command out. A program behind a desktop icon has a path of its own, which
holds none of these folders, so a bare name is never given.

| installed with | what is given | stays |
| --- | --- | --- |
| `uv tool install`, `pipx install` | the command in the folder of commands, not what it points to | through upgrades |
| pip in an environment | the command beside the environment's Python | as long as the environment |
| `uvx` | uv's own full path with this version, since the environment lies in a cache | as long as uv |
| `pipx run`, `uvx` of a file | nothing: the environment is thrown away | |
"""

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from fraction_mcp import __version__
from fraction_mcp.errors import ConfigError

__all__ = ["Launch", "Running", "launch"]

_COMMAND = "fraction-mcp"
_UV_CACHE = re.compile(r"(archive|environments|builds)-v\d+")  # docs.astral.sh/uv/concepts/tools, "Tool environments"


@dataclass(frozen=True)
class Launch:
    """The words of a command, the first of them a full path, and what to know about it (may be empty)."""

    words: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Running:
    """How this very process was started."""

    argv0: str
    executable: str
    prefix: Path
    base_prefix: Path
    scripts: Path
    windows: bool
    environ: Mapping[str, str]
    from_index: bool
    version: str = __version__

    @classmethod
    def here(cls) -> "Running":
        return cls(
            sys.argv[0],
            sys.executable,
            Path(sys.prefix),
            Path(sys.base_prefix),
            Path(sysconfig.get_path("scripts")),
            sys.platform == "win32",
            os.environ,
            _from_index(),
        )


def _from_index() -> bool:
    """Whether this package can be had again by its name alone: a file or folder that it came from is written down.

    packaging.python.org/en/latest/specifications/direct-url.
    """
    try:
        return metadata.distribution(_COMMAND).read_text("direct_url.json") is None
    except metadata.PackageNotFoundError:
        return False


def launch(running: Running) -> Launch:
    """The command to write. Raises ConfigError where this process runs from what will be thrown away."""
    if any(_UV_CACHE.fullmatch(part) for part in running.prefix.parts):
        return _through_uv(running)
    if (running.prefix / "pipx_metadata.json").exists() and running.prefix.parent.name != "venvs":
        raise ConfigError(
            "this command runs from an environment that `pipx run` throws away; "
            "run `pipx install fraction-mcp` and then `fraction-mcp install` again"
        )
    for script in (Path(os.path.abspath(running.argv0)), running.scripts / _COMMAND):  # noqa: PTH100 - keeps symlinks
        if command := _command(script, windows=running.windows):
            return Launch((_text(command),), _note(running))
    return Launch((_text(Path(running.executable)), "-m", "fraction_mcp"), _note(running))


def _through_uv(running: Running) -> Launch:
    if not running.from_index:
        raise ConfigError(
            "this command runs from uv's cache, and came there from a file; "
            "run `uv tool install` with that file and then `fraction-mcp install` again"
        )
    # uv names itself to what it starts (docs.astral.sh/uv/reference/environment, "UV").
    uv = running.environ.get("UV") or shutil.which("uv", path=running.environ.get("PATH", ""))
    if not uv or not Path(uv).is_absolute():
        raise ConfigError(
            "this command runs from uv's cache, and uv itself was not found; "
            "run `uv tool install fraction-mcp` and then `fraction-mcp install` again"
        )
    words = (uv, "tool", "run", "--from", f"{_COMMAND}=={running.version}", _COMMAND)
    return Launch(words, "It is started through uv, in this version; `uv tool install fraction-mcp` starts faster.")


def _command(script: Path, *, windows: bool) -> Path | None:
    """The file of that command, where it is ours; pip's and uv's launchers on Windows leave `.exe` off argv[0]."""
    names = [script.with_name(f"{_COMMAND}.exe"), script] if windows else [script]
    ours = (path for path in names if path.name in {_COMMAND, f"{_COMMAND}.exe"})
    return next((path for path in ours if os.path.isfile(path)), None)  # noqa: PTH113 - false where it may not be seen


def _note(running: Running) -> str:
    kept = running.prefix.parent.name == "venvs" or (running.prefix / "uv-receipt.toml").exists()
    if kept or running.prefix == running.base_prefix:
        return ""
    return f"The command stands in the environment {running.prefix}: where that is moved or removed, install again."


def _text(path: Path) -> str:
    """A path as the text of a file can hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the path of this command cannot be written as text: {str(path)!r}") from None
    return str(path)
