"""Every kind of record that FractionERP lists: tables, summaries, single records."""

from typing import Annotated, Literal

from pydantic import Field

from fraction_mcp.erp import endpoints
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.records import describe, detail, listing, summary
from fraction_mcp.operations.records.aggregate import Asked
from fraction_mcp.operations.records.filters import Condition
from fraction_mcp.tools.fields import IdText, Paged, ToolInput, whole_number
from fraction_mcp.tools.spec import Effect, tool

__all__: list[str] = []

Kind = Annotated[
    Literal["customers", "parts", "contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices"],
    Field(description="Kind of record"),
]
Path = Annotated[str, Field(min_length=1, max_length=120)]
Paths = Annotated[list[Path], Field(max_length=10)]


class Filter(ToolInput):
    field: Path = Field(description="e.g. customer.name, lines[].qty")
    op: Literal["=", "!=", "<", "<=", ">", ">=", "contains", "in", "is_empty"] = Field(
        description="= is the whole value, case aside"
    )
    value: IdText = Field("", description="e.g. 100 or 2026-01-31")
    values: list[IdText] = Field([], max_length=100, description="For in")


Filters = Annotated[list[Filter], Field(default_factory=list, max_length=10, description="All must hold")]
Text = Annotated[IdText, Field(description="Text to find")]


def _conditions(filters: list[Filter]) -> list[Condition]:
    return [(condition.field, condition.op, condition.value, condition.values) for condition in filters]


class DescribeRecords(ToolInput):
    kind: Literal[
        "", "customers", "parts", "contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices"
    ] = Field("", description="Empty: counts of all")


@tool(effect=Effect.READ, calls=tuple(kind.list for kind in endpoints.KINDS.values()))
async def describe_records(context: ErpContext, ask: DescribeRecords) -> describe.Description:
    """Count every kind of record, or name one kind's fields, with examples and values.

    Use when field names or an overview are wanted, before guessing any.
    """
    if ask.kind:
        return await describe.describe_kind(context, ask.kind)
    return await describe.describe_kinds(context)


class ListRecords(Paged):
    kind: Kind
    search: Text = ""
    filters: Filters
    fields: list[Path] = Field([], max_length=40, description='Columns; ["*"]: all')


@tool(effect=Effect.READ, calls=tuple(kind.list for kind in endpoints.KINDS.values()))
async def list_records(context: ErpContext, ask: ListRecords) -> listing.Listing:
    """List records of any kind as a table; contracts are enquiries, quotes and sales orders.

    Use when rows of any kind are wanted.
    Not for counts or sums: summarise_records.
    """
    return await listing.list_kind(
        context, ask.kind, ask.shown(ask.fields), search=ask.search, conditions=_conditions(ask.filters)
    )


class GetRecord(ToolInput):
    kind: Kind
    id: IdText = Field(min_length=1, description="Id or number, e.g. Q1235")


@tool(effect=Effect.READ, calls=tuple(kind.single for kind in endpoints.KINDS.values()))
async def get_record(context: ErpContext, ask: GetRecord) -> detail.RecordResult:
    """Read one record of any kind, with all its fields and lines.

    Use when its id or number is known.
    Not for a part or customer by name: get_part, get_customer.
    """
    return await detail.record_detail(context, ask.kind, ask.id)


class SummariseRecords(ToolInput):
    kind: Kind
    search: Text = ""
    group_by: list[Path] = Field([], max_length=3, description="Fields, e.g. status")
    sum: Paths = Field([], description="Fields")
    min: Paths = Field([], description="Fields")
    max: Paths = Field([], description="Fields")
    average: Paths = Field([], description="Fields")
    share: Paths = Field([], description="Per cent of: count or fields of sum")
    filters: Filters
    date_field: str = Field("", max_length=120, description="e.g. contract_date")
    date_bucket: Literal["", "day", "week", "month", "quarter", "year"] = Field("", description="Group width")
    top: Annotated[int, Field(ge=1, le=200, description="Groups"), whole_number] = 20
    max_pages: Annotated[int, Field(ge=1, le=10_000, description="Of 100 rows"), whole_number] = 50
    max_records: Annotated[int, Field(ge=0, le=1_000_000, description="0: all"), whole_number] = 0


@tool(effect=Effect.READ, calls=tuple(kind.list for kind in endpoints.KINDS.values()))
async def summarise_records(context: ErpContext, ask: SummariseRecords) -> summary.Summary:
    """Count, sum, average and group records of any kind exactly, over all pages.

    Use when someone asks how many or how much.
    Not for the rows: list_records.
    """
    asked = Asked(
        group_by=ask.group_by,
        sums=ask.sum,
        lows=ask.min,
        highs=ask.max,
        averages=ask.average,
        shares=ask.share,
        dates=_dates(ask.date_field, ask.date_bucket),
    )
    return await summary.summarise(
        context,
        ask.kind,
        asked,
        search=ask.search,
        conditions=_conditions(ask.filters),
        top=ask.top,
        max_pages=ask.max_pages,
        max_records=ask.max_records,
    )


def _dates(field: str, bucket: str) -> tuple[str, str]:
    """A date field without a width is taken by the month; a width without a field says nothing (strict modes give
    every argument)."""
    return (field, bucket or "month") if field else ("", "")
