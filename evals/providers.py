"""Models of two providers, each through the provider's own SDK: a conversation in its words, and its turn in ours.

The SDK is loaded where a model of it is asked for, and reads its key (and the address of another server that speaks
the same) from the environment. Refuses to know tasks, and what is right.
"""

import json
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Literal

from evals.conversation import Asked, Conversation, Model, ModelFailed, Turn, Usage
from fraction_mcp.server.contract import spelt_for

__all__ = ["ClaudeMessages", "OpenAIChat", "Provider", "ProviderMissing", "model_of", "provider_of"]

Provider = Literal["anthropic", "openai"]

_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
_MOST_TOKENS = 8_000  # of one turn; an answer here is a few sentences


class ProviderMissing(ValueError):
    """The SDK is not installed, or there is no key: what to do about it."""


def provider_of(model: str) -> Provider:
    return "anthropic" if model.startswith("claude") else "openai"


def model_of(provider: Provider, name: str) -> Model:
    """Raises ProviderMissing."""
    try:
        sdk = import_module(provider)
    except ImportError:
        raise ProviderMissing(f"the package {provider} is not installed: pip install {provider}") from None
    if not os.environ.get(_KEYS[provider]):
        raise ProviderMissing(f"{_KEYS[provider]} is not set: it is the key for models of {provider}")
    if provider == "anthropic":
        return ClaudeMessages(sdk.AsyncAnthropic(), name, fails=sdk.AnthropicError)
    return OpenAIChat(sdk.AsyncOpenAI(), name, fails=sdk.OpenAIError)


class ClaudeMessages:
    """`client` is an `AsyncAnthropic`, or whatever has its `messages.create`."""

    def __init__(self, client: Any, name: str, *, fails: type[Exception] = ModelFailed) -> None:
        self._client = client
        self._name = name
        self._fails = fails

    async def reply(self, conversation: Conversation) -> Turn:
        try:
            message = await self._client.messages.create(
                model=self._name,
                max_tokens=_MOST_TOKENS,
                system=conversation.instructions,
                tools=spelt_for("anthropic", _wire(conversation)),
                messages=list(self._messages(conversation)),
            )
        except self._fails as error:
            raise ModelFailed(str(error)) from error
        used = message.usage
        kept = (getattr(used, f"cache_{what}_input_tokens", None) or 0 for what in ("creation", "read"))
        return Turn(
            text="\n".join(block.text for block in message.content if block.type == "text"),
            calls=[Asked(one.id, one.name, dict(one.input)) for one in message.content if one.type == "tool_use"],
            usage=Usage(used.input_tokens + sum(kept), used.output_tokens),
            as_sent=message.content,  # blocks of thought belong back into the conversation
        )

    @staticmethod
    def _messages(conversation: Conversation) -> Iterator[dict[str, Any]]:
        for one in conversation.said:
            if isinstance(one, str):
                yield {"role": "user", "content": one}
            elif isinstance(one, Turn):
                yield {"role": "assistant", "content": one.as_sent}
            else:
                facts = {"type": "tool_result"}
                answers = [
                    {**facts, "tool_use_id": asked.id, "content": got.text, "is_error": got.is_error}
                    for asked, got in one
                ]
                yield {"role": "user", "content": answers}


class OpenAIChat:
    """`client` is an `AsyncOpenAI`, or whatever has its `chat.completions.create`."""

    def __init__(self, client: Any, name: str, *, fails: type[Exception] = ModelFailed) -> None:
        self._client = client
        self._name = name
        self._fails = fails

    async def reply(self, conversation: Conversation) -> Turn:
        try:
            completion = await self._client.chat.completions.create(
                model=self._name,
                tools=spelt_for("openai-chat", _wire(conversation)),
                messages=list(self._messages(conversation)),
            )
        except self._fails as error:
            raise ModelFailed(str(error)) from error
        message, used = completion.choices[0].message, completion.usage
        return Turn(
            text=message.content or "",
            calls=[
                Asked(one.id, one.function.name, _arguments(one.function.arguments)) for one in message.tool_calls or ()
            ],
            usage=Usage(used.prompt_tokens, used.completion_tokens) if used else Usage(),
            as_sent=message,
        )

    @staticmethod
    def _messages(conversation: Conversation) -> Iterator[Any]:
        yield {"role": "system", "content": conversation.instructions}
        for one in conversation.said:
            if isinstance(one, str):
                yield {"role": "user", "content": one}
            elif isinstance(one, Turn):
                yield one.as_sent
            else:
                yield from ({"role": "tool", "tool_call_id": asked.id, "content": got.text} for asked, got in one)


def _wire(conversation: Conversation) -> list[dict[str, Any]]:
    """The tools as `tools/list` sends them."""
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in conversation.tools]


def _arguments(text: str) -> dict[str, Any]:
    """What a model wrote as a call's arguments; what is no object is left to the tool to refuse."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = text
    return found if isinstance(found, dict) else {"arguments": found}
