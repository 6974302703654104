"""The floors and walls of the house (house.md), read off the syntax tree: what a file may name, and how long it may be.

What is imported only under `if TYPE_CHECKING` loads nothing, and so passes the walls; it is still a name of another
floor, and so does not pass those.
"""

import ast
import importlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fraction_mcp"
LONGEST = 400

# Each floor may name those before it, and itself where the arrows go one way. The sandbox stands beside the house: only
# cli imports it.
FLOORS = (
    (
        "errors",
        "values",
        "config",
        "accounts",
        "database_url",
        "private_files",
        "os_account",
        "proxy_settings",
        "logs",
        "threads",
        "tls",
        "version",
    ),
    ("erp",),
    ("operations",),
    ("tools",),
    ("runtime", "approvals", "server", "loopback"),
    ("cli", "interface"),
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}

# What each room of operations/ may name of the others. `records` and `lookup` rest on nothing but what a result is.
ROOMS = {
    "results": (),
    "progress": (),
    "fitting": ("results",),
    "candidates": ("naming", "results"),
    "lookup": ("candidates", "naming", "results"),
    "naming": (),
    "known_fields": ("naming", "results"),
    "own_numbers": (),
    "context": ("known_fields", "lookup", "own_numbers"),
    "suggestions": ("candidates", "context", "lookup", "naming"),
    "connection": ("context", "results"),
    "records": ("context", "fitting", "known_fields", "naming", "progress", "results"),
    "pricing": ("candidates", "context", "fitting", "lookup", "naming", "results"),
    "parts": ("candidates", "context", "fitting", "naming", "pricing", "records", "results"),
    "customers": ("candidates", "context", "fitting", "naming", "records", "results"),
    "writes": ("candidates", "context", "fitting", "progress", "results"),
    "plans": ("candidates", "context", "lookup", "naming", "pricing", "records", "writes"),
}

# A library that only these files may load.
WALLS = {
    "httpx": ("erp/client.py",),
    "mcp": ("server/*.py", "cli/*.py"),
    "mcp_types": (),
    "sqlalchemy": (
        "operations/writes/journal*.py",
        "operations/writes/migrations.py",
        "server/team/store*.py",  # what replicas share of the sign-in stands in the journal's database
    ),
    "jsonschema": ("server/contract.py",),
    "rich": ("cli/*.py",),
    "opentelemetry": ("erp/observed.py",),
    "prometheus_client": ("server/team/metrics.py",),
    "uvicorn": ("loopback.py", "sandbox/app.py"),
}


@dataclass(frozen=True)
class Import:
    line: int
    module: str
    loads: bool  # not under `if TYPE_CHECKING`


@cache  # both laws read every file of the package
def imports(source: str, package: str) -> Sequence[Import]:
    """Every import of a file, wherever it stands, each name that may be a module spelt out."""
    return tuple(_imports(list(ast.walk(ast.parse(source))), package))


def _imports(nodes: Sequence[ast.AST], package: str) -> Iterator[Import]:
    unloaded = {
        id(node)
        for branch in nodes
        if isinstance(branch, ast.If) and ast.unparse(branch.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in nodes:
        loads = id(node) not in unloaded
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, name.name, loads) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{module}.{name.name}", loads) for name in node.names)


def room_of(module: str) -> str:
    """`fraction_mcp.erp.response.Answer` is of the room `erp`; what the package itself holds is its version."""
    rest = module.split(".")[1:]
    known = {*HEIGHT, "sandbox", "__main__"}
    return next((step for step in rest[:1] if step in known), "version")


def breaches(package: Path) -> list[str]:
    """Every line that breaks a rule, each with the rule."""
    found: list[str] = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > LONGEST:
            found.append(f"{file}:{lines}: a file has at most {LONGEST} lines")
        dotted = ".".join(("fraction_mcp", *path.relative_to(package).parts[:-1]))
        for one in imports(text, dotted):
            found += [f"{file}:{one.line}: {rule}" for rule in broken(file, one)]
    return [*dict.fromkeys(found), *circles(package)]


def circles(package: Path) -> list[str]:
    """Every set of files that import one another, at whatever distance, each with the way round."""
    files = {file_module(package, path): path for path in package.rglob("*.py")}
    named: dict[str, list[str]] = {}
    for module, path in files.items():
        within = ".".join(("fraction_mcp", *path.relative_to(package).parts[:-1]))
        steps = (one.module for one in imports(path.read_text(encoding="utf-8"), within))
        named[module] = sorted({there for step in steps if (there := nearest(step, files)) not in {None, module}})
    order = TopologicalSorter(named)
    try:
        order.prepare()
    except CycleError as error:
        return [f"a circle: {' <- '.join(error.args[1])}"]
    return []


def file_module(package: Path, path: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(("fraction_mcp", *(part for part in parts if part != "__init__")))


def nearest(name: str, files: Mapping[str, Path]) -> str | None:
    """The file that a dotted name is of: itself, or what holds it. The package's own file counts for its version
    only."""
    while name not in files and "." in name:
        name = name.rpartition(".")[0]
    return name if name in files and name != "fraction_mcp" else None


def broken(file: str, one: Import) -> Iterator[str]:
    top = one.module.partition(".")[0]
    if top in WALLS and one.loads and not any(fnmatch(file, allowed) for allowed in WALLS[top]):
        yield f"only {', '.join(WALLS[top]) or 'nobody'} may import {top}"
    if top != "fraction_mcp":
        return
    here, there = file.partition("/")[0].removesuffix(".py"), room_of(one.module)
    if here == "sandbox":
        if there != "sandbox":
            yield f"the sandbox imports nothing of the package, and here {one.module}"
    elif there == "sandbox":
        if here != "cli":
            yield "only cli imports the sandbox"
    elif here not in {"__init__", "__main__"} and HEIGHT[there] > HEIGHT[here]:
        yield f"{here} stands below {there} and may not import {one.module}"
    elif here == there == "operations":
        yield from broken_room(file, one)


def broken_room(file: str, one: Import) -> Iterator[str]:
    here = file.split("/")[1].removesuffix(".py")
    there = (*one.module.split("."), "")[2]
    if here not in ROOMS and here != "__init__":
        yield f"operations/{here} is a room without a place in ROOMS"
    elif there in ROOMS and there != here and there not in ROOMS.get(here, ()):
        yield f"operations/{here} may not import operations/{there}"


def test_no_line_breaks_the_rules_of_the_house() -> None:
    found = breaches(PACKAGE)
    assert not found, "house.md is broken:\n" + "\n".join(found)


def test_every_room_has_its_floor() -> None:
    """A new room is given its floor here, so that the rules hold for it, too."""
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__main__", "__pycache__", "py.typed", "sandbox"} <= set(HEIGHT)


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("operations/lookup.py", "import httpx", "only erp/client.py may import httpx"),
        ("erp/request.py", "from httpx._models import Response", "only erp/client.py may import httpx"),
        (
            "operations/context.py",
            "from mcp import Client",
            "only server/*.py, cli/*.py may import mcp",
        ),
        (
            "operations/context.py",
            "import sqlalchemy.orm",
            f"only {', '.join(WALLS['sqlalchemy'])} may import sqlalchemy",
        ),
        (
            "server.py",
            "def f():\n    import sqlalchemy",
            f"only {', '.join(WALLS['sqlalchemy'])} may import sqlalchemy",
        ),
        (
            "erp/request.py",
            "from fraction_mcp.operations import lookup",
            "erp stands below operations and may not import",
        ),
        ("erp/request.py", "from ..operations.lookup import Lookup", "erp stands below operations and may not import"),
        ("erp/request.py", "from .. import tools", "erp stands below tools and may not import fraction_mcp.tools"),
        ("values/text.py", "import fraction_mcp.erp.request", "values stands below erp and may not import"),
        (
            "operations/context.py",
            "if TYPE_CHECKING:\n    from fraction_mcp.server.app import create_server",
            "operations stands below server",
        ),
        (
            "tools/parts.py",
            "def f():\n    from fraction_mcp.server.http import serve_http",
            "tools stands below server",
        ),
        ("server/http.py", "import uvicorn", "only loopback.py, sandbox/app.py may import uvicorn"),
        ("server.py", "from fraction_mcp.sandbox import open_sandbox", "only cli imports the sandbox"),
        (
            "sandbox/store.py",
            "from fraction_mcp.values.text import clean",
            "the sandbox imports nothing of the package",
        ),
        ("sandbox/store.py", "from fraction_mcp import errors", "the sandbox imports nothing of the package"),
        ("sandbox/store.py", "from ..erp import wire", "the sandbox imports nothing of the package"),
        ("tools/render.py", "\n" * 399, "a file has at most 400 lines"),
        (
            "operations/records/table.py",
            "from fraction_mcp.operations.lookup import PART",
            "operations/records may not import operations/lookup",
        ),
        (
            "operations/lookup.py",
            "from fraction_mcp.operations import pricing",
            "operations/lookup may not import operations/pricing",
        ),
        ("operations/pricing/one_part.py", "from ..writes.plan import Plan", "operations/pricing may not import"),
        ("operations/attic.py", "from fraction_mcp.operations.results import ToolResult", "a room without a place"),
    ],
)
def test_a_broken_rule_is_told_with_its_line(tmp_path: Path, file: str, line: str, rule: str) -> None:
    (found,) = breaches(house(tmp_path, **{file: '"""A docstring."""\n' + line + "\n"}))
    assert found.startswith(f"{file}:{2 + line.count(chr(10))}: ")
    assert rule in found


def test_a_circle_is_told_however_long_it_is(tmp_path: Path) -> None:
    round_about = {
        "server/app.py": "from fraction_mcp import runtime\n",
        "runtime.py": "if TYPE_CHECKING:\n    from fraction_mcp.approvals.pages import Pages\n",
        "approvals/pages.py": "def f():\n    from ..server.app import create_server\n",
    }
    (told,) = breaches(house(tmp_path, **round_about))
    assert told.startswith("a circle: ")
    assert {"fraction_mcp.server.app", "fraction_mcp.runtime", "fraction_mcp.approvals.pages"} <= set(told.split())


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("server.py", "if TYPE_CHECKING:\n    from fraction_mcp.erp.client import ErpClient"),
        ("operations/context.py", "if TYPE_CHECKING:\n    import httpx"),
        ("cli/serve.py", "def f():\n    from fraction_mcp import sandbox"),
        ("sandbox/store.py", "from fraction_mcp.sandbox.schema import haystack"),
        ("sandbox/fraction/app.py", "from ..store import Store"),
        ("erp/request.py", "from fraction_mcp import __version__, errors"),
        ("__main__.py", "from fraction_mcp.cli import main"),
    ],
)
def test_what_the_rules_allow_is_no_breach(tmp_path: Path, file: str, line: str) -> None:
    assert breaches(house(tmp_path, **{file: line + "\n"})) == []


@pytest.mark.slow
def test_this_very_house_fails_once_a_rule_is_broken_in_it(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(PACKAGE, tmp_path / "fraction_mcp", ignore=shutil.ignore_patterns("__pycache__")))
    with (copied / "operations" / "lookup.py").open("a", encoding="utf-8") as source:
        source.write("import httpx\n")
    (told,) = set(breaches(copied)) - set(breaches(PACKAGE))
    assert told.startswith("operations/lookup.py:")
    assert told.endswith(": only erp/client.py may import httpx")


def house(folder: Path, **files: str) -> Path:
    """A package of just these files."""
    for file, text in files.items():
        path = folder / "fraction_mcp" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "fraction_mcp"


@pytest.mark.parametrize("program", ["benchmarks.run", "evals.__main__", "release.build", "torture.__main__"])
def test_a_program_beside_the_package_loads(program: str) -> None:
    """What only maintainers run, and nobody notices when a name has moved."""
    importlib.import_module(program)
