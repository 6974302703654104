"""A purchase order to a warehouse, written."""

import datetime as dt
import sqlite3
from decimal import Decimal
from typing import Final

from fraction_mcp.sandbox.fields import Fields
from fraction_mcp.sandbox.http import Reply
from fraction_mcp.sandbox.jsontext import Json, decode, encode
from fraction_mcp.sandbox.seed.warehouse import CURRENCY, PRIORITIES
from fraction_mcp.sandbox.store import Store

from .envelope import Refusal, success
from .reads import warehouse_id

_TAXES: Final = {"VAT": 20, "VAT 20%": 20, "VAT 5%": 5, "VAT 0%": 0, "IVA": 19}


def create_order(store: Store, code: str, body: bytes) -> Reply:
    warehouse = warehouse_id(store, code)
    fields = Fields(_object(body))
    document = fields.needed_text("document")
    supplier = fields.text("code_third_party")
    center = _cost_center_words(fields)
    date = fields.date("date")
    description = fields.text("description", limit=10_000)
    priority = _priority(fields)
    lines = _lines(fields)
    if fields.errors:
        raise Refusal(400, " ".join(message for _, message in fields.errors))
    moment = dt.datetime.now(dt.UTC)
    with store.writing() as db:
        header = {
            "date": date or moment.date().isoformat(),
            "description": description,
            "document": document,
            **_supplier(db, supplier),
            **_cost_center(db, *center),
            "folio_source": None,
            "date_create": moment.isoformat(),
            "id_priority": priority,
            "priorities_description": None if priority is None else PRIORITIES[priority],
            **CURRENCY,
            "movements_states_description": "NOT_DELIVERED",
        }
        details = [_detail(db, warehouse, line) for line in lines]
        header = _insert(db, warehouse, header, details)
    return success({**header, "movement_details": details})


def _object(body: bytes) -> dict[str, Json]:
    try:
        value = decode(body)
    except ValueError:
        raise Refusal(400, "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return value


def _priority(fields: Fields) -> int | None:
    """The table says integer, the sample sends a text: both are taken."""
    value = fields.data.get("id_priority")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or str(value) not in {"1", "2", "3", "4", "5"}:
        fields.fail("id_priority", "id_priority must be 1, 2, 3, 4 or 5.")
        return None
    return int(value)


def _cost_center_words(fields: Fields) -> tuple[str | None, str | None]:
    """Value and description; the sample's `cost_center` is a description."""
    value, description = fields.text("value_cost_center"), fields.text("description_cost_center")
    return value, description or fields.text("cost_center")


def _lines(fields: Fields) -> list[dict[str, object]]:
    items = fields.data.get("items")
    if not isinstance(items, list) or not items:
        fields.fail("items", "items must be an array of at least one item.")
        return []
    lines = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            lines.append(_line(Fields(item, f"items.{index}.", fields.errors), item))
        else:
            fields.fail(f"items.{index}", f"items.{index} must be an object.")
    return lines


def _line(line: Fields, item: dict[str, Json]) -> dict[str, object]:
    """`total_cost` must be the multiplication of quantity and unit cost, to the penny, where it is sent."""
    code, tax = line.needed_text("code"), line.text("tax_name")
    quantity = cost = total = None
    if isinstance(item.get("qty"), str):
        quantity = line.number("qty", positive=True, places=6)
    else:
        line.fail("qty", "qty must be a text.")
    if isinstance(item.get("unit_cost"), str):
        line.fail("unit_cost", "unit_cost must be a number.")
    else:
        cost = line.number("unit_cost", required=True, places=6)
    if isinstance(item.get("total_cost"), str):
        line.fail("total_cost", "total_cost must be a number.")
    else:
        total = line.number("total_cost", places=12)
    product = (quantity or Decimal(0)) * (cost or Decimal(0))
    if not line.errors and total is not None and abs(total - product) > Decimal("0.01"):
        line.fail("total_cost", "total_cost must be the multiplication of qty and unit_cost.")
    return {
        "code": code,
        "qty": quantity,
        "unit_cost": cost,
        "total_cost": product if total is None else total,
        "tax": tax,
    }


def _supplier(db: sqlite3.Connection, code: str | None) -> dict[str, object]:
    row = None
    if code is not None:
        row = db.execute("SELECT id, name, code FROM third_parties WHERE code = ?", (code,)).fetchone()
        if row is None:
            raise Refusal(400, f"The third party {code} does not exist.")
    number, name, stored_code = row or (None, None, None)
    return {"id_third_party": number, "third_parties_name": name, "third_parties_code": stored_code}


def _cost_center(db: sqlite3.Connection, value: str | None, description: str | None) -> dict[str, object]:
    row = None
    if value or description:
        column, word = ("value", value) if value else ("description", description)
        row = db.execute(f"SELECT id, description, value FROM cost_centers WHERE {column} = ?", (word,)).fetchone()
        if row is None:
            raise Refusal(400, f"The cost center {word} does not exist.")
    number, words, stored_value = row or (None, None, None)
    return {"id_cost_center": number, "costs_center_description": words, "costs_center_value": stored_value}


def _detail(db: sqlite3.Connection, warehouse: int, line: dict[str, object]) -> dict[str, object]:
    row = db.execute(
        "SELECT items.id, description FROM items JOIN warehouse_items ON item_id = items.id "
        "WHERE code = ? AND warehouse_id = ?",
        (line["code"], warehouse),
    ).fetchone()
    if row is None:
        raise Refusal(400, f"The item {line['code']} is not associated with the warehouse.")
    tax = line["tax"]
    return {
        "id_item": row["id"],
        "items_description": f"{row['description']}    {{ {line['code']} }}",
        "code": line["code"],
        "qty": line["qty"],
        "unit_cost": line["unit_cost"],
        "total_cost": line["total_cost"],
        "tax_name": tax,
        "tax_rate": _TAXES.get(str(tax)),
    }


def _insert(
    db: sqlite3.Connection, warehouse: int, header: dict[str, object], details: list[dict[str, object]]
) -> dict[str, object]:
    """The movement's id is part of what is stored, so the row is made first."""
    cursor = db.execute(
        "INSERT INTO movements (warehouse_id, date, document, header, details) VALUES (?, ?, ?, '', ?)",
        (warehouse, header["date"], header["document"], encode(details)),
    )
    number = str(cursor.lastrowid)
    whole = {"id": number, **header, "folio_target": number}
    db.execute("UPDATE movements SET header = ? WHERE id = ?", (encode(whole), cursor.lastrowid))
    return whole
