"""What people, rather than models, pick: prompts, resources, and what completes while they type.

The handlers of these requests. What they need is loaded with the first of them, like the tools.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcp.server import ServerRequestContext
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from fraction_mcp.runtime import Runtimes

if TYPE_CHECKING:
    from fraction_mcp.server.completion import Completer
    from fraction_mcp.tools.prompts import PromptSpec
    from fraction_mcp.tools.resources import Address
    from fraction_mcp.tools.spec import ToolSpec

__all__ = ["Browsing"]

Context = ServerRequestContext[Any, Any]


class Browsing:
    """Of one server, which offers these tools."""

    def __init__(self, runtimes: Runtimes, tools: "Callable[[], Mapping[str, ToolSpec]]") -> None:
        self._runtimes = runtimes
        self._tools = tools

    async def list_prompts(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        from fraction_mcp.server.prompts import listed_prompt  # noqa: PLC0415 - see the module's docstring

        return ListPromptsResult(prompts=[listed_prompt(spec) for spec in self._prompts.values()])

    async def get_prompt(self, _ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        from fraction_mcp.server.prompts import filled_in  # noqa: PLC0415

        return filled_in(self._prompts, params)

    async def list_resources(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        from fraction_mcp.server.resources import listed_resource  # noqa: PLC0415

        return ListResourcesResult(
            resources=[listed_resource(address) for address in self._addresses if not address.is_template]
        )

    async def list_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        from fraction_mcp.server.resources import listed_template  # noqa: PLC0415

        templates = [listed_template(address) for address in self._addresses if address.is_template]
        return ListResourceTemplatesResult(resource_templates=templates)

    async def read_resource(self, ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        from fraction_mcp.server.resources import read_resource  # noqa: PLC0415

        return await read_resource(
            await self._runtimes.of_call(ctx), ctx, str(params.uri), self._addresses, self._tools()
        )

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        return await self._completer.complete(ctx, params)

    @cached_property
    def _prompts(self) -> "Mapping[str, PromptSpec]":
        from fraction_mcp.tools.prompts import offered_prompts  # noqa: PLC0415

        return offered_prompts(self._tools())

    @cached_property
    def _addresses(self) -> "list[Address]":
        from fraction_mcp.tools.resources import offered_resources  # noqa: PLC0415

        return offered_resources(self._tools())

    @cached_property
    def _completer(self) -> "Completer":
        from fraction_mcp.server.completion import Completer  # noqa: PLC0415

        return Completer(self._runtimes, self._prompts, self._addresses)
