"""Whether the server lives (/healthz) and can do its work (/readyz): for orchestrators and proxies, which ask without a
name and a sign-in, and are told nothing that is a secret.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["Check", "Health"]

Check = Callable[[], Awaitable[str]]
"""What is wrong with a part, in a sentence without secrets; empty where nothing is."""

_FRESH_S = 1.0  # whoever asks more often is told the same again
_WITHIN_S = 5.0


class Health:
    """`ending`: no new work should come any more. `checks` by the part that each is about."""

    def __init__(self, checks: Mapping[str, Check], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ending = False
        self._checks = dict(checks)
        self._clock = clock
        self._turn = anyio.Lock()
        self._known: tuple[float, dict[str, str]] | None = None

    def routes(self) -> list[Route]:
        return [Route("/healthz", self._lives), Route("/readyz", self._is_ready)]

    async def wrong(self) -> dict[str, str]:
        """What is wrong, by part."""
        if self.ending:
            return {"server": "it is ending"}
        async with self._turn:
            if self._known is None or self._clock() - self._known[0] >= _FRESH_S:
                faults = {part: fault for part, check in self._checks.items() if (fault := await _checked(check))}
                self._known = self._clock(), faults
            return self._known[1]

    async def _lives(self, _: Request) -> Response:
        return PlainTextResponse("alive\n", headers={"cache-control": "no-store"})

    async def _is_ready(self, _: Request) -> Response:
        wrong = await self.wrong()
        readiness = {"ready": not wrong, **({"wrong": wrong} if wrong else {})}
        return JSONResponse(readiness, 503 if wrong else 200, headers={"cache-control": "no-store"})


async def _checked(check: Check) -> str:
    with anyio.move_on_after(_WITHIN_S):
        return await check()
    return "it did not answer in time"
