"""The endpoint table against the two API documents, which are copied here as they state it."""

import re

import pytest

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import Endpoint, Paging, Source, System

FRACTIONERP = """
POST /api/v1/auth/login Login and get access token
POST /api/v1/auth/logout Revoke current token
GET /api/v1/auth/me Get current user info
POST /api/v1/auth/refresh Get a new token (revokes old)
GET /api/v1/customers List all customers
GET /api/v1/customers/{id} Get single customer with contacts
GET /api/v1/customers/{id}/contacts List contacts for a customer
POST /api/v1/customers/{id}/contacts Create a new contact for a customer
GET /api/v1/parts List all parts
GET /api/v1/parts/{id} Get single part
POST /api/v1/parts Create a new part (manufactured by default)
GET /api/v1/parts/{id}/price-lists Get customer price lists for a part
PUT /api/v1/parts/{id}/price-lists Create or replace customer price breaks for a part
GET /api/v1/contracts List all contracts/sales orders
GET /api/v1/contracts/{id} Get single contract
POST /api/v1/contracts Create a new enquiry
GET /api/v1/boms List all bills of materials
GET /api/v1/boms/{id} Get single BOM
GET /api/v1/work-orders List all work orders
GET /api/v1/work-orders/{id} Get single work order
GET /api/v1/purchase-orders List all purchase orders
GET /api/v1/purchase-orders/{id} Get single purchase order
GET /api/v1/shipments List all shipments
GET /api/v1/shipments/{id} Get single shipment
GET /api/v1/invoices List all invoices
GET /api/v1/invoices/{id} Get single invoice
"""
DOCUMENTED = re.findall(r"^(GET|POST|PUT) /api/v1(\S+) (.+)$", FRACTIONERP, re.MULTILINE)

FRACTTAL = {
    ("POST", "", Source.PUBLIC),  # the token's address is a setting
    ("POST", "/warehouse_purchase_orders/{code}", Source.SEED),
    ("GET", "/warehouse_purchase_orders/", Source.PUBLIC),
    ("GET", "/warehouses", Source.PUBLIC),
    ("GET", "/warehouses_items/", Source.PUBLIC),
    ("GET", "/third_parties/", Source.PUBLIC),
}


def of(system: System) -> list[Endpoint]:
    return [value for value in vars(endpoints).values() if isinstance(value, Endpoint) and value.system is system]


def test_the_document_lists_twenty_six_endpoints_and_they_are_all_there_and_no_other() -> None:
    assert len(DOCUMENTED) == 26
    here = [(endpoint.method, endpoint.path) for endpoint in of(System.FRACTIONERP)]
    assert sorted(here) == sorted((method, path) for method, path, _ in DOCUMENTED)


def test_fracttals_endpoints_say_who_states_them() -> None:
    assert {(e.method, e.path, e.source) for e in of(System.FRACTTAL)} == FRACTTAL
    assert {e.source for e in of(System.FRACTIONERP)} == {Source.SEED}


@pytest.mark.parametrize(("method", "path", "words"), DOCUMENTED)
def test_what_the_document_calls_a_list_is_paged_and_nothing_else_is(method: str, path: str, words: str) -> None:
    (endpoint,) = [e for e in of(System.FRACTIONERP) if (e.method, e.path) == (method, path)]
    assert (endpoint.paging is Paging.PAGE) is words.startswith("List")


def test_the_writes_are_the_five_of_the_two_documents() -> None:
    """Signing in, out and renewing change nothing of the company's, and may be repeated."""
    writes = [e for system in System for e in of(system) if e.writes]
    assert {(e.method, e.path) for e in writes} == {
        ("POST", "/customers/{id}/contacts"),
        ("POST", "/parts"),
        ("POST", "/contracts"),
        ("PUT", "/parts/{id}/price-lists"),
        ("POST", "/warehouse_purchase_orders/{code}"),
    }


def test_only_the_two_sign_ins_go_out_without_a_token() -> None:
    assert {e.path for system in System for e in of(system) if not e.signed} == {"/auth/login", ""}


def test_every_endpoint_has_a_key_of_its_own_by_which_it_is_found() -> None:
    """A write's journal names its endpoint by it, for years."""
    every = [e for system in System for e in of(system)]
    assert sorted(endpoints.NAMED) == sorted({e.key for e in every})
    assert all(endpoints.NAMED[e.key] is e for e in every)
    assert endpoints.SET_PRICE_LIST.key == "fractionerp:PUT /parts/{id}/price-lists"


def test_every_kind_of_record_has_its_list_and_its_single_record() -> None:
    assert len(endpoints.KINDS) == 8
    for name, kind in endpoints.KINDS.items():
        assert kind.list.path == "/" + name.replace("_", "-")
        assert kind.single.path == kind.list.path + "/{id}"
        assert kind.nouns == name.replace("_", " ")
