# /// script
# requires-python = ">=3.11"
# dependencies = ["fraction-mcp"]
# ///
"""Price a CSV of parts and quantities for a customer, and print it with the prices.

    uv run examples/price_csv.py [FILE.csv] [--customer NAME]

(or `pipx run`, and in an environment with fraction-mcp in it `python`.)

The file has the columns `part` and `quantity`; without one, three lines are made up. It works in the embedded company:
`connect()` without `sandbox=True` works in the account of `fraction-mcp login`.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

import anyio

import fraction_mcp

SAMPLE = "part,quantity\nWIDGET-001,500\nBRKT-1,40\nGEAR/24T,12\n"


async def main(text: str, customer: str) -> None:
    lines = [(row["part"], row["quantity"]) for row in csv.DictReader(io.StringIO(text))]
    async with fraction_mcp.connect(sandbox=True) as erp:
        order = await erp.price_lines(customer, lines)

    print(order.summary, file=sys.stderr)
    out = csv.writer(sys.stdout)
    out.writerow(["part", "quantity", "unit_price", "line_total", "currency", "status"])
    for line in order.lines:
        out.writerow([line.part_number, line.quantity, line.unit_price, line.line_total, order.currency, line.status])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?")
    parser.add_argument("--customer", default="Acme Corp")
    asked = parser.parse_args()
    anyio.run(main, Path(asked.file).read_text("utf-8-sig") if asked.file else SAMPLE, asked.customer)
