"""Several writes under one question."""

from evals.task import Fault, Made, Person, Task, World, call

_SAID = (
    "New customer contact and part, please, in one go: add Jo Batch to Acme Corp (buyer), create part NOZ-90 "
    "(nozzle, 9 mm), and raise an enquiry for Acme Corp with ref RFQ-600."
)
_ASKED = call(
    "submit_writes",
    writes=[
        {"tool": "add_contact", "arguments": {"customer": "Acme Corp", "name": "Jo Batch", "job_title": "Buyer"}},
        {"tool": "create_part", "arguments": {"part_number": "NOZ-90", "description": "Nozzle, 9 mm"}},
        {"tool": "create_enquiry", "arguments": {"customer": "Acme Corp", "customer_ref": "RFQ-600"}},
    ],
).telling("writes")
_CONTACT = Made("contacts", {"customer_id": 52, "name": "Jo Batch", "job_title": "Buyer"})
_PART = Made("parts", {"part_number": "NOZ-90"})
_ENQUIRY = Made("contracts", {"customer.id": 52, "customer_ref": "RFQ-600"})

_NOZZLES = call(
    "submit_writes",
    writes=[
        {"tool": "create_part", "arguments": {"part_number": f"NOZ-{number}", "description": "Nozzle"}}
        for number in (1, 2, 3)
    ],
)

TASKS = (
    Task(
        id="batch-of-three",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Jo Batch", "NOZ-90", "Q1235"],
        end=[_CONTACT, _PART, _ENQUIRY],
        writes=["done", "done", "done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="batch-declined",
        says=(
            "Put the new prices in at once: WIDGET-001 for Acme Corp at 12.00 from 1, and BRKT-1 for Acme Corp at 7.00 "
            "from 1."
        ),
        oracle=[
            call(
                "submit_writes",
                writes=[
                    {
                        "tool": "set_price_list",
                        "arguments": {
                            "part": part,
                            "customer": "Acme Corp",
                            "price_breaks": [{"quantity": 1, "unit_price": price}],
                        },
                    }
                    for part, price in (("WIDGET-001", "12.00"), ("BRKT-1", "7.00"))
                ],
            ).telling("writes")
        ],
        tells=["WIDGET-001", "BRKT-1"],
        writes=["declined", "declined"],
        world=World(person=Person.DECLINES),
    ),
    Task(
        id="batch-approved-in-the-inbox",
        says="Create NOZ-1, NOZ-2 and NOZ-3 for me, all nozzles. I only want to say yes once.",
        oracle=[_NOZZLES],
        tells=["3"],
        end=[Made("parts", {"part_number": f"NOZ-{number}", "description": "Nozzle"}) for number in (1, 2, 3)],
        writes=["done"] * 3,
        world=World(person=Person.APPROVES_LATER),
    ),
    Task(
        id="batch-of-which-one-is-refused",
        says="Create NOZ-1, NOZ-2 and NOZ-3 for me, all nozzles, in one go. Tell me what became of each.",
        oracle=[_NOZZLES.failing("FORBIDDEN").telling("writes")],
        tells=["NOZ-1", "NOZ-2", "NOZ-3", ("done", "created"), ("failed", "refused"), ("wait", "waits", "waiting")],
        end=[Made("parts", {"part_number": "NOZ-1", "description": "Nozzle"})],
        writes=["done", "failed", "awaiting_approval"],
        world=World(person=Person.APPROVES, faults=[Fault("status", "/parts", method="POST", status=403, after=1)]),
    ),
)
