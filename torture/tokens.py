"""What proves something, forged: confirmation tokens, sealed states, write ids, sign-in links, sessions, form tokens;
and what only points somewhere, spelt wrong: addresses of resources, cursors.

Nothing forged counts, nothing misspelt is a failure inside the server, and the true one counts afterwards.
"""

import random
import string
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import anyio
import httpx
from mcp import Client, MCPError
from mcp.types import InputRequiredResult, PaginatedRequestParams

from fraction_mcp.approvals.auth import InboxAuth, Session
from fraction_mcp.approvals.pages import Pages
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.clock import READS_S, Clock
from torture.host import SUBJECT, YES, Host
from torture.spoiling import unshowable
from torture.worlds import World

__all__ = ["Tokens", "tokens"]

_PORT = 8123
_OWN_FAULT = "something went wrong inside the server"
_ADDRESSES = (
    "fraction://parts/WIDGET-001", "fraction://customers/52", "fraction://contracts/600", "fraction://writes",
    "fraction://writes/w0123456789ab", "fraction://api-reference",
)  # fmt: skip


def forged(random_: random.Random, secret: str) -> str:
    """Something near it, and never the same, nor the same between spaces."""
    while True:
        at = random_.randrange(len(secret) + 1)
        other = random_.choice(string.printable + "é\u202e\u0130\uff41\U0001f600%/?#")
        said: str = random_.choice((
            secret[:at] + other + secret[at + 1 :], secret[:at] + other + secret[at:], secret[:at], secret[at:],
            secret.swapcase(), secret[::-1], secret * 2, "", " ", "null", "%00", "../" + secret, "x" * 5_000,
            secret + "=" * (at % 4 + 1), secret[:-1] + random_.choice(string.ascii_letters), f"'{secret}' OR 1=1",
        ))  # fmt: skip
        if said.strip() != secret:
            return said


Try = Callable[["Tokens"], Awaitable[str]]


@dataclass(slots=True)
class Tokens:
    """A waiting write under each policy, and an inbox. `tried` counts forgeries, by what they are of."""

    random: random.Random
    steps: Client
    rounds: Host
    inbox: httpx.AsyncClient
    session: Session
    link: str
    write_id: str
    token: str
    state: str
    tried: Counter[str] = field(default_factory=Counter)

    async def once(self) -> str:
        """One forgery. What is wrong, empty where nothing is."""
        name = self.random.choice(list(_TRIES))
        self.tried[name] += 1
        wrong = await _TRIES[name](self)
        return wrong and f"{name}: {wrong}"

    def forged(self, secret: str) -> str:
        return forged(self.random, secret)

    async def told(self, tool: str, arguments: dict[str, Any]) -> str:
        """What a tool answers to a forgery: an error of the caller's."""
        result = await self.steps.call_tool(tool, arguments)
        data = result.structured_content or {}
        code = (data.get("error") or {}).get("code", "")
        if result.is_error and code in {"INVALID_INPUT", "NOT_FOUND", "CONFIRMATION_INVALID"}:
            return unshowable(data)
        return f"{arguments!r:.300} is answered by {data!r:.500}"


async def _confirmation(of: Tokens) -> str:
    return await of.told("confirm_write", {"write_id": of.write_id, "confirmation_token": of.forged(of.token)})


async def _write_id(of: Tokens) -> str:
    said = of.forged(of.write_id)
    return await of.told("confirm_write", {"write_id": said, "confirmation_token": of.token})


async def _sealed(of: Tokens) -> str:
    said = of.forged(of.state)
    try:
        came = await of.rounds.leg(said, YES, READS_S)
    except MCPError as error:
        return _OWN_FAULT if _OWN_FAULT in str(error) else ""
    return "" if isinstance(came, InputRequiredResult) else f"{said!r:.300} is answered by {came!r:.300}"


async def _address(of: Tokens) -> str:
    said = of.forged(of.random.choice(_ADDRESSES))
    try:
        await of.steps.session.read_resource(said)
    except MCPError as error:
        return f"{said!r:.300}: {error}" if _OWN_FAULT in str(error) else unshowable([str(error)])
    return ""


async def _cursor(of: Tokens) -> str:
    lists = (of.steps.session.list_tools, of.steps.session.list_prompts, of.steps.session.list_resources)
    try:
        await of.random.choice(lists)(params=PaginatedRequestParams(cursor=of.forged("cursor")))
    except MCPError as error:
        return f"{error}" if _OWN_FAULT in str(error) else ""
    return ""


async def _link(of: Tokens) -> str:
    token = parse_qs(urlsplit(of.link).query)["token"][0]
    return _shut(await of.inbox.get("/enter", params={"token": of.forged(token)}))


async def _place(of: Tokens) -> str:
    said = quote(of.forged(of.session.place), safe="")
    headers = {"cookie": f"{of.session.cookie}={of.session.id}"}
    return _shut(await of.inbox.get(f"/s/{said}/", headers=headers))


async def _cookie(of: Tokens) -> str:
    said = quote(of.forged(of.session.id))
    return _shut(await of.inbox.get(of.session.root, headers={"cookie": f"{of.session.cookie}={said}"}))


async def _form(of: Tokens) -> str:
    form = {"csrf": of.forged(of.session.csrf), "digest": "0" * 64}
    headers = {"cookie": f"{of.session.cookie}={of.session.id}"}
    return _shut(await of.inbox.post(f"{of.session.root}writes/{of.write_id}/approve", data=form, headers=headers))


def _shut(answer: httpx.Response) -> str:
    if answer.status_code in {400, 403, 404} and "set-cookie" not in answer.headers:
        return ""
    return f"{answer.request.url!r:.300} is answered by {answer.status_code}"


_TRIES: dict[str, Try] = {
    "confirmation tokens": _confirmation, "write ids": _write_id, "sealed states": _sealed, "addresses": _address,
    "cursors": _cursor, "sign-in links": _link, "sessions' paths": _place, "cookies": _cookie, "form tokens": _form,
}  # fmt: skip


@asynccontextmanager
async def tokens(random_: random.Random, folder: Path, seeded: Path) -> AsyncIterator[tuple[Tokens, list[str]]]:
    """What forgeries are tried on; the list is filled, at the end, with what they did all the same."""
    wrong: list[str] = []
    worlds = [World.made(folder / name, seeded) for name in ("steps", "rounds")]
    settings = worlds[0].settings().model_copy(update={"confirm": "two_step", "elicitation": "off"})
    async with (
        Runtime(settings, worlds[0].erps()) as runtime,
        Client(create_server(runtime)) as steps,
        Host(worlds[1], "auto", Clock()).at_work() as rounds,
    ):
        asked = (await steps.call_tool(SUBJECT.tool, dict(SUBJECT.arguments))).structured_content or {}
        auth = InboxAuth(_PORT)
        session = auth.enter(parse_qs(urlsplit(auth.new_link().address).query)["token"][0])
        assert session is not None

        async def never(_: Callable[[], Awaitable[None]]) -> None:
            wrong.append("the inbox decided something")

        pages = Pages(await runtime.write_service(), auth, never, anyio.Event())
        link = auth.new_link().address
        transport = httpx.ASGITransport(pages.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{_PORT}") as inbox:
            state = await rounds.question()
            yield (
                Tokens(
                    random_, steps, rounds, inbox, session, link, asked["write_id"], asked["confirmation_token"], state
                ),
                wrong,
            )
            wrong += [f"written in {world.folder.name}" for world in worlds if SUBJECT.held(world, SUBJECT.arguments)]
            wrong += await _true_ones(steps, asked, inbox, link)
        wrong += [] if SUBJECT.held(worlds[0], SUBJECT.arguments) == 1 else ["the true token wrote nothing"]


async def _true_ones(steps: Client, asked: dict[str, Any], inbox: httpx.AsyncClient, link: str) -> list[str]:
    """They count still: no forgery has used them up."""
    said = {"write_id": asked["write_id"], "confirmation_token": asked["confirmation_token"]}
    done = (await steps.call_tool("confirm_write", said)).structured_content or {}
    entered = await inbox.get(link)
    wrong = [] if done.get("outcome") == "done" else [f"the true token is answered by {done!r:.300}"]
    return wrong if "set-cookie" in entered.headers else [*wrong, "the true link lets nobody in"]
