"""Done means proven, failed means proven, and everything else is unknown until it is seen: over real sockets, with the
answers that proxies, balancers and odd ERPs were seen to give."""

import json
import time
from decimal import Decimal
from typing import Any

import anyio
import pytest

from fraction_mcp.erp import endpoints as e
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.readback import Leeway, differences
from fraction_mcp.operations.writes.states import State, Step
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

PART = {"part_number": "PROOF-1", "description": "A proof"}
PRICES = {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": [{"quantity": 5, "unit_price": "9.125"}]}
ORDER = {
    "warehouse_code": "1254",
    "document": "OC_PROOF",
    "items": [{"code": "DEST01", "quantity": 9, "unit_cost": "5000"}],
}


def answers(firm: Firm, endpoint: str, body: object, *, status: int = 201, method: str = "POST") -> None:
    """The next write is answered like this, and nothing is done."""
    firm.arm("garbage", method=method, path=endpoint, status=status, body=json.dumps(body))


async def written(firm: Firm, tool: str, **arguments: Any) -> dict[str, Any]:
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        told: dict[str, Any] = await seat.call(tool, **arguments)
        return told


# --------------------------------------------------------------------------------------------------------------- done


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("status", "body", "flaw"),
    [
        (202, {}, "cannot be read"),
        (202, {"success": True, "data": {"id": 7_000, **PART}}, "status of a success"),
        (201, {"data": {"id": 7_000, **PART}}, "envelope of a success"),
        (201, {"success": True, "data": PART}, "has no id"),
        (201, {"success": True, "data": {**PART, "id": None}}, "has no id"),
        (201, {"success": True, "data": {**PART, "id": [7]}}, "has no id"),
        (201, {"success": True, "data": []}, "is not one record"),
        (201, {"success": True, "data": [{"id": 7_000, **PART}, {"id": 7_001, **PART}]}, "is not one record"),
        (201, {"success": True, "data": {"id": 7_000, "part_number": "WIDGET-001"}}, "another part number"),
        (201, {"success": True, "data": {"id": 7_000, "part_number": "PROOF-1", "description": "B"}}, "another desc"),
        (201, {"success": True, "data": {"id": 7_000, "part_number": "PROOF-1", "description": None}}, "another desc"),
    ],
)
async def test_a_success_that_does_not_prove_itself_is_unknown(
    firm: Firm, status: int, body: object, flaw: str
) -> None:
    answers(firm, "/parts", body, status=status)
    told = await written(firm, "create_part", **PART)
    assert (told["outcome"], told["error"]["code"], told["error"]["written"]) == ("unknown", "OUTCOME_UNKNOWN", "maybe")
    assert flaw in told["error"]["message"]


async def test_a_record_that_was_there_before_proves_no_success(firm: Firm) -> None:
    """A cache in front of the ERP that answers with what it answered last time."""
    enquiry = {"customer": "Acme Corp", "customer_ref": "PO-TWICE"}
    first = await written(firm, "create_enquiry", **enquiry)
    assert first["outcome"] == "done"
    answers(firm, "/contracts", {"success": True, "data": first["result"]})
    second = await written(firm, "create_enquiry", **enquiry)
    assert (second["outcome"], second["write_id"] != first["write_id"]) == ("unknown", True)
    assert "was there before" in second["error"]["message"]
    assert len(firm.enquiries("PO-TWICE")) == 1


async def test_a_record_that_another_write_made_proves_no_success(firm: Firm) -> None:
    """The same, where the list of what was there before does not show it."""
    first = await written(firm, "create_enquiry", customer="Acme Corp", notes="one thing")
    firm.run("UPDATE contracts SET haystack = '' WHERE id = ?", first["result"]["id"])
    answers(firm, "/contracts", {"success": True, "data": {**first["result"], "notes": None}})
    second = await written(firm, "create_enquiry", customer="Acme Corp")
    assert (second["outcome"], len(firm.sent("/contracts"))) == ("unknown", 2)


async def test_another_customer_s_price_list_proves_no_success(firm: Firm) -> None:
    other = [{"part_customer_id": 1, "customer_id": 53, "price_breaks": [{"qty": 5, "price": 9.125}]}]
    answers(firm, "/parts/1/price-lists", {"success": True, "data": other}, status=200, method="PUT")
    told = await written(firm, "set_price_list", **PRICES)
    assert told["outcome"] == "unknown"
    assert "another customer id" in told["error"]["message"]


async def test_the_customer_s_list_among_several_is_the_proof(firm: Firm) -> None:
    lists = [
        {"part_customer_id": 1, "customer_id": "52", "price_breaks": [{"qty": "5", "price": "9.12500"}]},
        {"part_customer_id": 2, "customer_id": 53, "price_breaks": [{"qty": 1, "price": 1}]},
    ]
    answers(firm, "/parts/1/price-lists", {"success": True, "data": lists}, status=200, method="PUT")
    assert (await written(firm, "set_price_list", **PRICES))["outcome"] == "done"


@pytest.mark.matrix
@pytest.mark.parametrize("kept", [9.13, 9.12, "9.13"])
async def test_prices_that_the_erp_rounded_are_done_and_the_difference_is_told(firm: Firm, kept: object) -> None:
    body = {"success": True, "data": [{"customer_id": 52, "price_breaks": [{"qty": 5, "price": kept}]}]}
    answers(firm, "/parts/1/price-lists", body, status=200, method="PUT")
    told = await written(firm, "set_price_list", **PRICES)
    assert told["outcome"] == "done"
    assert f"{kept} is kept where 9.125 was sent" in told["summary"]


async def test_a_lost_answer_to_prices_that_the_erp_rounded_is_found_all_the_same(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.arm("drop_after", method="PUT", path="/parts/1/price-lists")
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        service = await seat.runtime.write_service()
        original = service.journal.finish

        async def rounded(*args: Any, **facts: Any) -> Any:
            firm.run("UPDATE price_breaks SET price = '9.13' WHERE price = '9.125'")
            return await original(*args, **facts)

        monkeypatch.setattr(service.journal, "finish", rounded)
        told = await seat.call("set_price_list", **PRICES)
    assert told["outcome"] == "done"
    assert "9.13 is kept where 9.125 was sent" in told["summary"]


@pytest.mark.matrix
@pytest.mark.parametrize("kept", [9.14, 9.0, 9, 91.25, None])
async def test_a_price_that_is_no_rounding_of_what_was_sent_is_unknown(firm: Firm, kept: object) -> None:
    body = {"success": True, "data": [{"customer_id": 52, "price_breaks": [{"qty": 5, "price": kept}]}]}
    answers(firm, "/parts/1/price-lists", body, status=200, method="PUT")
    assert (await written(firm, "set_price_list", **PRICES))["outcome"] == "unknown"


async def test_an_order_whose_costs_come_back_otherwise_is_done_and_says_so(firm: Firm) -> None:
    """As in the document's own sample. Another item, or another quantity, is another order."""
    details = [{"code": "DEST01", "qty": 9, "unit_cost": 5500}]
    data = {"id": "990", "document": "OC_PROOF", "movement_details": details}
    answers(firm, "/warehouse_purchase_orders/1254", {"success": True, "data": data}, status=200)
    told = await written(firm, "create_fracttal_purchase_order", **ORDER)
    assert told["outcome"] == "done"
    assert "5500.00 is kept where 5000.00 was sent (unit cost)" in told["summary"]
    data = {"id": "991", "document": "OC_PROOF", "movement_details": [{**details[0], "qty": 90}]}
    answers(firm, "/warehouse_purchase_orders/1254", {"success": True, "data": data}, status=200)
    again = await written(firm, "create_fracttal_purchase_order", **ORDER)
    assert again["outcome"] == "unknown"


# ------------------------------------------------------------------------------------------------------------- failed


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("status", "code"),
    [(408, "REQUEST_TIMEOUT"), (409, "CONFLICT"), (400, "BAD"), (422, "DUPLICATE"), (418, "NOT_FOUND")],
)
async def test_a_refusal_of_no_documented_status_and_code_is_unknown(firm: Firm, status: int, code: str) -> None:
    firm.arm("status", method="POST", path="/parts", status=status, code=code)
    told = await written(firm, "create_part", **PART)
    assert (told["outcome"], told["error"]["written"]) == ("unknown", "maybe")


async def test_a_duplicate_that_a_balancer_made_by_sending_twice_is_found_and_done(firm: Firm) -> None:
    firm.arm("after_500", method="POST", path="/parts", status=409)
    told = await written(firm, "create_part", **PART)
    assert (told["outcome"], told["result"]["part_number"]) == ("done", "PROOF-1")
    assert len(firm.parts("PROOF-1")) == len(firm.sent()) == 1


async def test_a_duplicate_of_what_is_not_there_is_unknown(firm: Firm) -> None:
    firm.arm("status", method="POST", path="/parts", status=409)
    told = await written(firm, "create_part", **PART)
    assert (told["outcome"], told["error"]["code"]) == ("unknown", "OUTCOME_UNKNOWN")


async def test_a_duplicate_of_a_new_record_that_holds_something_else_is_unknown(firm: Firm) -> None:
    """It may be ours, sent twice by a balancer and kept in the ERP's own spelling."""
    firm.arm("after_500", method="POST", path="/parts", status=409)
    firm.run(
        "CREATE TRIGGER spelling AFTER INSERT ON parts BEGIN "
        "UPDATE parts SET description = replace(NEW.description, '&', '&amp;') WHERE id = NEW.id; END"
    )
    told = await written(firm, "create_part", part_number="PROOF-1", description="Nut & bolt")
    assert (told["outcome"], told["error"]["code"], told["error"]["written"]) == ("unknown", "OUTCOME_UNKNOWN", "maybe")
    assert len(firm.parts("PROOF-1")) == 1


async def test_a_duplicate_of_what_somebody_else_made_meanwhile_is_unknown(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Journal.hold

    async def somebody_was_faster(journal: Journal, *args: Any, **facts: Any) -> bool:
        firm.run(
            "INSERT INTO parts (part_number, description, uom, type, is_active, created_at, updated_at, haystack, "
            "number_key) VALUES ('PROOF-1', 'Theirs', 'EA', 'Manufactured', 1, '', '', 'proof-1', 'proof-1')"
        )
        return await hold(journal, *args, **facts)

    monkeypatch.setattr(Journal, "hold", somebody_was_faster)
    told = await written(firm, "create_part", **PART)
    assert (told["outcome"], told["error"]["code"]) == ("unknown", "OUTCOME_UNKNOWN")


async def test_an_existing_fracttal_document_refused_as_such_wrote_nothing(firm: Firm) -> None:
    assert (await written(firm, "create_fracttal_purchase_order", **ORDER))["outcome"] == "done"
    firm.arm("status", method="POST", path="/warehouse_purchase_orders/1254", status=408)
    again = await written(firm, "create_fracttal_purchase_order", **ORDER)
    assert (again["outcome"], again["error"]["code"], again["error"]["written"]) == ("failed", "DUPLICATE", "no")


# -------------------------------------------------------------------------------------------------- read back, replaced


async def test_a_second_change_of_one_record_is_found_by_reading_back(firm: Firm) -> None:
    assert (await written(firm, "set_price_list", **PRICES))["outcome"] == "done"
    firm.arm("drop_after", method="PUT", path="/parts/1/price-lists")
    again = {**PRICES, "price_breaks": [{"quantity": 5, "unit_price": "9.25"}]}
    assert (await written(firm, "set_price_list", **again))["outcome"] == "done"


async def test_whether_a_write_replaces_is_said_by_its_tool_and_not_by_a_missing_id(firm: Firm) -> None:
    """A list whose records carry ids: a replaced one has the id that it had before."""
    async with firm.runtime() as runtime:
        service = await runtime.write_service()
        from fraction_mcp.runtime import _replan

        looks = {}
        for tool, arguments in (("set_price_list", PRICES), ("create_part", PART)):
            write = await service.propose(
                await _replan(service.context, tool, arguments), tool=tool, arguments=arguments, asked_by="a test"
            )
            looks[tool] = write.plan.look.replaces
    assert looks == {"set_price_list": True, "create_part": False}


# --------------------------------------------------------------------------------------------------------- late answers


async def held_up(firm: Firm, monkeypatch: pytest.MonkeyPatch, fault: str, **how: Any) -> tuple[dict[str, Any], Any]:
    """A write whose process is held up beyond its lease: somebody settles it, then the answer comes."""
    settled: list[Any] = []

    async def settle(write_id: str, *, landed: bool) -> None:
        async with firm.runtime() as runtime:
            service = await runtime.write_service()
            service.journal._clock = lambda: time.time() + 10_000
            write = await service.write(write_id)
            assert write.state is State.UNKNOWN
            settled.append(await service.settle(write, landed=landed, by="a person"))

    async with firm.seat("yes", wired=True, approval_ttl_s=31_536_000) as seat:
        service = await seat.runtime.write_service()
        original = service.journal.finish

        async def late(write_id: str, kind: Step, *args: Any, **facts: Any) -> Any:
            if not settled:
                await settle(write_id, landed=fault != "")
            return await original(write_id, kind, *args, **facts)

        monkeypatch.setattr(service.journal, "finish", late)
        if fault:
            firm.arm(fault, **how)
        told = await seat.call("create_part", **PART)
        life = await service.journal.events(told["write_id"])
        assert await service.journal.verify() == ""
        return told, [event.kind for event in life]


async def test_a_proven_done_after_a_person_settled_it_as_absent_is_a_conflict_that_is_shown(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, life = await held_up(firm, monkeypatch, "")
    assert (told["outcome"], life[-2:]) == ("done", ["settled_absent", "late_done"])
    assert told["result"]["part_number"] == "PROOF-1"
    assert "settled this as not written" in told["warnings"][0]
    assert len(firm.parts("PROOF-1")) == 1


async def test_a_proven_refusal_after_a_person_settled_it_as_landed_is_a_conflict_that_is_shown(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, life = await held_up(firm, monkeypatch, "status", method="POST", path="/parts", status=422)
    assert (told["outcome"], life[-2:]) == ("done", ["settled_landed", "late_refusal"])
    assert "refuses it" in told["warnings"][0]
    assert firm.parts("PROOF-1") == []


# ---------------------------------------------------------------------------------------------------------- comparing


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ("12.50", Decimal("12.5"), True),
        (12, 12, True),
        (True, 1, False),
        ("x", 1, False),
        (Decimal("NaN"), 1, False),
        ([], 1, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([2, 1], [1, 2], True),
        ([1, 1], [1, 2], False),
        ([1], [1, 1], False),
        ("ACME corp ", "Acme Corp", True),
        (None, "x", False),
        ("", None, True),
        ({"x": 1}, "x", False),
    ],
)
def test_fields_are_compared_by_what_they_mean(found: object, wanted: object, same: bool) -> None:
    assert (differences(found, wanted, Leeway()) == []) is same


def test_only_prices_may_be_rounded() -> None:
    leeway = Leeway(rounded=("price",))
    assert differences({"qty": Decimal("0.13")}, {"qty": Decimal("0.125")}, leeway) is None
    assert differences({"price": Decimal("0.13")}, {"price": Decimal("0.125")}, leeway) != []
    assert differences({"price": Decimal("0.13")}, {"price": Decimal("0.13")}, leeway) == []
    assert differences({"price": Decimal("10")}, {"price": Decimal("10.4")}, leeway) is None, "not to the whole"


def test_every_write_says_what_success_is() -> None:
    writes = [one for one in e.NAMED.values() if one.writes]
    assert len(writes) == 5
    assert all(set(one.success) <= {200, 201} for one in writes)
    assert e.CREATE_CONTRACT.success == (201,)


async def test_while_a_write_is_unknown_the_erp_is_asked_every_few_seconds_at_most(firm: Firm) -> None:
    firm.arm("drop_before", method="POST", path="/parts")
    async with firm.seat("yes", wired=True, timeout_s=2) as seat:
        told = await seat.call("create_part", **PART)
        assert told["outcome"] == "unknown"
        before = len(firm.app.state.requests)
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(lambda: seat.call("get_write_status", write_id=told["write_id"]))
        assert len(firm.app.state.requests) == before
