"""Warehouses, what they stock, items, suppliers, and purchase orders, read."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from fraction_mcp.sandbox.fields import is_date
from fraction_mcp.sandbox.http import Reply
from fraction_mcp.sandbox.jsontext import Raw
from fraction_mcp.sandbox.store import Store

from .envelope import Refusal, success

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_WINDOW = dt.timedelta(days=30)

_WAREHOUSE = (
    "json_object('id', id, 'code', code, 'description', description, 'address', address, 'country', 'United Kingdom', "
    "'external_integration', json('false'), 'active', json(CASE WHEN active THEN 'true' ELSE 'false' END))"
)
_ITEM = (
    "json_object('id', id, 'id_type_item', 4, 'code', code, 'description', description || '    { ' || code || ' }', "
    "'field_1', description, 'units_description', unit, 'unit_cost', json(unit_cost), 'active', json('true'))"
)
_SUPPLIER = "json_object('id', id, 'code', code, 'name', name, 'email', email)"


def list_warehouses(store: Store, query: Mapping[str, str]) -> Reply:
    return _page(store, "warehouses", _WAREHOUSE, query)


def list_items(store: Store, query: Mapping[str, str]) -> Reply:
    return _page(store, "items", _ITEM, query)


def list_suppliers(store: Store, query: Mapping[str, str]) -> Reply:
    return _page(store, "third_parties", _SUPPLIER, query)


def get_warehouse(store: Store, code: str) -> Reply:
    return _single_object(store, "warehouses", _WAREHOUSE, code)


def get_item(store: Store, code: str) -> Reply:
    return _single_object(store, "items", _ITEM, code)


def list_stock(store: Store, query: Mapping[str, str]) -> Reply:
    """`code` is the warehouse's; each row's `code` is an item's."""
    warehouse = warehouse_id(store, query.get("code", ""))
    start, limit = _paging(query)
    rows = store.all(
        "SELECT items.id, code, description, unit, stock, minimum, location FROM warehouse_items "
        "JOIN items ON items.id = item_id WHERE warehouse_id = ? ORDER BY items.id",
        (warehouse,),
    )
    data = [
        {
            "id_item": row["id"],
            "id_type_item": 4,
            "description": f"{row['description']}    {{ {row['code']} }}",
            "code": row["code"],
            "units_description": row["unit"],
            "field_1": row["description"],
            "active": True,
            "id_warehouse": warehouse,
            "stock": Decimal(row["stock"]),
            "max_stock_level": None,
            "min_stock_level": None if row["minimum"] is None else Decimal(row["minimum"]),
            "location": row["location"],
        }
        for row in rows
    ]
    return success(data[start : start + limit], len(data), key="mensaje")


def list_orders(store: Store, query: Mapping[str, str]) -> Reply:
    """Headers only, oldest first. Without a date it reaches back 30 days, whatever else is asked for."""
    start, limit = _paging(query)
    where, values = ["1"], list[object]()
    if code := query.get("warehouse_code", ""):
        where.append("warehouse_id = (SELECT id FROM warehouses WHERE code = ?)")
        values.append(code)
    since, until = _date(query, "since"), _date(query, "until")
    if not since and not until:
        since = (dt.datetime.now(dt.UTC).date() - _WINDOW).isoformat()
    for bound, comparison in ((since, "date >= ?"), (until, "date <= ?")):
        if bound:
            where.append(comparison)
            values.append(bound)
    condition = " AND ".join(where)
    counted = store.one(f"SELECT count(*) AS total FROM movements WHERE {condition}", values)
    rows = store.all(
        f"SELECT header FROM movements WHERE {condition} ORDER BY id LIMIT ? OFFSET ?", (*values, limit, start)
    )
    return success([Raw(row["header"]) for row in rows], int(counted["total"]) if counted else 0)


def warehouse_id(store: Store, code: str) -> int:
    row = store.one("SELECT id FROM warehouses WHERE code = ?", (code,))
    if row is None:
        raise Refusal(404, "WAREHOUSE_NOT_FOUND")
    return int(row["id"])


def _page(store: Store, table: str, columns: str, query: Mapping[str, str]) -> Reply:
    start, limit = _paging(query)
    code = query.get("code") or None
    rows = store.all(f"SELECT {columns} AS row FROM {table} WHERE ? IS NULL OR code = ? ORDER BY id", (code, code))
    return success([Raw(row["row"]) for row in rows[start : start + limit]], len(rows), key="mensaje")


def _single_object(store: Store, table: str, columns: str, code: str) -> Reply:
    """One object, not a list of one: `data` of a read is either."""
    row = store.one(f"SELECT {columns} AS row FROM {table} WHERE code = ?", (code,))
    if row is None:
        raise Refusal(404, "NOT_FOUND")
    return success(Raw(row["row"]), key="mensaje")


def _paging(query: Mapping[str, str]) -> tuple[int, int]:
    values = []
    for name, default in (("start", 0), ("limit", _DEFAULT_LIMIT)):
        text = query.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise Refusal(400, f"{name} must be a whole number")
        values.append(int(text))
    return values[0], min(values[1], _MAX_LIMIT)


def _date(query: Mapping[str, str], name: str) -> str:
    """A day, of which a time of day is cut off."""
    text = query.get(name, "")[:10]
    if text and not is_date(text):
        raise Refusal(400, f"{name} must be a date in the format YYYY-MM-DD")
    return text
