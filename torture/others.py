"""What a plain httpx client, one that retries whatever fails, and our own make of the same faults.

Each is run under each fault, which meets its write, and judged by the same eye.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fraction_mcp import sandbox
from torture import matrix
from torture.certificates import certificates
from torture.wire import FAULTS, Fault, Wire
from torture.worlds import SUBJECTS, World

__all__ = ["CLIENTS", "OUTCOMES", "Made", "made", "of_writes"]

_SUBJECT = SUBJECTS["create_enquiry"]
_TIMEOUT_S = 0.5
_BODY = {"customer_id": 52, "customer_ref": _SUBJECT.arguments["customer_ref"]}
_POST = frozenset({_SUBJECT.method})
OUTCOMES = ("written twice", "called written, and is not", "called failed, and is written", "told that nobody knows")
"""What may come of a write beside the truth; the last of them is no lie."""


@dataclass(frozen=True, slots=True)
class Made:
    """`told` is whether the client takes it for written, None where it says that it does not know; `held` how often it
    is; `met` whether the fault changed anything."""

    fault: str
    told: bool | None
    held: int
    met: bool

    @property
    def judged(self) -> str:
        if self.held > 1:
            return OUTCOMES[0]
        if self.told is None:
            return OUTCOMES[3]
        if self.told and not self.held:
            return OUTCOMES[1]
        if self.held and not self.told:
            return OUTCOMES[2]
        return ""


async def _once(post: Callable[[], Any]) -> bool:
    try:
        return bool((await post()).is_success)
    except httpx.HTTPError:
        return False


async def _again(post: Callable[[], Any]) -> bool:
    for _ in range(3):
        try:
            answer = await post()
        except httpx.HTTPError:
            continue
        if answer.status_code < 500 and answer.status_code != 429:
            return bool(answer.is_success)
    return False


Writes = Callable[[World, Wire, Fault], Awaitable[bool | None]]


def _bare(tried: Callable[[Callable[[], Any]], Awaitable[bool]]) -> Writes:
    """A client that signs in, and then meets the fault with its write."""

    async def writes(_: World, wire: Wire, fault: Fault) -> bool:
        base = wire.url + sandbox.FRACTION_PATH
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            login = {"email": sandbox.EMAIL, "password": sandbox.PASSWORD}
            token = (await client.post(f"{base}/auth/login", json=login)).json()["data"]["access_token"]
            wire.arm(fault, _POST)
            if fault.shuts:
                wire.shut()
            headers = {"Authorization": f"Bearer {token}"}
            return await tried(lambda: client.post(f"{base}/contracts", json=_BODY, headers=headers))

    return writes


async def _ours(world: World, wire: Wire, fault: Fault) -> bool | None:
    """By its tool, and approved; the fault meets what it then sends."""
    wire.arm(fault, _POST)
    result = await matrix.asked(world, wire, _SUBJECT.tool, _SUBJECT.arguments)
    outcome, written = result.get("outcome", ""), (result.get("error") or {}).get("written")
    if outcome == "done":
        return True
    return False if outcome in matrix.NOT_WRITTEN or (not outcome and written == "no") else None


CLIENTS: dict[str, Writes] = {
    "plain httpx": _bare(_once),
    "httpx, retried three times": _bare(_again),
    "fraction-mcp": _ours,
}


def of_writes() -> list[Fault]:
    """The faults that an enquiry can meet."""
    faults = (fault for fault in FAULTS.values() if not fault.sign_in and fault.only in {"", "fractionerp"})
    return [fault for fault in faults if not matrix.cannot_meet(_SUBJECT.tool, fault)]


async def made(name: str, folder: Path, seeded: Path, fault: Fault) -> Made:
    """One enquiry by this client under this fault."""
    world = World.made(folder / f"o{time.monotonic_ns()}", seeded)
    wire = Wire(world.erps())
    with certificates(wanted=fault.untrusted) as wire.certificates:
        async with wire.served():
            told = await CLIENTS[name](world, wire, fault)
    held = _SUBJECT.held(world, _SUBJECT.arguments)
    world.remove()
    return Made(fault.name, told, held, wire.met > 0)
