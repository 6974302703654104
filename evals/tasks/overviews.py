"""Counts, sums and shares over all records; field names that nobody told; ERPs of another shape."""

from collections import Counter, defaultdict
from decimal import Decimal

from evals.arranging import Verbatim, different, renamed
from evals.company import Company
from evals.reckoning import count, matching, share, total
from evals.task import Task, World, call


def _best_customer(company: Company) -> tuple[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in matching(company, "contracts", {"status": "Order", "currency": "GBP"}):
        sums[one["customer"]["name"]] += Decimal(one["total_amount"])
    return max(sums.items(), key=lambda pair: pair[1])


def _busiest_supplier(company: Company) -> str:
    orders = Counter(str(one["supplier"]["name"]) for one in company.records("purchase_orders"))
    return orders.most_common(1)[0][0]


def _in_quarter(company: Company) -> int:
    return sum("2026-07-01" <= one["contract_date"] <= "2026-09-30" for one in company.records("contracts"))


def _largest_paid(company: Company) -> Decimal:
    paid = matching(company, "invoices", {"status": "Paid", "currency": "GBP"})
    return max(Decimal(one["total_amount"]) for one in paid)


_OTHER_SHAPE = World(arranged=[renamed("contracts", quote_number="number", total_amount="grand_total", status="state")])

TASKS = (
    Task(
        id="overview-of-everything",
        says="I'm new here: what's in this ERP, and how much of each?",
        oracle=[call("describe_records")],
        tells=[count(kind) for kind in ("customers", "parts", "contracts", "boms", "work_orders", "purchase_orders")]
        + [count("shipments"), count("invoices")],
    ),
    Task(
        id="summary-by-status",
        says="How do our contracts split by status, in numbers and per cent?",
        oracle=[
            call("summarise_records", kind="contracts", group_by=["status"], share=["count"]).telling("rows"),
        ],
        tells=[count("contracts", status="Order"), "37.0", count("contracts", status="Lost"), "11.0"],
    ),
    Task(
        id="summary-of-several-currencies",
        says="How much is overdue, all told?",
        oracle=[
            call(
                "summarise_records",
                kind="invoices",
                filters=[{"field": "status", "op": "=", "value": "Overdue"}],
                group_by=["currency"],
                sum=["total_amount"],
            ).telling("rows")
        ],
        tells=[
            total("invoices", "total_amount", status="Overdue", currency="GBP"),
            total("invoices", "total_amount", status="Overdue", currency="EUR"),
            total("invoices", "total_amount", status="Overdue", currency="USD"),
        ],
        never=[total("invoices", "total_amount", status="Overdue")],  # pounds, euros and dollars in one sum
    ),
    Task(
        id="summary-of-the-best-customer",
        says="Which customer has the most in open orders (status Order) in GBP, and how much?",
        oracle=[
            call(
                "summarise_records",
                kind="contracts",
                filters=[
                    {"field": "status", "op": "=", "value": "Order"},
                    {"field": "currency", "op": "=", "value": "GBP"},
                ],
                group_by=["customer.name"],
                sum=["total_amount"],
                top=1,
            ).telling("rows")
        ],
        tells=[lambda company: _best_customer(company)[0], lambda company: _best_customer(company)[1]],
    ),
    Task(
        id="summary-share-of-a-sum",
        says="What share of the sterling value of all contracts is Acme Corp?",
        oracle=[
            call(
                "summarise_records",
                kind="contracts",
                filters=[{"field": "currency", "op": "=", "value": "GBP"}],
                group_by=["customer.name"],
                sum=["total_amount"],
                share=["total_amount"],
                top=1,
            ).telling("rows")
        ],
        tells=[share("contracts", "total_amount", {"currency": "GBP"}, {"customer.name": "Acme Corp"})],
    ),
    Task(
        id="summary-of-a-quarter",
        says="How many contracts did we draw up in the third quarter of 2026?",
        oracle=[
            call(
                "summarise_records",
                kind="contracts",
                filters=[
                    {"field": "contract_date", "op": ">=", "value": "2026-07-01"},
                    {"field": "contract_date", "op": "<=", "value": "2026-09-30"},
                ],
            ).telling("totals")
        ],
        tells=[_in_quarter],
    ),
    Task(
        id="summary-of-suppliers",
        says="Which supplier do we place the most purchase orders with?",
        oracle=[call("summarise_records", kind="purchase_orders", group_by=["supplier.name"], top=1).telling("rows")],
        tells=[_busiest_supplier],
    ),
    Task(
        id="summary-of-the-largest",
        says="What's the largest GBP invoice anyone has paid us?",
        oracle=[
            call(
                "summarise_records",
                kind="invoices",
                filters=[
                    {"field": "status", "op": "=", "value": "Paid"},
                    {"field": "currency", "op": "=", "value": "GBP"},
                ],
                max=["total_amount"],
            ).telling("totals")
        ],
        tells=[_largest_paid],
    ),
    Task(
        id="fields-of-a-kind",
        says="Which statuses can a work order have here, and what other fields could I filter by?",
        oracle=[call("describe_records", kind="work_orders").telling("fields")],
        tells=["On Hold", "Released", "Planned", "In Progress", "Completed", "priority", "due_date"],
    ),
    Task(
        id="another-shape-sums",
        says="Add up our contracts' grand totals by state, in pounds.",
        oracle=[
            call("describe_records", kind="contracts"),
            call(
                "summarise_records",
                kind="contracts",
                filters=[{"field": "currency", "op": "=", "value": "GBP"}],
                group_by=["state"],
                sum=["grand_total"],
            ).telling("rows"),
        ],
        tells=[
            total("contracts", "grand_total", state="Order", currency="GBP"),
            total("contracts", "grand_total", state="Quoted", currency="GBP"),
        ],
        world=_OTHER_SHAPE,
    ),
    Task(
        id="another-shape-finds-the-number",
        says="What's the value of quote Q1113?",
        oracle=[call("get_record", kind="contracts", id="Q1113").telling("record.grand_total")],
        tells=["224402.70"],
        world=_OTHER_SHAPE,
    ),
    Task(
        id="summary-of-dust",
        says="What's the sterling total of Acme Corp's enquiries?",
        oracle=[
            call(
                "summarise_records",
                kind="contracts",
                filters=[
                    {"field": "customer.name", "op": "=", "value": "Acme Corp"},
                    {"field": "status", "op": "=", "value": "Enquiry"},
                ],
                sum=["total_amount"],
            ).telling("totals")
        ],
        tells=["6.6"],
        never=["6.6000000000000005"],
        world=World(arranged=[different("contracts", 515, total_amount=Verbatim("6.6000000000000005"))]),
    ),
)
