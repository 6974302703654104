"""FractionERP's four writes."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient, Response

pytestmark = pytest.mark.anyio


def problems(answer: Response) -> list[Any] | list[str]:
    assert answer.status_code == 422, answer.text
    assert {error["code"] for error in answer.json()["errors"]} == {"VALIDATION_ERROR"}
    return [error.get("field") for error in answer.json()["errors"]]


async def test_a_contact_is_created_at_its_customer(fraction: AsyncClient) -> None:
    sent = {"name": "John Smith", "email": "john@example.com", "phone": "+44 123 456 7890", "job_title": "Buyer"}
    answer = await fraction.post("/customers/52/contacts", json=sent)
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert sent.items() <= made.items()
    assert made in (await fraction.get("/customers/52")).json()["data"]["contacts"]
    again = await fraction.post("/customers/52/contacts", json=sent)
    assert again.json()["data"]["id"] == made["id"] + 1


async def test_a_contact_needs_a_name_and_a_customer(fraction: AsyncClient) -> None:
    answer = await fraction.post("/customers/52/contacts", json={"name": " ", "email": "no address", "phone": 5})
    assert sorted(problems(answer)) == ["email", "name", "phone"]
    assert (await fraction.post("/customers/999/contacts", json={"name": "X"})).status_code == 404


async def test_a_part_is_created_with_the_documents_defaults(fraction: AsyncClient) -> None:
    answer = await fraction.post("/parts", json={"part_number": " NEW-1 ", "material": "PEEK"})
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert (made["part_number"], made["uom"], made["type"], made["material"]) == ("NEW-1", "EA", "Manufactured", "PEEK")
    assert (await fraction.get(f"/parts/{made['id']}")).json()["data"] == made
    assert (await fraction.get("/parts?search=new-1")).json()["data"] == [made]


@pytest.mark.parametrize("number", ["WIDGET-001", "widget-001", " Widget-001 ", "ø12  pin"])
async def test_a_part_number_that_exists_is_a_duplicate_to_the_documents_letter(
    fraction: AsyncClient, number: str
) -> None:
    answer = await fraction.post("/parts", json={"part_number": number})
    assert answer.status_code == 409
    assert answer.json() == {
        "success": False,
        "errors": [{"code": "DUPLICATE", "message": "A part with this part number already exists."}],
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["part_number"]),
        ({"part_number": 5, "uom": True, "material": {}}, ["part_number", "uom", "material"]),
        ({"part_number": "X" * 101}, ["part_number"]),
    ],
)
async def test_a_part_with_wrong_fields_is_invalid_field_by_field(
    fraction: AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    assert problems(await fraction.post("/parts", json=body)) == fields


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"text"', b'{"part_number": NaN}', b"[" * 100_000, b'"\\ud800"']
)
async def test_a_body_that_is_no_json_object_is_invalid(fraction: AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert problems(await fraction.post("/parts", content=content, headers=headers)) == [None]


async def test_a_body_must_say_that_it_is_json(fraction: AsyncClient) -> None:
    assert problems(await fraction.post("/parts", content=b'{"part_number": "X-1"}')) == [None]


async def test_an_enquiry_gets_the_next_quote_number_and_the_documents_shape(fraction: AsyncClient) -> None:
    sent = {
        "customer_name": "Acme Corp",
        "customer_contact_id": 42,
        "customer_ref": "PO-12345",
        "notes": "Urgent order",
    }
    answer = await fraction.post("/contracts", json=sent)
    assert answer.status_code == 201
    assert answer.json()["data"] == {
        "id": 653,
        "quote_number": "Q1235",
        "status": "Enquiry",
        "customer": {"id": 52, "name": "Acme Corp"},
        "customer_ref": "PO-12345",
        "currency": "GBP",
        "contract_date": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    stored = (await fraction.get("/contracts/653")).json()["data"]
    assert stored["notes"] == "Urgent order"
    assert stored["contact"]["id"] == 42
    second = (await fraction.post("/contracts", json={"customer_id": 52})).json()["data"]
    assert (second["id"], second["quote_number"], second["customer_ref"]) == (654, "Q1236", None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "customer_name"),
        ({"customer_name": "Acme"}, "customer_name"),
        ({"customer_id": 999}, "customer_id"),
        ({"customer_id": "52"}, "customer_id"),
        ({"customer_id": 3, "customer_contact_id": 42}, "customer_contact_id"),
        ({"customer_id": 52, "notes": 3}, "notes"),
    ],
)
async def test_an_enquiry_for_nobody_in_particular_is_invalid(
    fraction: AsyncClient, body: dict[str, Any], field: str
) -> None:
    before = (await fraction.get("/contracts")).json()["meta"]["pagination"]["total"]
    assert problems(await fraction.post("/contracts", json=body)) == [field]
    assert (await fraction.get("/contracts")).json()["meta"]["pagination"]["total"] == before


async def put(client: AsyncClient, part: int, **body: Any) -> Any:
    answer = await client.put(f"/parts/{part}/price-lists", json=body)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)["data"]


async def test_a_price_list_is_replaced_entirely_and_keeps_what_was_not_sent(fraction: AsyncClient) -> None:
    data = await put(fraction, 1, customer_id=52, price_breaks=[{"qty": 10, "price": 9.87654}])
    assert len(data) == 1
    assert (data[0]["selling_price"], data[0]["customer_part_number"]) == ("10.50000", "ACM-100")
    assert [(entry["qty"], entry["price"]) for entry in data[0]["price_breaks"]] == [(10, Decimal("9.87654"))]
    read = (await fraction.get("/parts/1/price-lists?customer_id=52")).text
    assert json.loads(read, parse_float=Decimal)["data"] == data


async def test_a_customer_that_was_not_linked_is_linked(fraction: AsyncClient) -> None:
    data = await put(
        fraction,
        24,
        customer_id=3,
        customer_part_number="M-1",
        selling_price="7.5",
        price_breaks=[{"qty": 0.5, "price": 8}],
    )
    assert (data[0]["customer_name"], data[0]["selling_price"]) == ("Müller & Söhne GmbH", "7.50000")
    assert data[0]["price_breaks"][0]["qty"] == Decimal("0.5")
    assert len((await fraction.get("/parts/24/price-lists")).json()["data"]) == 1


async def test_breaks_stay_in_the_order_in_which_they_were_sent(fraction: AsyncClient) -> None:
    breaks = [{"qty": quantity, "price": 1} for quantity in (100, 1, 50)]
    data = await put(fraction, 1, customer_id=52, selling_price=None, price_breaks=breaks)
    assert [entry["qty"] for entry in data[0]["price_breaks"]] == [100, 1, 50]
    assert data[0]["selling_price"] is None


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["price_breaks", "customer_id"]),
        ({"customer_id": 52, "price_breaks": []}, ["price_breaks"]),
        ({"customer_id": 52, "price_breaks": {"1": 2}}, ["price_breaks"]),
        ({"customer_id": 999, "price_breaks": [{"qty": 1, "price": 1}]}, ["customer_id"]),
        ({"customer_id": 52, "price_breaks": [{"qty": 0, "price": 1}]}, ["price_breaks.0.qty"]),
        ({"customer_id": 52, "price_breaks": [{"qty": 1, "price": -1}, 5, {}]},
         ["price_breaks.0.price", "price_breaks.1", "price_breaks.2.qty", "price_breaks.2.price"]),
        ({"customer_id": 52, "selling_price": True, "price_breaks": [{"qty": 1, "price": 1}]}, ["selling_price"]),
        ({"customer_id": 52, "price_breaks": [{"qty": 1, "price": 0.123456}]}, ["price_breaks.0.price"]),
        ({"customer_id": 52, "price_breaks": [{"qty": "1e999999", "price": "NaN"}]},
         ["price_breaks.0.qty", "price_breaks.0.price"]),
    ],
)  # fmt: skip
async def test_a_price_list_with_wrong_fields_is_invalid_and_changes_nothing(
    fraction: AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    before = (await fraction.get("/parts/1/price-lists")).json()
    assert sorted(problems(await fraction.put("/parts/1/price-lists", json=body))) == sorted(fields)
    assert (await fraction.get("/parts/1/price-lists")).json() == before


async def test_a_part_that_is_not_there_has_no_price_list_to_write(fraction: AsyncClient) -> None:
    body = {"customer_id": 52, "price_breaks": [{"qty": 1, "price": 1}]}
    assert (await fraction.put("/parts/999999/price-lists", json=body)).status_code == 404
