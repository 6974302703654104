"""Every task's scripted solution: the tools solve it in its least calls, and what they say can be repeated."""

from dataclasses import replace

import pytest

from evals.grading import flaws
from evals.oracle import Oracle
from evals.run import perform
from evals.task import Person, Task, call
from evals.tasks import all_tasks
from fraction_mcp.tools.catalogue import catalogue
from tests import known_tools  # noqa: F401 - so that a tool's schema is checked once, and not for each task

pytestmark = pytest.mark.anyio


async def solved(task: Task) -> None:
    run = await perform(task, "oracle", Oracle)
    wrong = flaws(task, run)
    assert not wrong, f"{task.id}: “{task.says}”\n" + "\n".join(wrong)
    assert run.calls == task.least_calls


def _first_to_call_a_tool() -> frozenset[str]:
    seen: set[str] = set()
    first = set()
    for name, task in all_tasks().items():
        tools = {step.tool for step in task.oracle}
        if tools - seen:
            first.add(name)
        seen |= tools
    return frozenset(first)


FAST = _first_to_call_a_tool()


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, id=name, marks=() if name in FAST else pytest.mark.slow) for name, task in all_tasks().items()],
)
async def test_the_oracle_solves_its_task_in_the_least_calls(task: Task) -> None:
    await solved(task)


async def test_a_schema_that_has_changed_fails_with_the_words_of_the_task() -> None:
    task = all_tasks()["price-at-a-break"]
    renamed = [call("get_price_for_quantity", part_number="WIDGET-001", quantity=250, customer="Acme Corp")]
    with pytest.raises(AssertionError, match="What do 250 of WIDGET-001 cost Acme Corp") as told:
        await solved(replace(task, oracle=renamed))
    assert "get_price_for_quantity" in str(told.value)
    assert "INVALID_INPUT" in str(told.value)


async def test_a_tool_that_is_gone_fails_its_task() -> None:
    task = all_tasks()["price-at-a-break"]
    with pytest.raises(AssertionError, match="get_the_price"):
        await solved(replace(task, oracle=[call("get_the_price", part="WIDGET-001")]))


async def test_a_result_without_what_the_script_tells_of_it_fails_its_task() -> None:
    task = all_tasks()["record-by-its-quote-number"]
    (step,) = task.oracle
    with pytest.raises(AssertionError, match=r"nothing stands at record\.sum"):
        await solved(replace(task, oracle=[step.telling("record.sum")]))


def test_there_are_sixty_tasks_and_every_tool_is_in_one() -> None:
    tasks = all_tasks().values()
    assert len(tasks) >= 60
    assert {step.tool for task in tasks for step in task.oracle} >= set(catalogue())


def test_every_way_of_a_person_to_decide_is_in_a_task() -> None:
    assert {task.world.person for task in all_tasks().values()} == set(Person)


def test_a_user_names_no_tool() -> None:
    for task in all_tasks().values():
        assert not [name for name in catalogue() if name in task.says], task.id
