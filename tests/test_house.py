"""The floors and walls of the house (house.md), read off the syntax tree: what a file may name, and how long it may be.

What is imported only under `if TYPE_CHECKING` loads nothing, and so passes the walls; it is still a name of another
floor, and so does not pass those.
"""

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fraction_mcp"
LONGEST = 450

# Each floor may name those before it, and itself where the arrows go one way. The sandbox stands beside the house: only
# cli knocks at its door.
FLOORS = (
    ("errors", "characters", "shapes", "config", "database_url", "private_files", "version"),
    ("erp",),
    ("operations",),
    ("tools",),
    ("office", "approvals", "server", "web", "loopback"),
    ("cli",),
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}

# A library that only these files may load.
WALLS = {
    "httpx": ("erp/client.py",),
    "mcp": ("server/*.py", "web.py", "cli/*.py", "tools/contract.py"),
    "mcp_types": (),
    "sqlalchemy": ("operations/journal*.py", "operations/migrations.py"),
    "jsonschema": ("tools/contract.py",),
    "rich": ("cli/*.py",),
    "uvicorn": ("loopback.py", "sandbox/app.py"),
}


@dataclass(frozen=True)
class Import:
    line: int
    module: str
    loads: bool  # not under `if TYPE_CHECKING`


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import of a file, wherever it stands, each name that may be a module spelt out."""
    unloaded = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        loads = id(node) not in unloaded
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, name.name, loads) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{module}.{name.name}", loads) for name in node.names)


def room_of(module: str) -> str:
    """`fraction_mcp.erp.wire.Answer` is of the room `erp`; what the package itself holds is its version."""
    rest = module.split(".")[1:]
    known = {*HEIGHT, "sandbox", "__main__"}
    return next((step for step in rest[:1] if step in known), "version")


def breaches(package: Path) -> list[str]:
    """Every line that breaks a rule, each with the rule."""
    found: list[str] = []
    arrows: dict[tuple[str, str], str] = {}
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > LONGEST:
            found.append(f"{file}:{lines}: a file has at most {LONGEST} lines")
        dotted = ".".join(("fraction_mcp", *path.relative_to(package).parts[:-1]))
        for one in imports(ast.parse(text, file), dotted):
            found += [f"{file}:{one.line}: {rule}" for rule in broken(file, one)]
            if one.module.startswith("fraction_mcp."):
                arrows.setdefault(
                    (room_of(f"fraction_mcp.{file[:-3]}".replace("/", ".")), room_of(one.module)), f"{file}:{one.line}"
                )
    return [*dict.fromkeys(found)] + [
        f"{where}: {here} and {there} import one another"
        for (here, there), where in arrows.items()
        if here < there and (there, here) in arrows
    ]


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
        ("erp/wire.py", "from httpx._models import Response", "only erp/client.py may import httpx"),
        (
            "operations/desk.py",
            "from mcp import Client",
            "only server/*.py, web.py, cli/*.py, tools/contract.py may import mcp",
        ),
        (
            "operations/desk.py",
            "import sqlalchemy.orm",
            "only operations/journal*.py, operations/migrations.py may import sqlalchemy",
        ),
        (
            "server.py",
            "def f():\n    import sqlalchemy",
            "only operations/journal*.py, operations/migrations.py may import sqlalchemy",
        ),
        ("erp/wire.py", "from fraction_mcp.operations import lookup", "erp stands below operations and may not import"),
        ("erp/wire.py", "from ..operations.lookup import Lookup", "erp stands below operations and may not import"),
        ("erp/wire.py", "from .. import tools", "erp stands below tools and may not import fraction_mcp.tools"),
        ("shapes.py", "import fraction_mcp.erp.wire", "shapes stands below erp and may not import"),
        (
            "operations/desk.py",
            "if TYPE_CHECKING:\n    from fraction_mcp.server import Office",
            "operations stands below server",
        ),
        ("tools/parts.py", "def f():\n    from fraction_mcp.web import serve_http", "tools stands below web"),
        ("web.py", "import uvicorn", "only loopback.py, sandbox/app.py may import uvicorn"),
        ("server.py", "from fraction_mcp.sandbox import open_sandbox", "only cli imports the sandbox"),
        ("sandbox/store.py", "from fraction_mcp.shapes import clean", "the sandbox imports nothing of the package"),
        ("sandbox/store.py", "from fraction_mcp import errors", "the sandbox imports nothing of the package"),
        ("sandbox/store.py", "from ..erp import wire", "the sandbox imports nothing of the package"),
        ("tools/render.py", "\n" * 449, "a file has at most 450 lines"),
    ],
)
def test_a_broken_rule_is_told_with_its_line(tmp_path: Path, file: str, line: str, rule: str) -> None:
    (found,) = breaches(house(tmp_path, **{file: '"""A docstring."""\n' + line + "\n"}))
    assert found.startswith(f"{file}:{2 + line.count(chr(10))}: ")
    assert rule in found


def test_rooms_of_one_floor_do_not_import_one_another(tmp_path: Path) -> None:
    both = {"server.py": "from fraction_mcp import web\n", "web.py": "from fraction_mcp.server import Office\n"}
    assert breaches(house(tmp_path, **both)) == ["server.py:1: server and web import one another"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("server.py", "if TYPE_CHECKING:\n    from fraction_mcp.erp.client import ErpClient"),
        ("operations/desk.py", "if TYPE_CHECKING:\n    import httpx"),
        ("cli/serve.py", "def f():\n    from fraction_mcp import sandbox"),
        ("sandbox/store.py", "from fraction_mcp.sandbox.schema import haystack"),
        ("sandbox/fraction/app.py", "from ..store import Store"),
        ("erp/wire.py", "from fraction_mcp import __version__, errors"),
        ("__main__.py", "from fraction_mcp.cli import main"),
    ],
)
def test_what_the_rules_allow_is_no_breach(tmp_path: Path, file: str, line: str) -> None:
    assert breaches(house(tmp_path, **{file: line + "\n"})) == []


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
