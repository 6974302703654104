"""One run of a task: what was said and called, what the ERPs hold afterwards, and what is wrong with it.

A run is written down whole as one line of JSON, so that it can be judged again without a model.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evals.company import Change, Company, arm, opened
from evals.conversation import Conversation, Model, ModelFailed, Turn, converse
from evals.oracle import ScriptBroken
from evals.seat import seated, states_of_writes
from evals.task import Person, Task

__all__ = ["Run", "perform", "read_runs"]


@dataclass(frozen=True)
class Run:
    """`said` is the whole conversation; `changes` and `writes` are the end state that a task is judged by."""

    task: str
    model: str
    said: Sequence[Mapping[str, Any]]
    answer: str
    calls: int
    sent: int  # tokens
    received: int
    changes: Sequence[Change]
    writes: Sequence[str]
    stopped: str = ""  # why the run did not come to its end

    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, default=_plain)


def read_runs(path: Path) -> Iterator[Run]:
    """Raises ValueError for what is no record of runs."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            facts = json.loads(line)
            yield Run(**{**facts, "changes": [Change(**one) for one in facts["changes"]]})
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{path}, line {number}, is no run of an evaluation: {error}") from None


async def perform(task: Task, named: str, model_for: Callable[[Task], Model]) -> Run:
    """A task from its world's beginning to its end. Raises ModelFailed."""
    broken: Exception | None = None
    with opened(task.world) as company:
        task = await _asked_before(task, company)
        arm(company)
        async with seated(company, task.world.person) as seat:
            conversation = Conversation(seat.instructions, await seat.tools(), [task.says])
            try:
                await converse(model_for(task), seat, conversation, task.replies)
            except (ScriptBroken, ModelFailed) as error:
                broken = error  # raised here, the session would wrap it
        changes, writes = company.changes(), states_of_writes(company)
    if isinstance(broken, ModelFailed):
        raise broken
    return Run(
        task=task.id,
        model=named,
        said=list(_said(conversation)),
        answer=conversation.answer,
        calls=len(conversation.answers),
        sent=conversation.usage.sent,
        received=conversation.usage.received,
        changes=changes,
        writes=writes,
        stopped=str(broken or ""),
    )


async def _asked_before(task: Task, company: Company) -> Task:
    """The task after an earlier conversation asked for writes, which nobody has decided."""
    if not task.world.asked_before:
        return task
    async with seated(company, Person.ABSENT) as seat:
        told = [(await seat.call(call.tool, call.arguments)).data for call in task.world.asked_before]
    return task.naming(str(told[0]["write_id"]))


def _said(conversation: Conversation) -> Iterator[Mapping[str, Any]]:
    for one in conversation.said:
        if isinstance(one, str):
            yield {"user": one}
        elif isinstance(one, Turn):
            yield {"model": one.text, "calls": [asdict(asked) for asked in one.calls], "usage": asdict(one.usage)}
        else:
            yield {"answers": [{"id": asked.id, "text": got.text, "is_error": got.is_error} for asked, got in one]}


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is not JSON")
