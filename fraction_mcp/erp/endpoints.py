"""Every endpoint of the two ERPs as data: what it is called, where it is, how it pages, and who says so.

FractionERP's list is its document's, complete (`fractionerp-rest-api.txt`). Fracttal's is its document of the purchase
order (`fracttal-create-purchase-orders.txt`), with the token and the reads from its public documentation.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

__all__ = ["KINDS", "NAMED", "Endpoint", "Paging", "RecordKind", "Source", "System"]


class System(StrEnum):
    FRACTIONERP = "fractionerp"
    FRACTTAL = "fracttal"

    @property
    def label(self) -> str:
        return "FractionERP" if self is System.FRACTIONERP else "Fracttal"


class Source(StrEnum):
    """Who states that an endpoint exists and what it takes."""

    SEED = "seed"  # the ERP's own document of the endpoint
    PUBLIC = "public"  # its public documentation pages, read in November 2026


class Paging(StrEnum):
    NONE = "none"
    ALL = "all"  # all at once; where an answer states pages nevertheless, they are followed
    PAGE = "page"  # page (1-based) and per_page (at most 100), described in meta.pagination
    START = "start"  # start (0-based) and limit (at most 100), described by `total` alone


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `path` holds {names} to fill in; `signed` says whether it needs a token.

    `name` is what errors call it, after the system: "FractionERP could not <name>". `success` are the statuses that say
    that a write was done: the documented one, or where the document shows none the two that can mean it.
    """

    system: System
    method: Literal["GET", "POST", "PUT"]
    path: str
    name: str
    paging: Paging = Paging.NONE
    signed: bool = True
    source: Source = Source.SEED
    success: tuple[int, ...] = (200, 201)

    @property
    def key(self) -> str:
        """Its name in the journal: stable, and unique among all endpoints."""
        return f"{self.system}:{self.method} {self.path}"

    @property
    def is_for_work(self) -> bool:
        """Whether it is more than signing in or out."""
        return self.signed and not self.path.startswith("/auth/")

    @property
    def writes(self) -> bool:
        return self.method != "GET" and self.is_for_work


def _get(path: str, name: str, paging: Paging = Paging.NONE) -> Endpoint:
    return Endpoint(System.FRACTIONERP, "GET", path, name, paging)


def _list(path: str, name: str) -> Endpoint:
    return _get(path, name, Paging.PAGE)


def _fracttal(path: str, name: str) -> Endpoint:
    return Endpoint(System.FRACTTAL, "GET", path, name, Paging.START, source=Source.PUBLIC)


# -------------------------------------------------------------------------------------------- FractionERP: signing in
LOGIN = Endpoint(System.FRACTIONERP, "POST", "/auth/login", "sign in", signed=False)
LOGOUT = Endpoint(System.FRACTIONERP, "POST", "/auth/logout", "sign out")
ME = Endpoint(System.FRACTIONERP, "GET", "/auth/me", "say who is signed in")
REFRESH = Endpoint(System.FRACTIONERP, "POST", "/auth/refresh", "renew the sign-in")

# ----------------------------------------------------------------------------------------------- FractionERP: reading
CUSTOMERS = _list("/customers", "list customers")
CUSTOMER = _get("/customers/{id}", "read a customer")
CUSTOMER_CONTACTS = _list("/customers/{id}/contacts", "list a customer's contacts")
PARTS = _list("/parts", "list parts")
PART = _get("/parts/{id}", "read a part")
PART_PRICE_LISTS = _get("/parts/{id}/price-lists", "read a part's price lists", Paging.ALL)
CONTRACTS = _list("/contracts", "list contracts")
CONTRACT = _get("/contracts/{id}", "read a contract")
BOMS = _list("/boms", "list bills of materials")
BOM = _get("/boms/{id}", "read a bill of materials")
WORK_ORDERS = _list("/work-orders", "list work orders")
WORK_ORDER = _get("/work-orders/{id}", "read a work order")
PURCHASE_ORDERS = _list("/purchase-orders", "list purchase orders")
PURCHASE_ORDER = _get("/purchase-orders/{id}", "read a purchase order")
SHIPMENTS = _list("/shipments", "list shipments")
SHIPMENT = _get("/shipments/{id}", "read a shipment")
INVOICES = _list("/invoices", "list invoices")
INVOICE = _get("/invoices/{id}", "read an invoice")

# ----------------------------------------------------------------------------------------------- FractionERP: writing
CREATE_CONTACT = Endpoint(System.FRACTIONERP, "POST", "/customers/{id}/contacts", "add a contact")
CREATE_PART = Endpoint(System.FRACTIONERP, "POST", "/parts", "create a part")
CREATE_CONTRACT = Endpoint(System.FRACTIONERP, "POST", "/contracts", "create an enquiry", success=(201,))
SET_PRICE_LIST = Endpoint(System.FRACTIONERP, "PUT", "/parts/{id}/price-lists", "set a price list")

# ----------------------------------------------------------------------------------------------------------- Fracttal
# The token's address is a setting of its own; this entry names the operation.
TOKEN = Endpoint(System.FRACTTAL, "POST", "", "sign in", signed=False, source=Source.PUBLIC)
CREATE_WAREHOUSE_ORDER = Endpoint(
    System.FRACTTAL, "POST", "/warehouse_purchase_orders/{code}", "create a purchase order"
)
WAREHOUSE_ORDERS = _fracttal("/warehouse_purchase_orders/", "list purchase orders")
WAREHOUSES = _fracttal("/warehouses", "list warehouses")
WAREHOUSE_ITEMS = _fracttal("/warehouses_items/", "list a warehouse's items")
THIRD_PARTIES = _fracttal("/third_parties/", "list suppliers")


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A kind of record that FractionERP lists: where all and where one of them are read, what one is called, and which
    of its fields people call it by.

    `number_field` is empty where no document states it, which is for most: `operations/naming.py` looks for one.
    """

    list: Endpoint
    single: Endpoint
    noun: str
    number_field: str = ""
    documented: tuple[str, ...] = ("id",)

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"


_PART_FIELDS = ("id", "part_number", "description", "revision", "uom", "material", "category")
_CONTRACT_FIELDS = (
    "id", "quote_number", "status", "customer.id", "customer.name", "customer_ref", "currency", "contract_date",
)  # fmt: skip

KINDS = MappingProxyType(
    {
        "customers": RecordKind(CUSTOMERS, CUSTOMER, "customer", "name", ("id", "name", "contacts")),
        "parts": RecordKind(PARTS, PART, "part", "part_number", _PART_FIELDS),
        "contracts": RecordKind(CONTRACTS, CONTRACT, "contract", "quote_number", _CONTRACT_FIELDS),
        "boms": RecordKind(BOMS, BOM, "bom"),
        "work_orders": RecordKind(WORK_ORDERS, WORK_ORDER, "work order"),
        "purchase_orders": RecordKind(PURCHASE_ORDERS, PURCHASE_ORDER, "purchase order"),
        "shipments": RecordKind(SHIPMENTS, SHIPMENT, "shipment"),
        "invoices": RecordKind(INVOICES, INVOICE, "invoice"),
    }
)
"""The eight kinds of record that FractionERP lists, and the one place where they are stated."""

NAMED = MappingProxyType({value.key: value for value in list(globals().values()) if isinstance(value, Endpoint)})
"""Every endpoint by its key, for who reads one back from the journal."""
