"""Lists, single records and price lists, read."""

from collections.abc import Mapping
from decimal import Decimal

from fraction_mcp.sandbox.http import Reply
from fraction_mcp.sandbox.jsontext import Raw
from fraction_mcp.sandbox.store import Store

from .envelope import invalid, not_found, success
from .kinds import CONTACTS, CUSTOMERS, PARTS, Kind

_DEFAULT_PER_PAGE = 25
_MAX_PER_PAGE = 100
# SQLite counts in 64 bits; a page beyond this is as empty as any page beyond the last.
_FAR = 10**15


def list_records(
    store: Store, kind: Kind, query: Mapping[str, str], where: str = "1", values: tuple[object, ...] = ()
) -> Reply:
    page, per_page = _paging(query)
    order = _order(kind, query)
    term = query.get("search", "").strip().casefold()
    if term:
        where, values = f"({where}) AND instr(haystack, ?) > 0", (*values, term)
    counted = store.one(f"SELECT count(*) AS total FROM {kind.table} WHERE {where}", values)
    total = int(counted["total"]) if counted else 0
    offset = min((page - 1) * per_page, _FAR)
    # Only the page's own rows are rendered: the inner select skips over bare ids.
    rows = store.all(
        f"SELECT {kind.row} AS row FROM {kind.table} JOIN "
        f"(SELECT id AS chosen FROM {kind.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?) "
        f"ON id = chosen ORDER BY {order}",
        (*values, per_page, offset),
    )
    data = [Raw(row["row"]) for row in rows]
    return success(data, pagination=_pagination(total, page, per_page, len(data)))


def get_record(store: Store, kind: Kind, identifier: str) -> Reply:
    return success(Raw(record(store, kind, record_id(identifier))))


def list_contacts(store: Store, identifier: str, query: Mapping[str, str]) -> Reply:
    customer = record_id(identifier)
    record(store, CUSTOMERS, customer)
    return list_records(store, CONTACTS, query, "customer_id = ?", (customer,))


def get_price_lists(store: Store, identifier: str, query: Mapping[str, str]) -> Reply:
    part = record_id(identifier)
    record(store, PARTS, part)
    wanted = query.get("customer_id", "")
    if not wanted:
        return success(price_lists(store, part))
    if not _is_id(wanted):
        raise invalid(("customer_id", "The customer_id field must be an integer."))
    return success(price_lists(store, part, int(wanted)))


def price_lists(store: Store, part: int, customer: int | None = None) -> list[dict[str, object]]:
    """Breaks come in the order in which they were stored: nobody promises that it is a sorted one."""
    lists = store.all(
        "SELECT part_customer_id, customer_id, name, customer_part_number, selling_price FROM price_lists "
        "JOIN customers ON customers.id = customer_id WHERE part_id = ? AND (? IS NULL OR customer_id = ?) "
        "ORDER BY part_customer_id",
        (part, customer, customer),
    )
    breaks: dict[int, list[dict[str, object]]] = {row["part_customer_id"]: [] for row in lists}
    for row in store.all(
        "SELECT price_breaks.id, part_customer_id, qty, price FROM price_breaks JOIN price_lists "
        "USING (part_customer_id) WHERE part_id = ? AND (? IS NULL OR customer_id = ?) ORDER BY price_breaks.id",
        (part, customer, customer),
    ):
        entry = {"id": row["id"], "qty": Decimal(row["qty"]), "price": Decimal(row["price"])}
        # A list that another process linked between the two reads is in the second one only.
        breaks.get(row["part_customer_id"], []).append(entry)
    return [
        {
            "part_customer_id": row["part_customer_id"],
            "customer_id": row["customer_id"],
            "customer_name": row["name"],
            "customer_part_number": row["customer_part_number"],
            "selling_price": row["selling_price"],
            "price_breaks": breaks[row["part_customer_id"]],
        }
        for row in lists
    ]


def record(store: Store, kind: Kind, number: int) -> str:
    row = store.one(f"SELECT {kind.whole} AS row FROM {kind.table} WHERE id = ?", (number,))
    if row is None:
        raise not_found()
    return str(row["row"])


def record_id(text: str) -> int:
    if not _is_id(text):
        raise not_found()
    return int(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15


def _paging(query: Mapping[str, str]) -> tuple[int, int]:
    values = {}
    errors = []
    for name, default in (("page", 1), ("per_page", _DEFAULT_PER_PAGE)):
        text = query.get(name) or str(default)
        if _is_id(text) and int(text) >= 1:
            values[name] = int(text)
        else:
            errors.append((name, f"The {name} field must be an integer of at least 1."))
    if errors:
        raise invalid(*errors)
    return values["page"], min(values["per_page"], _MAX_PER_PAGE)


def _order(kind: Kind, query: Mapping[str, str]) -> str:
    """The id settles ties, so that pages neither repeat nor lose a record."""
    field = query.get("sort") or "id"
    direction = (query.get("order") or "asc").lower()
    errors = []
    if field not in kind.sorts:
        errors.append(("sort", "The selected sort is invalid."))
    if direction not in {"asc", "desc"}:
        errors.append(("order", "The selected order is invalid."))
    if errors:
        raise invalid(*errors)
    return f"id {direction}" if field == "id" else f"{kind.sorts[field]} {direction}, id"


def _pagination(total: int, page: int, per_page: int, shown: int) -> dict[str, object]:
    last = max(1, -(-total // per_page))
    first = (page - 1) * per_page + 1
    return {
        "total": total,
        "per_page": per_page,
        "current_page": page,
        "last_page": last,
        "from": first if shown else None,
        "to": first + shown - 1 if shown else None,
        "has_more": page < last,
    }
