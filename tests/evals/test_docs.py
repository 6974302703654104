"""docs/evals.md: every command of its shell blocks runs as it stands, and its example is a task."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from evals.__main__ import main
from evals.tasks import all_tasks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evals.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]
ALL_OF_THEM = "python -m evals"  # which the other tests do task by task


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=pytest.mark.slow if line == ALL_OF_THEM else ()) for line in COMMANDS]
)
def test_a_command_of_the_page_runs(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for provider in ("anthropic", "openai"):
        monkeypatch.setitem(sys.modules, provider, None)
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "evals"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evals").symlink_to(ROOT / "evals")
    if "--model" in words:
        assert main(words[3:]) == 2
        assert "is not installed" in capsys.readouterr().err
    else:
        assert main(words[3:]) == 0
        assert "% passed" in capsys.readouterr().out


def test_the_record_beside_the_tasks_is_of_tasks_that_there_are() -> None:
    (count,) = re.findall(r"a record of (\w+) scripted solutions", PAGE)
    lines = (ROOT / "evals" / "recorded" / "oracle.jsonl").read_text("utf-8").splitlines()
    assert count == "seven"
    assert len(lines) == 7


def test_the_example_is_a_task_of_ours() -> None:
    (task,) = re.findall(r'^    id="([^"]+)"', PAGE, re.M)
    assert all_tasks()[task].writes == ["done"]
