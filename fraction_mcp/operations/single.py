"""One record, whole: of any kind by its id, a part with its price lists, a customer with its contacts."""

from typing import Any, Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import PriceBreak, PriceList, shown_id
from fraction_mcp.errors import InputError
from fraction_mcp.operations.desk import Desk
from fraction_mcp.operations.lookup import CUSTOMER, PART, Candidate, NotOne
from fraction_mcp.operations.pricing import price_lists
from fraction_mcp.operations.whole import ROOM, Shown, pieces_fitting, whole
from fraction_mcp.shapes import Answer, Piece, Quantity, UnitPrice, clean, quoted

__all__ = ["CustomerAnswer", "PartAnswer", "RecordAnswer", "customer_record", "one_record", "part_record"]


_SHARE = ROOM // 2  # what a record has room for where a list of its own stands beside it


class RecordAnswer(Answer):
    kind: str
    record: dict[str, Any]


async def one_record(desk: Desk, kind: str, record_id: str) -> RecordAnswer:
    """One record, whole as far as a result has room.

    Raises NotFound where the ERP has none of that id, InputError where it can be no id.
    """
    if not (record_id.isascii() and record_id.isdigit() and len(record_id) <= 18):
        raise InputError(
            {"id": f"must be a record's numeric id, not {quoted(record_id)}"},
            hint=f"Find the id with list_records(kind={kind!r}, search=…).",
        )
    record = (await desk.fraction.call(endpoints.KINDS[kind][1], path={"id": int(record_id)})).record()
    shown = whole(record)
    noun = kind.replace("_", " ").removesuffix("s")
    return RecordAnswer(
        summary=f"{noun[0].upper()}{noun[1:]} {record_id}, with its {len(record)} fields{_cut(shown)}.",
        next=_rest(shown, kind),
        kind=kind,
        record=shown.value,
    )


def _cut(*parts: Shown) -> str:
    """What the summary owes its reader about what did not fit."""
    missing = [name for part in parts for name in part.left_out]
    names = ", ".join(quoted(name, 80) for name in missing[:3]) + (f" and {len(missing) - 3} more" * (len(missing) > 3))
    return f"; only a part fits into a result of {names}" if missing else ""


def _rest(shown: Shown, kind: str) -> str:
    if not shown.left_out:
        return ""
    return (
        f"summarise_records(kind={kind!r}) with a filter on id and group_by on fields of a list (lines[].…) shows its "
        "entries in rows; the rest is to be seen in the ERP itself."
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
    part_id, number = found.record["id"], quoted(str(found.record.get("part_number") or ""))
    lists = [ShownPriceList.of(one) for one in await price_lists(desk, part_id)]
    part, fit = whole(found.record, _SHARE), pieces_fitting(lists, _SHARE)
    owners = "no price list" if not lists else f"price lists of {len(lists)} customer{'s' if len(lists) > 1 else ''}"
    owners += f", of which {fit} fit into a result" if fit < len(lists) else ""
    return PartAnswer(
        summary=f"{found.remark(PART)}Part {number} (id {part_id}), with {owners}{_cut(part)}.",
        next="get_price_for_quantity with a customer prices any of the others." if fit < len(lists) else "",
        status="found",
        part=part.value,
        price_lists=tuple(lists[:fit]),
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
    contacts = [one for one in sent if isinstance(one, dict)] if isinstance(sent, list) else []
    customer = whole({name: value for name, value in record.items() if name != "contacts"}, _SHARE)
    beside = whole({"contacts": contacts}, _SHARE)
    fit = [one for one in beside.value["contacts"] if isinstance(one, dict)]
    count = f"{len(contacts)} contact{'' if len(contacts) == 1 else 's'}"
    who = f"Customer {quoted(str(record.get('name') or ''))} (id {shown_id(record)})"
    return CustomerAnswer(
        summary=f"{found.remark(CUSTOMER)}{who}, with {count}{_cut(beside, customer)}.",
        next="The other contacts are to be seen in FractionERP itself." if len(fit) < len(contacts) else "",
        status="found",
        customer=customer.value,
        contacts=tuple(fit),
    )
