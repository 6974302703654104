"""What one part costs."""

from evals.task import Task, call

TASKS = (
    Task(
        id="price-at-a-break",
        says="What do 250 of WIDGET-001 cost Acme Corp, each and in all?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=250, customer="Acme Corp")],
        tells=["2500.00", "10.00"],
    ),
)
