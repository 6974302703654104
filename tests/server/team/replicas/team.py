"""Two replicas of a team's server, as an operator starts them, on one PostgreSQL behind one proxy; and the people who
work with them, each with an assistant, whose every answer is kept to be held against them."""

import html
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, InputRequiredResult

from fraction_mcp import sandbox
from tests import process
from tests.postgresql import Server
from tests.server.team.person import Browser, Memory, assistant, hidden
from tests.server.team.replicas.companies import Companies, Company, people_in, served
from tests.server.team.replicas.proxy import Proxy, proxied
from tests.support import child_environment

KEY = "the first key of the tests' replicas"
_LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)/mcp")
_READS_S = 1.1  # an answer that comes sooner is no person's
_HANGS_S = 120.0


async def until(condition: Callable[[], Any], *, within_s: float = _HANGS_S, every_s: float = 0.02) -> Any:
    """What a condition comes to, as soon as it comes to something."""
    with anyio.fail_after(within_s):
        while True:
            found = condition()
            found = await found if isinstance(found, Awaitable) else found
            if found:
                return found
            await anyio.sleep(every_s)


@dataclass
class Replica:
    """One process, and what it has said on stderr."""

    log: Path
    started: process.Started

    @property
    def port(self) -> int:
        found = _LISTENS.search(self.log.read_text())
        if self.started.poll() is not None:
            raise AssertionError(f"it ended: {self.log.read_text()}")
        return int(found[1]) if found else 0

    async def killed(self) -> None:
        self.started.kill()
        await anyio.to_thread.run_sync(self.started.wait)

    async def ended(self) -> None:
        self.started.terminate()
        assert await anyio.to_thread.run_sync(self.started.wait, 60) == 143


@dataclass
class Person:
    """Somebody of the team, whose assistant speaks to whichever replica the proxy chooses."""

    company: Company
    browser: Browser
    proxy: Proxy
    heard: list[str] = field(default_factory=list)
    writes: set[str] = field(default_factory=set)
    client: Client = field(init=False)

    @property
    def at(self) -> int:
        """The replica that their latest request went to."""
        return self.proxy.went[self.browser.address][-1]

    @contextmanager
    def only_at(self, place: int) -> Iterator[None]:
        """All that they ask meanwhile goes to this replica."""
        self.proxy.only[self.browser.address] = place
        try:
            yield
        finally:
            del self.proxy.only[self.browser.address]

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self._told(await self.client.call_tool(tool, arguments))

    async def asks(self, tool: str, arguments: dict[str, Any]) -> InputRequiredResult:
        """The first leg of a call in rounds: a question comes back."""
        asked = await self.client.session.call_tool(tool, arguments, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult), asked
        self.heard.append(asked.model_dump_json())
        return asked

    async def answers(
        self, tool: str, arguments: dict[str, Any], asked: InputRequiredResult, decision: str = "approve"
    ) -> dict[str, Any]:
        await anyio.sleep(_READS_S)
        answer = ElicitResult(action="accept", content={"decision": decision})
        return self._told(
            await self.client.session.call_tool(
                tool,
                arguments,
                input_responses={"decision": answer},
                request_state=asked.request_state,
                allow_input_required=True,
            )
        )

    async def status(self, write_id: str) -> dict[str, Any]:
        return await self.call("get_write_status", write_id=write_id)

    async def approves(self, write_id: str) -> None:
        """In the inbox, in their browser."""
        page = (await self.browser.comes_to("/approvals/")).text
        self.heard.append(page)
        form = hidden(_form_of(page, write_id))
        address = f"{self.browser.url}/approvals/writes/{write_id}/approve"
        answer = await self.browser.http.post(address, data=form)
        assert answer.status_code == 303, (answer.status_code, answer.text)

    def _told(self, result: CallToolResult | InputRequiredResult) -> dict[str, Any]:
        self.heard.append(result.model_dump_json())
        assert isinstance(result, CallToolResult), result
        told = result.structured_content
        assert told is not None, result.content
        self.writes |= {told[name] for name in ("write_id",) if told.get(name)}
        self.writes |= {row["write_id"] for row in told.get("writes") or () if row.get("write_id")}
        return told


def _form_of(page: str, write_id: str) -> str:
    found = re.search(rf"<form(?:(?!</form>).)*writes/{write_id}/approve.*?</form>", page, re.DOTALL)
    assert found, html.unescape(re.sub(r"<[^>]+>|\s+", " ", page))
    return found[0]


class Team:
    """What stands between the people and their ERPs."""

    def __init__(self, companies: Companies, proxy: Proxy, environment: dict[str, str], folder: Path) -> None:
        self.companies = companies
        self.proxy = proxy
        self.replicas: list[Replica] = []
        self.people: list[Person] = []
        self._environment = environment
        self._folder = folder
        self._started = 0

    def begin(self, **changes: str) -> Replica:
        """A replica that starts, of these further settings."""
        self._started += 1
        log = self._folder / f"replica-{self._started}.log"
        words = ["serve", "--http", "--auth", "sign-in", "--public-url", self.proxy.url, "--port", "0"]
        words += ["--allow-registration", "--trusted-proxy", "127.0.0.1"]
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
        try:
            started = process.start(*words, env=self._environment | changes, stdout=descriptor, stderr=descriptor)
        finally:
            os.close(descriptor)
        return Replica(log, started)

    async def put(self, place: int, **changes: str) -> Replica:
        """Start a replica, and let the proxy send to it as this one."""
        replica = self.begin(**changes)
        self.replicas[place : place + 1] = [replica]
        port = await until(lambda: replica.port)
        self.proxy.ports[place : place + 1] = [port]
        return replica

    @asynccontextmanager
    async def person(self, number: int, memory: Memory | None = None, **client: Any) -> AsyncIterator[Person]:
        """Signed in, with an assistant that shows forms, unless told otherwise."""
        company = self.companies.of[number]
        browser = Browser(self.proxy.url, company.email, address=f"10.1.0.{number}")
        person = Person(company, browser, self.proxy)
        self.people.append(person)
        given = {"elicitation_callback": _closes} | client
        async with browser.http, assistant(browser, memory, **given) as person.client:
            yield person

    def held_against_each(self) -> int:
        """Nobody was told of anybody else, nor of a write of theirs. How many answers that were."""
        owners = {write_id: person.company.name for person in self.people for write_id in person.writes}
        for person in self.people:
            for text in person.heard:
                assert people_in(text) <= {person.company.name}, text
                others = [found for found in re.findall(r"\bw[A-Za-z0-9]{8,32}\b", text) if found in owners]
                assert {owners[found] for found in others} <= {person.company.name}, text
        return sum(len(person.heard) for person in self.people)

    def complaints(self) -> list[str]:
        """What the replicas have logged that nobody expects."""
        lines = [line for replica in sorted(self._folder.glob("*.log")) for line in replica.read_text().splitlines()]
        return [line for line in lines if "ERROR" in line or line.startswith("Traceback")]


async def _closes(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Nobody is at the screen: a test that answers does so by hand."""
    return ElicitResult(action="cancel")


@asynccontextmanager
async def team_of(
    count: int,
    *,
    postgres: Server,
    template: Path,
    folder: Path,
    replicas: int = 2,
    migrated: bool = True,
    changes: Mapping[str, str] | None = None,
) -> AsyncIterator[Team]:
    """So many people, each with a company; a migrated database, and replicas that serve."""
    with served(template, folder, count) as (companies, erp):
        environment = child_environment(
            **{
                "FRACTION_BASE_URL": erp + sandbox.FRACTION_PATH,
                "FRACTION_MCP_SECRET_KEY": KEY,
                "FRACTION_MCP_DATABASE_URL": postgres.url(),
                "FRACTION_MCP_STATE_DIR": str(folder / "state"),
                "FRACTION_MCP_ELICITATION": "full",
                "FRACTION_MCP_TIMEOUT_S": "20",
            }
            | dict(changes or {})
        )
        if migrated:
            done = await anyio.to_thread.run_sync(lambda: process.run("migrate", env=environment))
            assert done.returncode == 0, done.stderr
        async with proxied() as proxy:
            team = Team(companies, proxy, environment, folder)
            with _killed_at_the_end(team):
                async with anyio.create_task_group() as group:
                    team.proxy.ports = [0] * replicas
                    team.replicas = [team.begin() for _ in range(replicas)]

                    async def ready(place: int) -> None:
                        proxy.ports[place] = await until(lambda: team.replicas[place].port)

                    for place in range(replicas):
                        group.start_soon(ready, place)
                yield team


@contextmanager
def _killed_at_the_end(team: Team) -> Iterator[None]:
    try:
        yield
    finally:
        for replica in team.replicas:
            with suppress(ProcessLookupError):
                replica.started.kill()
            replica.started.wait(60)
