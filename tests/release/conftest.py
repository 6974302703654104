"""A release of the work tree, built once, and uv to install it with."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from release.build import WORKTREE, build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("what is released is what git knows, and this is no clone")
    folder = tmp_path_factory.mktemp("release")
    build(WORKTREE, folder)
    return folder


@pytest.fixture(scope="session")
def uv() -> str:
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        pytest.skip("uv is not installed")
    return found


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="session")
def index(uv: str) -> str:
    """uv, where it reaches a package index: what fails with it from here on is a fault, and no missing network."""
    tried([uv, "pip", "compile", "-q", "--no-cache", "-"], input="packaging\n")
    return uv


def tried(words: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Something that needs the network, which a machine may not have."""
    try:
        return subprocess.run(words, capture_output=True, encoding="utf-8", timeout=300, check=True, **options)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{Path(words[0]).name} {words[1]} did not work here: {type(error).__name__}")


def offered(command: str, args: list[str], environment: Mapping[str, str]) -> set[str]:
    """The tools that a program gets which starts a server so, and gives it this environment alone."""

    async def listed() -> set[str]:
        with anyio.fail_after(240):
            async with Client(StdioServerParameters(command=command, args=args, env=dict(environment))) as client:
                return {tool.name for tool in (await client.list_tools()).tools}

    return anyio.run(listed)
