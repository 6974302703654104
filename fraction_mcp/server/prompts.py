"""Prompts as the protocol has them: listed, and filled in. What they say is `tools.prompts`'s."""

from collections.abc import Mapping

from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptRequestParams,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from fraction_mcp.errors import InputError
from fraction_mcp.server.icons import PROMPT
from fraction_mcp.tools.prompts import PromptSpec
from fraction_mcp.values.text import quoted

__all__ = ["filled_in", "listed_prompt"]


def listed_prompt(spec: PromptSpec) -> Prompt:
    arguments = [
        PromptArgument(name=each.name, title=each.title, description=each.description, required=each.required)
        for each in spec.arguments
    ]
    return Prompt(name=spec.name, title=spec.title, description=spec.description, arguments=arguments, icons=[PROMPT])


def filled_in(offered: Mapping[str, PromptSpec], params: GetPromptRequestParams) -> GetPromptResult:
    """Raises MCPError for a prompt that is not offered here, and for arguments that it does not take."""
    spec = offered.get(params.name)
    if spec is None:
        raise MCPError(
            INVALID_PARAMS, f"Unknown prompt: {quoted(params.name)}. Here are: {', '.join(offered) or 'none'}"
        )
    try:
        text = spec.filled_in(params.arguments or {})
    except InputError as error:
        raise MCPError(INVALID_PARAMS, f"{error.message}. {error.hint}") from None
    return GetPromptResult(
        description=spec.description, messages=[PromptMessage(role="user", content=TextContent(text=text))]
    )
