"""Names that are not exact: the user is asked, and nothing is assumed."""

from evals.task import Call, Made, Person, Pick, Priced, Task, World, call

_ENQUIRY = call("create_enquiry", customer="Acme Corp.", customer_ref="RFQ-77")


def _told(step: Call) -> Call:
    return step.telling("candidates")


TASKS = (
    Task(
        id="unclear-customer",
        says="What's the purchasing e-mail of Acme?",
        oracle=[_told(call("get_customer", customer="Acme"))],
        tells=["Acme Corp", "Acme Castings", "Acme Corporation", "Acme Corp (Scotland)"],
    ),
    Task(
        id="unclear-customer-then-told",
        says="What's the purchasing e-mail of Acme?",
        oracle=[
            _told(call("get_customer", customer="Acme")).answered("The one in Scotland, I mean."),
            call("get_customer", customer="56").telling("customer.email"),
        ],
        tells=["purchasing@acmecorpscotland.example"],
    ),
    Task(
        id="unclear-two-of-one-name",
        says="Give me the contacts at Northgate Engineering Ltd.",
        oracle=[
            _told(call("get_customer", customer="Northgate Engineering Ltd")).answered("The one with the number 37."),
            call("get_customer", customer="37").telling("contacts"),
        ],
        tells=["14", "37", "Eilidh Fraser", "Siân Hughes", "Leah Cohen"],
        never=["Niamh Byrne"],
    ),
    Task(
        id="unclear-part-by-punctuation",
        says="Price 250 of spacer-10mm for Acme Corp (Scotland), please.",
        oracle=[
            _told(
                call("get_price_for_quantity", part="spacer-10mm", quantity=250, customer="Acme Corp (Scotland)")
            ).answered("The imperial one."),
            call("get_price_for_quantity", part="11", quantity=250, customer="56"),
        ],
        tells=["SPACER 10MM", "SPACER 10 MM", "188.77", "47192.50"],
    ),
    Task(
        id="unclear-part-that-is-not-there",
        says="How much are 5 of WIDGET-999 for Acme Corp?",
        oracle=[_told(call("get_price_for_quantity", part="WIDGET-999", quantity=5, customer="Acme Corp"))],
        tells=["WIDGET-999", "WIDGET-001"],
        never=["62.50", "12.50"],
    ),
    Task(
        id="unclear-part-and-customer-at-once",
        says="Price 5 WIDGET-999 for Acme.",
        oracle=[_told(call("get_price_for_quantity", part="WIDGET-999", quantity=5, customer="Acme"))],
        tells=["WIDGET-001", "Acme Corporation", "Acme Castings"],
    ),
    Task(
        id="unclear-customer-of-a-write",
        says="Raise an enquiry for Acme Corp., their ref RFQ-77.",
        oracle=[
            _told(_ENQUIRY).answered("Yes, Acme Corp in Leeds."),
            call("create_enquiry", customer=Pick("candidates[0].id", of=0), customer_ref="RFQ-77"),
        ],
        tells=["Acme Corp", "Q1235"],
        end=[Made("contracts", {"customer.id": 52, "customer_ref": "RFQ-77", "status": "Enquiry"})],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="unclear-customer-of-a-write-is-not-guessed",
        says="Raise an enquiry for Northgate Engineering Ltd, their ref NG-1.",
        oracle=[_told(call("create_enquiry", customer="Northgate Engineering Ltd", customer_ref="NG-1"))],
        tells=["14", "37"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="unclear-number-of-a-write",
        says="Set Acme Corp's price for part 19 to 10.50 from 1.",
        oracle=[
            _told(
                call(
                    "set_price_list",
                    part="19",
                    customer="Acme Corp",
                    price_breaks=[{"quantity": 1, "unit_price": "10.50"}],
                )
            ).answered("Legacy drawing 19, the cover ring. That's id 26."),
            call(
                "set_price_list",
                part="26",
                customer="Acme Corp",
                price_breaks=[{"quantity": 1, "unit_price": "10.50"}],
            ),
        ],
        tells=["MANIFOLD-220"],
        end=[Priced("19", 52, {"1": "10.50"}, selling_price="11")],
        writes=["done"],
        world=World(person=Person.APPROVES),
    ),
    Task(
        id="unclear-contact-is-elsewhere",
        says="Enquiry for Acme Corp, contact Karol Nowak, ref KN-1.",
        oracle=[
            _told(call("create_enquiry", customer="Acme Corp", contact="Karol Nowak", customer_ref="KN-1")),
        ],
        tells=["Karol Nowak", "Ruth Adeyemi", "Siân Hughes"],
        world=World(person=Person.APPROVES),
    ),
)
