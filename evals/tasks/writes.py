"""The writes into FractionERP, and everything that may become of one."""

from evals.task import Fault, Made, Person, Pick, Priced, Task, World, call

_ASKED = call("create_enquiry", customer="Acme Corp", customer_ref="RFQ-500", notes="500 of WIDGET-001, in two lots")
_ENQUIRY = Made("contracts", {"customer.id": 52, "customer_ref": "RFQ-500", "status": "Enquiry"})
_SAID = "Raise an enquiry for Acme Corp, ref RFQ-500, with the note '500 of WIDGET-001, in two lots'."
_STATUS = call("get_write_status", write_id=Pick("write_id"))

TASKS = (
    Task(
        id="write-enquiry",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Q1235"],
        end=[Made("contracts", {**_ENQUIRY.fields, "notes": "500 of WIDGET-001, in two lots"})],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-enquiry-from-an-e-mail",
        says=(
            "Log this as an enquiry:\n\nFrom: Ruth Adeyemi <ruth.adeyemi@acmecorp.example>\nSubject: RFQ 2026/118\n\n"
            "Dear all, please quote for 60 MANIFOLD-220 by the end of the month. Our reference is RFQ 2026/118.\n"
            "Kind regards, Ruth Adeyemi, Acme Corp"
        ),
        oracle=[
            call(
                "create_enquiry",
                customer="Acme Corp",
                contact="ruth.adeyemi@acmecorp.example",
                customer_ref="RFQ 2026/118",
                notes="60 MANIFOLD-220 by the end of the month",
            )
        ],
        tells=["Q1235"],
        end=[Made("contracts", {"customer.id": 52, "contact.id": 42, "customer_ref": "RFQ 2026/118"})],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-declined",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Acme Corp"],
        never=["Q1235"],
        writes=["declined"],
        world=World(person=Person.DECLINES),
    ),
    Task(
        id="write-form-closed",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Acme Corp"],
        never=["Q1235"],
        writes=["awaiting_approval"],
        world=World(person=Person.CLOSES),
    ),
    Task(
        id="write-waits-for-a-person",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Acme Corp"],
        never=["Q1235"],
        writes=["awaiting_approval"],
    ),
    Task(
        id="write-approved-later",
        says=f"{_SAID} Tell me the quote number once it's through.",
        oracle=[_ASKED, _STATUS],
        tells=["Q1235"],
        end=[_ENQUIRY],
        writes=["done"],
        world=World(person=Person.APPROVES_LATER),
    ),
    Task(
        id="write-declined-later",
        says=f"{_SAID} Then look whether it went through.",
        oracle=[_ASKED, _STATUS],
        tells=[("declined", "rejected", "turned down", "refused")],
        never=["Q1235"],
        writes=["declined"],
        world=World(person=Person.DECLINES_LATER),
    ),
    Task(
        id="write-expired",
        says=f"{_SAID} Then look whether it went through.",
        oracle=[_ASKED, _STATUS],
        tells=[("expired", "ran out", "timed out", "lapsed")],
        never=["Q1235"],
        writes=["expired"],
        world=World(person=Person.LETS_IT_EXPIRE),
    ),
    Task(
        id="write-asked-for-before",
        says="Did the enquiry I asked for earlier go through? Its id is {write_id}.",
        oracle=[call("get_write_status", write_id="{write_id}")],
        tells=["Acme Corp"],
        never=["Q1235"],
        writes=["awaiting_approval"],
        world=World(asked_before=[_ASKED]),
    ),
    Task(
        id="write-whose-id-is-lost",
        says="Did the enquiry that I asked for this morning go through?",
        oracle=[call("get_write_status").telling("rows")],
        tells=["Acme Corp", "RFQ-500"],
        never=["Q1235"],
        writes=["awaiting_approval"],
        world=World(asked_before=[_ASKED]),
    ),
    Task(
        id="write-answer-lost-and-found",
        says=_SAID,
        oracle=[_ASKED],
        tells=["Q1235"],
        end=[_ENQUIRY],
        writes=["done"],
        world=World(person=Person.APPROVES, faults=[Fault("after_500", "/contracts", method="POST")]),
    ),
    Task(
        id="write-outcome-unknown",
        says=_SAID,
        oracle=[_ASKED.failing("OUTCOME_UNKNOWN")],
        tells=["Acme Corp"],
        never=["Q1235"],
        end=[_ENQUIRY],  # it did land, once; nobody could see it
        writes=["unknown"],
        world=World(
            person=Person.APPROVES,
            faults=[
                Fault("after_500", "/contracts", method="POST"),
                Fault("status", "/contracts", status=403, times=99),
            ],
        ),
    ),
    Task(
        id="write-two-steps",
        says=_SAID,
        oracle=[
            _ASKED.telling("preview").answered("Yes, that's right, send it."),
            call(
                "confirm_write",
                write_id=Pick("write_id", of=0),
                confirmation_token=Pick("confirmation_token", of=0),
            ),
        ],
        tells=["RFQ-500", "Q1235"],
        end=[_ENQUIRY],
        writes=["done"],
        world=World(two_step=True),
    ),
    Task(
        id="write-two-steps-without-a-yes",
        says=_SAID,
        oracle=[_ASKED.telling("preview").answered("No, leave it, I'll ring them first.")],
        tells=["RFQ-500"],
        never=["Q1235"],
        writes=["awaiting_approval"],
        world=World(two_step=True),
    ),
    Task(
        id="write-contact",
        says="Add Jo Bright to Acme Corp: buyer, jo.bright@acmecorp.example, +44 113 496 0001.",
        oracle=[
            call(
                "add_contact",
                customer="Acme Corp",
                name="Jo Bright",
                email="jo.bright@acmecorp.example",
                phone="+44 113 496 0001",
                job_title="Buyer",
            )
        ],
        tells=["Jo Bright"],
        end=[
            Made(
                "contacts",
                {
                    "customer_id": 52,
                    "name": "Jo Bright",
                    "email": "jo.bright@acmecorp.example",
                    "phone": "+44 113 496 0001",
                },
            )
        ],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-part",
        says="Create a part NOZ-77: nozzle, 7 mm, brass CZ121.",
        oracle=[
            call("create_part", part_number="NOZ-77", description="Nozzle, 7 mm", material="Brass CZ121"),
        ],
        tells=["NOZ-77"],
        end=[Made("parts", {"part_number": "NOZ-77", "material": "Brass CZ121", "uom": "EA"})],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-price-list",
        says="New prices for WIDGET-001 at Acme Corp, replacing all: 1 at 12.75, 100 at 10.20, 500 at 8.65.",
        oracle=[
            call(
                "set_price_list",
                part="WIDGET-001",
                customer="Acme Corp",
                price_breaks=[
                    {"quantity": 1, "unit_price": "12.75"},
                    {"quantity": 100, "unit_price": "10.20"},
                    {"quantity": 500, "unit_price": "8.65"},
                ],
            )
        ],
        tells=["WIDGET-001"],
        end=[Priced("WIDGET-001", 52, {"1": "12.75", "100": "10.20", "500": "8.65"}, selling_price="10.5")],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-one-break-and-keep-the-rest",
        says="Acme Corp's WIDGET-001: make it 8.25 from 500 and leave the other breaks as they are.",
        oracle=[
            call(
                "set_price_list",
                part="WIDGET-001",
                customer="Acme Corp",
                price_breaks=[{"quantity": 500, "unit_price": "8.25"}],
                keep_other_breaks=True,
            )
        ],
        tells=["WIDGET-001"],
        end=[Priced("WIDGET-001", 52, {"1": "12.50", "100": "10", "500": "8.25"}, selling_price="10.5")],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-prices-by-a-percentage",
        says="Put all of Acme Corp's BRKT-1 prices up by 5 per cent.",
        oracle=[call("set_price_list", part="BRKT-1", customer="Acme Corp", change_percent="5")],
        tells=["BRKT-1"],
        # each half up to its own decimals: 7.6125 and 6.7948125
        end=[Priced("BRKT-1", 52, {"1": "8.40", "50": "7.61", "250": "6.79481"}, selling_price="7.61")],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="write-price-list-declined",
        says="Drop all of Acme Corp's WIDGET-001 breaks but one: 9.00 from 1.",
        oracle=[
            call(
                "set_price_list",
                part="WIDGET-001",
                customer="Acme Corp",
                price_breaks=[{"quantity": 1, "unit_price": "9.00"}],
            )
        ],
        tells=["WIDGET-001"],
        writes=["declined"],
        world=World(person=Person.DECLINES),
    ),
)
