"""What the parts came to, kept on disk as each ends, and docs/torture.md, which is made of it. A run that is broken
off, or a part that fails, loses nothing of the others'."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fraction_mcp import __version__

__all__ = ["Section", "keep", "kept", "write_page"]

_HERE = Path(__file__).parents[1]
_PAGE = _HERE / "docs" / "torture.md"
_PROMISES = (_HERE / "docs" / "reliability.md", _HERE / "docs" / "security.md")
_FIGURES = re.compile("(?<=<!-- written by make torture -->\n).*?(?=<!-- as far as here -->)", re.DOTALL)
_KEPT = _HERE / ".torture"
_CHANGED = " and changes"


@dataclass(slots=True)
class Section:
    """What one part came to: a sentence, a table, and what went wrong. `command` made it, at `commit`, `at` a time."""

    title: str
    sentence: str
    columns: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    at: str = ""
    command: str = ""
    commit: str = ""


def keep(part: str, section: Section) -> None:
    section.at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    section.commit, section.command = _commit(), section.command or f"python -m torture {part}"
    _KEPT.mkdir(exist_ok=True)
    (_KEPT / f"{part}.json").write_text(json.dumps(asdict(section), default=str), encoding="utf-8")


def kept(part: str) -> Section | None:
    """What this part came to at this very commit, and without anything wrong; None where it has to be run."""
    try:
        section = Section(**json.loads((_KEPT / f"{part}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_of_this_tree = section.commit and section.commit == _commit() and _CHANGED not in section.commit
    return section if is_of_this_tree and not section.wrong else None


def write_page(sections: Sequence[Section]) -> None:
    """The page; and where the promises stand, what was done to break them and how often that was seen."""
    _PAGE.write_text("\n".join(_page(sections)), encoding="utf-8")
    figures = "\n".join(_figures(sections)) + "\n\n"
    for document in _PROMISES:
        said = document.read_text("utf-8")
        document.write_text(_FIGURES.sub(lambda _: figures, said), encoding="utf-8")


def _figures(sections: Sequence[Section]) -> Iterator[str]:
    yield "\n| What was done | Went wrong | Command | When |"
    yield "| --- | --- | --- | --- |"
    for section in sections:
        done = re.split(r"[:;]|\. | \(`", section.sentence)[0]
        yield f"| {section.title}: {done} | {len(section.wrong)} | `{section.command}` | {section.at} |"


def _commit() -> str:
    """The commit that is checked out, and whether it has been changed since; empty outside of a checkout."""

    def said(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=_HERE, capture_output=True, text=True, check=False)
        return run.stdout.strip() if run.returncode == 0 else ""

    try:
        changed = said("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
        return said("rev-parse", "--short=12", "HEAD") + (_CHANGED if changed else "")
    except OSError:
        return ""


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    except OSError:
        model = ""
    cores = f"{os.cpu_count()} cores"
    return ", ".join(filter(None, (platform.system(), platform.machine(), model, cores)))


def _page(sections: Sequence[Section]) -> Iterator[str]:
    yield "# Torture\n"
    yield (
        f"Written by `make torture`: fraction-mcp {__version__} at {sections[0].commit or 'no commit'}, Python "
        f"{platform.python_version()}, {_machine()}, {sum(each.seconds for each in sections) / 60:.0f} min. What is "
        "promised: [reliability.md](reliability.md) and [security.md](security.md). A sample of each part but "
        "the comparison with other clients runs in `make cover`, one of the model and the kills in `make test`, too.\n"
    )
    for section in sections:
        yield f"## {section.title}\n"
        yield f"{section.sentence}\n"
        where = "" if section.commit == sections[0].commit else f" at {section.commit}"
        yield f"`{section.command}`{where}, {section.at}, {section.seconds:.0f} s.\n"
        if section.wrong:
            yield (
                "\n".join(f"- **Wrong:** {wrong[:300].replace(str(_HERE), '.')}" for wrong in section.wrong[:20]) + "\n"
            )
        if section.rows:
            yield "\n".join(_table(section)) + "\n"


def _table(section: Section) -> Iterator[str]:
    yield f"| {' | '.join(section.columns)} |"
    yield f"|{' --- |' * len(section.columns)}"
    for row in section.rows:
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |"
