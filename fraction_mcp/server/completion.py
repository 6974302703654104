"""Completion while somebody types: part numbers and customers' names, in prompts and in resources' addresses.

A keystroke costs one request of the ERP at most, and calls off the one before it. Whatever fails completes to nothing:
an error would stop the typing, and the call that follows says what is wrong.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from mcp.server import ServerRequestContext
from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from fraction_mcp.errors import FractionMcpError
from fraction_mcp.operations.candidates import Subject
from fraction_mcp.operations.suggestions import Suggester, Suggestions
from fraction_mcp.runtime import Runtime, Runtimes
from fraction_mcp.tools.prompts import PromptSpec
from fraction_mcp.tools.resources import Address, subject_of

__all__ = ["Completer"]

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]

_PATIENCE_S = 5.0  # longer, and whoever types has typed on
_SPARED = 50  # requests of the ERP's budget that typing leaves for the call itself


class Completer:
    """Completes for every client of one server. Each field of one has one completion under way at most."""

    def __init__(self, runtimes: Runtimes, prompts: Mapping[str, PromptSpec], addresses: Sequence[Address]) -> None:
        self._runtimes = runtimes
        self._prompts = prompts
        self._addresses = {address.uri: address for address in addresses}
        self._suggesters = WeakKeyDictionary[Runtime, Suggester]()  # what was suggested to one person is no other's
        self._under_way: dict[tuple[str, str, str], anyio.CancelScope] = {}

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        suggestions = Suggestions()
        with self._alone(ctx, params), anyio.move_on_after(_PATIENCE_S):
            try:
                suggestions = await self._suggestions(ctx, params)
            except FractionMcpError as error:
                logger.info("completion: %s: %s", error.code, error.message)
            except Exception:
                logger.exception("completion failed")
        values = list(suggestions.values)
        return CompleteResult(
            completion=Completion(values=values, total=suggestions.total, has_more=suggestions.has_more)
        )

    async def _suggestions(self, ctx: Context, params: CompleteRequestParams) -> Suggestions:
        typed, known = params.argument.value, self._subject(params)
        if not isinstance(known, Subject):
            words = tuple(word for word in known or () if word.startswith(typed))
            return Suggestions(words, total=len(words))
        runtime = await self._runtimes.of_call(ctx)
        context = await runtime.context()
        budget = context.fraction.connection().budget
        if budget is not None and budget.remaining is not None and budget.remaining < _SPARED:
            return Suggestions(has_more=True)
        suggester = self._suggesters.setdefault(runtime, Suggester(runtime.settings.cache_s))
        return await suggester.suggestions(context, known, typed)

    def _subject(self, params: CompleteRequestParams) -> Subject | Sequence[str] | None:
        name, ref = params.argument.name, params.ref
        if isinstance(ref, PromptReference):
            prompt = self._prompts.get(ref.name)
            return next((each.names for each in prompt.arguments if each.name == name), None) if prompt else None
        address = self._addresses.get(ref.uri)
        if address is None or f"{{{name}}}" not in address.uri:
            return None
        filled_in = params.context.arguments if params.context else None
        return subject_of(address, name, filled_in or {})

    @contextmanager
    def _alone(self, ctx: Context, params: CompleteRequestParams) -> Iterator[None]:
        """Calls off the completion before it, of the same field and client. Over HTTP without a session nothing says
        which client it is: there one that types on closes the request itself."""
        session = "" if ctx.request is None else ctx.request.headers.get("mcp-session-id")
        if session is None:
            yield
            return
        field = (session, params.ref.model_dump_json(), params.argument.name)
        if (before := self._under_way.get(field)) is not None:
            before.cancel()
        with anyio.CancelScope() as scope:
            self._under_way[field] = scope
            try:
                yield
            finally:
                if self._under_way.get(field) is scope:
                    del self._under_way[field]
