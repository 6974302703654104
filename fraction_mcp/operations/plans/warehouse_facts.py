"""What Fracttal's lists tell of an order before it is put before a person.

A list that was read whole may *prove* that a warehouse or an item is not there: such an order would fail, and nobody is
asked about it. A list that cannot be read, is cut, or is empty (an account may be shown nothing) proves nothing: the
order is planned all the same, and its preview says what was not checked.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from fraction_mcp.erp import Erp, endpoints
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import AmbiguousReference, ErpError
from fraction_mcp.operations.candidates import Candidate
from fraction_mcp.operations.records.all_pages import PAGE
from fraction_mcp.operations.records.fresh_pages import MOST, read_fresh_pages
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.values.characters import flaw_in_code
from fraction_mcp.values.text import clean, exactly, normalised, quoted

__all__ = ["Sought", "WarehouseFacts"]

_NAMED = 5  # missing items that a sentence names
_CANDIDATES, _OF_ONE = 10, 4


@dataclass(frozen=True, slots=True)
class Sought:
    """What an order names; `recent` asks for the orders among which its document may be."""

    warehouse: str
    items: Sequence[str]
    supplier: str
    document: str
    recent: Mapping[str, str | int]


@dataclass(slots=True)
class WarehouseFacts:
    """`same` are the orders of this very document, None where they could not be read or are not all known."""

    warnings: list[str] = field(default_factory=list)
    notes: list[Change] = field(default_factory=list)
    same: list[Record] | None = None
    _absent: AmbiguousReference | None = None

    @classmethod
    async def read(cls, erp: Erp, sought: Sought) -> "WarehouseFacts":
        """Raises AmbiguousReference where the warehouse, or an item of it, is proved not to be there."""
        facts = cls()
        async with anyio.create_task_group() as group:
            group.start_soon(facts._document, erp, sought)
            group.start_soon(facts._stock, erp, sought)
            if sought.supplier:
                group.start_soon(facts._supplier, erp, sought)
        if facts._absent is not None:
            raise facts._absent
        facts.warnings.sort(key=lambda words: "Whether" in words)
        return facts

    async def _document(self, erp: Erp, sought: Sought) -> None:
        try:
            recent, whole = await read_fresh_pages(erp, endpoints.WAREHOUSE_ORDERS, sought.recent)
        except ErpError:
            self.warnings.append("Whether this document was used in the last 90 days could not be checked.")
            return
        same = [order for order in recent if normalised(order.get("document")) == normalised(sought.document)]
        # Of orders that were not all seen, an older one of this document could be taken for ours afterwards.
        self.same = same if whole else None
        self.warnings += [
            f"The document {exactly(sought.document)} was used before, by the order {quoted(str(order.get('id')))}."
            for order in same[:3]
        ]
        if not whole:
            self.warnings.append(f"Whether other orders used this document is not known: only {MOST:,} were looked at.")

    async def _stock(self, erp: Erp, sought: Sought) -> None:
        """The warehouse's items; where there are none to be seen, whether the warehouse is there at all."""
        stock = await _Codes.read(erp, endpoints.WAREHOUSE_ITEMS, {"code": sought.warehouse}, sought.items)
        missing = stock.without(sought.items)
        if missing and stock.proves:
            self._absent = _no_items(sought, missing, stock.records)
            return
        if not stock.records:
            warehouses = await _Codes.read(erp, endpoints.WAREHOUSES, {}, [sought.warehouse])
            if warehouses.without([sought.warehouse]) and warehouses.proves:
                self._absent = _no_warehouse(sought.warehouse, warehouses.records)
                return
            if not warehouses.records:
                self._unchecked("whether the warehouse exists, and has these items", warehouses)
                return
        if missing:
            self._unchecked(f"whether the warehouse has {_listed(missing)}", stock)

    def _unchecked(self, what: str, looked_in: "_Codes") -> None:
        why = "is empty" if looked_in.whole and not looked_in.records else "could not be read to its end"
        self.notes.append(Change(field="not checked", before=None, after=f"{what}: Fracttal's list of them {why}"))

    async def _supplier(self, erp: Erp, sought: Sought) -> None:
        query: dict[str, str | int] = {"code": sought.supplier, "start": 0, "limit": 10}
        try:
            suppliers = (await erp.call(endpoints.THIRD_PARTIES, query=query, fresh=True)).records()
        except ErpError:
            return
        named = [supplier for supplier in suppliers if normalised(supplier.get("code")) == normalised(sought.supplier)]
        if named:
            name = next((str(named[0][key]) for key in ("name", "description") if named[0].get(key)), "")
            self.notes.append(Change(field="supplier's name", before=None, after=clean(name)))
        else:
            self.warnings.append(f"No supplier with the code {exactly(sought.supplier)} was found.")


@dataclass(frozen=True, slots=True)
class _Codes:
    """A list of what has codes, as far as it could be read."""

    records: list[Record]
    whole: bool

    @classmethod
    async def read(
        cls, erp: Erp, endpoint: Endpoint, query: Mapping[str, str | int], wanted: Sequence[str]
    ) -> "_Codes":
        """As many pages as it takes to see all that is wanted, `MOST` records at most."""
        pages, records = Pages(PAGE), list[Record]()
        try:
            while pages.more and len(records) < MOST:
                page_query = {**query, **pages.query(endpoint, pages.next)}
                records += pages.take(await erp.call(endpoint, query=page_query, fresh=True))
                if not cls(records, whole=False).without(wanted):
                    break
        except ErpError:
            return cls(records, whole=False)
        return cls(records, whole=pages.whole)

    @property
    def proves(self) -> bool:
        """Whether what is not in the list is not there."""
        return self.whole and bool(self.records) and all(_code(record) for record in self.records)

    def without(self, codes: Sequence[str]) -> list[str]:
        """Which of these codes are not in the list."""
        there = {normalised(_code(record)) for record in self.records}
        return [code for code in dict.fromkeys(codes) if normalised(code) not in there]


def _code(record: Record) -> str:
    return str(record.get("code") or record.get("item_code") or "")


def _no_warehouse(code: str, there: Sequence[Record]) -> AmbiguousReference:
    return AmbiguousReference(
        f"Fracttal has no warehouse with the code {exactly(code)}.",
        next_step="Ask the user which warehouse is meant, then call again with its code.",
        status="not_found",
        candidates=_nearest("warehouse_code", code, there, _CANDIDATES),
    )


def _no_items(sought: Sought, missing: Sequence[str], there: Sequence[Record]) -> AmbiguousReference:
    several = len(missing) > 1
    each = max(1, min(_OF_ONE, _CANDIDATES // len(missing)))
    near = [_nearest(f"items[{sought.items.index(code)}].code", code, there, each) for code in missing]
    return AmbiguousReference(
        f"The warehouse {exactly(sought.warehouse)} has no item{'s' if several else ''} with the "
        f"code{'s' if several else ''} {_listed(missing)}.",
        next_step="Ask the user which items are meant, then call again with their codes.",
        status="not_found",
        candidates=[candidate for of_one in near for candidate in of_one][:_CANDIDATES],
    )


def _listed(codes: Sequence[str]) -> str:
    more = len(codes) - _NAMED
    return ", ".join(map(exactly, codes[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def _nearest(argument: str, wanted: str, there: Sequence[Record], most: int) -> list[Candidate]:
    """By code or description; the code is what an order names, so it is the candidate's id, as it can be sent."""

    def likeness(record: Record) -> float:
        words = (_code(record), str(record.get("description") or ""))
        return max(difflib.SequenceMatcher(None, normalised(wanted), normalised(word)).ratio() for word in words)

    return [
        Candidate(
            argument=argument,
            id=clean(code) if flaw_in_code(code) else code,
            name=clean(code),
            description=clean(str(record.get("description") or ""), 80),
        )
        for record in sorted(there, key=likeness, reverse=True)[:most]
        for code in (_code(record),)
    ]
