"""From the wheel in an empty environment with a fresh home: `setup` at a terminal, ending in an assistant's file."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from fraction_mcp import sandbox
from tests.process import _IN_ITS_TERMINAL
from tests.release.conftest import offered
from tests.release.test_wheel import bare, command, environment
from tests.terminal import Terminal, pty, small_company
from tests.ways import served

__all__ = ["bare", "environment", "small_company"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.process]


@contextmanager
def at_a_terminal(words: list[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-S", "-c", _IN_ITS_TERMINAL, *words],
        stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen = Terminal(cast("Any", started), ours)
    try:
        yield screen
    finally:
        started.kill()
        started.wait()
        screen.drains()
        screen.hangs_up()


@pytest.mark.skipif(sys.platform != "linux", reason="where Claude Desktop keeps its file is looked at on Linux here")
def test_setup_leads_a_fresh_home_to_an_assistant_that_lists_tools(
    tmp_path: Path, environment: Path, bare: dict[str, str], small_company: Path
) -> None:
    given = {**bare, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}  # this machine's own is none of ours
    file = tmp_path / ".config" / "Claude" / "claude_desktop_config.json"
    file.parent.mkdir(parents=True)
    before = b'{"mcpServers": {"other": {"command": "other", "args": []}}}'
    file.write_bytes(before)
    with served(small_company) as erps, at_a_terminal([command(environment), "setup"], given) as screen:
        for question, answer in (
            (r"Number \[1\]: ", ""),
            (r"address \[.*\]: ", erps.base + sandbox.FRACTION_PATH),
            (r"E-mail: ", sandbox.EMAIL),
            (r"not shown\): ", sandbox.PASSWORD),
            (r"such as GBP: ", "GBP"),
            (r"\[all\]: ", "all"),
        ):
            screen.until(question)
            screen.types(f"{answer}\n")
        assert screen.exit_code() == 0, screen.seen
        assert sandbox.PASSWORD not in screen.seen
        assert "there is no keychain here" in screen.seen
        entry = json.loads(file.read_bytes())["mcpServers"]["fraction"]
        assert Path(entry["command"]).is_absolute()
        assert sandbox.PASSWORD not in file.read_text("utf-8")
        assert "get_price_for_quantity" in offered(entry["command"], entry["args"], given)
    done = subprocess.run([command(environment), "uninstall", "claude-desktop"], env=given, check=False, timeout=60)
    assert done.returncode == 0
    assert file.read_bytes() == before
