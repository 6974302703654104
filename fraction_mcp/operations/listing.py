"""A page of records -> a small table with honest coverage; one record -> all of it."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.records import PriceBreak, PriceList
from fraction_mcp.erp.wire import Answer as ErpAnswer
from fraction_mcp.errors import InputError
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, NotOne
from fraction_mcp.operations.present import Cell, presented, table
from fraction_mcp.shapes import Answer, Piece, Quantity, UnitPrice, clean, quoted

__all__ = [
    "Coverage",
    "CustomerAnswer",
    "Listing",
    "PartAnswer",
    "RecordAnswer",
    "customer_record",
    "list_kind",
    "one_record",
    "part_record",
]


class Coverage(Piece):
    """What an answer rests on. `total` as the ERP states it; a figure that nobody stated is null."""

    model_config = ConfigDict(populate_by_name=True)

    total: int | None
    scanned: int
    returned: int
    first: int | None = Field(alias="from")
    last: int | None = Field(alias="to")
    page: int
    last_page: int | None
    complete: bool
    next_page: int | None

    @classmethod
    def of_page(cls, answer: ErpAnswer, returned: int, page: int, limit: int) -> "Coverage":
        """A single page. Where the ERP says nothing of pages, a full one is taken to be followed by another."""
        told = answer.page
        total = told.total if told else None
        last_page = told.last if told else None
        if last_page is not None:
            more = page < last_page
        elif total is not None:
            more = page * limit < total
        elif told is not None and told.has_more is not None:
            more = told.has_more
        else:
            more = returned == limit
        first = told.first_row if told and told.first_row is not None else (page - 1) * limit + 1
        return cls(
            total=total,
            scanned=returned,
            returned=returned,
            first=first if returned else None,
            last=first + returned - 1 if returned else None,
            page=page,
            last_page=last_page,
            complete=page == 1 and not more,
            next_page=page + 1 if more else None,
        )

    def phrase(self, noun: str) -> str:
        """The rows and what they are a part of: `rows 11 to 20 of 600 parts`."""
        if not self.returned:
            return f"no {noun}" if self.page == 1 else f"no {noun} on page {self.page}"
        if self.complete:
            return f"all {self.returned} {noun}" if self.returned > 1 else f"1 {noun.removesuffix('s')}"
        of = f"of {self.total} {noun}" if self.total is not None else f"of the {noun}, whose number is not stated"
        return f"rows {self.first} to {self.last} {of}"


class Listing(Answer):
    kind: str
    coverage: Coverage
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


async def _page(
    desk: Desk, endpoint: Endpoint, *, search: str, limit: int, page: int, sort: str, order: str
) -> ErpAnswer:
    asked: dict[str, str | int] = {"search": search, "sort": sort, "order": order, "per_page": limit, "page": page}
    return await desk.fraction.call(endpoint, query={name: value for name, value in asked.items() if value != ""})


def _sentence(coverage: Coverage, noun: str, search: str, sort: str, order: str) -> str:
    words = coverage.phrase(noun)
    words += f" matching {quoted(search)}" if search else ""
    words += f", sorted by {clean(sort, 40)}{' descending' if order == 'desc' else ''}" if sort else ""
    return words[0].upper() + words[1:] + "."


def _more(coverage: Coverage) -> str:
    return f"Call again with page={coverage.next_page} for more, or narrow the search." if coverage.next_page else ""


async def list_kind(
    desk: Desk,
    kind: str,
    *,
    search: str = "",
    limit: int = 10,
    page: int = 1,
    sort: str = "",
    order: str = "",
    fields: Sequence[str] = (),
) -> Listing:
    """One page of any kind of record, as columns that tell something."""
    answer = await _page(desk, endpoints.KINDS[kind][0], search=search, limit=limit, page=page, sort=sort, order=order)
    records = answer.records()
    if kind == "parts":
        desk.lookup.learn_parts(records)
    columns, rows = table(records, fields)
    coverage = Coverage.of_page(answer, len(rows), page, limit)
    return Listing(
        summary=_sentence(coverage, kind.replace("_", " "), search, sort, order),
        next=_more(coverage),
        kind=kind,
        coverage=coverage,
        columns=tuple(columns),
        rows=tuple(map(tuple, rows)),
    )


# ---------------------------------------------------------------------------------------------------- single records


class RecordAnswer(Answer):
    kind: str
    record: dict[str, Any]


async def one_record(desk: Desk, kind: str, record_id: str) -> RecordAnswer:
    """One record, whole. Raises NotFound where the ERP has none of that id, InputError where it can be no id."""
    if not (record_id.isascii() and record_id.isdigit() and len(record_id) <= 18):
        raise InputError(
            {"id": f"must be a record's numeric id, not {quoted(record_id)}"},
            hint=f"Find the id with list_records(kind={kind!r}, search=…).",
        )
    answer = await desk.fraction.call(endpoints.KINDS[kind][1], path={"id": int(record_id)})
    record = presented(answer.record())
    noun = kind.replace("_", " ").removesuffix("s")
    return RecordAnswer(
        summary=f"{noun[0].upper()}{noun[1:]} {record_id}, with its {len(record)} fields.", kind=kind, record=record
    )


class ShownBreak(Piece):
    quantity: Quantity
    unit_price: UnitPrice

    @classmethod
    def of(cls, step: PriceBreak) -> "ShownBreak":
        return cls(quantity=step.quantity, unit_price=step.unit_price)


class ShownPriceList(Piece):
    customer_id: int
    customer_name: str
    customer_part_number: str
    selling_price: UnitPrice | None
    price_breaks: tuple[ShownBreak, ...]

    @classmethod
    def of(cls, sent: PriceList) -> "ShownPriceList":
        return cls(
            customer_id=sent.customer_id,
            customer_name=clean(sent.customer_name),
            customer_part_number=clean(sent.customer_part_number),
            selling_price=sent.selling_price,
            price_breaks=tuple(map(ShownBreak.of, sorted(sent.price_breaks, key=lambda step: step.quantity))),
        )


Status = Literal["found", "ambiguous", "not_found"]


class PartAnswer(Answer):
    status: Status
    part: dict[str, Any] | None = None
    price_lists: tuple[ShownPriceList, ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def part_record(desk: Desk, said: str) -> PartAnswer:
    """A part and every customer's price list of it."""
    found = await desk.lookup.find(PART, said)
    if isinstance(found, NotOne):
        return PartAnswer(
            summary=found.summary, next=found.next, status=found.status, candidates=tuple(found.candidates)
        )
    part_id = found.record["id"]
    answer = await desk.fraction.call(endpoints.PART_PRICE_LISTS, path={"id": part_id})
    lists = tuple(map(ShownPriceList.of, answer.read_all(PriceList)))
    owners = "no price list" if not lists else f"price lists of {len(lists)} customer{'s' if len(lists) > 1 else ''}"
    return PartAnswer(
        summary=f"{found.remark(PART)}Part {quoted(str(found.record['part_number']))} (id {part_id}), with {owners}.",
        status="found",
        part=presented(found.record),
        price_lists=lists,
    )


class CustomerAnswer(Answer):
    status: Status
    customer: dict[str, Any] | None = None
    contacts: tuple[dict[str, Any], ...] = ()
    candidates: tuple[Candidate, ...] = ()


async def customer_record(desk: Desk, said: str) -> CustomerAnswer:
    """A customer with its contacts, which the single record carries (`fractionerp-rest-api.txt`)."""
    found = await desk.lookup.find(CUSTOMER, said)
    if isinstance(found, NotOne):
        return CustomerAnswer(
            summary=found.summary, next=found.next, status=found.status, candidates=tuple(found.candidates)
        )
    record = found.record
    if found.how != "id":  # by id, the single record is already here
        record = (await desk.fraction.call(endpoints.CUSTOMER, path={"id": record["id"]})).record()
    sent = record.get("contacts")
    contacts = tuple(presented(one) for one in sent if isinstance(one, dict)) if isinstance(sent, list) else ()
    customer = presented({name: value for name, value in record.items() if name != "contacts"})
    count = f"{len(contacts)} contact{'' if len(contacts) == 1 else 's'}"
    name = quoted(str(record.get("name") or ""))
    return CustomerAnswer(
        summary=f"{found.remark(CUSTOMER)}Customer {name} (id {record.get('id')}), with {count}.",
        status="found",
        customer=customer,
        contacts=contacts,
    )
