# /// script
# requires-python = ">=3.11"
# dependencies = ["fraction-mcp"]
# ///
"""Ask fraction_mcp for prices, with the MCP SDK's own client and the server as a child process.

    uv run examples/pricing_session.py

(or `pipx run`, and in an environment with fraction-mcp in it `python`.)

It works in the embedded company. Without `--sandbox` it works in the FractionERP whose account is in the environment.
"""

import os
import sys
from decimal import Decimal
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(
    command=sys.executable,
    args=["-P", "-m", "fraction_mcp", "serve", "--sandbox"],
    env=dict(os.environ),  # the SDK would hand on little of it, and no settings
)


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured result. An error is a result, too: `error` says what happened and what to do about it."""
    result = await client.call_tool(tool, arguments)
    answer = result.structured_content or {}
    if result.is_error:
        raise RuntimeError("{code}: {message}. {hint}".format(**answer["error"]))
    return answer


async def main() -> None:
    async with Client(SERVER) as client:
        price = await ask(client, "get_price_for_quantity", part="WIDGET-001", quantity=250, customer="Acme Corp")
        print(price["summary"])
        for each in price["prices"]:
            print(f"  {each['customer_name']}: {each['unit_price']} each, {each['line_total']} in all")

        lines = [{"part": "WIDGET-001", "quantity": 500}, {"part": "BRKT-1", "quantity": 40}]
        order = await ask(client, "price_order_lines", customer="Acme Corp", lines=lines)
        print(order["summary"])
        for line in order["lines"]:
            print(f"  {line['quantity']:>5} {line['part_number']:<12} {line['line_total'] or line['status']:>10}")

        # Amounts are decimal strings. Decimal keeps them exact; float would not.
        deposit = Decimal(order["priced_total"]) * Decimal("0.30")
        print(f"A deposit of 30 % is {deposit:.2f}.")


if __name__ == "__main__":
    anyio.run(main)
