"""Throughput over streamable HTTP: a cached price against the trivial tool, at 1, 16 and 64 clients."""

import statistics
import sys
import time
from typing import Any

import anyio
import httpx

from benchmarks.harness import BARE, ECHO, OURS, PRICE, Figure, erp, free_port, running

__all__ = ["HEADERS", "META", "measure"]

_CALLS = 600
_CLIENTS = (1, 16, 64)
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Mcp-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
}


def measure(rounds: int = 5) -> list[Figure]:
    ours, bare = free_port(), free_port()
    with (
        erp() as environment,
        running(*OURS, "--http", "--port", str(ours), port=ours, environment=environment),
        running(*BARE, "--http", str(bare), port=bare),
    ):
        figures = []
        for clients in _CLIENTS:
            pairs = [
                (anyio.run(_rate, ours, PRICE, clients), anyio.run(_rate, bare, ECHO, clients)) for _ in range(rounds)
            ]
            ratio = statistics.median(a / b for a, b in pairs)
            left, right = (f"{statistics.median(side):.0f}/s" for side in zip(*pairs, strict=True))
            what = f"HTTP calls a second, {clients} client{'s' if clients > 1 else ''}"
            figures.append(Figure(what, left, right, f"{ratio:.2f} ×", "≥ 0.8 ×", ratio >= 0.8))
        return figures


async def _rate(port: int, call: tuple[str, dict[str, Any]], clients: int) -> float:
    """Calls a second, by so many clients that each wait for their answer before they ask again."""
    name, arguments = call
    params = {"name": name, "arguments": arguments, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    async def client(times: int) -> None:
        async with httpx.AsyncClient(headers={**HEADERS, "Mcp-Name": name}) as http:
            for _ in range(times):
                answer = await http.post(f"http://127.0.0.1:{port}/mcp", json=body)
                assert answer.status_code == 200, answer.text

    await client(3)
    began = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(clients):
            group.start_soon(client, _CALLS // clients)
    return _CALLS // clients * clients / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.stdout.write("\n".join(map(str, measure())) + "\n")
