"""One FractionERP for many people, each with a company of their own: what one reads is told apart from what all others
do, by its prices and by its names. Who asks is known by the e-mail at the sign-in, and by the token afterwards."""

import asyncio
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Message, Receive, Scope, Send

from fraction_mcp import sandbox

_LOGIN, _REFRESH = f"{sandbox.FRACTION_PATH}/auth/login", f"{sandbox.FRACTION_PATH}/auth/refresh"
_PEOPLE = re.compile(r"person-\d\d", re.IGNORECASE)


def people_in(text: str) -> set[str]:
    """Whose names or data a text holds."""
    return {name.lower() for name in _PEOPLE.findall(text)}


@dataclass
class Company:
    """One person's: `person-07`, who pays 17.07 for a widget, and whose widget is called after them."""

    number: int
    app: Any

    @property
    def name(self) -> str:
        return f"person-{self.number:02}"

    @property
    def email(self) -> str:
        return f"{self.name}@harrow-pike.example"

    @property
    def price(self) -> str:
        return f"{10 + self.number}.{self.number:02}"

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.app.state.store.all(sql, values)]

    def run(self, sql: str, *values: Any) -> None:
        with self.app.state.store.writing() as db:
            db.execute(sql, values)

    def made(self) -> list[str]:
        """The numbers of all parts that were written here, one for each record."""
        return [row["part_number"] for row in self.rows("SELECT part_number FROM parts WHERE part_number LIKE 'NEW-%'")]

    def asked(self, method: str, path: str = "") -> int:
        return sum(1 for entry in self.app.state.requests if entry.method == method and path in entry.endpoint)


@dataclass
class Hold:
    """An answer that is kept back: `reached` when there is one, and sent when it is `let_go`."""

    path: str
    method: str
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


class Companies:
    """An ASGI application. `of` is by number."""

    def __init__(self, template: Path, folder: Path, count: int) -> None:
        self.of = {number: _company(template, folder, number) for number in range(1, count + 1)}
        self._by_email = {company.email: company for company in self.of.values()}
        self._by_token: dict[str, Company] = {}
        self._holds: dict[int, Hold] = {}
        self.refused: list[str] = []  # whose token was taken no more, once for each request

    def hold(self, company: Company, path: str, *, method: str = "POST") -> Hold:
        """Keep back the next answer at this path; what was asked for is done all the same."""
        self._holds[company.number] = hold = Hold(path, method)
        return hold

    def close(self) -> None:
        for hold in self._holds.values():
            hold.let_go.set()
        for company in self.of.values():
            company.app.state.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole(receive)
        headers = dict(scope["headers"])
        if scope["path"] == _LOGIN:
            asked = json.loads(body)
            company = self._by_email.get(asked["email"])
            if company is not None:
                body = json.dumps(asked | {"email": sandbox.EMAIL}).encode()
        else:
            token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
            company = self._by_token.get(token)
        if company is None:  # somebody nobody knows, as the first one's ERP says it
            company = self.of[1]
            body = b'{"email": "nobody@nowhere.example", "password": "none"}'
        status, answered, content = await _answer(company, scope, body)
        if status == 401:
            self.refused.append(company.name)
        if scope["path"] in {_LOGIN, _REFRESH} and status == 200:
            content = _renamed(content, company)
            self._by_token[json.loads(content)["data"]["access_token"]] = company
        elif "/auth/" in scope["path"]:
            content = _renamed(content, company)
        await self._held_back(company, scope)
        kept = [(name, value) for name, value in answered if name.lower() != b"content-length"]
        length = (b"content-length", str(len(content)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": content})

    async def _held_back(self, company: Company, scope: Scope) -> None:
        hold = self._holds.get(company.number)
        if hold is not None and scope["method"] == hold.method and scope["path"].endswith(hold.path):
            del self._holds[company.number]
            hold.reached.set()
            await asyncio.to_thread(hold.let_go.wait, 60)


def _company(template: Path, folder: Path, number: int) -> Company:
    path = Path(shutil.copy(template, folder / f"company-{number}.db"))
    company = Company(number, sandbox.open_sandbox(path))
    company.run("UPDATE price_breaks SET price = ?", company.price)
    company.run("UPDATE price_lists SET selling_price = ?", company.price)
    company.run("UPDATE parts SET description = ?", f"Widget of {company.name}")
    return company


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(company: Company, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[Message] = []
    asked: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return asked.pop() if asked else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    length = (b"content-length", str(len(body)).encode())
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
    await company.app({**scope, "headers": [*headers, length]}, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], list(sent[0]["headers"]), content


def _renamed(content: bytes, company: Company) -> bytes:
    return content.replace(sandbox.EMAIL.encode(), company.email.encode()).replace(b"Jo Harrow", company.name.encode())


@contextmanager
def served(template: Path, folder: Path, count: int) -> Iterator[tuple[Companies, str]]:
    """The companies, and the address of their ERP."""
    companies = Companies(template, folder, count)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(companies, http="h11", log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield companies, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            companies.close()
            thread.join(15)
