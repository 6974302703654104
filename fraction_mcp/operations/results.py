"""What every operation gives back: a sentence first, then few typed fields, closed and frozen."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ResultPart", "ToolResult", "where_it_says_something"]

where_it_says_something: Any = Field(default=None, exclude_if=lambda value: value is None)
"""The default of a figure that a result holds only where there is one; None leaves it out."""


class ResultPart(BaseModel):
    """A piece of an answer: closed and frozen, like the answer itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ToolResult(ResultPart):
    """What a tool answers: one sentence first; `next` only where something is left to do; `as_of` when it was read."""

    summary: str
    next: str = ""
    as_of: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The structured result: decimals as text, unknown figures as null, `next` only if it says something."""
        data = self.model_dump(mode="json", by_alias=True)
        for name in ("next", "as_of"):
            if not data[name]:
                del data[name]
        return data
