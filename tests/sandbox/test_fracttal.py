"""Fracttal's token, its reads, and a purchase order."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient

from fraction_mcp.sandbox import CLIENT_ID, CLIENT_SECRET, FRACTTAL_PATH, FRACTTAL_TOKEN_PATH
from fraction_mcp.sandbox.app import Sandbox
from tests.sandbox.conftest import People

pytestmark = pytest.mark.anyio
FORM = {"grant_type": "client_credentials"}
ORDERS = "/warehouse_purchase_orders"


def order(**changes: Any) -> dict[str, Any]:
    line = {"code": "DEST01", "qty": "9", "unit_cost": 12.35, "total_cost": 111.15, "tax_name": "VAT"}
    return {"document": "OC_900", "items": [line], **changes}


async def test_a_token_is_given_for_basic_credentials(plain: AsyncClient) -> None:
    answer = await plain.post(FRACTTAL_TOKEN_PATH, auth=(CLIENT_ID, CLIENT_SECRET), data=FORM)
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 7200)


@pytest.mark.parametrize(
    ("auth", "form", "status"),
    [
        ((CLIENT_ID, "wrong"), FORM, 401),
        (None, FORM, 401),
        ((CLIENT_ID, CLIENT_SECRET), {"grant_type": "password"}, 400),
        ((CLIENT_ID, CLIENT_SECRET), {}, 400),
    ],
)
async def test_nothing_else_gets_a_token(plain: AsyncClient, auth: Any, form: dict[str, Any], status: int) -> None:
    assert (await plain.post(FRACTTAL_TOKEN_PATH, auth=auth, data=form)).status_code == status


async def test_a_bad_and_an_expired_token_are_refused(app: Sandbox, plain: AsyncClient, people: People) -> None:
    answer = await plain.get(f"{FRACTTAL_PATH}/warehouses", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["message"]) == (401, "UNAUTHORIZED")
    app.state.fracttal_token_lifetime_s = 0
    async with people.fracttal(CLIENT_ID) as client:
        assert (await client.get("/warehouses")).status_code == 401


async def test_a_token_of_one_system_is_none_of_the_other(fraction: AsyncClient, plain: AsyncClient) -> None:
    headers = {"Authorization": fraction.headers["Authorization"]}
    assert (await plain.get(f"{FRACTTAL_PATH}/warehouses", headers=headers)).status_code == 401


async def test_a_client_without_the_module_is_told_so(people: People) -> None:
    async with people.fracttal("sandbox-no-module") as client:
        answer = await client.get("/warehouses")
        assert (answer.status_code, answer.json()["message"]) == (401, "UNAUTHORIZED_ENDPOINT")


async def test_over_the_companys_budget_the_answer_is_406(app: Sandbox, fracttal: AsyncClient, people: People) -> None:
    app.state.fracttal_limit_per_minute = 1
    first = await fracttal.get("/warehouses")
    assert (first.status_code, first.headers["Request-Call-Remaining"]) == (200, "0")
    over = await fracttal.get("/warehouses")
    assert (over.status_code, over.headers["Request-Call-Limit"]) == (406, "1")
    assert 0 < int(over.headers["Request-Call-Reset"]) <= 61
    async with people.fracttal("sandbox-other") as other:
        assert (await other.get("/warehouses")).status_code == 200


@pytest.mark.parametrize("code", ["1254", "MAIN STORE", "A/1", "50% RACK", "Ü-LAGER"])
async def test_codes_with_spaces_slashes_and_more_reach_their_warehouse(fracttal: AsyncClient, code: str) -> None:
    from urllib.parse import quote

    encoded = quote(code, safe="")
    assert (await fracttal.get(f"/warehouses/{encoded}")).json()["data"]["code"] == code
    stock = (await fracttal.get("/warehouses_items/", params={"code": code})).json()["data"]
    line = {"code": stock[0]["code"], "qty": "1", "unit_cost": 1}
    answer = await fracttal.post(f"{ORDERS}/{encoded}", json=order(items=[line]))
    assert answer.status_code == 200
    listed = await fracttal.get(f"{ORDERS}/", params={"warehouse_code": code, "limit": 100})
    assert answer.json()["data"]["id"] in [entry["id"] for entry in listed.json()["data"]]


async def test_an_item_with_a_slash_is_found_and_an_unencoded_slash_is_another_path(fracttal: AsyncClient) -> None:
    assert (await fracttal.get("/items/BELT%20A%2F42")).json()["data"]["code"] == "BELT A/42"
    assert (await fracttal.get("/items/BELT%20A/42")).status_code == 404
    assert (await fracttal.post(f"{ORDERS}/A/1", json=order())).status_code == 404


async def test_an_order_is_answered_as_the_sample_shows(fracttal: AsyncClient) -> None:
    sent = order(
        code_third_party="00063960000109",
        value_cost_center="456465",
        date="2026-12-24",
        id_priority=2,
        description="Soon",
    )
    answer = await fracttal.post(f"{ORDERS}/1254", json=sent)
    body = json.loads(answer.text, parse_float=Decimal)
    data = body.pop("data")
    assert body == {"success": True, "message": "200", "total": 1}
    assert isinstance(data["id"], str)
    assert data["folio_target"] == data["id"]
    assert (data["date"], data["document"], data["priorities_description"]) == ("2026-12-24", "OC_900", "HIGH")
    assert (data["id_third_party"], data["id_cost_center"], data["costs_center_description"]) == (225, 5, "Assets")
    assert data["movement_details"] == [
        {
            "id_item": 16,
            "items_description": "Screwdriver set    { DEST01 }",
            "code": "DEST01",
            "qty": 9,
            "unit_cost": Decimal("12.35"),
            "total_cost": Decimal("111.15"),
            "tax_name": "VAT",
            "tax_rate": 20,
        }
    ]


async def test_the_documents_own_request_is_taken(fracttal: AsyncClient) -> None:
    line = {"code": "DEST01", "qty": "9", "unit_cost": 5000, "tax_name": "IVA"}
    sent = order(items=[line], cost_center="Assets", id_priority="2", date="2019-10-22")
    assert (await fracttal.post(f"{ORDERS}/1254", json=sent)).json()["data"]["id_priority"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"document": ""}, "document"),
        ({"items": []}, "items"),
        ({"items": ["DEST01"]}, "items.0"),
        ({"items": [{"code": "DEST01", "qty": 9, "unit_cost": 1}]}, "qty must be a text"),
        ({"items": [{"code": "DEST01", "qty": "0", "unit_cost": 1}]}, "qty"),
        ({"items": [{"code": "DEST01", "qty": "1", "unit_cost": "1"}]}, "unit_cost must be a number"),
        ({"items": [{"code": "DEST01", "qty": "2", "unit_cost": 3, "total_cost": 7}]}, "multiplication"),
        ({"items": [{"code": "NOPE", "qty": "1", "unit_cost": 1}]}, "NOPE is not associated"),
        ({"code_third_party": "NOPE"}, "NOPE"),
        ({"value_cost_center": "NOPE"}, "NOPE"),
        ({"date": "24.12.2026"}, "YYYY-MM-DD"),
        ({"id_priority": 6}, "id_priority"),
    ],
)
async def test_an_order_that_is_not_right_is_refused_and_writes_nothing(
    fracttal: AsyncClient, changes: dict[str, Any], words: str
) -> None:
    before = (await fracttal.get(f"{ORDERS}/")).json()["total"]
    answer = await fracttal.post(f"{ORDERS}/1254", json=order(**changes))
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert words in answer.json()["message"]
    assert (await fracttal.get(f"{ORDERS}/")).json()["total"] == before


async def test_an_item_must_be_in_the_warehouse_and_the_warehouse_must_exist(fracttal: AsyncClient) -> None:
    assert (await fracttal.post(f"{ORDERS}/EMPTY", json=order())).status_code == 400
    assert (await fracttal.post(f"{ORDERS}/NOWHERE", json=order())).status_code == 404
    assert (await fracttal.get("/warehouses_items/?code=NOWHERE")).status_code == 404


async def test_orders_are_read_back_by_date_in_pages_without_their_lines(fracttal: AsyncClient) -> None:
    whole = (await fracttal.get(f"{ORDERS}/?since=2000-01-01&limit=500")).json()
    assert whole["total"] == len(whole["data"]) == 37
    assert "movement_details" not in whole["data"][0]
    pages = [(await fracttal.get(f"{ORDERS}/?since=2000-01-01&start={start}&limit=20")).json() for start in (0, 20)]
    assert [entry["id"] for page in pages for entry in page["data"]] == [entry["id"] for entry in whole["data"]]
    days = sorted(entry["date"] for entry in whole["data"])
    some = (await fracttal.get(f"{ORDERS}/?since={days[3]}T00:00:00Z&until={days[9]}")).json()
    assert [entry["date"] for entry in some["data"]] == [day for day in days if days[3] <= day <= days[9]]


async def test_without_dates_only_the_last_30_days_are_read(fracttal: AsyncClient) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for document, age in (("OLD", 31), ("NEW", 29)):
        day = (today - dt.timedelta(days=age)).isoformat()
        await fracttal.post(f"{ORDERS}/1254", json=order(document=document, date=day))
    documents = [entry["document"] for entry in (await fracttal.get(f"{ORDERS}/?limit=100")).json()["data"]]
    assert "NEW" in documents
    assert "OLD" not in documents


async def test_suppliers_items_and_warehouses_are_listed_and_filtered_by_code(fracttal: AsyncClient) -> None:
    for kind, code in (("third_parties", "SUP/003"), ("items", "HOSE-1/2"), ("warehouses", "A/1")):
        everything = (await fracttal.get(f"/{kind}/")).json()
        assert everything["total"] == len(everything["data"]) > 3
        one = (await fracttal.get(f"/{kind}/", params={"code": code})).json()["data"]
        assert [entry["code"] for entry in one] == [code]
    assert (await fracttal.get("/items?limit=x")).status_code == 400
    assert (await fracttal.get("/items/NOPE")).status_code == 404
    assert (await fracttal.get("/nothing")).status_code == 404
    assert (await fracttal.delete("/items")).status_code == 405
