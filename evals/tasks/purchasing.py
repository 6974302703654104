"""Fracttal: maintenance orders read and placed."""

from evals.reckoning import count
from evals.task import Made, Person, Task, World, call

TASKS = (
    Task(
        id="fracttal-orders-of-a-time",
        says="How many Fracttal orders did maintenance place from 1 to 20 November 2026?",
        oracle=[call("list_fracttal_purchase_orders", since="2026-11-01", until="2026-11-20", limit=1)],
        tells=[count("movements", date=lambda date: "2026-11-01" <= date <= "2026-11-20")],
    ),
    Task(
        id="fracttal-order-by-document",
        says="Who supplies Fracttal order OC_332 from November 2026, and has it arrived?",
        oracle=[
            call("list_fracttal_purchase_orders", since="2026-11-01", until="2026-11-30", document="OC_332").telling(
                "rows"
            )
        ],
        tells=["Björk Fasteners AB", ("NOT_DELIVERED", "not delivered", "not been delivered", "not arrived")],
    ),
    Task(
        id="fracttal-order",
        says=(
            "Order for warehouse 1254, document OC_900: 4 bearings BRG-6204 at 4.98 and 12 fuses FUSE-16A at 1.26, "
            "both with tax in. Supplier SUP-002, high priority."
        ),
        oracle=[
            call(
                "create_fracttal_purchase_order",
                warehouse_code="1254",
                document="OC_900",
                items=[
                    {"code": "BRG-6204", "quantity": 4, "unit_cost": "4.98"},
                    {"code": "FUSE-16A", "quantity": 12, "unit_cost": "1.26"},
                ],
                supplier_code="SUP-002",
                priority="high",
            ).telling("preview")
        ],
        tells=["OC_900"],
        end=[
            Made(
                "movements",
                {
                    "warehouse_id": 1,
                    "document": "OC_900",
                    "third_parties_code": "SUP-002",
                    "id_priority": 2,
                    "details[0].qty": "4",
                    "details[0].total_cost": "19.92",
                    "details[1].qty": "12",
                    "details[1].total_cost": "15.12",
                },
            )
        ],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="fracttal-order-in-an-awkward-warehouse",
        says="Order 2 shaft seals SEAL-35 at 3.12 (tax included) into warehouse A/1, document OC_901.",
        oracle=[
            call(
                "create_fracttal_purchase_order",
                warehouse_code="A/1",
                document="OC_901",
                items=[{"code": "SEAL-35", "quantity": 2, "unit_cost": "3.12"}],
            )
        ],
        tells=["OC_901"],
        end=[Made("movements", {"warehouse_id": 3, "document": "OC_901", "details[0].total_cost": "6.24"})],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="fracttal-order-not-wanted-after-all",
        says="Order 1 CHUCK-K11 at 256.80 into 1254, document OC_902.",
        oracle=[
            call(
                "create_fracttal_purchase_order",
                warehouse_code="1254",
                document="OC_902",
                items=[{"code": "CHUCK-K11", "quantity": 1, "unit_cost": "256.80"}],
            )
        ],
        tells=["OC_902"],
        writes=["declined"],
        world=World(person=Person.DECLINES),
    ),
    Task(
        id="fracttal-order-of-an-item-that-is-not-there",
        says="Order 2 shaft seals SEAL-36 at 3.12 (tax included) into warehouse 1254, document OC_903.",
        oracle=[
            call(
                "create_fracttal_purchase_order",
                warehouse_code="1254",
                document="OC_903",
                items=[{"code": "SEAL-36", "quantity": 2, "unit_cost": "3.12"}],
            ).telling("candidates")
        ],
        tells=["SEAL-36", "SEAL-35"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="fracttal-order-into-a-warehouse-that-is-not-there",
        says="Order 2 shaft seals SEAL-35 at 3.12 (tax included) into warehouse 1255, document OC_904.",
        oracle=[
            call(
                "create_fracttal_purchase_order",
                warehouse_code="1255",
                document="OC_904",
                items=[{"code": "SEAL-35", "quantity": 2, "unit_cost": "3.12"}],
            ).telling("candidates")
        ],
        tells=["1255", "1254"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="fracttal-module-not-enabled",
        says="List the Fracttal orders of November 2026.",
        oracle=[call("list_fracttal_purchase_orders", since="2026-11-01", until="2026-11-30").failing("FORBIDDEN")],
        tells=["Fracttal"],
        world=World(fracttal_client="sandbox-no-module"),
    ),
)
