"""Several lines priced together for one customer."""

from evals.task import Task, call

_LONG = [
    {"part": "WIDGET-001", "quantity": 100}, {"part": "BRKT-1", "quantity": 250},
    {"part": "MANIFOLD-220", "quantity": 1}, {"part": "COLLAR-16", "quantity": 40},
    {"part": "DOWEL-6H7", "quantity": 100}, {"part": "BUSH-10", "quantity": 12},
    {"part": "19", "quantity": 3}, {"part": "BAR-EN24T-25", "quantity": "3.5"},
]  # fmt: skip

TASKS = (
    Task(
        id="quote-three-lines",
        says="Quote Acme Corp for 500 WIDGET-001, 50 BRKT-1 and 10 MANIFOLD-220: each line and the total.",
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[
                    {"part": "WIDGET-001", "quantity": 500},
                    {"part": "BRKT-1", "quantity": 50},
                    {"part": "MANIFOLD-220", "quantity": 10},
                ],
            ).telling("lines")
        ],
        tells=["4250.00", "362.50", "1315.00", "5927.50"],
    ),
    Task(
        id="quote-eight-lines",
        says=(
            "Acme Corp, please price as one order: 100 x WIDGET-001; 250 x BRKT-1; 1 x MANIFOLD-220; 40 x COLLAR-16; "
            "100 x DOWEL-6H7; 12 x BUSH-10; 3 x 19; 3.5 m BAR-EN24T-25. I need the grand total."
        ),
        oracle=[call("price_order_lines", customer="Acme Corp", lines=_LONG)],
        # 1000 + 1617.81 + 145 + 190 + 48.50 + 62.40 + 33 + 64.40, each line rounded half up
        tells=["3161.11"],
    ),
    Task(
        id="quote-same-part-twice",
        says="Give Acme Corp two options for WIDGET-001 side by side: 100 off and 500 off.",
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[{"part": "WIDGET-001", "quantity": 100}, {"part": "WIDGET-001", "quantity": 500}],
            ).telling("lines")
        ],
        tells=["1000.00", "4250.00", "10.00", "8.50"],
    ),
    Task(
        id="quote-with-lines-that-have-no-price",
        says="Total for Acme Corp: 500 WIDGET-001, 10 GASKET-41 and 12 FLANGE-DN50?",
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[
                    {"part": "WIDGET-001", "quantity": 500},
                    {"part": "GASKET-41", "quantity": 10},
                    {"part": "FLANGE-DN50", "quantity": 12},
                ],
            )
        ],
        tells=["4250.00", "GASKET-41", "FLANGE-DN50"],
        never=["4577.00", "4592.00", "342.00", "327.00"],  # as if one of the two breaks of 10 held
    ),
    Task(
        id="quote-with-a-misspelt-part",
        says="Acme Corp want 500 WIDGET-001 and 3 WIDGIT-002, what's that come to?",
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[{"part": "WIDGET-001", "quantity": 500}, {"part": "WIDGIT-002", "quantity": 3}],
            )
        ],
        tells=["4250.00", "WIDGIT-002"],
    ),
    Task(
        id="quote-from-an-e-mail",
        says=(
            "Price this mail for me, please:\n\nFrom: ruth.adeyemi@acmecorp.example\nSubject: RFQ 912\n\nHi, could you "
            "let us have your best price for\n - 60 off hydraulic manifold MANIFOLD-220 (our ACM-M220)\n - 1,000 off "
            "dowel DOWEL-6H7\n - 99 off bush BUSH-10\nThanks, Ruth (Acme Corp)"
        ),
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[
                    {"part": "MANIFOLD-220", "quantity": 60},
                    {"part": "DOWEL-6H7", "quantity": 1000},
                    {"part": "BUSH-10", "quantity": 99},
                ],
            ).telling("lines")
        ],
        tells=["7095.00", "485.00", "514.80", "8094.80"],
    ),
    Task(
        id="quote-line-that-is-cheaper-at-more",
        says="Acme Corp order 90 WIDGET-001 and 2 COLLAR-16. Total, and is there a quantity they should round up to?",
        oracle=[
            call(
                "price_order_lines",
                customer="Acme Corp",
                lines=[{"part": "WIDGET-001", "quantity": 90}, {"part": "COLLAR-16", "quantity": 2}],
            ).telling("lines[0].cheaper_at_more")
        ],
        tells=["1134.50", "100", "1000.00", "125.00"],
    ),
)
