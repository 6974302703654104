"""The wheel alone, in an empty environment with a fresh home: everything is in it, and a program can be set up."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fraction_mcp import __version__
from tests.release.conftest import ROOT, offered, only

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def environment(built: Path, index: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of the wheel and what it needs, in the versions that were tested."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([index, "venv", "-q", "--python", sys.executable, str(folder)], check=True, timeout=60)
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = folder.parent / "constraints.txt"
    pins.write_text("\n".join(line.removesuffix("\\") for line in lines if line[:1].isalnum()), "utf-8")
    install = [index, "pip", "install", "-q", "--python", str(folder), "-c", str(pins), str(only(built, "*.whl"))]
    subprocess.run(install, check=True, timeout=300)
    return folder


@pytest.fixture
def bare(tmp_path: Path, environment: Path) -> dict[str, str]:
    """Nothing of this machine's but what its programs cannot do without; the folders are not there yet."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "PATHEXT") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PATH": os.defpath}


def command(environment: Path) -> str:
    folder = "Scripts" if os.name == "nt" else "bin"
    return str(environment / folder / ("fraction-mcp.exe" if os.name == "nt" else "fraction-mcp"))


def ran(environment: Path, bare: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [command(environment), *words], env=bare, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_starts_and_lists_its_tools(environment: Path, bare: dict[str, str]) -> None:
    assert ran(environment, bare, "--version").splitlines()[0] == f"fraction-mcp {__version__}"
    tools = offered(command(environment), ["serve", "--sandbox"], bare)
    assert {"get_price_for_quantity", "set_price_list", "create_fracttal_purchase_order"} <= tools
    assert "2500.00" in ran(
        environment, bare, "call", "--sandbox", "get_price_for_quantity", "part=WIDGET-001", "quantity=250",
        "customer=Acme Corp",
    )  # fmt: skip


def test_the_inbox_has_its_pages(environment: Path, built: Path) -> None:
    with zipfile.ZipFile(only(built, "*.whl")) as wheel:
        names = set(wheel.namelist())
    for kind in ("templates", "static"):
        for path in (ROOT / "fraction_mcp/approvals" / kind).iterdir():
            assert path.relative_to(ROOT).as_posix() in names
    assert "fraction_mcp/py.typed" in names


def test_a_program_that_was_set_up_by_it_starts_it_as_its_file_says(
    tmp_path: Path, environment: Path, bare: dict[str, str]
) -> None:
    ran(environment, bare, "install", "claude-desktop", "--sandbox")
    (file,) = tmp_path.rglob("claude_desktop_config.json")
    entry = json.loads(file.read_text("utf-8"))["mcpServers"]["fraction"]
    assert Path(entry["command"]).is_absolute()
    assert "get_price_for_quantity" in offered(entry["command"], entry["args"], bare)
    ran(environment, bare, "uninstall", "claude-desktop")
    assert not file.exists()
