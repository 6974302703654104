"""Laws that nobody has to remember: what is written twice (a page and its tests, a drawing and its classes, a list and
the registry) is held together here, both ways."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

from fraction_mcp import errors
from fraction_mcp.erp import endpoints
from fraction_mcp.operations.results import ToolError
from fraction_mcp.operations.writes import journal_rows
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.write import WriteOutcome
from fraction_mcp.tools.catalogue import catalogue
from tests.writes.firm import CASES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fraction_mcp"

# ----------------------------------------------------------------------------------------------- tools, by their effect


def test_every_tool_that_writes_has_its_row_in_the_write_tests() -> None:
    """A row of CASES is what the tests of consent, of lost answers and of both protocol eras run over."""
    writing = {name for name, spec in catalogue().items() if spec.effect.plans}
    assert writing == {case.tool for case in CASES}, "tests/writes/firm.py: CASES"
    assert len(CASES) == len(writing), "one row each"


def test_a_row_goes_to_an_endpoint_that_writes_in_the_system_of_its_tool() -> None:
    writing = [each for each in vars(endpoints).values() if isinstance(each, endpoints.Endpoint) and each.writes]
    for case in CASES:
        (system,) = catalogue()[case.tool].systems
        paths = [re.sub(r"\{\w+\}", "[^/]+", each.path) for each in writing if each.system is system]
        assert case.system == system
        assert any(re.fullmatch(path, case.endpoint) for path in paths), case.tool


def test_no_test_keeps_a_list_of_the_tools_that_write() -> None:
    """It would not grow with the registry: `catalogue()` and `spec.effect` do."""
    writing = {name for name, spec in catalogue().items() if spec.effect.plans}
    for path, source in sources(ROOT / "tests"):
        for node in ast.walk(ast.parse(source)) if all(name in source for name in writing) else ():
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                words = {each.value for each in node.elts if isinstance(each, ast.Constant)}
                assert not writing <= words, f"{path}:{node.lineno} lists every tool that writes, by hand"


# ------------------------------------------------------------------------------------------------------ reliability.md


def told(page: str) -> str:
    """What people wrote: the figures of a run between the marks are `make torture`'s own, and name no tests."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.sub("<!-- written by make torture -->.*?<!-- as far as here -->", "", text, flags=re.DOTALL)


RELIABILITY = told("reliability.md")
# These tests are what the page says and nothing else: each of them has its row.
OF_THE_PAGE = (
    "test_kill.py", "test_batch_kill.py", "test_decisions.py", "test_not_sent.py", "test_after_send.py",
    "test_batch_behind.py", "test_broken.py", "test_everybody.py", "test_storm.py",
)  # fmt: skip


def rows() -> list[tuple[str, list[str]]]:
    """Every row of a table that has a column of tests: how it begins, and the tests that it names."""
    found, tested = [], False
    for line in RELIABILITY.splitlines():
        if not line.startswith("|"):
            tested = False
        elif line.endswith("| Test |"):
            tested = True
        elif tested and not line.startswith("| ---"):
            cells = line.strip("| ").split(" | ")
            found.append((cells[0], re.findall(r"`(test_\w+)`", line.rpartition(" | ")[2])))
    return found


TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


@cache
def named_in(folder: Path, pattern: str = "test_*.py") -> dict[str, str]:
    return {name: path for path, source in sources(folder, pattern) for name in TEST.findall(source)}


def test_every_table_of_the_reliability_page_but_that_of_the_states_names_its_tests() -> None:
    headings = [line for line, below in zip(RELIABILITY.splitlines(), RELIABILITY.splitlines()[1:], strict=False)
                if below.startswith("| ---")]  # fmt: skip
    assert [line for line in headings if not line.endswith("| Test |")] == [
        "| State | What it means | What may follow |"
    ]


@pytest.mark.parametrize(("row", "tests"), rows(), ids=[row[:40] for row, _ in rows()])
def test_a_row_of_the_reliability_page_names_tests_that_there_are(row: str, tests: list[str]) -> None:
    assert tests, f"no test is named by: {row}"
    assert set(tests) <= set(named_in(ROOT / "tests"))


@pytest.mark.parametrize("file", OF_THE_PAGE)
def test_a_test_of_the_reliability_page_has_its_row(file: str) -> None:
    named = {test for _, tests in rows() for test in tests}
    there = named_in(ROOT / "tests", file)
    assert there
    assert set(there) - named == set(), "no row of docs/reliability.md names these"


# ---------------------------------------------------------------------------------------------------------- security.md

SECURITY = told("security.md")


def attacks() -> list[tuple[str, str]]:
    """Every row of a table: what is tried, and the cell that names its tests."""
    lines = [line.strip("| ").split(" | ") for line in SECURITY.splitlines() if line.startswith("|")]
    return [(cells[0], cells[-1]) for cells in lines if cells[-1] != "Test" and not cells[0].startswith("---")]


@cache
def defined_in(file: Path) -> frozenset[str]:
    return frozenset(TEST.findall(file.read_text(encoding="utf-8")))


def not_there(cell: str) -> list[str]:
    """What a cell names that is no test: `file::test`, `::test` of the file before it, or a whole file."""
    missing, file = [], Path()
    for name in re.findall(r"`([^`]+)`", cell):
        path, _, test = name.partition("::")
        file = ROOT / "tests" / path if path else file
        if not file.is_file() or (test and test not in defined_in(file)):
            missing.append(name)
    return missing


@pytest.mark.parametrize(("attack", "tests"), attacks(), ids=[attack[:40] for attack, _ in attacks()])
def test_a_row_of_the_security_page_names_tests_that_there_are(attack: str, tests: str) -> None:
    assert "`" in tests, f"no test is named by: {attack}"
    assert not_there(tests) == []


@pytest.mark.parametrize("file", ["test_attacks.py", "test_attacks_on_others.py", "test_attacks_by_jwt.py"])
def test_an_attack_on_a_teams_server_has_its_row(file: str) -> None:
    there = defined_in(ROOT / "tests/server/team" / file)
    assert there
    assert there - set(re.findall(r"::(\w+)`", SECURITY)) == set(), "no row of docs/security.md names these"


# ------------------------------------------------------------------------------------------------------------ errors.py


def drawn() -> dict[str, str]:
    """The drawing in errors.py: each class, and the one that it hangs on."""
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ((?:[│ ] {2})*(?:[├└]─ )?)([A-Z]\w+)", line)
        if match:
            depth, name = len(match[1]), match[2]
            above = [(far, one) for far, one in above if far < depth]
            found[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))
    return found


def test_the_drawing_of_the_errors_is_the_classes() -> None:
    classes = {
        name: one.__bases__[0].__name__
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if one.__module__ == errors.__name__
    }
    assert drawn() == classes
    assert set(errors.__all__) == set(classes)


# --------------------------------------------------------------------------------------------- documents that are cited

DOCUMENT = re.compile(r"(?<![\w./-])([A-Za-z][\w./-]*\.(?:md|txt))\b")
OF_OTHERS = {"DerivedCoreProperties.txt", "config.md"}  # the Unicode consortium's, and Codex's


def cited() -> Iterator[tuple[str, str]]:
    """Every document that a docstring or a comment of the package names, and where."""
    for path, source in sources(PACKAGE):
        for line, text in enumerate(source.splitlines(), start=1):
            for name in DOCUMENT.findall(text) if ".md" in text or ".txt" in text else ():
                yield f"{path}:{line}", name


def test_every_document_that_the_code_cites_is_in_the_repository() -> None:
    there = {path.name for path in (ROOT / "docs").rglob("*")} | {path.name for path in ROOT.glob("*.md")}
    found = list(cited())
    missing = [(where, name) for where, name in found if Path(name).name not in there | OF_OTHERS]
    assert missing == []
    assert len(found) > 10


def test_no_document_names_a_place_of_somebody_s_machine() -> None:
    for path in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.txt"), *ROOT.glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w/.-])/(work|root|home/\w+|Users/\w+)/", text), path


def sources(folder: Path, pattern: str = "*.py") -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob(pattern)):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ who can mend it

# Who is spoken of: those who can act, or what an assistant can do itself.
ACTORS = (
    "hoever",
    "user",
    "administrator",
    "call again",
    "Call ",
    "get_write_status",
    "Look ",
    "Narrow",
    "Wait",
    "support",
)


STAND_INS: dict[str, object] = {
    "problems": {"quantity": "is required"},
    "candidates": (),
    "next_step": "",
    "retry_after_s": None,
    "tools": ("create_part",),
    "reasons": {0: errors.InputError({"part_number": "is required"})},
}


def every_error() -> Iterator[errors.FractionMcpError]:
    """One of each class, raised by somebody who had nothing better to say than what happened."""
    for name in errors.__all__:
        kind = getattr(errors, name)
        parameters = inspect.signature(kind.__init__).parameters.values()
        needed = [one.name for one in parameters if one.name != "self" and one.default is inspect.Parameter.empty]
        yield kind(**{argument: STAND_INS.get(argument, "words") for argument in needed})


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: type(error).__name__)
def test_every_error_says_who_can_mend_it_and_whether_to_try_again(error: errors.FractionMcpError) -> None:
    told = ToolError.from_exception(error, written="no")
    assert any(actor in told.hint for actor in ACTORS), told.hint
    assert told.retryable is (
        "ry again in a moment" in told.hint or "ry again once" in told.hint or "Wait" in told.hint
    )


# --------------------------------------------------------------------------------------------------- events of a write


def test_whatever_is_kept_of_a_write_is_named_where_events_are() -> None:
    """They are read from JSON and written as it: no type would notice a name that stands in one place alone."""
    named = set(get_type_hints(EventDetail))
    assert {field.name for field in fields(WriteOutcome)} <= named
    assert named >= journal_rows._COMPARED | journal_rows._OF_THE_EVENT
