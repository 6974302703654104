"""Everything that is published of a version, from its tag: `python -m release.build v0.1.0`.

Builds the wheel, the source archive, the .mcpb bundle, server.json and the bill of materials from what the tag holds
and nothing else, checks each, and writes their sums. The same tag gives the same bytes: every date is that of the
tag's commit (or of SOURCE_DATE_EPOCH). Needs git and the development environment, and no network.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from release.bundle import bundle_files, write_zip
from release.facts import DOWNLOADS, NAME, REGISTRY_NAME
from release.registry import server_json
from release.sbom import bill_of_materials

__all__ = ["build", "check_sdist", "check_wheel", "main"]

ROOT = Path(__file__).parents[1]
WORKTREE = "--worktree"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m release.build", description="Build and check a release.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("tag", nargs="?", help="such as v0.1.0, which must be the version that it holds")
    what.add_argument(WORKTREE, action="store_true", help="what stands in the work tree, to try a release")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="an empty folder, or one to make (dist)")
    parser.add_argument("--downloads", default=DOWNLOADS, metavar="URL", help="where releases are downloaded from")
    asked = parser.parse_args(arguments)
    try:
        for path in build(asked.tag or WORKTREE, asked.out, downloads=asked.downloads):
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or error
        sys.stderr.write(f"no release was built: {told}\n")
        return 1
    return 0


def build(tag: str, out: Path, *, downloads: str = DOWNLOADS) -> list[Path]:
    """Build a tag (or WORKTREE) into an empty folder. Raises ValueError where something is not as it must be."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise ValueError(f"{out} is not empty")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _export(tag, tree)
        version = _version(tree, tag)
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct", _commit(tag)))
        wheel, sdist = _distributions(tree, Path(folder) / "built", epoch)
        check_wheel(wheel, tree, version)
        check_sdist(sdist, tree)
        bundle = out / f"{NAME}-{version}.mcpb"
        write_zip(bundle, bundle_files(tree, version, wheel), epoch)
        for path in (wheel, sdist):
            shutil.copyfile(path, out / path.name)
        sha256 = hashlib.sha256(bundle.read_bytes()).hexdigest()
        described = server_json(version, bundle=bundle.name, sha256=sha256, downloads=downloads)
        bill = bill_of_materials(tree, version, epoch)
        (out / f"{NAME}-{version}.cdx.json").write_bytes(bill.encode())
        (out / "server.json").write_bytes((json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())
    built = sorted(out.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built)
    (out / "SHA256SUMS").write_bytes(sums.encode())
    return [*built, out / "SHA256SUMS"]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


def _commit(tag: str) -> str:
    return "HEAD" if tag == WORKTREE else tag


def _export(tag: str, tree: Path) -> None:
    """The files of a tag, or those of the work tree that git knows or would take."""
    tree.mkdir()
    if tag != WORKTREE:
        archive = subprocess.run(["git", "archive", "--format=tar", tag], cwd=ROOT, capture_output=True, check=True)
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(tree, filter="data")
        return
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)


def _version(tree: Path, tag: str) -> str:
    """The version that the package states, which the tag, the changelog and the README's mark must bear out."""
    found = re.search(r'^__version__ = "([^"]+)"$', (tree / "fraction_mcp/__init__.py").read_text("utf-8"), re.M)
    if found is None:
        raise ValueError("fraction_mcp/__init__.py states no version")
    version = found[1]
    if tag not in {WORKTREE, f"v{version}"}:
        raise ValueError(f"the tag {tag} holds version {version}")
    if f"## [{version}]" not in (tree / "CHANGELOG.md").read_text("utf-8"):
        raise ValueError(f"CHANGELOG.md says nothing of {version}")
    if tag != WORKTREE and f"## [{version}] - unreleased" in (tree / "CHANGELOG.md").read_text("utf-8"):
        raise ValueError(f"CHANGELOG.md calls {version} unreleased")
    if f"<!-- mcp-name: {REGISTRY_NAME} -->" not in (tree / "README.md").read_text("utf-8"):
        raise ValueError("README.md lacks the mark by which the MCP registry knows whose the package is")
    return version


def _distributions(tree: Path, out: Path, epoch: int) -> tuple[Path, Path]:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    subprocess.run(command, cwd=tree, env=environment, capture_output=True, encoding="utf-8", check=True)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def check_wheel(wheel: Path, tree: Path, version: str) -> None:
    """That it carries every file of the package, the licence and the command, and nothing else."""
    package = {
        path.relative_to(tree).as_posix()
        for path in (tree / "fraction_mcp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = f"fraction_mcp-{version}.dist-info/"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        commands = archive.read(f"{info}entry_points.txt").decode()
    found = {name for name in names if not name.startswith(info)}
    if found != package:
        raise ValueError(f"the wheel lacks or adds: {', '.join(sorted(found ^ package))}")
    if "fraction-mcp = fraction_mcp.cli:main" not in commands or f"{info}licenses/LICENSE" not in names:
        raise ValueError("the wheel lacks its command or its licence")


def check_sdist(sdist: Path, tree: Path) -> None:
    """That whoever has it can build, test and release from it."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = ["pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "Makefile", "requirements.lock"]
    folders = ["fraction_mcp", "tests", "tool_schemas", "examples", "docs", "release"]
    needed += [
        each.relative_to(tree).as_posix() for name in folders for each in (tree / name).rglob("*") if each.is_file()
    ]
    if missing := sorted(set(needed) - names):
        raise ValueError(f"the source archive lacks: {', '.join(missing)}")


if __name__ == "__main__":
    sys.exit(main())
