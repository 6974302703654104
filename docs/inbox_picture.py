"""Draw docs/images/inbox.png: the approval inbox as a browser shows it, down to the end of its first card.

    python docs/inbox_picture.py [FILE]

The page is the real one, served from a state folder of this script's own, in the Chromium that is on the path (or that
CHROMIUM names).
"""

import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from playwright.async_api import async_playwright

from fraction_mcp.approvals import serve_inbox
from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.tools.arguments import read_arguments
from fraction_mcp.tools.catalogue import catalogue

WIDTH, HEIGHT, MARGIN = 760, 900, 8
COARSER = bytes((value + 8) // 17 * 17 for value in range(256))  # sixteen steps a channel
SWITCHES = ["--no-sandbox", "--disable-lcd-text"]
ASKED_BY = "Claude Desktop 1.4"
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("set_price_list", {"part": "WIDGET-001", "customer": "Acme Corp", "change_percent": "3",
                        "note": "Steel has gone up; Ruth asked for 3 % from January."}),
    ("create_enquiry", {"customer": "Acme Corp", "customer_ref": "PO-7781", "notes": "500 WIDGET-001, 40 BRKT-1"}),
]  # fmt: skip


async def ask(service: WriteService, tool: str, arguments: Mapping[str, Any]) -> Write:
    spec = catalogue()[tool]
    plan = await spec.plan(service.context, read_arguments(spec, arguments))
    return await service.propose(plan, tool=tool, arguments=arguments, asked_by=ASKED_BY)


async def draw() -> bytes:
    links: list[str] = []
    there = anyio.Event()

    def announced(link: str) -> None:
        links.append(link)
        there.set()

    async with runtime_for(sandbox=True) as runtime, anyio.create_task_group() as group:
        service = await runtime.write_service()
        for tool, arguments in ASKED:
            await ask(service, tool, arguments)
        folder = runtime.settings.state_folder()
        group.start_soon(lambda: serve_inbox(service, folder, open_browser=False, announce=announced))
        await there.wait()
        png = await photograph(links[0])
        group.cancel_scope.cancel()
    return png


async def photograph(link: str) -> bytes:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        await page.goto(link)
        await page.wait_for_selector("#list")
        bottom = await page.locator(".card").first.evaluate("card => card.getBoundingClientRect().bottom")
        whole = {"x": 0, "y": 0, "width": WIDTH, "height": bottom + MARGIN}
        png = await page.screenshot(full_page=True, clip=whole)
        await browser.close()
    return png


def smaller(png: bytes) -> bytes:
    """The same picture in at most 256 colours, a byte a pixel: a third of the size, and text stays sharp."""
    width, height, lines = _lines(png)
    colours: dict[bytes, int] = {}
    indexed = bytearray()
    for line in lines:
        rounded = line.translate(COARSER)
        indexed.append(0)
        indexed += bytes(colours.setdefault(rounded[at : at + 3], len(colours)) for at in range(0, 3 * width, 3))
    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 3, 0, 0, 0])
    parts = [(b"IHDR", head), (b"PLTE", b"".join(colours)), (b"IDAT", zlib.compress(bytes(indexed), 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in parts
    )


def _lines(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and the pixels of each line: three bytes each, as Chromium writes them."""
    rest, packed, head = png[8:], b"", b""
    while rest:
        length, kind = int.from_bytes(rest[:4]), rest[4:8]
        data, rest = rest[8 : 8 + length], rest[12 + length :]
        head, packed = (data if kind == b"IHDR" else head), packed + data * (kind == b"IDAT")
    width, height = int.from_bytes(head[:4]), int.from_bytes(head[4:8])
    if head[8:10] != bytes([8, 2]):
        raise ValueError("Chromium writes another kind of PNG now")
    raw, lines = zlib.decompress(packed), [bytes(3 * width)]
    for start in range(0, height * (3 * width + 1), 3 * width + 1):
        lines.append(_unfiltered(raw[start], raw[start + 1 : start + 3 * width + 1], lines[-1]))
    return width, height, lines[1:]


def _unfiltered(how: int, line: bytes, above: bytes) -> bytes:
    """PNG's five filters (RFC 2083, 6)."""
    done = bytearray(3)  # what stands left of the first pixel
    above = bytes(3) + above
    for at, value in enumerate(line):
        left, up, corner = done[at], above[at + 3], above[at]
        near = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        done.append((value + (0, left, up, (left + up) // 2, near)[how]) % 256)
    return bytes(done[3:])


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as state:
        os.environ["FRACTION_MCP_STATE_DIR"] = state
        path.write_bytes(smaller(anyio.run(draw)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images" / "inbox.png")
