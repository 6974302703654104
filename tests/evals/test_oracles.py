"""Every task's scripted solution: the tools solve it in its least calls, and what they say can be repeated."""

import pytest

from evals.grading import flaws
from evals.oracle import Oracle
from evals.run import perform
from evals.task import Task
from evals.tasks import all_tasks

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("task", all_tasks().values(), ids=all_tasks())
async def test_the_oracle_solves_its_task_in_the_least_calls(task: Task) -> None:
    run = await perform(task, "oracle", Oracle)
    wrong = flaws(task, run)
    assert not wrong, f"“{task.says}”\n" + "\n".join(wrong)
    assert run.calls == task.least_calls
