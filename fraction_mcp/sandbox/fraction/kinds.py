"""The eight kinds of record that FractionERP lists: where each is stored and how it is rendered.

Rows become JSON inside SQLite, which writes a page of a hundred records faster than Python reads one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CONTACT_ROW: Final = (
    "json_object('id', id, 'customer_id', customer_id, 'name', name, 'email', email, 'phone', phone, "
    "'job_title', job_title, 'created_at', created_at, 'updated_at', updated_at)"
)
_BOOL: Final = "json(CASE WHEN is_active THEN 'true' ELSE 'false' END)"


@dataclass(frozen=True, slots=True)
class Kind:
    """`row` and `sorts` are SQL expressions over `table`."""

    table: str
    row: str
    sorts: Mapping[str, str]
    single: str = ""

    @property
    def whole(self) -> str:
        return self.single or self.row


def _columns(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _documents(table: str, *names: str) -> Kind:
    """Amounts are stored as text, and sort as numbers all the same."""
    sorts = {name: f"json_extract(doc, '$.{name}')" for name in (*names, "created_at")}
    sorts |= {name: f"CAST({value} AS REAL)" for name, value in sorts.items() if name.endswith("_amount")}
    return Kind(table, "doc", {"id": "id", **sorts})


_CUSTOMER: Final = (
    "'id', id, 'name', name, 'code', code, 'email', email, 'phone', phone, 'vat_number', vat_number, "
    "'currency', currency, 'payment_terms', payment_terms, 'address', json(address), "
    f"'is_active', {_BOOL}, 'created_at', created_at, 'updated_at', updated_at"
)

CONTACTS: Final = Kind(
    "contacts", CONTACT_ROW, _columns("id", "name", "email", "phone", "job_title", "created_at", "updated_at")
)
CUSTOMERS: Final = Kind(
    "customers",
    f"json_object({_CUSTOMER})",
    _columns("id", "name", "code", "email", "phone", "currency", "payment_terms", "created_at", "updated_at"),
    single=f"json_object({_CUSTOMER}, 'contacts', "
    f"(SELECT json_group_array(json(row)) FROM (SELECT {CONTACT_ROW} AS row FROM contacts "
    "WHERE customer_id = customers.id ORDER BY id)))",
)
PARTS: Final = Kind(
    "parts",
    "json_object('id', id, 'part_number', part_number, 'description', description, 'revision', revision, "
    "'uom', uom, 'material', material, 'category', category, 'type', type, 'lead_time_days', lead_time_days, "
    f"'is_active', {_BOOL}, 'created_at', created_at, 'updated_at', updated_at)",
    {
        **_columns("id", "description", "revision", "uom", "material", "category", "type", "lead_time_days"),
        **_columns("created_at", "updated_at"),
        "part_number": "number_key",
    },
)

KINDS: Final[dict[str, Kind]] = {
    "customers": CUSTOMERS,
    "parts": PARTS,
    "contracts": _documents(
        "contracts", "quote_number", "order_number", "status", "customer_ref", "currency", "total_amount",
        "contract_date", "due_date", "updated_at",
    ),
    "boms": _documents("boms", "bom_number", "revision", "status", "updated_at"),
    "work-orders": _documents(
        "work_orders", "work_order_number", "status", "qty_ordered", "qty_completed", "priority", "start_date",
        "due_date", "completed_at",
    ),
    "purchase-orders": _documents(
        "purchase_orders", "po_number", "status", "currency", "total_amount", "order_date", "expected_date",
    ),
    "shipments": _documents(
        "shipments", "shipment_number", "status", "carrier", "tracking_number", "shipped_at", "delivered_at",
    ),
    "invoices": _documents(
        "invoices", "invoice_number", "status", "currency", "net_amount", "tax_amount", "total_amount", "invoice_date",
        "due_date", "paid_at",
    ),
}  # fmt: skip
