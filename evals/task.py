"""What a task is, as data: words, a world, a scripted solution, and what must be true at the end.

Refuses to know how anything of it is run or judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from fraction_mcp import sandbox

if TYPE_CHECKING:
    from evals.company import Company

__all__ = ["Arrangement", "Call", "Fact", "Fault", "Made", "Person", "Pick", "Priced", "Task", "World", "call"]


# ----------------------------------------------------------------------------------------------------------- the world


class Person(Enum):
    """Who is asked about writes: at a form of their client, or, where it shows none, in the approval inbox.

    Whoever decides in the inbox does so as soon as a write waits, before the next call.
    """

    APPROVES = "approves in the form"
    DECLINES = "declines in the form"
    CLOSES = "closes the form without a choice"
    ABSENT = "is not there"
    APPROVES_LATER = "approves in the inbox"
    DECLINES_LATER = "declines in the inbox"
    LETS_IT_EXPIRE = "does not come before the write expires"


@dataclass(frozen=True, slots=True)
class Fault:
    """Trouble that the embedded ERPs make; the fields are those of `fraction_mcp.sandbox` (`sandbox fault`)."""

    kind: str
    path: str
    method: str = "GET"
    times: int = 1
    after: int = 0
    status: int = 0
    seconds: float = 60.0


Arrangement = tuple[tuple[str, tuple[object, ...]], ...]
"""SQL statements on the embedded company, with their values. `evals.arranging` makes them."""


@dataclass(frozen=True)
class World:
    """The embedded company, what is different about it, and how the server is set up in it."""

    arranged: Sequence[Arrangement] = ()
    faults: Sequence[Fault] = ()
    person: Person = Person.ABSENT
    account: str = sandbox.EMAIL
    fracttal_client: str = sandbox.CLIENT_ID
    currency: str = ""
    read_only: bool = False
    two_step: bool = False
    asked_before: Sequence["Call"] = ()  # writes of an earlier conversation, which wait for a person


# ------------------------------------------------------------------------------------------- what must be true after it

Fact = str | tuple[str, ...] | Callable[["Company"], object]
"""What an answer holds: a number, a name, a date (compared as such, however written); one of several; or what the
embedded ERPs' own data says, worked out from them as they were before the first call."""


@dataclass(frozen=True)
class Made:
    """A new record with at least these fields; a field of a field is written `customer.id`."""

    table: str
    fields: Mapping[str, object]


@dataclass(frozen=True)
class Priced:
    """A price list as it stands at the end, whole: the breaks, quantity -> unit price."""

    part: str
    customer_id: int
    breaks: Mapping[str, str]
    selling_price: str | None = None


# ---------------------------------------------------------------------------------------------------------- the oracle


@dataclass(frozen=True, slots=True)
class Pick:
    """A value out of an earlier call's result, `candidates[0].id` for one. `of` counts the task's calls from 0."""

    path: str
    of: int = -1


@dataclass(frozen=True)
class Call:
    """A call of the scripted solution. What it `tells` of its result is the answer that the user gets."""

    tool: str
    arguments: Mapping[str, Any]
    tells: Sequence[str] = ("summary",)
    error: str = ""  # the code of the error that it must answer; otherwise none may come
    reply: str = ""  # the user is asked what the call told, and replies this

    def failing(self, code: str) -> "Call":
        return replace(self, error=code, tells=())

    def telling(self, *paths: str) -> "Call":
        return replace(self, tells=("summary", *paths))

    def answered(self, reply: str) -> "Call":
        return replace(self, reply=reply)


def call(tool: str, /, **arguments: Any) -> Call:
    return Call(tool, arguments)


@dataclass(frozen=True)
class Task:
    """`end` is every change of the ERPs' records, and `writes` how every write in the journal ends: no more and no less
    may have happened. `says` and an argument may hold `{write_id}`, the first write of an earlier conversation."""

    id: str
    says: str
    oracle: Sequence[Call]
    tells: Sequence[Fact]
    never: Sequence[Fact] = ()  # what must not be in the answer
    end: Sequence[Made | Priced] = ()
    writes: Sequence[str] = ()
    world: World = field(default_factory=World)

    def naming(self, write_id: str) -> "Task":
        """With the id of the write in its place."""
        filled = {"{write_id}": write_id}
        steps = [
            replace(step, arguments={name: filled.get(str(value), value) for name, value in step.arguments.items()})
            for step in self.oracle
        ]
        return replace(self, says=self.says.replace("{write_id}", write_id), oracle=steps)

    @property
    def least_calls(self) -> int:
        return len(self.oracle)

    @property
    def replies(self) -> list[str]:
        """What the user says, in turn, when asked back."""
        return [step.reply for step in self.oracle if step.reply]
