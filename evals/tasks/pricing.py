"""What one part costs: breaks, base selling prices, units, and what costs less at more."""

from evals.task import Task, World, call

TASKS = (
    Task(
        id="price-at-a-break",
        says="What do 250 of WIDGET-001 cost Acme Corp, each and in all?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=250, customer="Acme Corp")],
        tells=["10.00", "2500.00"],
    ),
    Task(
        id="price-just-below-a-break",
        says="Acme Corp wants 450 WIDGET-001. What's the total, and would a bigger order come out cheaper?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=450, customer="Acme Corp")],
        tells=["4500.00", "500", "4250.00", "250.00"],
    ),
    Task(
        id="price-far-cheaper-at-more",
        says="Müller & Söhne ask for 999 of the Ø12 pin. What would you tell them?",
        oracle=[call("get_price_for_quantity", part="Ø12 PIN", quantity=999, customer="Müller & Söhne GmbH")],
        tells=["1198.80", "1000", "31.25", "1167.55"],
    ),
    Task(
        id="price-below-the-first-break",
        says="Can you price 40 of O'RING-22 for Acme Corp (Scotland)?",
        oracle=[call("get_price_for_quantity", part="O'RING-22", quantity=40, customer="Acme Corp (Scotland)")],
        tells=["301.22", "12048.80"],
    ),
    Task(
        id="price-none-below-the-first-break",
        says="What do 5 dowels, DOWEL-6H7, cost Acme Corp?",
        oracle=[call("get_price_for_quantity", part="DOWEL-6H7", quantity=5, customer="Acme Corp")],
        tells=["10"],  # where the list begins
        never=["3.10", "0.62", "2.43"],  # there is no price: not that of the first break, nor a multiple of it
    ),
    Task(
        id="price-of-a-list-out-of-order",
        says="Price for 60 manifolds (MANIFOLD-220) to Acme Corp please.",
        oracle=[call("get_price_for_quantity", part="MANIFOLD-220", quantity=60, customer="Acme Corp")],
        tells=["118.25", "7095.00"],
    ),
    Task(
        id="price-for-every-customer",
        says="Who pays more for 30 MANIFOLD-220, and by how much?",
        oracle=[call("get_price_for_quantity", part="MANIFOLD-220", quantity=30)],
        tells=["Northgate Engineering Ltd", "3960.00", "Acme Corp", "3945.00", "15.00"],
    ),
    Task(
        id="price-dearest-and-cheapest-of-many",
        says="What's the spread of what our customers pay for 100 of SCREW-M6X20?",
        oracle=[call("get_price_for_quantity", part="SCREW-M6X20", quantity=100)],
        tells=["40740.00", "62852.00", "22112.00", "Wharfe Rail Ltd", "Eastfield Instruments Group Ltd"],
    ),
    Task(
        id="price-by-weight",
        says="Smith/Jones Hydraulics take 2.75 kg of SWARF-AL. How much is that?",
        oracle=[call("get_price_for_quantity", part="SWARF-AL", quantity="2.75", customer="Smith/Jones Hydraulics")],
        tells=["1.10", "3.03", "KG"],
    ),
    Task(
        id="price-by-the-metre",
        says="12.25 m of BAR-EN24T-25 for Acme Corp: rate and total?",
        oracle=[call("get_price_for_quantity", part="BAR-EN24T-25", quantity="12.25", customer="Acme Corp")],
        tells=["16.12345", "197.51"],
    ),
    Task(
        id="price-part-number-that-looks-like-an-id",
        says="How much are 5 of part number 19 for Acme Corp?",
        oracle=[call("get_price_for_quantity", part="19", quantity=5, customer="Acme Corp")],
        tells=["11.00", "55.00"],
        never=["725.00"],  # five of the part whose id is 19
    ),
    Task(
        id="price-part-number-full-of-signs",
        says='We need 300 of "CAP 50% C/W SEAL & <O-RING>". Which customer has a price, and what is the total?',
        oracle=[call("get_price_for_quantity", part="CAP 50% C/W SEAL & <O-RING>", quantity=300)],
        tells=["465.97", "139791.00"],
    ),
    Task(
        id="price-in-a-known-currency",
        says="What does Acme Corp pay for 10 WIDGET-001, and in which currency?",
        oracle=[call("get_price_for_quantity", part="WIDGET-001", quantity=10, customer="Acme Corp")],
        tells=["125.00", ("GBP", "£", "pounds", "sterling")],
        world=World(currency="GBP"),
    ),
    Task(
        id="price-whole-list",
        says="Show me every break Acme Corp has on BRKT-1, and anyone else who has a price for it.",
        oracle=[call("get_part", part="BRKT-1")],
        tells=["8.00", "7.25", "50", "6.47125", "250", "Müller & Söhne GmbH", "8.10"],
    ),
)
