"""Rows found, filtered and counted; one record read."""

from decimal import Decimal

from evals.company import Company
from evals.reckoning import count, matching, of
from evals.task import Task, call


def _largest_overdue(company: Company) -> str:
    overdue = matching(company, "invoices", {"status": "Overdue", "currency": "GBP"})
    return str(max(overdue, key=lambda one: Decimal(one["total_amount"]))["invoice_number"])


def _with_part(company: Company, number: str) -> list[str]:
    quotes = company.records("contracts")
    return [one["quote_number"] for one in quotes if number in [line["part"]["part_number"] for line in one["lines"]]]


def _is_dairy(name: str) -> bool:
    return "dairy" in name.casefold()


def _dairies(company: Company) -> list[str]:
    return [one["name"] for one in matching(company, "customers", {"name": _is_dairy})]


TASKS = (
    Task(
        id="list-a-customers-open-quotes",
        says="Which quotes are still out with Acme Corp, and for how much each?",
        oracle=[
            call(
                "list_records",
                kind="contracts",
                filters=[
                    {"field": "customer.name", "op": "=", "value": "Acme Corp"},
                    {"field": "status", "op": "=", "value": "Quoted"},
                ],
                fields=["quote_number", "total_amount"],
            ).telling("rows")
        ],
        tells=["Q990", "13642.12", "Q1208", "139374.05", "Q1227", "9133.90"],
        never=["Q1097", "Q988"],
    ),
    Task(
        id="list-the-largest-overdue-invoice",
        says="What's our biggest overdue invoice in pounds, and who owes it?",
        oracle=[
            call(
                "list_records",
                kind="invoices",
                filters=[
                    {"field": "status", "op": "=", "value": "Overdue"},
                    {"field": "currency", "op": "=", "value": "GBP"},
                ],
                sort="total_amount",
                order="desc",
                limit=1,
                fields=["invoice_number", "customer.name", "total_amount"],
            ).telling("rows")
        ],
        tells=[_largest_overdue, "240947.60", "Kelham Pumps Ltd"],
    ),
    Task(
        id="list-one-of-several-values",
        says="How many purchase orders are still draft or sent?",
        oracle=[
            call(
                "list_records",
                kind="purchase_orders",
                filters=[{"field": "status", "op": "in", "values": ["Draft", "Sent"]}],
                limit=1,
            )
        ],
        tells=[count("purchase_orders", status=lambda status: status in {"Draft", "Sent"})],
    ),
    Task(
        id="list-where-a-field-is-empty",
        says="How many purchase orders have no expected date?",
        oracle=[
            call(
                "list_records",
                kind="purchase_orders",
                filters=[{"field": "expected_date", "op": "is_empty"}],
                limit=1,
            )
        ],
        tells=[count("purchase_orders", expected_date=lambda date: not date)],
    ),
    Task(
        id="list-by-a-line",
        says="Which quotes have BRKT-1 on one of their lines?",
        oracle=[
            call(
                "list_records",
                kind="contracts",
                filters=[{"field": "lines[].part.part_number", "op": "=", "value": "BRKT-1"}],
                fields=["quote_number"],
            ).telling("rows")
        ],
        tells=[lambda company: _with_part(company, "BRKT-1")[0], lambda company: _with_part(company, "BRKT-1")[-1]],
    ),
    Task(
        id="list-work-on-hold",
        says="How many work orders are on hold because the material is late?",
        oracle=[
            call(
                "list_records",
                kind="work_orders",
                filters=[{"field": "hold.reason", "op": "=", "value": "Material late"}],
                limit=1,
            )
        ],
        tells=[count("work_orders", status="On Hold", hold__reason="Material late")],
    ),
    Task(
        id="list-above-an-amount",
        says="Which of Acme Corp's orders is above 200,000, and what are its number and date?",
        oracle=[
            call(
                "list_records",
                kind="contracts",
                filters=[
                    {"field": "customer.name", "op": "=", "value": "Acme Corp"},
                    {"field": "total_amount", "op": ">", "value": "200000"},
                ],
                fields=["quote_number", "total_amount", "contract_date"],
            ).telling("rows")
        ],
        tells=["Q1113", "224402.70", "2026-03-16"],
    ),
    Task(
        id="list-more-than-a-page",
        says="How many of our parts have 'Bracket' in them?",
        oracle=[call("search_parts", query="Bracket", limit=1)],
        tells=[count("parts", description=lambda text: "bracket" in str(text).casefold())],
    ),
    Task(
        id="list-customers-by-a-word",
        says="Which customers have 'dairy' in their name, and how many are there?",
        oracle=[call("search_customers", query="dairy", limit=100).telling("rows")],
        tells=[
            count("customers", name=_is_dairy),
            lambda company: _dairies(company)[0],
            lambda company: _dairies(company)[-1],
        ],
    ),
    Task(
        id="record-by-its-quote-number",
        says="What's the value of quote Q1113, and what reference did the customer give?",
        oracle=[call("get_record", kind="contracts", id="Q1113").telling("record.total_amount", "record.customer_ref")],
        tells=["224402.70", of("contracts", "customer_ref", quote_number="Q1113")],
    ),
    Task(
        id="record-contacts",
        says="Who do we know at Acme Corp, and what's the buyer's e-mail?",
        oracle=[call("get_customer", customer="Acme Corp").telling("contacts")],
        tells=["Ruth Adeyemi", "Zoë Lambert", "Siân Hughes", "sian.hughes@acmecorp.example"],
    ),
)
