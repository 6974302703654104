"""A desk for each test: the embedded ERPs in process, a journal on a real SQLite file, and the inbox on top."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
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
from fraction_mcp.approvals.door import Door
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.config import Settings
from fraction_mcp.office import Office, _replan
from fraction_mcp.operations.approval import Clerk
from fraction_mcp.operations.lifecycle import State, Write

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
class Desk:
    """One process's clerk, and what the ERPs hold."""

    clerk: Clerk
    erps: Starlette

    async def asked(self, tool: str, *, by: str = "Claude Desktop 1.4", **arguments: Any) -> Write:
        """What an assistant's call leaves in the journal where nobody can be asked."""
        plan = await _replan(self.clerk.desk, tool, arguments)
        return await self.clerk.propose(plan, tool=tool, arguments=arguments, asked_by=by)

    async def part(self, number: str = "PART-1") -> Write:
        return await self.asked("create_part", part_number=number)

    async def unsure(self, number: str = "PART-1") -> Write:
        """A write of which nobody knows what became."""
        write = await self.part(number)
        self.erps.state.faults.arm("html", method="POST", path="/parts", status=502)
        after = await self.clerk.approve(write, digest=write.digest, by="a test")
        assert after.state is State.UNKNOWN
        return after

    async def state(self, write: Write) -> State:
        return (await self.clerk.write(write.id)).state

    async def by(self, write: Write, kind: str) -> str:
        """Who took a step of a write's life."""
        return next(
            str(event.detail["by"]) for event in await self.clerk.journal.events(write.id) if event.kind == kind
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
async def desk(erps: Starlette, tmp_path: Path) -> AsyncIterator[Desk]:
    async with Office(settings_for(tmp_path / "state"), erps) as office:
        yield Desk(await office.clerk(), erps)


async def at_once(work: Callable[[], Any]) -> None:
    await work()


@dataclass
class Browser:
    """One browser at the inbox, without JavaScript."""

    door: Door
    http: httpx.AsyncClient
    closing: anyio.Event
    pages: Pages
    page: str = field(default="")

    async def load(self, path: str = "/") -> str:
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
        assert f'formaction="/writes/{write.id}/{what}"' in self.card(write)
        answer = await self.http.post(f"/writes/{write.id}/{what}", data={**fields, **changes})
        assert answer.status_code == 303, answer.text
        return await self.load(answer.headers["location"])


def visitor(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE, headers=headers)


@contextlib.asynccontextmanager
async def browser_at(clerk: Clerk) -> AsyncIterator[Browser]:
    door, closing = Door(PORT), anyio.Event()
    pages = Pages(clerk, door, at_once, closing)
    async with visitor(pages.app) as http:
        browser = Browser(door, http, closing, pages)
        entered = await http.get(door.new_link())
        assert entered.status_code == 200
        yield browser


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[Browser]:
    async with browser_at(desk.clerk) as browser:
        yield browser
