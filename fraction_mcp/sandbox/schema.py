"""The tables of the sandbox.

Knows their shape and its version. Refuses to know how rows are made (`seed`) and how they are served.
Raise `VERSION` with every change of a table or of the seeded data: a file of another version is made anew.
"""

from typing import Final

APPLICATION_ID: Final = 0x48504C31
VERSION: Final = 2

# Kinds whose fields the document does not describe: one JSON document a row.
DOCUMENT_TABLES: Final = ("contracts", "boms", "work_orders", "purchase_orders", "shipments", "invoices")

_TABLES: Final = """
CREATE TABLE tokens (
    hash TEXT PRIMARY KEY, system TEXT NOT NULL, owner TEXT NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE faults (id INTEGER PRIMARY KEY AUTOINCREMENT, fault TEXT NOT NULL);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, code TEXT NOT NULL, email TEXT, phone TEXT,
    vat_number TEXT, currency TEXT NOT NULL, payment_terms TEXT, address TEXT NOT NULL, is_active INTEGER NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, haystack TEXT NOT NULL
);
CREATE INDEX customers_name ON customers (name);
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id INTEGER NOT NULL REFERENCES customers, name TEXT NOT NULL,
    email TEXT, phone TEXT, job_title TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, haystack TEXT NOT NULL
);
CREATE INDEX contacts_customer ON contacts (customer_id);
CREATE TABLE parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, part_number TEXT NOT NULL, description TEXT, revision TEXT,
    uom TEXT NOT NULL, material TEXT, category TEXT, type TEXT NOT NULL, is_active INTEGER NOT NULL,
    lead_time_days INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, haystack TEXT NOT NULL,
    number_key TEXT NOT NULL
);
CREATE TABLE price_lists (
    part_customer_id INTEGER PRIMARY KEY AUTOINCREMENT, part_id INTEGER NOT NULL REFERENCES parts,
    customer_id INTEGER NOT NULL REFERENCES customers, customer_part_number TEXT, selling_price TEXT
);
CREATE TABLE price_breaks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, part_customer_id INTEGER NOT NULL REFERENCES price_lists,
    qty TEXT NOT NULL, price TEXT NOT NULL
);
CREATE TABLE warehouses (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, description TEXT NOT NULL, address TEXT, active INTEGER NOT NULL
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, description TEXT NOT NULL, unit TEXT NOT NULL,
    unit_cost TEXT NOT NULL
);
CREATE TABLE warehouse_items (
    id INTEGER PRIMARY KEY, warehouse_id INTEGER NOT NULL REFERENCES warehouses, item_id INTEGER NOT NULL REFERENCES
    items, stock TEXT NOT NULL, minimum TEXT, location TEXT, UNIQUE (warehouse_id, item_id)
);
CREATE TABLE third_parties (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT);
CREATE TABLE cost_centers (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE movements (
    id INTEGER PRIMARY KEY AUTOINCREMENT, warehouse_id INTEGER NOT NULL REFERENCES warehouses, date TEXT NOT NULL,
    document TEXT NOT NULL, header TEXT NOT NULL, details TEXT NOT NULL
);
CREATE INDEX movements_date ON movements (date);
"""

# Built after the rows: one sort of a finished table is several times quicker than keeping an index in step.
INDICES: Final = """
CREATE UNIQUE INDEX parts_number ON parts (number_key);
CREATE INDEX parts_created ON parts (created_at);
CREATE UNIQUE INDEX price_lists_pair ON price_lists (part_id, customer_id);
CREATE INDEX price_breaks_list ON price_breaks (part_customer_id);
"""

TABLES: Final = _TABLES + "".join(
    f"CREATE TABLE {name} (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL, haystack TEXT NOT NULL);\n"
    for name in DOCUMENT_TABLES
)


def number_key(part_number: str) -> str:
    """Two part numbers are the same one if only case or spacing tells them apart."""
    return " ".join(part_number.split()).casefold()


def haystack(*values: str | None) -> str:
    """What `search` looks through: folded by Python, since SQLite's LIKE folds ASCII only ("Ø12", "Müller").

    The separator keeps a term from matching across two columns.
    """
    return "\x1f".join(value for value in values if value).casefold()
