"""`python -m evals`: the scripted solutions, a model, or a record of runs judged again. See docs/evals.md.

Exit codes: 0 every run passed, 1 some did not, 2 it could not be run.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import anyio

from evals.conversation import Model, ModelFailed
from evals.grading import flaws
from evals.oracle import Oracle
from evals.providers import Provider, model_of, provider_of
from evals.report import as_json, as_markdown, rows_of
from evals.run import Run, perform, read_runs
from evals.task import Task
from evals.tasks import all_tasks

Judged = tuple[Run, Sequence[str]]


def main(words: Sequence[str] | None = None) -> int:
    wanted = _parser().parse_args(words)
    try:
        tasks = _chosen(wanted.only)
        if wanted.replay:
            judged = [_judged(all_tasks(), run) for run in read_runs(wanted.replay) if run.task in tasks]
        else:
            judged = anyio.run(_performed, tasks, wanted)
    except (OSError, ValueError, ModelFailed) as error:
        sys.stderr.write(f"evals: {error}\n")
        return 2
    if not judged:
        sys.stderr.write("evals: there is no run to judge\n")
        return 2
    _write_tables(_folder(wanted), judged)
    return 1 if any(wrong for _, wrong in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    parser.add_argument("--model", metavar="NAME", help="a model instead of the scripted solutions")
    parser.add_argument("--provider", choices=get_args(Provider), help="whose model it is; by its name where not given")
    parser.add_argument(
        "--runs", metavar="N", type=_at_least_one, help="runs of each task; 3 with a model, otherwise 1"
    )
    parser.add_argument("--only", metavar="ID", action="append", help="this task alone; may be given several times")
    parser.add_argument("--replay", metavar="FILE", type=Path, help="judge recorded runs again, without a model")
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        help="for runs.jsonl, table.md and table.json; evals-runs/NAME with a model",
    )
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _folder(wanted: argparse.Namespace) -> Path | None:
    """Where a model's runs are kept, always; those of the scripted solutions, and tables of a replay, where asked."""
    default = Path("evals-runs") / re.sub(r"[^\w.-]", "_", wanted.model) if wanted.model and not wanted.replay else None
    folder: Path | None = wanted.to or default
    return folder


def _chosen(only: Sequence[str] | None) -> Mapping[str, Task]:
    tasks = all_tasks()
    for name in only or ():
        if name not in tasks:
            near = get_close_matches(name, tasks, cutoff=0.4)
            raise ValueError(f"no task is called {name}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
    return {name: tasks[name] for name in only} if only else tasks


def _judged(tasks: Mapping[str, Task], run: Run) -> Judged:
    wrong = flaws(tasks[run.task], run)
    sys.stdout.write(f"{'passed' if not wrong else 'FAILED'}  {run.task}  {run.calls} calls\n")
    for flaw in wrong:
        sys.stdout.write(f"        {flaw}\n")
    sys.stdout.flush()
    return run, wrong


async def _performed(tasks: Mapping[str, Task], wanted: argparse.Namespace) -> list[Judged]:
    model_for: Callable[[Task], Model] = Oracle
    if wanted.model:
        model = model_of(wanted.provider or provider_of(wanted.model), wanted.model)
        model_for = lambda _: model  # noqa: E731 - one client for all
    judged = []
    record = _record(_folder(wanted))
    for task in tasks.values():
        for _ in range(wanted.runs or (3 if wanted.model else 1)):
            run = await perform(task, wanted.model or "oracle", model_for)
            record(run)
            judged.append(_judged(tasks, run))
    return judged


def _record(folder: Path | None) -> Callable[[Run], None]:
    """What writes each run down as soon as it is over: a long evaluation that breaks off has not run for nothing."""
    if folder is None:
        return lambda _: None
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "runs.jsonl"
    file.write_text("", "utf-8")

    def written(run: Run) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(run.line() + "\n")

    return written


def _write_tables(folder: Path | None, judged: Sequence[Judged]) -> None:
    rows = rows_of(all_tasks(), judged)
    model = judged[0][0].model
    table = as_markdown(model, rows)
    sys.stdout.write(f"\n{table}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(table, "utf-8")
        (folder / "table.json").write_text(as_json(model, rows), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
