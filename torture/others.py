"""What a plain httpx client, and one that retries whatever fails, make of the same faults: for comparison alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fraction_mcp import sandbox
from torture.wire import Fault, Wire
from torture.worlds import SUBJECTS, World

__all__ = ["CLIENTS", "Made", "made"]

_SUBJECT = SUBJECTS["create_enquiry"]
_TIMEOUT_S = 0.5
_BODY = {"customer_id": 52, "customer_ref": _SUBJECT.arguments["customer_ref"]}


@dataclass(frozen=True, slots=True)
class Made:
    """`told` is whether the client takes it for written; `held` how often it is."""

    fault: str
    told: bool
    held: int

    @property
    def judged(self) -> str:
        if self.held > 1:
            return "written twice"
        if self.told and not self.held:
            return "called written, and is not"
        if self.held and not self.told:
            return "called failed, and is written"
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


CLIENTS = {"plain httpx": _once, "httpx, retried three times": _again}


async def made(name: str, folder: Path, seeded: Path, fault: Fault) -> Made:
    """One enquiry by this client under this fault."""
    world = World.made(folder / f"o{time.monotonic_ns()}", seeded)
    async with Wire(world.erps()).served() as wire:
        base = wire.url + sandbox.FRACTION_PATH
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            login = {"email": sandbox.EMAIL, "password": sandbox.PASSWORD}
            token = (await client.post(f"{base}/auth/login", json=login)).json()["data"]["access_token"]
            wire.arm(fault, frozenset({"POST"}))
            headers = {"Authorization": f"Bearer {token}"}
            told = await CLIENTS[name](lambda: client.post(f"{base}/contracts", json=_BODY, headers=headers))
    held = _SUBJECT.held(world, _SUBJECT.arguments)
    world.remove()
    return Made(fault.name, told, held)
