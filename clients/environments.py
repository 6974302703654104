"""Each framework's own environment: a `.venv` or `node_modules` in the client's folder, exactly as its lock says.

Nothing here knows where packages come from: that is pip's and npm's configuration. An environment is made once, and
made anew when its lock has changed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NODE_AT_LEAST = (22, 22)  # what mcp-use and Mastra ask for
PATIENCE_S = 1200


class NotInstalled(Exception):
    """The environment could not be made; the last words of whoever tried say why."""


def python_of(folder: Path) -> Path:
    """The interpreter of a client's environment, made if need be. Raises NotInstalled."""
    lock = folder / "requirements.lock"
    home = folder / ".venv"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not _made(home, lock):
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)], folder)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", "--require-hashes"]
        _run([*pip, "-r", str(lock)], folder)
        _mark(home, lock)
    return python


def node_of(folder: Path) -> Path:
    """The Node.js that runs a client, its packages installed beside it. Raises NotInstalled."""
    lock = folder / "package-lock.json"
    home = folder / "node_modules"
    if not _made(home, lock):
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstalled("npm is not installed")
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        _mark(home, lock)
    return _node(folder)


def version_in(folder: Path, package: str) -> str:
    """The version of a package that the lock pins."""
    if (folder / "package-lock.json").is_file():
        packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        return str(packages[f"node_modules/{package}"]["version"])
    for line in (folder / "requirements.lock").read_text(encoding="utf-8").splitlines():
        name, pinned, version = line.partition("==")
        if pinned and name.partition("[")[0] == package:
            return version.split()[0]
    raise NotInstalled(f"{package} is not in its lock")


def _node(folder: Path) -> Path:
    """One's own Node.js where it is new enough, otherwise the one that npm brings for Linux."""
    own = shutil.which("node")
    if own and _version(own) >= NODE_AT_LEAST:
        return Path(own)
    if folder.name != "node":
        return node_of(HERE / "node")
    brought = sorted(folder.glob("node_modules/node-*/bin/node"))
    if not brought:
        raise NotInstalled(f"Node.js {NODE_AT_LEAST[0]}.{NODE_AT_LEAST[1]} or later is not installed")
    brought[0].chmod(0o755)
    return brought[0]


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return tuple(int(number) for number in said.strip().lstrip("v").split(".")[:2])


def _made(home: Path, lock: Path) -> bool:
    mark = home / ".made"
    return mark.is_file() and mark.read_text(encoding="ascii") == _digest(lock)


def _mark(home: Path, lock: Path) -> None:
    (home / ".made").write_text(_digest(lock), encoding="ascii")


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command, cwd=folder, check=True, timeout=PATIENCE_S, capture_output=True, text=True, encoding="utf-8"
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise NotInstalled((lines or [f"{command[0]} failed"])[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{Path(command[0]).name} did not end within {PATIENCE_S} s") from error
