"""A conversation about one task: the user's words, the model's calls and their answers, and what came of it.

A model is whatever turns a conversation into the next turn. Refuses to know providers, and what is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcp.types import Tool

from evals.seat import Answered, Seat

__all__ = ["Asked", "Conversation", "Model", "ModelFailed", "Turn", "Usage", "converse"]

_MOST_TURNS = 30


@dataclass(frozen=True)
class Asked:
    """A call that a model asks for; `id` is the provider's, and pairs it with its answer."""

    id: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """Tokens of one turn, as the provider counts them; what was read from its cache is part of `sent`."""

    sent: int = 0
    received: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.sent + other.sent, self.received + other.received)


@dataclass(frozen=True)
class Turn:
    """What a model says, and which calls it wants answered before it goes on; none: it is the user's turn."""

    text: str
    calls: Sequence[Asked] = ()
    usage: Usage = Usage()
    as_sent: Any = None  # the provider's own message, which it wants back as it was


@dataclass
class Conversation:
    """`said` is what happened, in order: the user's words (a text), the model's turns, and the answers to its calls."""

    instructions: str
    tools: Sequence[Tool]
    said: list[str | Turn | list[tuple[Asked, Answered]]] = field(default_factory=list)

    @property
    def turns(self) -> list[Turn]:
        return [one for one in self.said if isinstance(one, Turn)]

    @property
    def answers(self) -> list[tuple[Asked, Answered]]:
        return [pair for one in self.said if isinstance(one, list) for pair in one]

    @property
    def usage(self) -> Usage:
        return sum((turn.usage for turn in self.turns), Usage())

    @property
    def answer(self) -> str:
        """What the user was told: a turn that makes further calls is talk on the way."""
        return "\n".join(turn.text for turn in self.turns if not turn.calls)


class ModelFailed(Exception):
    """The model gave no turn: its provider did not answer."""


class Model(Protocol):
    async def reply(self, conversation: Conversation) -> Turn:
        """The next turn. Raises ModelFailed."""


async def converse(model: Model, seat: Seat, conversation: Conversation, replies: Sequence[str]) -> None:
    """Talk until the model has nothing to call and the user nothing to reply, or for thirty turns."""
    open_replies = list(replies)
    for _ in range(_MOST_TURNS):
        turn = await model.reply(conversation)
        conversation.said.append(turn)
        if turn.calls:
            conversation.said.append([(asked, await seat.call(asked.tool, asked.arguments)) for asked in turn.calls])
        elif open_replies:
            conversation.said.append(open_replies.pop(0))
        else:
            break
