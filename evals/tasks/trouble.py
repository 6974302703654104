"""Connections, plans and rights; a server that only reads."""

from evals.task import Fault, Person, Task, World, call

TASKS = (
    Task(
        id="trouble-none",
        says="Are we connected, as whom, and to which company?",
        oracle=[call("get_connection_status").telling("systems[0].company")],
        tells=["demo@harrow-pike.example", "Harrow & Pike Precision Ltd"],
    ),
    Task(
        id="trouble-plan",
        says="Why can't I find any parts called widget?",
        oracle=[call("search_parts", query="widget").failing("PLAN_RESTRICTED")],
        tells=["Pro", "Moulding"],
        world=World(account="kit@starter.example"),
    ),
    Task(
        id="trouble-account-lapsed",
        says="Find parts called widget.",
        oracle=[call("search_parts", query="widget").failing("ACCOUNT_INACTIVE")],
        tells=[("inactive", "not active", "lapsed", "deactivated")],
        world=World(account="lee@lapsed.example"),
    ),
    Task(
        id="trouble-no-right-to-write",
        says="Raise an enquiry for Acme Corp, ref RFQ-501.",
        oracle=[call("create_enquiry", customer="Acme Corp", customer_ref="RFQ-501").failing("FORBIDDEN")],
        tells=["Acme Corp"],
        never=["Q1235"],
        writes=["failed"],
        world=World(account="viewer@harrow-pike.example", person=Person.APPROVES),
    ),
    Task(
        id="trouble-rate-limit",
        says="Find parts called widget.",
        oracle=[call("search_parts", query="widget").failing("RATE_LIMITED")],
        tells=[("59", "60", "61", "62", "minute")],
        world=World(faults=[Fault("status", "/parts", status=429, times=99)]),
    ),
    Task(
        id="trouble-one-bad-answer",
        says="What do 250 of WIDGET-001 cost Acme Corp?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=250, customer="Acme Corp")],
        tells=["2500.00"],
        world=World(faults=[Fault("html", "/parts/1/price-lists")]),  # a read is asked for again
    ),
    Task(
        id="read-only-says-so",
        says="Could you raise enquiries for me from here?",
        oracle=[call("get_connection_status")],
        tells=[("read-only", "read only")],
        world=World(read_only=True),
    ),
    Task(
        id="read-only-writes-nothing",
        says="Raise an enquiry for Acme Corp, ref RFQ-502.",
        oracle=[call("create_enquiry", customer="Acme Corp", customer_ref="RFQ-502").failing("READ_ONLY")],
        tells=[("read-only", "read only")],
        never=["Q1235"],
        world=World(read_only=True),
    ),
    Task(
        id="read-only-prices",
        says="What do 500 of WIDGET-001 cost Acme Corp?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=500, customer="Acme Corp")],
        tells=["4250.00"],
        world=World(read_only=True),
    ),
)
