"""The embedded ERPs and a journal in a folder of their own, and the writes that are made in them.

Knows how to ask the ERP's own file what it holds, and keeps what was sent to it: no word of the package is taken for
what happened.
"""

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp import sandbox
from fraction_mcp.config import Settings

__all__ = ["BATCH", "FAULTS", "SUBJECTS", "Subject", "World", "items", "seed", "worlds_folder"]

TIMEOUT_S = 2.0  # what a busy machine answers within
PARTS = 40


def worlds_folder() -> Path:
    """In memory where that can be had: what is killed is a process, not a machine."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="torture-", dir=memory if memory.is_dir() else None))


def seed(folder: Path) -> Path:
    """A company that every world gets a copy of."""
    path = folder / "seed.sqlite3"
    sandbox.open_sandbox(path, parts=PARTS, seed=1).state.store.close()
    return path


class _Kept:
    """The ERPs' outermost layer: a line in a file for each request that writes, before anything is done with it.

    A record that is held once may have been sent twice: a part's number is its own, and a price list that is put again
    is the same price list. What a process has handed to the file system outlives its kill.
    """

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        signs_in = "/auth/" in scope.get("path", "") or scope.get("path") == sandbox.FRACTTAL_TOKEN_PATH
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"} or signs_in:
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        self._keep(json.dumps([scope["method"], scope["path"], body.decode("latin-1")]))

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, again, send)

    def _keep(self, line: str) -> None:
        kept = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(kept, f"{line}\n".encode())
        os.close(kept)


@dataclass(frozen=True, slots=True)
class World:
    """One folder: an ERP's file, and the state folder with its journal."""

    folder: Path
    database_url: str = ""

    @classmethod
    def made(cls, folder: Path, seeded: Path, database_url: str = "") -> "World":
        folder.mkdir()
        shutil.copy(seeded, folder / "erp.sqlite3")
        return cls(folder, database_url)

    def erps(self) -> Starlette:
        erps = sandbox.open_sandbox(self.folder / "erp.sqlite3")
        erps.middleware_stack = _Kept(erps.build_middleware_stack(), self._sent)
        return erps

    @property
    def _sent(self) -> Path:
        return self.folder / "sent"

    def sent(self) -> list[tuple[str, str, str]]:
        """Method, path and body of each request to write that has reached the ERPs, whichever process sent it."""
        lines = self._sent.read_text("ascii").splitlines() if self._sent.exists() else []
        return [(method, path, body) for method, path, body in map(json.loads, lines)]

    def settings(self) -> Settings:
        return Settings(
            fraction_base_url=f"http://localhost{sandbox.FRACTION_PATH}",
            fraction_email=sandbox.EMAIL,
            fraction_password=SecretStr(sandbox.PASSWORD),
            fracttal_base_url=f"http://localhost{sandbox.FRACTTAL_PATH}",
            fracttal_token_url=f"http://localhost{sandbox.FRACTTAL_TOKEN_PATH}",
            fracttal_client_id=sandbox.CLIENT_ID,
            fracttal_client_secret=SecretStr(sandbox.CLIENT_SECRET),
            state_dir=self.folder / "state",
            database_url=SecretStr(self.database_url),
            open_inbox=False,
            timeout_s=TIMEOUT_S,
        )

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.folder / 'erp.sqlite3'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def remove(self) -> None:
        shutil.rmtree(self.folder)


@dataclass(frozen=True, slots=True)
class Subject:
    """A write that is tried, and another of the same kind for a process beside it. `held` counts, in the ERP's own
    file, what a write of these arguments makes; `method` and `path` are where it goes, and by what stands at `mark` its
    request is known from the other's."""

    tool: str
    arguments: Mapping[str, Any]
    beside: Mapping[str, Any]
    method: str
    path: str
    mark: str
    held: Callable[[World, Mapping[str, Any]], int]

    def is_of(self, arguments: Mapping[str, Any], request: tuple[str, str, str]) -> bool:
        """Whether this request that reached the ERP is one of a write with these arguments."""
        method, path, body = request
        mark = arguments["price_breaks"][0][self.mark] if "price_breaks" in arguments else arguments[self.mark]
        return method == self.method and fnmatchcase(path, f"*{self.path}") and mark in body


def _breaks(world: World, arguments: Mapping[str, Any]) -> int:
    sql = """SELECT qty, price FROM price_breaks JOIN price_lists USING (part_customer_id)
             JOIN parts ON parts.id = part_id WHERE part_number = ? AND customer_id = 52"""
    wanted = {str(step["quantity"]): step["unit_price"] for step in arguments["price_breaks"]}
    return int(dict(world.rows(sql, arguments["part"])) == wanted)


def _count(sql: str, name: str) -> Callable[[World, Mapping[str, Any]], int]:
    return lambda world, arguments: int(world.rows(sql, arguments[name])[0][0])


_ITEM: Mapping[str, Any] = {"code": "DEST01", "quantity": 9, "unit_cost": "5000"}

SUBJECTS: Mapping[str, Subject] = {
    subject.tool: subject
    for subject in (
        Subject(
            "create_enquiry",
            {"customer": "Acme Corp", "customer_ref": "CRASH-REF", "notes": "Two of each"},
            {"customer": "Acme Corp", "customer_ref": "BESIDE-REF"},
            "POST",
            "/contracts",
            "customer_ref",
            _count("SELECT count(*) FROM contracts WHERE json_extract(doc, '$.customer_ref') = ?", "customer_ref"),
        ),
        Subject(
            "add_contact",
            {"customer": "Acme Corp", "name": "Jo Crash", "email": "jo.crash@acme.example"},
            {"customer": "Acme Corp", "name": "Jo Beside", "email": "jo.beside@acme.example"},
            "POST",
            "/customers/*/contacts",
            "name",
            _count("SELECT count(*) FROM contacts WHERE name = ?", "name"),
        ),
        Subject(
            "create_part",
            {"part_number": "CRASH-001", "description": "Made once"},
            {"part_number": "BESIDE-001", "description": "Made beside it"},
            "POST",
            "/parts",
            "part_number",
            _count("SELECT count(*) FROM parts WHERE part_number = ?", "part_number"),
        ),
        Subject(
            "set_price_list",
            {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]},
            {"part": "WIDGET-002", "customer": "Acme Corp", "price_breaks": [{"quantity": 7, "unit_price": "8.125"}]},
            "PUT",
            "/parts/*/price-lists",
            "unit_price",
            _breaks,
        ),
        Subject(
            "create_fracttal_purchase_order",
            {"warehouse_code": "1254", "document": "OC_CRASH", "items": [_ITEM]},
            {"warehouse_code": "1254", "document": "OC_BESIDE", "items": [{**_ITEM, "quantity": 2}]},
            "POST",
            "/warehouse_purchase_orders/*",
            "document",
            _count("SELECT count(*) FROM movements WHERE document = ?", "document"),
        ),
    )
}  # fmt: skip


def _together(name: str) -> Mapping[str, Any]:
    """A part, an enquiry and a price list under one approval; what the ERP does to the write meets the one between."""
    tools = ("create_part", "create_enquiry", "set_price_list")
    return {"writes": [{"tool": tool, "arguments": getattr(SUBJECTS[tool], name)} for tool in tools]}


def items(tool: str, arguments: Mapping[str, Any]) -> list[tuple[Subject, Mapping[str, Any]]]:
    """The writes that such a call is about, in order."""
    if tool != "submit_writes":
        return [(SUBJECTS[tool], arguments)]
    return [(SUBJECTS[item["tool"]], item["arguments"]) for item in arguments["writes"]]


BATCH = Subject(
    "submit_writes",
    _together("arguments"),
    _together("beside"),
    "POST",
    "/contracts",
    "",
    lambda world, arguments: min(item.held(world, asked) for item, asked in items("submit_writes", arguments)),
)

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "dropped before the commit": {"kind": "drop_before"},
    "dropped after the commit": {"kind": "drop_after"},
    "500 after the commit": {"kind": "after_500"},
    "answer cut": {"kind": "cut"},
    "time-out after the commit": {"kind": "timeout_after", "seconds": 5.0},
}
"""What the ERP does to the write itself, by the sandbox's own kinds of fault."""
