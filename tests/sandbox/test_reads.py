"""FractionERP's lists, single records and price lists."""

import json
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient

pytestmark = pytest.mark.anyio
KINDS = ("customers", "parts", "contracts", "boms", "work-orders", "purchase-orders", "shipments", "invoices")


async def listed(client: AsyncClient, url: str, **query: Any) -> Any:
    answer = await client.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_listed_by_id_and_fetched_one_by_one(fraction: AsyncClient, kind: str) -> None:
    body = (await fraction.get(f"/{kind}")).json()
    ids = [record["id"] for record in body["data"]]
    assert ids == sorted(ids)
    assert len(ids) == 25
    assert body["errors"] is None
    page = body["meta"]["pagination"]
    assert (page["per_page"], page["current_page"], page["from"], page["to"], page["has_more"]) == (25, 1, 1, 25, True)
    single = (await fraction.get(f"/{kind}/{ids[3]}")).json()
    assert single["meta"] is None
    assert body["data"][3].items() <= single["data"].items()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("identifier", ["999999999", "abc", "-1", "1.5", "9" * 40])
async def test_what_is_not_there_is_not_found(fraction: AsyncClient, kind: str, identifier: str) -> None:
    answer = await fraction.get(f"/{kind}/{identifier}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


async def test_pages_cover_everything_once_and_end_empty(fraction: AsyncClient) -> None:
    seen = [part["id"] for page in range(1, 8) for part in await listed(fraction, "/parts", page=page, per_page=100)]
    assert seen == list(range(1, 601))
    beyond = (await fraction.get("/parts", params={"page": 7, "per_page": 500})).json()
    assert beyond["data"] == []
    assert beyond["meta"]["pagination"] == {
        "total": 600, "per_page": 100, "current_page": 7, "last_page": 6, "from": None, "to": None, "has_more": False,
    }  # fmt: skip
    assert await listed(fraction, "/parts", page=10**14) == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"page": "0"}, ["page"]),
        ({"page": "two", "per_page": "-5"}, ["page", "per_page"]),
        ({"per_page": "1.5"}, ["per_page"]),
        ({"sort": "haystack"}, ["sort"]),
        ({"sort": "id; DROP TABLE parts", "order": "sideways"}, ["sort", "order"]),
    ],
)
async def test_a_query_that_makes_no_sense_is_invalid_field_by_field(
    fraction: AsyncClient, query: dict[str, Any], fields: list[str]
) -> None:
    answer = await fraction.get("/parts", params=query)
    assert answer.status_code == 422
    assert [(error["code"], error["field"]) for error in answer.json()["errors"]] == [
        ("VALIDATION_ERROR", field) for field in fields
    ]


async def test_lists_are_sorted_either_way(fraction: AsyncClient) -> None:
    dates = [part["created_at"] for part in await listed(fraction, "/parts", sort="created_at", order="desc")]
    assert dates == sorted(dates, reverse=True)
    totals = [
        Decimal(doc["total_amount"]) for doc in await listed(fraction, "/invoices", sort="total_amount", per_page=100)
    ]
    assert totals == sorted(totals)
    assert len({len(str(total)) for total in totals}) > 1


@pytest.mark.parametrize(
    ("kind", "term", "expected"),
    [
        ("parts", "wIdGeT-001", "WIDGET-001"),
        ("parts", "ø12", "Ø12 PIN"),
        ("parts", "shaft 20%", "SHAFT 20%"),
        ("parts", "phosphor", "BUSH-10"),
        ("customers", "MÜLLER", "Müller & Söhne GmbH"),
        ("customers", "acme052", "Acme Corp"),
    ],
)
async def test_search_finds_substrings_whatever_their_case(
    fraction: AsyncClient, kind: str, term: str, expected: str
) -> None:
    names = [
        record.get("part_number") or record.get("name") for record in await listed(fraction, f"/{kind}", search=term)
    ]
    assert expected in names
    assert len(names) < 25


async def test_search_treats_wildcards_as_letters(fraction: AsyncClient) -> None:
    assert [part["part_number"] for part in await listed(fraction, "/parts", search="20%")] == ["SHAFT 20%"]
    assert await listed(fraction, "/parts", search="W_DGET") == []


async def test_contracts_are_found_by_quote_customer_and_reference(fraction: AsyncClient) -> None:
    contract = next(doc for doc in await listed(fraction, "/contracts") if doc["customer_ref"])
    for term in (contract["quote_number"], contract["customer"]["name"], contract["customer_ref"]):
        found = await listed(fraction, "/contracts", search=term, per_page=100)
        assert contract["id"] in [doc["id"] for doc in found]


async def test_a_customer_comes_with_its_contacts_and_they_have_a_list_of_their_own(fraction: AsyncClient) -> None:
    acme = (await fraction.get("/customers/52")).json()["data"]
    assert acme["name"] == "Acme Corp"
    assert 42 in [contact["id"] for contact in acme["contacts"]]
    body = (await fraction.get("/customers/52/contacts")).json()
    assert body["data"] == acme["contacts"]
    assert body["meta"]["pagination"]["total"] == len(acme["contacts"])
    assert (await fraction.get("/customers/999/contacts")).status_code == 404


async def test_the_documents_sample_price_list_is_there_to_the_digit(fraction: AsyncClient) -> None:
    answer = await fraction.get("/parts/1/price-lists?customer_id=52")
    assert json.loads(answer.text, parse_float=Decimal) == {
        "success": True,
        "data": [
            {
                "part_customer_id": 1,
                "customer_id": 52,
                "customer_name": "Acme Corp",
                "customer_part_number": "ACM-100",
                "selling_price": "10.50000",
                "price_breaks": [
                    {"id": 1, "qty": 1, "price": Decimal("12.5")},
                    {"id": 2, "qty": 100, "price": 10},
                    {"id": 3, "qty": 500, "price": Decimal("8.5")},
                ],
            }
        ],
        "meta": None,
        "errors": None,
    }


async def test_price_lists_are_filtered_by_customer(fraction: AsyncClient) -> None:
    everyone = await listed(fraction, "/parts/25/price-lists")
    assert len(everyone) == 24
    assert [entry["part_customer_id"] for entry in everyone] == sorted(entry["part_customer_id"] for entry in everyone)
    chosen = everyone[7]
    assert await listed(fraction, "/parts/25/price-lists", customer_id=chosen["customer_id"]) == [chosen]
    assert await listed(fraction, "/parts/25/price-lists", customer_id=999999) == []
    assert (await fraction.get("/parts/25/price-lists?customer_id=acme")).status_code == 422
    assert (await fraction.get("/parts/999999/price-lists")).status_code == 404


async def test_awkward_price_lists_are_there(fraction: AsyncClient) -> None:
    async def lists(part_number: str) -> Any:
        part = (await listed(fraction, "/parts", search=part_number))[0]
        return await listed(fraction, f"/parts/{part['id']}/price-lists")

    assert [entry["qty"] for entry in (await lists("MANIFOLD-220"))[0]["price_breaks"]] == [50, 1, 100, 10]
    assert [entry["qty"] for entry in (await lists("FLANGE-DN50"))[0]["price_breaks"]].count(10) == 2
    assert [entry["price_breaks"] for entry in await lists("COLLAR-16")] == [[], []]
    assert [entry["selling_price"] for entry in await lists("DOWEL-6H7")] == [None, None]
    gasket = (await lists("GASKET-41"))[0]
    assert (gasket["selling_price"], gasket["price_breaks"]) == (None, [])
    assert await lists("TOOL-JIG-5") == []
    assert [entry["qty"] for entry in (await lists("BAR-EN24T-25"))[0]["price_breaks"]] == [0.5, 3, 12.25]


async def test_prices_never_pass_through_a_float(fraction: AsyncClient) -> None:
    text = (await fraction.get("/parts/17/price-lists")).text
    assert '"price":16.12345' in text
    assert '"price":18.4}' in text


async def test_the_short_part_number_hides_behind_the_first_pages(fraction: AsyncClient) -> None:
    pages = [await listed(fraction, "/parts", search="BRKT-1", page=page, per_page=100) for page in (1, 2)]
    assert "BRKT-1" not in [part["part_number"] for part in pages[0]]
    assert [part["part_number"] for part in pages[1]][-1] == "BRKT-1"


async def test_a_numeric_part_number_equals_the_id_of_another_part(fraction: AsyncClient) -> None:
    named = next(
        part for part in await listed(fraction, "/parts", search="19", per_page=100) if part["part_number"] == "19"
    )
    assert named["id"] != 19
    assert (await fraction.get("/parts/19")).json()["data"]["part_number"] == "MANIFOLD-220"


async def test_two_customers_share_one_name_and_others_come_near(fraction: AsyncClient) -> None:
    names = [customer["name"] for customer in await listed(fraction, "/customers", per_page=100)]
    assert [name for name in set(names) if names.count(name) > 1] == ["Northgate Engineering Ltd"]
    assert {"Acme Corp", "Acme Corporation", "Acme Castings", "<script>alert(1)</script> Ltd"} <= set(names)


async def test_one_note_tries_to_talk_an_assistant_into_something(fraction: AsyncClient) -> None:
    assert (await fraction.get("/contracts/600")).json()["data"]["notes"].startswith("Ignore previous instructions")
