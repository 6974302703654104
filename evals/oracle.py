"""The scripted solution of a task, in a model's place: its calls are the task's, its answer what they told.

So it shows that the task can be solved in so many calls, and that what the tools say can be repeated as it is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evals.conversation import Asked, Conversation, Turn
from evals.seat import Answered
from evals.task import Call, Pick, Task

__all__ = ["Oracle", "ScriptBroken", "at"]


class ScriptBroken(Exception):
    """A call of the script did not come back as the script expects."""


class Oracle:
    def __init__(self, task: Task) -> None:
        self._script = task.oracle

    async def reply(self, conversation: Conversation) -> Turn:
        """The next call of the script, or what its calls told: at the end, and where the user is asked."""
        answers = [answer for _, answer in conversation.answers]
        for number, (call, answer) in enumerate(zip(self._script, answers, strict=False), start=1):
            _check(number, call, answer)
        asks = bool(answers) and bool(self._script[len(answers) - 1].reply) and isinstance(conversation.said[-1], list)
        if asks or len(answers) == len(self._script):
            return Turn("\n".join(map(_told, self._script, answers)))
        call = self._script[len(answers)]
        return Turn("", [Asked(f"call_{len(answers)}", call.tool, _filled(call.arguments, answers))])


def _check(number: int, call: Call, answer: Answered) -> None:
    if answer.code != call.error or (answer.is_error and not call.error):
        raise ScriptBroken(f"call {number}, {call.tool}, answered {answer.text!r}")


def _told(call: Call, answer: Answered) -> str:
    if answer.is_error:
        return answer.text
    return "\n".join(_written(at(answer.data, path)) for path in call.tells)


def _written(value: object) -> str:
    """A value as an assistant would write it; a table row by row."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_written(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(_written, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _filled(value: Any, answers: Sequence[Answered]) -> Any:
    """The arguments, with what is picked out of earlier answers in its place."""
    if isinstance(value, Pick):
        return at(answers[value.of].data, value.path)
    if isinstance(value, Mapping):
        return {name: _filled(one, answers) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, answers) for one in value]
    return value


def at(data: Any, path: str) -> Any:
    """What stands at a path such as `rows[0][2]` or `part.id`. Raises ScriptBroken where nothing does."""
    found = data
    for name, index in re.findall(r"([^.\[\]]+)|\[(-?\d+)\]", path):
        try:
            found = found[name] if name and isinstance(found, Mapping) else found[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ScriptBroken(f"nothing stands at {path} in {json.dumps(data, default=str)[:300]}") from None
    return found
