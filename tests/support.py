"""Stand-ins that several tests share: an ERP made of lists, which counts what it is asked, and a context to work in."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio

from fraction_mcp.erp import Connection, Erp
from fraction_mcp.erp.budget import Budget
from fraction_mcp.erp.cache import RememberingErp
from fraction_mcp.erp.endpoints import KINDS, ME, PART_PRICE_LISTS, WAREHOUSE_ORDERS, WAREHOUSES, Endpoint, System
from fraction_mcp.erp.records import PriceList
from fraction_mcp.erp.response import ErpAnswer, Page
from fraction_mcp.errors import ErpError, InvalidFields, NotFound
from fraction_mcp.operations.context import ErpContext

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
Record = dict[str, Any]


class ListedErp:
    """An `Erp` whose records are lists. `asked` holds (path, query) of every request, in order.

    `sorting` is what it makes of `sort`: it `sorts`, `refuses` it with 422, or `ignores` it. `states` are the paging
    facts that its answers carry.
    """

    def __init__(
        self,
        system: System = System.FRACTIONERP,
        *,
        sorting: str = "sorts",
        states: Sequence[str] = ("total", "last", "first_row", "last_row", "has_more"),
        price_lists: Mapping[int, Sequence[Record]] | None = None,
        **records: Sequence[Record],
    ) -> None:
        self.system = system
        self.sorting = sorting
        self.states = states
        self.records = {kind: list(rows) for kind, rows in records.items()}
        self.price_lists = price_lists or {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fails: ErpError | None = None
        self.writes = 0

    @property
    def requests(self) -> int:
        return len(self.asked)

    def connection(self) -> Connection:
        return Connection(
            base_url="https://erp.example",
            account="clerk@example.com",
            signed_in=not self.fails,
            user=None,
            company=None,
            budget=Budget(2000, 1990, AT),
        )

    async def ready(self) -> None:
        if self.fails:
            raise self.fails

    def seen(self, endpoint: Endpoint, field: str, text: str) -> None:
        """It remembers nothing."""

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> ErpAnswer:
        assert endpoint.method == "GET", "a read writes nothing"
        assert body is None
        query = dict(query or {})
        self.asked.append((endpoint.path.format(**path or {}), query))
        if self.fails:
            raise self.fails
        page = None
        if endpoint is PART_PRICE_LISTS:
            data: Any = list(self.price_lists.get(int((path or {})["id"]), ()))
            if "customer_id" in query:
                data = [one for one in data if str(one["customer_id"]) == query["customer_id"]]
        elif endpoint is ME:
            data = {"user": {"email": "clerk@example.com"}, "tenant": {"company": "Harrow & Pike", "plan": "pro"}}
        elif endpoint in {WAREHOUSES, WAREHOUSE_ORDERS}:
            data = []
        else:
            kind = next(name for name, kind in KINDS.items() if endpoint in (kind.list, kind.single))
            listed = endpoint is KINDS[kind].list
            data, page = self._listed(kind, query) if listed else (self._single(kind, (path or {})["id"]), None)
        return ErpAnswer(endpoint, 200, deepcopy(data), page, AT)

    def _single(self, kind: str, number: object) -> Record:
        for record in self.records.get(kind, ()):
            if record["id"] == number:
                return record
        raise NotFound("Resource not found.", system=self.system, operation="read a record", status=404)

    def _listed(self, kind: str, query: Mapping[str, Any]) -> tuple[list[Record], Page | None]:
        if "sort" in query and self.sorting == "refuses":
            raise InvalidFields("sort is invalid", system=self.system, operation="list", status=422)
        text = str(query.get("search", "")).casefold()
        rows = [row for row in self.records.get(kind, ()) if text in " ".join(map(str, row.values())).casefold()]
        if "sort" in query and self.sorting == "sorts":
            rows.sort(key=lambda row: str(row.get(query["sort"], "")).casefold(), reverse=query.get("order") == "desc")
        size, number = query.get("per_page", 25), query.get("page", 1)
        first, last = (number - 1) * size, max(1, -(-len(rows) // size))
        shown = rows[first : first + size]
        told = {
            "total": len(rows),
            "last": last,
            "first_row": first + 1 if shown else None,
            "last_row": first + len(shown) if shown else None,
            "has_more": number < last,
        }
        return shown, Page(**{name: told[name] for name in self.states})


def context_of(*erps: Erp, currency: str = "GBP", keep_s: float = 30) -> ErpContext:
    remembering = [RememberingErp(erp, keep_s=keep_s) for erp in erps]
    return ErpContext.set_up(*remembering, currency=currency, confirm="human", read_only=False, version="1.2.3")


def part(number: int, part_number: str, **fields: Any) -> Record:
    return {"id": number, "part_number": part_number, "description": "", "uom": "EA", **fields}


def customer(number: int, name: str, **fields: Any) -> Record:
    return {"id": number, "name": name, **fields}


def price_list(breaks: Mapping[str, str] | Sequence[tuple[str, str]], **fields: Any) -> PriceList:
    return PriceList.model_validate(sent_prices(52, "Acme Corp", breaks, **fields))


def sent_prices(
    customer_id: int, name: str, breaks: Mapping[str, str] | Sequence[tuple[str, str]], **fields: Any
) -> Record:
    """A price list as FractionERP sends one: figures as JSON numbers, the selling price as text."""
    steps = breaks.items() if isinstance(breaks, Mapping) else breaks
    return {
        "customer_id": customer_id,
        "customer_name": name,
        "price_breaks": [{"qty": Decimal(quantity), "price": Decimal(price)} for quantity, price in steps],
        **fields,
    }


def child_environment(**values: str) -> dict[str, str]:
    """This process's environment without any setting of ours but these, so that a developer's own do not matter."""
    ours = ("FRACTION_", "FRACTTAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **values}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def wait_for(process: "subprocess.Popen[str]", port: int, host: str = "127.0.0.1") -> None:
    """Until the process listens; fails as soon as it ends instead, and after half a minute."""
    for _ in range(300):
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(f"nothing listens on port {port}")


async def wait_until(condition: Callable[[], bool], deadline_s: float = 60) -> None:
    """Until something that another process does has happened."""
    with anyio.fail_after(deadline_s):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await anyio.sleep(0.01)


def end_inbox(folder: Path) -> None:
    """End the inbox that a server of this state folder has started, which would go on as long as something waits."""
    with suppress(OSError, ValueError):
        os.kill(json.loads((folder / "inbox.json").read_text())["pid"], signal.SIGTERM)
