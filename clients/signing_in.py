"""The TypeScript SDK's own client at a team's server: signed in by a person, to a price and an approved write.

The program is `typescript-oauth/drive.mjs`; the person is the browser of the server's own tests.
"""

import asyncio
import json
import queue
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients import environments, served
from tests.server.team.person import Browser, hidden

HERE = Path(__file__).parent
NAME = "typescript_oauth"
FOLDER = HERE / "typescript-oauth"
PACKAGE = "@modelcontextprotocol/client"
PATIENCE_S = 90
AT_LEAST = 15  # tools that the sandbox's server lists

_WRITE = re.compile(r"\bw[0-9a-f]{12}\b")
_PRICE = {"name": "get_price_for_quantity", "arguments": {"part": "WIDGET-001", "quantity": 250}}
_ORDER = {"name": "create_enquiry", "arguments": {"customer": "Acme Corp", "customer_ref": "TYPESCRIPT-OAUTH"}}


class _Stopped(Exception):
    """What was to be seen was not."""


@dataclass
class SignedIn:
    """What it came to: what was seen, in order, and what went wrong, if anything did."""

    version: str = ""
    seen: list[str] = field(default_factory=list)
    trouble: str = ""

    def __str__(self) -> str:
        told = [f"TypeScript SDK, signing in {self.version}", *(f"  ok  {one}" for one in self.seen)]
        return "\n".join([*told, f"  NO  {self.trouble}"] if self.trouble else told)

    def surprises(self) -> list[str]:
        return [f"{NAME}: {self.trouble}"] if self.trouble else []


def run() -> SignedIn:
    """The whole way; nothing that goes wrong in it is raised."""
    came = SignedIn()
    try:
        command = [str(environments.node_of(FOLDER)), str(FOLDER / "drive.mjs")]
        came.version = environments.version_in(FOLDER, PACKAGE)
        with served.team() as url:
            asyncio.run(_all_the_way(command, url, came))
    except (environments.NotInstalled, served.NotServed, _Stopped, AssertionError) as error:
        came.trouble = str(error) or type(error).__name__
    return came


async def _all_the_way(command: list[str], url: str, came: SignedIn) -> None:
    browser = Browser(url)
    program = _Program([*command, json.dumps({"server": f"{url}/mcp", "call": _PRICE})])
    try:
        address = program.told("authorize")
        program.tells({"redirect": await browser.led(address)})
        signed = program.line()
        _hold(signed.get("signedIn"), f"signed in: {signed}")
        came.seen.append(f"signs in, with {signed['scope']}")
        names = program.told("names")
        _hold(len(names) >= AT_LEAST, f"lists {len(names)} tools")
        came.seen.append(f"lists {len(names)} tools")
        _hold("2500.00" in json.dumps(program.told("saw")), "the price")
        came.seen.append("gets a price")
        _hold("2500.00" in json.dumps(program.told("sawAgain")), "the price, with a token renewed")
        _hold(all(program.line().values()), "its token renewed and the renewing one replaced, without its person")
        came.seen.append("renews its token without its person")
        await _writes(program, browser)
        came.seen.append("has a write approved in the inbox")
    finally:
        program.ends()
        await browser.http.aclose()


async def _writes(program: "_Program", browser: Browser) -> None:
    waits = program.calls(_ORDER)
    found = _WRITE.search(waits)
    _hold("awaiting_approval" in waits and found, f"a write that waits: {waits[:200]}")
    assert found
    page = await browser.comes_to("/approvals/")
    address = f"{browser.url}/approvals/writes/{found[0]}/approve"
    answer = await browser.http.post(address, data=hidden(page.text), headers={"origin": browser.url})
    _hold(answer.status_code < 400, f"the inbox took the approval: {answer.status_code}")
    status = {"name": "get_write_status", "arguments": {"write_id": found[0]}}
    for _ in range(20):
        told = program.calls(status)
        if '\\"done\\"' in told or '"done"' in told:
            return
        await asyncio.sleep(0.5)
    raise _Stopped(f"the write never came to its end: {told[:300]}")


class _Program:
    """The driver's process: a line out, a line in."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            encoding="utf-8", cwd=FOLDER,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._reads, daemon=True).start()

    def _reads(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line(self) -> dict[str, Any]:
        try:
            text = self._lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise _Stopped(f"it said nothing for {PATIENCE_S} s") from None
        told: dict[str, Any] = json.loads(text or '{"raised": "its process has ended"}')
        if "raised" in told:
            raise _Stopped(told["raised"])
        return told

    def told(self, name: str) -> Any:
        line = self.line()
        _hold(name in line, f"{name} was to come, and not {', '.join(line)}")
        return line[name]

    def tells(self, line: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def calls(self, call: dict[str, Any]) -> str:
        self.tells({"call": call})
        return json.dumps(self.told("saw"))

    def ends(self) -> None:
        self._process.kill()
        self._process.wait()


def _hold(seen: object, what: str) -> None:
    if not seen:
        raise _Stopped(f"not as it should be: {what}")
