"""The embedded ERPs behind an answer that is spoilt in one place, and what is asked of them: for the fuzzer, which
picks places and ways by chance, and for tests/tools/test_odd_answers.py, which goes through every place once."""

import itertools
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
from mcp import Client, MCPError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ASKED", "COMPLAINT", "GONE", "STATUSES", "WAYS", "Place", "Spoiling", "places", "spoilt", "wrong_with"]

_MOST_S = 30

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


def places(document: Any, at: Place = (), *, first_only: bool = True) -> Iterator[Place]:
    """Every place in it; of a list its first entry stands for all, unless all are asked for."""
    yield at
    if isinstance(document, dict):
        for name, value in document.items():
            yield from places(value, (*at, name), first_only=first_only)
    elif isinstance(document, list):
        for index, value in enumerate(document[:1] if first_only else document):
            yield from places(value, (*at, index), first_only=first_only)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        yield from itertools.chain.from_iterable(map(texts, value.values()))
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(texts, value))
    elif isinstance(value, str):
        yield value


def unshowable(told: Any) -> str:
    """The first text in it that no terminal should see, or that cannot be sent; empty where there is none."""
    odd = (text for text in texts(told) if any(_hidden(character) for character in text))
    return repr(next(odd, ""))[1:-1]


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in "\n\t"


async def wrong_with(client: Client, tool: str, asked: Mapping[str, Any]) -> str:
    """What is wrong with this tool's answer: it hangs, tells of a bug of its own, or holds what nobody may see. Empty
    where it is a result, or an error of the ERP's."""
    with anyio.move_on_after(_MOST_S):
        try:
            result = await client.call_tool(tool, dict(asked))
        except MCPError as error:
            return f"an error of the protocol: {error}"
        told = result.structured_content or {}
        if (told.get("error") or {}).get("code") == "INTERNAL_ERROR":
            return f"a failure of its own: {result.content}"
        return unshowable(told)
    return f"no answer within {_MOST_S} s"
