# /// script
# requires-python = ">=3.11"
# dependencies = ["fraction-mcp"]
# ///
"""An agent that works through an e-mail: who asks, what it costs, and an enquiry that a person approves.

    uv run examples/enquiry_agent.py [EMAIL.txt]

(or `pipx run`, and in an environment with fraction-mcp in it `python`.)

The reading of the e-mail is plain Python here, where an assistant's model would stand. Everything else is what such an
agent does: it never picks among candidates, repeats figures as they are, and leaves the decision to a person.
It works in the embedded company.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

EMAIL = """\
From: ruth.adeyemi@acmecorp.example
Subject: RFQ 2026-118

Hello, for Acme Corp please quote 250 x WIDGET-001 and 40 x BRKT-1. Our reference is RFQ-2026-118.
"""
SERVER = StdioServerParameters(
    command=sys.executable,
    args=["-P", "-m", "fraction_mcp", "serve", "--sandbox"],
    # The question is asked here, where all of it is printed (`full`), or the write waits.
    env={**os.environ, "FRACTION_MCP_OPEN_INBOX": "false", "FRACTION_MCP_ELICITATION": "full"},
)


async def ask_here(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001 - the SDK's
    """The server's question, put to the person at this terminal. Anything but a typed yes is a no."""
    print(f"\n{params.message}\n")
    answer = await anyio.to_thread.run_sync(input, "Approve? Type yes: ")
    if answer.strip().lower() == "yes":
        return ElicitResult(action="accept", content={"decision": "approve"})
    return ElicitResult(action="decline")


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return (await client.call_tool(tool, arguments)).structured_content or {}


async def main(email: str) -> None:
    customer = re.search(r"for ([A-Z][\w .&'-]+?) please", email)
    lines = [{"part": part, "quantity": count} for count, part in re.findall(r"(\d+) x ([\w/-]+)", email)]
    reference = re.search(r"reference is ([\w-]+)", email)
    if customer is None or not lines:
        print("The e-mail does not say who asks, or for what: a person should read it.")
        return

    # Nobody to ask: no callback, and the write waits in the approval inbox.
    someone = ask_here if sys.stdin.isatty() else None
    async with Client(SERVER, elicitation_callback=someone) as client:
        prices = await call(client, "price_order_lines", customer=customer[1], lines=lines)
        print(prices["summary"])
        if prices["status"] in {"ambiguous", "not_found"}:
            print(prices["next"])
            return
        wanted = ", ".join(f"{line['quantity']} of {line['part_number']}" for line in prices["lines"])
        written = await call(
            client,
            "create_enquiry",
            customer=str(prices["customer"]["id"]),
            customer_ref=reference[1] if reference else "",
            notes=f"Asked for by e-mail: {wanted}.",
        )
        print(written["summary"])
        if written.get("next"):
            print(written["next"])


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else EMAIL)
