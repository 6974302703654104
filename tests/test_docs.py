"""docs/: every command of its shell blocks runs, and its tables are the program's own."""

import re
import shlex
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import SecretStr

import fraction_mcp.errors
from fraction_mcp.cli import main
from fraction_mcp.config import Settings
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", (DOCS / "getting-started.md").read_text("utf-8"), re.M | re.S)
    for line in block.splitlines()
]


@pytest.mark.process
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_getting_started_runs(line: str, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(line)
    assert program == "fraction-mcp"
    assert main(words) == 0
    assert capsys.readouterr().out


def test_the_python_of_getting_started_is_the_interface_s_own() -> None:
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", (DOCS / "getting-started.md").read_text("utf-8"), re.M | re.S)
    docstring = (DOCS.parent / "fraction_mcp" / "interface.py").read_text("utf-8")
    assert all(line.strip() in docstring for line in snippet.splitlines())


def test_ten_sentences_can_be_said() -> None:
    said = re.findall(r'^- "', (DOCS / "getting-started.md").read_text("utf-8"), re.M)
    assert len(said) == 10


KINDS = {str(bool): "`true` or `false`", str(int): "whole number", str(float): "number"}


def setting_rows() -> list[str]:
    rows = []
    for field, info in Settings.model_fields.items():
        default = info.default.get_secret_value() if isinstance(info.default, SecretStr) else info.default
        told = str(default).lower() if isinstance(default, bool) else str(default) if default else ""
        kind = info.annotation
        if get_origin(kind) is Literal:
            words = " or ".join(f"`{word}`" for word in get_args(kind))
        elif kind is SecretStr:
            words = "secret"
        else:
            words = KINDS.get(str(kind), "path" if "Path" in str(kind) else "text")
        rows.append(f"| `{info.alias or field.upper()}` | {f'`{told}`' if told else 'none'} | {words} |")
    return rows


def test_the_table_of_defaults_is_settings_own() -> None:
    page = (DOCS / "configuration.md").read_text("utf-8")
    table = "\n".join(setting_rows())
    assert table in page, f"the table should be:\n{table}"


def test_every_error_s_code_has_its_row() -> None:
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    classes = [getattr(fraction_mcp.errors, name) for name in fraction_mcp.errors.__all__]
    for code in {each.code for each in classes} - {"INTERNAL_ERROR"}:
        assert f"`{code}`" in page, code
