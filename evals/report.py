"""The tables of many runs: which tasks passed each time, in how many calls, for how many tokens."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from evals.run import Run
from evals.task import Task

__all__ = ["Row", "as_json", "as_markdown", "rows_of", "totals"]


@dataclass(frozen=True)
class Row:
    """One task: how many of its runs passed, and what a run took on average."""

    task: str
    runs: int
    passed: int
    calls: float
    least_calls: int
    sent: float
    received: float
    flaws: Sequence[str]

    @property
    def every_time(self) -> bool:
        return self.passed == self.runs


def rows_of(tasks: Mapping[str, Task], judged: Iterable[tuple[Run, Sequence[str]]]) -> list[Row]:
    """`judged` are runs with what is wrong with each."""
    of_task: dict[str, list[tuple[Run, Sequence[str]]]] = {}
    for run, flaws in judged:
        of_task.setdefault(run.task, []).append((run, flaws))
    return [
        Row(
            task=name,
            runs=len(runs),
            passed=sum(not flaws for _, flaws in runs),
            calls=mean(run.calls for run, _ in runs),
            least_calls=tasks[name].least_calls,
            sent=mean(run.sent for run, _ in runs),
            received=mean(run.received for run, _ in runs),
            flaws=list(dict.fromkeys(flaw for _, flaws in runs for flaw in flaws)),
        )
        for name, runs in of_task.items()
    ]


def totals(rows: Sequence[Row]) -> dict[str, float]:
    """`pass_every_time` is pass^k for k runs a task: the share of tasks of which every run passed, in per cent."""
    runs = sum(row.runs for row in rows)
    return {
        "tasks": len(rows),
        "runs": runs,
        "pass": round(100 * sum(row.passed for row in rows) / runs, 1),
        "pass_every_time": round(100 * sum(row.every_time for row in rows) / len(rows), 1),
        "calls": round(sum(row.calls for row in rows), 1),
        "least_calls": sum(row.least_calls for row in rows),
        "tokens_sent": round(sum(row.sent for row in rows)),
        "tokens_received": round(sum(row.received for row in rows)),
    }


def as_markdown(model: str, rows: Sequence[Row]) -> str:
    """The whole table, its totals first."""
    sums = totals(rows)
    most = max(row.runs for row in rows)
    lines = [
        f"# {model}",
        "",
        (
            f"{sums['tasks']} tasks, {sums['runs']} runs: {sums['pass']} % passed, "
            f"pass^{most} {sums['pass_every_time']} %; {sums['calls']} calls where {sums['least_calls']} do; "
            f"{sums['tokens_sent']} tokens sent and {sums['tokens_received']} received (a run of every task)."
        ),
        "",
        "| task | passed | calls | least | tokens sent | received | what was wrong |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row.task} | {row.passed} of {row.runs} | {row.calls:g} | {row.least_calls} | {row.sent:.0f} "
            f"| {row.received:.0f} | {_cell(row.flaws)} |"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def _cell(flaws: Sequence[str]) -> str:
    return "; ".join(flaws).replace("|", "\\|").replace("\n", " ")[:400]


def as_json(model: str, rows: Sequence[Row]) -> str:
    tasks = [{**vars(row), "every_time": row.every_time} for row in rows]
    return json.dumps({"model": model, "totals": totals(rows), "tasks": tasks}, indent=2, ensure_ascii=False) + "\n"
