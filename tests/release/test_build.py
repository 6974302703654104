"""What is published of a version: built from its tag, checked, and the same to the byte whenever it is built."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import release.build
from fraction_mcp import __version__
from release.build import WORKTREE, build, check_sdist, check_wheel, main
from release.facts import REGISTRY_NAME
from tests.release.conftest import ROOT, only

README, CHANGELOG = "README.md", "CHANGELOG.md"


@pytest.fixture
def clone(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the work tree, with the tag of its version; releases are made in it."""
    folder = tmp_path / "clone"
    release.build._export(WORKTREE, folder)
    changelog = folder / CHANGELOG
    changelog.write_text(changelog.read_text("utf-8").replace(" - unreleased", " - 2026-11-21"), "utf-8")
    monkeypatch.setattr(release.build, "ROOT", folder)
    commit(folder, "v" + __version__)
    return folder


def commit(folder: Path, tag: str) -> None:
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "-f", tag]):
        subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.process
def test_a_release_is_these_files_with_their_sums(built: Path) -> None:
    names = {
        f"fraction-mcp-{__version__}.mcpb",
        f"fraction_mcp-{__version__}-py3-none-any.whl",
        f"fraction_mcp-{__version__}.tar.gz",
        f"fraction-mcp-{__version__}.cdx.json",
        "server.json",
    }
    assert {path.name for path in built.iterdir()} == {*names, "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (built / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256((built / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.slow
@pytest.mark.process
def test_a_tag_gives_the_same_bytes_whenever_it_is_built(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = "v" + __version__
    first = {path.name: path.read_bytes() for path in build(tag, tmp_path / "first")}
    for path in clone.rglob("*.py"):  # a later checkout, in another time zone, with changes that are not the tag's
        path.touch()
    (clone / "fraction_mcp/later.py").write_text("")
    (clone / README).write_text("changed", "utf-8")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert {path.name: path.read_bytes() for path in build(tag, tmp_path / "second")} == first


@pytest.mark.slow
@pytest.mark.process
def test_a_tag_that_is_not_its_version_is_refused(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(clone, "v9.9.9")
    assert main(["v9.9.9", "--out", str(tmp_path / "out")]) == 1
    assert f"the tag v9.9.9 holds version {__version__}" in capsys.readouterr().err
    assert main(["v1.2.3", "--out", str(tmp_path / "out")]) == 1
    assert "no release was built" in capsys.readouterr().err


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        (CHANGELOG, (" - 2026-11-21", " - unreleased"), "calls .* unreleased"),
        (CHANGELOG, (f"## [{__version__}]", "## [9.9.9]"), "says nothing of"),
        (README, (f"mcp-name: {REGISTRY_NAME}", "mcp-name: another"), "lacks the mark"),
    ],
)
def test_a_tag_that_is_not_ready_is_refused(
    clone: Path, tmp_path: Path, file: str, change: tuple[str, str], told: str
) -> None:
    path = clone / file
    path.write_text(path.read_text("utf-8").replace(*change), "utf-8")
    commit(clone, "v" + __version__)
    with pytest.raises(ValueError, match=told):
        build("v" + __version__, tmp_path / "out")


@pytest.mark.slow
def test_nothing_is_mixed_into_an_older_release(built: Path) -> None:
    with pytest.raises(ValueError, match="is not empty"):
        build(WORKTREE, built)


@pytest.mark.process
def test_a_wheel_or_archive_that_lacks_something_is_refused(built: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    release.build._export(WORKTREE, tree)
    wheel = only(built, "*.whl")
    check_wheel(wheel, tree, __version__)
    for lacking in ("fraction_mcp/py.typed", "fraction_mcp/approvals/templates/page.html", "licenses/LICENSE"):
        poorer = tmp_path / wheel.name
        with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(poorer, "w") as archive:
            for name in whole.namelist():
                if not name.endswith(lacking):
                    archive.writestr(name, whole.read(name))
        with pytest.raises(ValueError, match=r"the wheel lacks"):
            check_wheel(poorer, tree, __version__)
    check_sdist(only(built, "*.tar.gz"), tree)
    (tree / "docs/new.md").touch()
    with pytest.raises(ValueError, match=r"the source archive lacks: docs/new\.md"):
        check_sdist(only(built, "*.tar.gz"), tree)


def test_no_package_names_a_package_index_or_a_path_of_this_machine(built: Path) -> None:
    with zipfile.ZipFile(only(built, "*.mcpb")) as bundle:
        texts = {name: bundle.read(name).decode() for name in ("manifest.json", "pyproject.toml", "server.py")}
    texts["server.json"] = (built / "server.json").read_text("utf-8")
    for name, text in texts.items():
        assert not re.search(r"pypi\.org|pythonhosted|npmjs", text), name
        assert str(ROOT) not in text, name


@pytest.mark.process
def test_the_make_target_builds_a_tag() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    told = subprocess.run(
        ["make", "-n", "release", "TAG=v1.2.3", "-o", ".venv/.made"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip().endswith("-m release.build v1.2.3")


def test_the_published_tools_are_those_of_the_bundle(built: Path) -> None:
    with zipfile.ZipFile(only(built, "*.mcpb")) as bundle:
        tools = json.loads(bundle.read("manifest.json"))["tools"]
    published = {path.stem for path in (ROOT / "tool_schemas").glob("*.json")}
    assert {tool["name"] for tool in tools} == published
    assert all(tool["description"] for tool in tools)
