"""Whatever an ERP answers, a tool gives a result or tells an error of the ERP's: wrong types at every key of every
list, single record, price list and sign-in, other statuses, names and texts that no terminal should see.

Each place in each answer is spoilt once here, with the next of all the ways in turn; run over all of them (some forty
thousand calls) it takes ten minutes.
"""

import itertools
import json
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.erp import endpoints
from fraction_mcp.erp.client import fraction_client, fracttal_client
from fraction_mcp.errors import ErpError
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

pytestmark = pytest.mark.anyio

Place = tuple[str | int, ...]


def nested(made: Callable[[Any], Any], depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = made(value)
    return value


GONE: Any = object()
WAYS: list[Any] = [
    GONE, None, True, False, 0, -1, 7, 10**30, 10**400, 1.5, "", "x", "52", "2026-01-01",
    "\ud800", "\x1b[31mred\u202e", [], {}, [[]], [None], ["a"], [{"a": 1}], {"a": 1}, {"id": [1]},
    "long" * 20_000, {"\ud800": 1, "\x1b[0m": 2}, [[1, 2], [3]],
    nested(lambda inner: {"x": inner}, 60), nested(lambda inner: [inner], 60), nested(lambda inner: {"x": [inner]}, 99),
]  # fmt: skip

LINES = [{"part": "WIDGET-001", "quantity": 5}, {"part": "MANIFOLD-220", "quantity": 5}]
FILTERS = [
    {"field": "total_amount", "op": ">", "value": "100"},
    {"field": "lines[].qty", "op": "!=", "value": "1"},
    {"field": "notes", "op": "is_empty"},
    {"field": "customer", "op": "contains", "value": "a"},
]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("search_parts", {"query": "widget"}),
    ("get_part", {"part": "MANIFOLD-220"}),
    ("get_part", {"part": "4"}),
    ("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250}),
    ("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250, "customer": "Birchwood Instruments Ltd"}),
    ("price_order_lines", {"customer": "Acme Corp", "lines": LINES}),
    ("search_customers", {"query": "acme"}),
    ("get_customer", {"customer": "Acme Corp"}),
    ("list_records", {"kind": "contracts", "limit": 3, "fields": ["*"]}),
    ("list_records", {"kind": "work_orders", "limit": 3, "fields": ["operations[].name", "status"]}),
    ("list_records", {"kind": "contracts", "limit": 3, "filters": FILTERS}),
    ("get_record", {"kind": "contracts", "id": "600"}),
    ("summarise_records", {"kind": "contracts", "group_by": ["status", "customer"], "sum": ["total_amount"],
                           "min": ["contract_date"], "average": ["total_amount"]}),
    ("summarise_records", {"kind": "contracts", "group_by": ["lines[].part.part_number"], "sum": ["lines[].qty"],
                           "date_field": "contract_date", "date_bucket": "month"}),
    ("summarise_records", {"kind": "parts"}),
    ("list_fracttal_purchase_orders", {"since": "2026-01-01"}),
    ("get_connection_status", {}),
    ("create_enquiry", {"customer": "Acme Corp", "contact": "Ruth Lindqvist", "customer_ref": "PO-1"}),
    ("add_contact", {"customer": "52", "name": "Jo"}),
    ("create_part", {"part_number": "NEW-1"}),
    ("set_price_list", {"part": "WIDGET-001", "customer": "Acme Corp",
                        "price_breaks": [{"quantity": 1, "unit_price": "12"}]}),
    ("create_fracttal_purchase_order", {"warehouse_code": "1254", "document": "OC_X", "supplier_code": "SUP/003",
                                        "items": [{"code": "DEST01", "quantity": 1, "unit_cost": "5"}]}),
]  # fmt: skip
STATUSES = [204, 206, 301, 304, 400, 401, 403, 404, 405, 406, 407, 408, 409, 410, 418, 422, 451, 501, 599]
COMPLAINT = {
    "success": False,
    "errors": [{"code": ["x"], "message": {"a": 1}, "field": [["x"]]}, 7, None],
    "message": [1],
}


class Spoiling:
    """The sandbox behind an answer that is spoilt in one place."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: dict[str, Any] = {}
        self.path = ""
        self.place: Place = ()
        self.way: Any = None
        self.status = 0

    def spoil(self, path: str, place: Place = (), way: Any = None, *, status: int = 0) -> None:
        self.path, self.place, self.way, self.status = path, place, way, status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        start, body = dict(messages[0]), b"".join(message.get("body", b"") for message in messages[1:])
        if start["status"] < 300:
            self.seen[scope["path"]] = json.loads(body)
            if scope["path"] == self.path:
                start["status"] = self.status or start["status"]
                body = json.dumps(COMPLAINT if self.status else spoilt(json.loads(body), self.place, self.way)).encode()
        start["headers"] = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        await send(start)
        await send({"type": "http.response.body", "body": body})


def spoilt(document: Any, place: Place, way: Any) -> Any:
    if not place:
        return None if way is GONE else way
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    if way is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = way
    return document


def places(document: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in it; of a list its first entry stands for all."""
    yield at
    if isinstance(document, dict):
        for name, value in document.items():
            yield from places(value, (*at, name))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*at, 0))


@pytest.fixture(scope="module")
def spoiling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoiling]:
    app = sandbox.open_sandbox(tmp_path_factory.mktemp("company") / "sandbox.db", parts=120)
    app.state.fraction_limit_per_hour = app.state.fracttal_limit_per_minute = 10**9
    yield Spoiling(app)
    app.state.store.close()


@pytest.fixture
async def client(spoiling: Spoiling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    changes = {"confirm": "two_step", "elicitation": "off", "cache_s": 0}
    settings = checked_settings(sandbox=True).model_copy(update=changes)
    spoiling.spoil("")
    async with Runtime(settings, spoiling) as runtime, Client(create_server(runtime)) as client:
        await client.call_tool("get_connection_status", {})
        yield client


async def check(client: Client, tool: str, asked: dict[str, Any], why: object) -> None:
    """It answers, in time; what it says is no bug of its own; and a terminal can show it."""
    with anyio.fail_after(30):
        result = await client.call_tool(tool, asked)
    told = result.structured_content or {}
    code = (told.get("error") or {}).get("code")
    assert code != "INTERNAL_ERROR", (tool, asked, why, result.content)
    for text in texts(told):
        text.encode()
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t" for c in text), (
            tool,
            why,
            text,
        )


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        yield from itertools.chain.from_iterable(map(texts, value.values()))
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(texts, value))
    elif isinstance(value, str):
        yield value


@pytest.mark.matrix
@pytest.mark.parametrize(("tool", "asked"), ASKED, ids=[f"{n}-{tool}" for n, (tool, _) in enumerate(ASKED)])
async def test_an_odd_answer_is_answered_and_never_a_failure_inside_the_server(
    client: Client, spoiling: Spoiling, tool: str, asked: dict[str, Any]
) -> None:
    spoiling.seen.clear()
    first = await client.call_tool(tool, asked)
    assert not first.is_error, first.content
    ways = itertools.cycle(WAYS[len(tool) % 7 :] + WAYS[: len(tool) % 7])
    for path, document in list(spoiling.seen.items()):
        for place in places(document):
            spoiling.spoil(path, place, way := next(ways))
            await check(client, tool, asked, (path, place, repr(way)[:80]))
        for status in STATUSES:
            spoiling.spoil(path, status=status)
            await check(client, tool, asked, (path, status))
    spoiling.spoil("")
    after = await client.call_tool(tool, asked)
    assert not after.is_error, "the server goes on"


@pytest.mark.parametrize("system", endpoints.System)
async def test_an_odd_answer_to_a_sign_in_is_a_sign_in_or_an_error_of_the_erps(
    spoiling: Spoiling, system: endpoints.System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    settings = checked_settings(sandbox=True)
    make, path, read = (
        (fraction_client, f"{sandbox.FRACTION_PATH}/auth/login", endpoints.ME)
        if system is endpoints.System.FRACTIONERP
        else (fracttal_client, sandbox.FRACTTAL_TOKEN_PATH, endpoints.WAREHOUSES)
    )
    spoiling.spoil("")
    client = make(settings, spoiling)
    await client.call(read)
    await client.aclose()
    document = spoiling.seen[path]
    signed_in, told = 0, list[str]()
    for place in places(document):
        for way in WAYS:
            spoiling.spoil(path, place, way)
            client = make(settings, spoiling)
            try:
                await client.call(read)
                told.append(str(client.connection()))
                signed_in += 1
            except ErpError as error:
                told.append(error.message)
            await client.aclose()
    assert signed_in > len(WAYS)
    assert "\n".join(told).encode()
