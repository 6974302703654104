"""The Python interface: what the tools do, as methods, in this process and without a session.

    async with fraction_mcp.connect(sandbox=True) as erp:
        price = await erp.price("WIDGET-001", 250, customer="Acme Corp")
        print(price.summary, price.prices[0].line_total)

Arguments are taken, and refused, exactly as a tool's are; results are the tools' own models, in which amounts are exact
Decimals (`to_wire()` gives what a client is sent). What goes wrong is raised: any FractionMcpError, of which `errors`
draws the tree. A write is proposed, never made: a person decides about it in the approval inbox or a terminal, as after
an assistant.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from fraction_mcp.errors import InputError, ReadOnly
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import offered, switched_off
from fraction_mcp.tools.spec import Effect, ToolSpec

if TYPE_CHECKING:
    from fraction_mcp.operations.connection import ConnectionStatus
    from fraction_mcp.operations.customers import CustomerResult
    from fraction_mcp.operations.parts import PartResult
    from fraction_mcp.operations.pricing.one_part import PriceResult
    from fraction_mcp.operations.pricing.order_lines import OrderPrices
    from fraction_mcp.operations.records.detail import RecordResult
    from fraction_mcp.operations.records.listing import Listing
    from fraction_mcp.operations.records.summary import Summary
    from fraction_mcp.operations.results import ToolResult
    from fraction_mcp.operations.writes.wording import WriteResult
    from fraction_mcp.runtime import Runtime

__all__ = ["Connected", "connect"]

Quantity = int | str | Decimal
_ASKED_BY = "a Python program"


def connect(*, profile: str = "", sandbox: bool = False) -> "Connected":
    """The ERPs of the environment or a stored profile, or the embedded ones. An async context manager.

    Raises ConfigError where nothing is configured. Nothing is sent before the first call; use it from one event loop.
    """
    from fraction_mcp.cli.serve import checked_settings, runtime_of  # noqa: PLC0415 - which loads the sandbox, if it is meant

    return Connected(runtime_of(checked_settings(sandbox=sandbox, profile=profile)))


class Connected:
    """Signed in on demand. Leaving it signs out, once a write that is being sent is over."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._tools = offered(runtime.settings)

    async def __aenter__(self) -> Self:
        await self._runtime.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._runtime.__aexit__(kind, error, trace)

    # -------------------------------------------------------------------------------------------------------- reading

    async def price(self, part: str, quantity: Quantity, *, customer: str = "") -> "PriceResult":
        """Price a part at a quantity: for a customer, or for every customer, cheapest first.

        `status` is `priced`, `no_price`, `ambiguous` or `not_found`; only `priced` has prices.
        """
        arguments = {"part": part, "quantity": str(quantity), "customer": customer}
        return cast("PriceResult", await self.call("get_price_for_quantity", **arguments))

    async def price_lines(self, customer: str, lines: Iterable[tuple[str, Quantity]]) -> "OrderPrices":
        """Price up to 100 lines of (part, quantity). `total` is None unless every line has a price."""
        order_lines = [{"part": part, "quantity": str(quantity)} for part, quantity in lines]
        return cast("OrderPrices", await self.call("price_order_lines", customer=customer, lines=order_lines))

    async def search_parts(self, query: str = "", **paging: Any) -> "Listing":
        """Parts that contain a text. `paging`: limit, page, sort, order."""
        return cast("Listing", await self.call("search_parts", query=query, **paging))

    async def search_customers(self, query: str = "", **paging: Any) -> "Listing":
        """Customers that contain a text. `paging`: limit, page, sort, order."""
        return cast("Listing", await self.call("search_customers", query=query, **paging))

    async def part(self, part: str) -> "PartResult":
        """A part with every customer's price list."""
        return cast("PartResult", await self.call("get_part", part=part))

    async def customer(self, customer: str) -> "CustomerResult":
        """A customer with its contacts."""
        return cast("CustomerResult", await self.call("get_customer", customer=customer))

    async def records(self, kind: str, **options: Any) -> "Listing":
        """Records of a kind, as `list_records` lists them: search, filters, limit, page, sort, order, fields."""
        return cast("Listing", await self.call("list_records", kind=kind, **options))

    async def record(self, kind: str, id: str) -> "RecordResult":  # noqa: A002 - the tool's own name for it
        return cast("RecordResult", await self.call("get_record", kind=kind, id=id))

    async def summarise(self, kind: str, **options: Any) -> "Summary":
        """Count, sum and group records over all pages, as `summarise_records` does."""
        return cast("Summary", await self.call("summarise_records", kind=kind, **options))

    async def status(self) -> "ConnectionStatus":
        """Who is signed in where. What does not work is told in it, not raised."""
        return cast("ConnectionStatus", await self.call("get_connection_status"))

    async def call(self, tool: str, **arguments: Any) -> "ToolResult":
        """Any tool that reads, by its name. Raises InputError for a name or an argument that it does not have."""
        spec = self._spec(tool)
        if spec.effect.plans or spec.effect in {Effect.BATCH, Effect.CONFIRM}:
            raise InputError({"tool": f"{tool} writes: use propose"})
        reads = spec.effect is Effect.READ
        context_or_service = await (self._runtime.context() if reads else self._runtime.write_service())
        return cast("ToolResult", await spec.run(context_or_service, read_arguments(spec, arguments)))

    # -------------------------------------------------------------------------------------------------------- writing

    async def propose(self, tool: str, **arguments: Any) -> "WriteResult":
        """Plan a write and put it before a person. `outcome` is `awaiting_approval`; nothing is sent before a yes.

        It waits after this program has ended, too; while it is connected, this program sends what is approved. Raises
        AmbiguousReference where a name is not exactly one record, and BatchRefused for a `submit_writes` of which one
        cannot be asked about.
        """
        from fraction_mcp.operations.writes.wording import result_for, result_for_batch  # noqa: PLC0415 - only who writes

        spec = self._spec(tool)
        if not (spec.effect.plans or spec.effect is Effect.BATCH):
            raise InputError({"tool": f"{tool} proposes nothing: use call"})
        arguments = _plain(arguments)
        ask = read_arguments(spec, arguments)
        service = await self._runtime.write_service()
        if spec.effect is Effect.BATCH:
            planned = await spec.run(service.context, ask)
            answer: WriteResult = result_for_batch(
                await service.propose_batch(planned.writes(), asked_by=_ASKED_BY), place=service.place
            )
        else:
            plan = await spec.plan(service.context, ask)
            write = await service.propose(plan, tool=tool, arguments=arguments, asked_by=_ASKED_BY)
            answer = result_for(write, place=service.place)
        await self._runtime.watch()
        await self._runtime.open_inbox()
        return answer

    async def write_status(self, write_id: str) -> "WriteResult":
        """Where a write stands."""
        return cast("WriteResult", await self.call("get_write_status", write_id=write_id))

    def _spec(self, tool: str) -> ToolSpec:
        if tool in switched_off(self._runtime.settings):
            raise ReadOnly(tool)
        if tool not in self._tools:
            raise InputError({"tool": f"there is no {tool}; there are {', '.join(self._tools)}"})
        return self._tools[tool]


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As the journal keeps them, plain JSON: a Decimal as text."""
    plain: dict[str, Any] = _as_json(arguments)
    return plain


def _as_json(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value)
        case Mapping():
            return {name: _as_json(each) for name, each in value.items()}
        case list() | tuple():
            return [_as_json(each) for each in value]
    return value
