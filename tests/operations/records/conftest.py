"""The tools on the embedded ERPs in process, the same company read directly, and an ERP of lists whose pages a test
holds back, shuffles, breaks or changes under the reader."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent
from starlette.applications import Starlette

from fraction_mcp import sandbox
from fraction_mcp.erp import Connection
from fraction_mcp.erp.budget import Budget
from fraction_mcp.erp.endpoints import PARTS, Endpoint
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.operations.records import all_pages, summary
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.all_pages import Reading, read_all
from tests.support import AT, ListedErp, Record, context_of
from tests.tools.conftest import Hosted, app, client, hosted  # noqa: F401 - the fixtures

KINDS = ("customers", "parts", "contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices")


def data(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def told(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def error(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error, told(result)
    found: dict[str, Any] = (result.structured_content or {})["error"]
    return found


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows, each by its columns' names."""
    assert len(set(found["columns"])) == len(found["columns"]), "two columns of one name"
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


Summarise = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def summarise(client: Client) -> Summarise:  # noqa: F811
    async def call(kind: str, **arguments: Any) -> dict[str, Any]:
        return data(await client.call_tool("summarise_records", {"kind": kind, **arguments}))

    return call


# -------------------------------------------------------------------------------------- the company, read directly

Everything = Mapping[str, Sequence[Record]]


async def all_records(app: Starlette, kind: str) -> list[Record]:  # noqa: F811
    """Every record of a kind as the sandbox serves it, page by page, with exact decimals; by nothing of the package."""
    base = f"http://sandbox{sandbox.FRACTION_PATH}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as http:
        account = {"email": sandbox.EMAIL, "password": sandbox.PASSWORD}
        token = (await http.post("/auth/login", json=account)).json()["data"]["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        records: list[Record] = []
        page = {"has_more": True, "current_page": 0}
        while page["has_more"]:
            answer = await http.get(f"/{kind.replace('_', '-')}", params={"page": page["current_page"] + 1})
            body = json.loads(answer.content, parse_float=Decimal)
            records += body["data"]
            page = body["meta"]["pagination"]
        assert len(records) == page["total"]
    return records


@pytest.fixture(scope="session")
def everything(app: Starlette) -> Everything:  # noqa: F811
    return {kind: anyio.run(all_records, app, kind) for kind in KINDS}


# ------------------------------------------------------------------------------------------------ an ERP of many pages


class PagedErp(ListedErp):
    """A `ListedErp` that notes how many requests are under way. With the page's number, `holding` is awaited before an
    answer is given, and may raise; `changing` may give another one."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.under_way = self.most_under_way = 0
        self.ended: list[int] = []
        self.budget: Budget | None = Budget(2000, 1990, AT)
        self.holding: Callable[[int], Awaitable[None]] | None = None
        self.changing: Callable[[int, ErpAnswer], ErpAnswer] | None = None

    def connection(self) -> Connection:
        return replace(super().connection(), budget=self.budget)

    @property
    def pages(self) -> list[int]:
        return [query["page"] for _, query in self.asked]

    async def call(self, endpoint: Endpoint, *, query: Any = None, **more: Any) -> ErpAnswer:
        number = (query or {}).get("page", 1)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = await super().call(endpoint, query=query, **more)
            if self.holding:
                await self.holding(number)
        finally:
            self.under_way -= 1
            self.ended.append(number)
        return self.changing(number, answer) if self.changing else answer


def parts(count: int, **fields: Any) -> list[Record]:
    return [{"id": number, "n": number % 7, **fields} for number in range(1, count + 1)]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pages of ten, so that a dozen of them are quickly made."""
    monkeypatch.setattr(all_pages, "PAGE", 10)
    return 10


async def read(erp: PagedErp, *, max_pages: int = 1000) -> tuple[Reading, list[int]]:
    """What was read, and the ids in the order in which they were handed on."""
    ids: list[int] = []
    reading = await read_all(erp, PARTS, {}, lambda rows: ids.extend(row["id"] for row in rows), max_pages=max_pages)
    return reading, ids


async def counted(erp: PagedErp, **more: Any) -> summary.Summary:
    return await summary.summarise(context_of(erp), "parts", Asked(group_by=["n"]), **more)
