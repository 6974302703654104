"""What every operation gives back: a sentence first, then few typed fields, closed and frozen."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fraction_mcp.errors import FractionMcpError

__all__ = ["ResultPart", "ToolError", "ToolResult", "Written", "where_it_says_something"]

Written = Literal["no", "maybe"]
"""Whether anything was written, as far as that is known."""

where_it_says_something: Any = Field(default=None, exclude_if=lambda value: value is None)
"""The default of a figure that a result holds only where there is one; None leaves it out."""


class ResultPart(BaseModel):
    """A piece of an answer: closed and frozen, like the answer itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ToolError(ResultPart):
    """What went wrong, in the one form that every error has (docs/contract.md, Tools). `written` is null for a read."""

    code: str
    message: str
    hint: str
    retryable: bool
    written: Written | None

    @classmethod
    def from_exception(cls, error: FractionMcpError, *, written: Written | None) -> "ToolError":
        """What nobody knows to be unwritten is not to be tried again, whatever its kind."""
        retryable = error.retryable and written != "maybe"
        hint = error.hint or "Whoever runs this server can mend it; trying again before does not help."
        return cls(code=error.code, message=error.message, hint=hint, retryable=retryable, written=written)


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
