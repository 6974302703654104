"""docs/: every command of its shell blocks runs, and its tables are the program's own."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import fraction_mcp.errors
from fraction_mcp.cli import main
from fraction_mcp.sandbox import ACCOUNTS, CLIENTS
from tests.support import child_environment, free_port
from tests.terminal import small_company, state, terminal, unsure, waiting

__all__ = ["small_company", "state"]  # fixtures

DOCS = Path(__file__).parents[1] / "docs"
ASK_A_PERSON = {"approve", "decline", "resolve"}


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def commands(name: str) -> Iterator[str]:
    for block in re.findall(r"^```sh\n(.*?)^```$", page(name), re.M | re.S):
        yield from block.splitlines()


COMMANDS = [
    line
    for name in ("getting-started.md", "writes.md", "sandbox.md")
    for line in commands(name)
    if not line.startswith("curl ") and "--port" not in line
]


@pytest.mark.process
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_a_page_works(line: str, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(line)
    assert program == "fraction-mcp"
    if {"ID", "UNKNOWN"} & set(words):
        write_id = waiting(state)
        if "UNKNOWN" in words:
            unsure(write_id)
        words = [write_id if word in {"ID", "UNKNOWN"} else word for word in words]
    if words[0] in ASK_A_PERSON or words[0] == "approvals":
        answered_by_a_person(state, words)
    else:
        assert main(words) == (5 if "create_enquiry" in words else 0)
        assert capsys.readouterr().out


def answered_by_a_person(state: Path, words: list[str]) -> None:
    with terminal(state, *words) as screen:
        screen.until("Type yes: " if words[0] in ASK_A_PERSON else "This link signs in one browser")
        screen.types("yes\n" if words[0] in ASK_A_PERSON else "\x03")
        assert screen.exit_code() == (130 if words[0] == "approvals" else 0), screen.seen


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("curl"), reason="the page's requests are curl's")
def test_the_sandbox_over_http_answers_what_the_page_asks_it(state: Path) -> None:
    (serve,) = [line for line in commands("sandbox.md") if "--port" in line]
    port = str(free_port())
    with terminal(state, *shlex.split(serve.replace("8790", port))[1:]) as screen:
        screen.until("fraction-mcp serve")
        for line in commands("sandbox.md"):
            if line.startswith("curl "):
                words = [*shlex.split(line.replace("8790", port)), "--fail-with-body", "--max-time", "20"]
                run = subprocess.run(words, capture_output=True, text=True, check=False)
                assert run.returncode == 0, f"{line}: {run.stdout}{run.stderr}"


def test_every_account_of_the_sandbox_is_told() -> None:
    for name in [*(account.email for account in ACCOUNTS), *(client.client_id for client in CLIENTS)]:
        assert f"| `{name}` |" in page("sandbox.md")


def test_the_python_of_getting_started_is_the_interface_s_own() -> None:
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", page("getting-started.md"), re.M | re.S)
    docstring = (DOCS.parent / "fraction_mcp" / "interface.py").read_text("utf-8")
    assert all(line.strip() in docstring for line in snippet.splitlines())


def test_ten_sentences_can_be_said() -> None:
    said = re.findall(r'^- "', page("getting-started.md"), re.M)
    assert len(said) == 10


# ------------------------------------------------------------------------------------------- what the program writes


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["tools.md", "configuration.md"])
def test_a_page_that_the_program_writes_is_up_to_date(tmp_path: Path, name: str) -> None:
    script("pages").main(tmp_path)
    assert (tmp_path / name).read_text("utf-8") == page(name), "write it anew: make docs"


def test_the_picture_of_the_inbox_is_small_enough_for_a_page() -> None:
    png = (DOCS / "images" / "inbox.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert "](images/inbox.png)" in page("writes.md")


@pytest.mark.process
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="the picture is taken in Chromium")
def test_the_picture_of_the_inbox_can_be_taken_again(tmp_path: Path) -> None:
    words = [sys.executable, str(DOCS / "inbox_picture.py"), str(tmp_path / "inbox.png")]
    subprocess.run(words, env=child_environment(), check=True, timeout=120)
    drawn, kept = (tmp_path / "inbox.png").read_bytes(), (DOCS / "images" / "inbox.png").read_bytes()
    assert drawn[16:24] == kept[16:24], "the page has changed, so draw it anew: python docs/inbox_picture.py"


# ------------------------------------------------------------------------------------------------------ troubleshooting


def test_every_error_s_code_has_a_row_of_its_own() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", page("troubleshooting.md"), re.M)
    classes = [
        fraction_mcp.errors.FractionMcpError,
        *(getattr(fraction_mcp.errors, name) for name in fraction_mcp.errors.__all__),
    ]
    assert sorted(rows) == sorted({each.code for each in classes})


# ------------------------------------------------------------------------------------------------------------- examples


@pytest.mark.parametrize("path", sorted((DOCS.parent / "examples").glob("*.py")), ids=lambda path: path.name)
def test_an_example_says_how_it_runs_and_brings_what_it_needs(path: Path) -> None:
    """Its metadata (PEP 723) is what `uv run` and `pipx run` go by; that it works is tested where README names it."""
    text = path.read_text("utf-8")
    head = re.match(r"# /// script\n((?:# .*\n)+?)# ///\n", text)
    assert head
    told = tomllib.loads(head[1].replace("# ", ""))
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert told == {"requires-python": project["requires-python"], "dependencies": [project["name"]]}
    assert f"    uv run examples/{path.name}" in text
    brought = {re.split(r"[^\w-]", each)[0] for each in project["dependencies"]} | {"fraction_mcp"}
    imported = {name.split(".")[0] for name in re.findall(r"^(?:import|from) (\S+)", text, re.M)}
    assert imported - set(sys.stdlib_module_names) <= brought
