"""A seat at the server: one MCP session in a task's world, and the person who is asked about its writes.

The session is the SDK's own, in memory; the person acts by the journal's clock, so that nobody waits for anybody.
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, cast

from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent, Tool
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from evals.company import Company
from evals.task import Person, World
from fraction_mcp import sandbox
from fraction_mcp.config import Settings
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

__all__ = ["Answered", "Seat", "seated", "states_of_writes"]

_READS_S = 5.0
_NOWHERE = "http://localhost"
_IN_A_FORM = {
    Person.APPROVES: ElicitResult(action="accept", content={"decision": "approve"}),
    Person.DECLINES: ElicitResult(action="accept", content={"decision": "decline"}),
    Person.CLOSES: ElicitResult(action="cancel"),
}


@dataclass(frozen=True)
class Answered:
    """What a call came back with: the text that most hosts show, and the structure beside it."""

    text: str
    data: Mapping[str, Any]
    is_error: bool

    @property
    def code(self) -> str:
        return str((self.data.get("error") or {}).get("code", ""))


class _Clock:
    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class Seat:
    def __init__(self, client: Client, runtime: Runtime, person: Person, clock: _Clock) -> None:
        self._client = client
        self._runtime = runtime
        self._person = person
        self._clock = clock

    @property
    def instructions(self) -> str:
        return self._client.instructions or ""

    async def tools(self) -> list[Tool]:
        return (await self._client.list_tools()).tools

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answered:
        """The call's answer. A refusal of the protocol (no such tool), and a result that breaks its own schema, are
        errors like any other."""
        try:
            result = await self._client.call_tool(tool, dict(arguments))
        except (MCPError, RuntimeError) as error:
            return Answered(str(error), {}, is_error=True)
        if not isinstance(result, CallToolResult):
            raise TypeError(f"{tool} came back with {type(result).__name__}")
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        answered = Answered(text, result.structured_content or {}, bool(result.is_error))
        await self._later(answered.data)
        return answered

    async def _later(self, data: Mapping[str, Any]) -> None:
        """What the person does in the approval inbox about what waits."""
        if data.get("outcome") != "awaiting_approval":
            return
        service = await self._runtime.write_service()
        self._clock.ahead_s += _READS_S
        if self._person is Person.LETS_IT_EXPIRE:
            self._clock.ahead_s += self._runtime.settings.approval_ttl_s
        write = await service.write(str(data["write_id"]))
        if self._person is Person.APPROVES_LATER:
            shown = await service.batch(write)
            await service.approve(write, digest=shown.digest, by=Decider("the approval inbox"))
        elif self._person is Person.DECLINES_LATER:
            await service.decline(write, by="the approval inbox")


@asynccontextmanager
async def seated(company: Company, person: Person) -> AsyncIterator[Seat]:
    """A session with a server of its own on the company."""
    clock = _Clock()
    answer = _IN_A_FORM.get(person)

    async def answers(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
        clock.ahead_s += _READS_S
        return answer or ElicitResult(action="cancel")

    callback = cast("ElicitationFnT", answers) if answer else None
    async with (
        Runtime(_settings(company, company.world), company.app, clock=clock) as runtime,
        Client(create_server(runtime), elicitation_callback=callback, cache=None) as client,
    ):
        yield Seat(client, runtime, person, clock)


class _Settings(Settings):
    """Whatever is set in the environment is somebody's, and not for a task's world."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _settings(company: Company, world: World) -> Settings:
    return _Settings(
        fraction_base_url=_NOWHERE + sandbox.FRACTION_PATH,
        fraction_email=world.account,
        fraction_password=SecretStr(sandbox.PASSWORD),
        fraction_currency=world.currency,
        fracttal_base_url=_NOWHERE + sandbox.FRACTTAL_PATH,
        fracttal_token_url=_NOWHERE + sandbox.FRACTTAL_TOKEN_PATH,
        fracttal_client_id=world.fracttal_client,
        fracttal_client_secret=SecretStr(sandbox.CLIENT_SECRET),
        confirm="two_step" if world.two_step else "human",
        read_only=world.read_only,
        state_dir=company.folder,
        open_inbox=False,
        elicitation="full",
        timeout_s=2,
    )


def states_of_writes(company: Company) -> list[str]:
    """How each write in the journal stands, the oldest first."""
    journal = company.folder / "journal.sqlite3"
    if not journal.exists():
        return []
    with closing(sqlite3.connect(journal)) as db:
        return [str(row[0]) for row in db.execute("SELECT state FROM writes ORDER BY created_at, id")]
