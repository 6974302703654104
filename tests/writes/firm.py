"""A firm for each test: the embedded ERPs, in process and behind a real socket, and seats at sessions in them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, ErrorData, Implementation, InputRequiredResult
from pydantic import SecretStr
from starlette.applications import Starlette

from fraction_mcp import sandbox
from fraction_mcp.config import Settings
from tests.known_tools import knows_the_tools
from torture.clock import READS_S, Clock

if TYPE_CHECKING:
    from fraction_mcp.runtime import Runtime


Answer = Callable[..., Awaitable[Any]]
"""What a client makes of a question: `(context, question) -> its answer`."""


def answering(action: str, **content: Any) -> Answer:
    async def answer(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action=action, content=content or None)  # type: ignore[arg-type]

    return answer


ANSWERS = {"yes": answering("accept", decision="approve"), "no": answering("accept", decision="decline"),
           "decline": answering("decline"), "cancel": answering("cancel")}  # fmt: skip


@dataclass
class Seat:
    """One MCP session with one runtime: what a host would hold. Whoever answers by hand has read for a while."""

    client: Client
    runtime: "Runtime"
    clock: "Clock"

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return data(await self.client.call_tool(tool, arguments))

    async def round(self, tool: str, arguments: dict[str, Any], state: str | None = None, answer: Any = None) -> Any:
        """One leg of a multi-round-trip call, by hand."""
        answers = None if answer is None else {"decision": answer}
        self.clock.passes(0 if answer is None else READS_S)
        return await self.client.session.call_tool(
            tool, arguments, input_responses=answers, request_state=state, allow_input_required=True
        )

    async def tools(self) -> set[str]:
        return {tool.name for tool in (await self.client.list_tools()).tools}


def data(result: CallToolResult | InputRequiredResult) -> dict[str, Any]:
    assert isinstance(result, CallToolResult), result
    assert result.structured_content is not None, result.content
    return {**result.structured_content, "is_error": bool(result.is_error)}


@dataclass
class Firm:
    """A company of the embedded ERPs, and offices that work in it, in process or (`wired`) over real sockets."""

    app: Starlette
    url: str
    state: Path
    clock: Clock = field(default_factory=Clock)

    def settings(self, *, wired: bool = False, **changes: Any) -> Settings:
        base = self.url if wired else "http://localhost"
        facts: dict[str, Any] = {
            "fraction_base_url": base + sandbox.FRACTION_PATH,
            "fraction_email": sandbox.EMAIL,
            "fraction_password": SecretStr(sandbox.PASSWORD),
            "fracttal_base_url": base + sandbox.FRACTTAL_PATH,
            "fracttal_token_url": base + sandbox.FRACTTAL_TOKEN_PATH,
            "fracttal_client_id": sandbox.CLIENT_ID,
            "fracttal_client_secret": SecretStr(sandbox.CLIENT_SECRET),
            "state_dir": self.state,
            "open_inbox": False,
            "elicitation": "full",
            "timeout_s": 5,
        }
        return Settings(**(facts | changes))

    @asynccontextmanager
    async def runtime(self, *, wired: bool = False, **changes: Any) -> AsyncIterator["Runtime"]:
        from fraction_mcp.runtime import Runtime

        async with Runtime(
            self.settings(wired=wired, **changes), None if wired else self.app, clock=self.clock
        ) as runtime:
            yield runtime

    @asynccontextmanager
    async def seat(
        self,
        answer: str | Answer | None = None,
        *,
        mode: str = "auto",
        wired: bool = False,
        reads_s: float = READS_S,
        client_info: Implementation | None = None,
        within_s: float = 20,
        **changes: Any,
    ) -> AsyncIterator[Seat]:
        """`reads_s` is how long whoever answers takes, by the journal's clock; `within_s` bounds the test."""
        from fraction_mcp.server.app import create_server

        given = ANSWERS[answer] if isinstance(answer, str) else answer

        async def after_reading(
            context: ClientRequestContext, question: ElicitRequestParams
        ) -> ElicitResult | ErrorData:
            assert given is not None
            came: ElicitResult | ErrorData = await given(context, question)
            self.clock.passes(reads_s)
            return came

        callback = cast(ElicitationFnT, after_reading) if given is not None else None
        with anyio.fail_after(within_s):
            async with (
                self.runtime(wired=wired, **changes) as runtime,
                Client(
                    create_server(runtime), mode=mode, elicitation_callback=callback, client_info=client_info
                ) as client,
            ):
                knows_the_tools(client, runtime.settings)
                yield Seat(client, runtime, self.clock)

    # --------------------------------------------------------------------------------------------- what the ERPs hold

    @property
    def arm(self) -> Callable[..., Any]:
        return self.app.state.faults.arm

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.app.state.store.all(sql, values)]

    def run(self, sql: str, *values: Any) -> None:
        with self.app.state.store.writing() as db:
            db.execute(sql, values)

    def enquiries(self, ref: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM contracts WHERE json_extract(doc, '$.customer_ref') = ?", ref)

    def parts(self, number: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM parts WHERE part_number = ?", number)

    def contacts(self, name: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM contacts WHERE name = ?", name)

    def orders(self, document: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM movements WHERE document = ?", document)

    def breaks(self, part: str, customer: int) -> dict[str, str]:
        sql = """SELECT qty, price FROM price_breaks JOIN price_lists USING (part_customer_id)
                 JOIN parts ON parts.id = part_id WHERE part_number = ? AND customer_id = ?"""
        return {row["qty"]: row["price"] for row in self.rows(sql, part, customer)}

    def sent(self, endpoint: str = "") -> list[str]:
        """Every write that reached an ERP, landed or not."""
        return [
            f"{entry.method} {entry.endpoint}"
            for entry in self.app.state.requests
            if entry.method in {"POST", "PUT"} and "/auth/" not in entry.endpoint and "token" not in entry.endpoint
            if not endpoint or entry.endpoint == endpoint
        ]


@dataclass
class Case:
    """A call of one tool that writes, where it goes, and how many records of it the ERP holds."""

    tool: str
    arguments: dict[str, Any]
    system: str
    held: Callable[[Any], int]
    number: str  # where in the ERP's answer the reader finds what people call it by
    endpoint: str


CASES = [
    Case(
        "create_enquiry",
        {"customer": "Acme Corp", "contact": "Ruth Adeyemi", "customer_ref": "PO-FIVE", "notes": "Two of each"},
        "fractionerp",
        lambda firm: len(firm.enquiries("PO-FIVE")),
        "quote_number",
        "/contracts",
    ),
    Case(
        "add_contact",
        {"customer": "acme corp ", "name": "Jo Five", "email": "jo.five@acme.example", "job_title": "Buyer"},
        "fractionerp",
        lambda firm: len(firm.contacts("Jo Five")),
        "name",
        "/customers/52/contacts",
    ),
    Case(
        "create_part",
        {"part_number": "FIVE-001", "description": "A fifth", "material": "EN8"},
        "fractionerp",
        lambda firm: len(firm.parts("FIVE-001")),
        "part_number",
        "/parts",
    ),
    Case(
        "set_price_list",
        {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]},
        "fractionerp",
        lambda firm: int(firm.breaks("WIDGET-001", 52) == {"5": "9.125"}),
        "customer_id",
        "/parts/1/price-lists",
    ),
    Case(
        "create_fracttal_purchase_order",
        {
            "warehouse_code": "1254",
            "document": "OC_FIVE",
            "items": [{"code": "DEST01", "quantity": 9, "unit_cost": "5000"}],
        },
        "fracttal",
        lambda firm: len(firm.orders("OC_FIVE")),
        "document",
        "/warehouse_purchase_orders/1254",
    ),
]  # fmt: skip
