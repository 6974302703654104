"""A writer for each test: the embedded ERPs in process, a journal on a real SQLite file, and the inbox on top."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp

from fraction_mcp import sandbox
from fraction_mcp.approvals.auth import InboxAuth
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.config import Settings
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime, _replan
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue

PORT = 8123
HERE = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("company") / "sandbox.db"
    sandbox.open_sandbox(path, parts=40).state.store.close()
    return path


@pytest.fixture
def erps(company: Path, tmp_path: Path) -> Iterator[Starlette]:
    app = sandbox.open_sandbox(Path(shutil.copy(company, tmp_path / "sandbox.db")))
    yield app
    app.state.store.close()


@dataclass
class Writer:
    """One process's write service, and what the ERPs hold."""

    service: WriteService
    erps: Starlette
    state_folder: Path

    async def asked(self, tool: str, *, by: str = "Claude Desktop 1.4", **arguments: Any) -> Write:
        """What an assistant's call leaves in the journal where nobody can be asked."""
        plan = await _replan(self.service.context, tool, arguments)
        return await self.service.propose(plan, tool=tool, arguments=arguments, asked_by=by)

    async def part(self, number: str = "PART-1") -> Write:
        return await self.asked("create_part", part_number=number)

    async def batch(self, *numbers: str, more: Sequence[dict[str, Any]] = ()) -> Batch:
        """Parts of these numbers, and more writes, asked for under one question."""
        writes = [{"tool": "create_part", "arguments": {"part_number": number}} for number in numbers]
        spec = catalogue()["submit_writes"]
        planned = await spec.run(self.service.context, read_arguments(spec, {"writes": [*writes, *more]}))
        return await self.service.propose_batch(planned.writes(), asked_by="Claude Desktop 1.4")

    async def unsure(self, number: str = "PART-1") -> Write:
        """A write of which nobody knows what became."""
        write = await self.part(number)
        self.erps.state.faults.arm("html", method="POST", path="/parts", status=502)
        after = await self.service.approve(write, digest=write.digest, by=Decider("a test"))
        assert after.state is State.UNKNOWN
        return after

    async def state(self, write: Write) -> State:
        return (await self.service.write(write.id)).state

    async def by(self, write: Write, kind: str) -> str:
        """Who took a step of a write's life."""
        return next(
            str(event.detail["by"]) for event in await self.service.journal.events(write.id) if event.kind == kind
        )

    def parts(self, number: str) -> int:
        return len(self.erps.state.store.all("SELECT id FROM parts WHERE part_number = ?", (number,)))

    def enquiries(self, ref: str) -> int:
        sql = "SELECT id FROM contracts WHERE json_extract(doc, '$.customer_ref') = ?"
        return len(self.erps.state.store.all(sql, (ref,)))


def settings_for(state: Path, **changes: Any) -> Settings:
    facts: dict[str, Any] = {
        "fraction_base_url": "http://localhost" + sandbox.FRACTION_PATH,
        "fraction_email": sandbox.EMAIL,
        "fraction_password": SecretStr(sandbox.PASSWORD),
        "fracttal_base_url": "http://localhost" + sandbox.FRACTTAL_PATH,
        "fracttal_token_url": "http://localhost" + sandbox.FRACTTAL_TOKEN_PATH,
        "fracttal_client_id": sandbox.CLIENT_ID,
        "fracttal_client_secret": SecretStr(sandbox.CLIENT_SECRET),
        "state_dir": state,
        "open_inbox": False,
        "cache_s": 0,
    }
    return Settings(**(facts | changes))


@pytest.fixture
async def writer(erps: Starlette, tmp_path: Path) -> AsyncIterator[Writer]:
    async with Runtime(settings_for(tmp_path / "state"), erps) as runtime:
        yield Writer(await runtime.write_service(), erps, tmp_path / "state")


async def at_once(work: Callable[[], Any]) -> None:
    await work()


@dataclass
class Browser:
    """One browser at the inbox, without JavaScript."""

    auth: InboxAuth
    http: httpx.AsyncClient
    closing: anyio.Event
    pages: Pages
    page: str = field(default="")

    async def load(self, path: str = "/") -> str:
        """A page of the session: `/` is the list."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return answer.text

    def form(self, write: Write) -> dict[str, str]:
        """The hidden fields of a card's form, as the page that was loaded last has them."""
        card = self.card(write)
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', card))

    def card(self, write: Write) -> str:
        found = re.search(rf'<article id="{write.id}".*?</article>', self.page, re.S)
        assert found, f"no card of {write.id}"
        return found[0]

    async def press(self, write: Write, what: str, **changes: str) -> str:
        """Press a button of the page that was loaded last; the page that it leads to."""
        fields = self.form(write)
        assert f'formaction="writes/{write.id}/{what}"' in self.card(write)
        answer = await self.http.post(f"/writes/{write.id}/{what}", data={**fields, **changes})
        assert answer.status_code == 303, answer.text
        return await self.load(str(answer.url.join(answer.headers["location"])))


async def come_in(http: httpx.AsyncClient, link: str) -> str:
    """Open a sign-in link and follow it, without a script; whatever is asked for afterwards is of the session's own.

    Where its pages are.
    """
    entered = await http.get(link)
    assert entered.status_code == 200, entered.text
    led = re.search(r'<meta http-equiv="refresh" content="0; url=(/s/[\w-]+/)">', entered.text)
    assert led, entered.text
    http.base_url = httpx.URL(link).join(led[1])
    return led[1]


def visitor(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE, headers=headers)


@contextlib.asynccontextmanager
async def browser_at(service: WriteService) -> AsyncIterator[Browser]:
    auth, closing = InboxAuth(PORT), anyio.Event()
    pages = Pages(service, auth, at_once, closing)
    async with visitor(pages.app) as http:
        browser = Browser(auth, http, closing, pages)
        await come_in(http, auth.new_link().address)
        yield browser


@pytest.fixture
async def browser(writer: Writer) -> AsyncIterator[Browser]:
    async with browser_at(writer.service) as browser:
        yield browser
