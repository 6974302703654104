"""Telling a webhook that a write waits: a small JSON, to the one address that the operator has named.

Knows HTTP as the standard library speaks it, through the environment's proxies. It tells a write's title and id and how
many wait, and nothing else of them. The address is a secret, as a chat's webhooks are: no log shows it, and no redirect
is followed. What fails is logged once, until something else happens.
"""

import json
import logging
from urllib import request
from urllib.error import URLError
from urllib.parse import urlsplit

import anyio

from fraction_mcp import __version__
from fraction_mcp.config import is_embedded, stays_here
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.threads import left_behind
from fraction_mcp.values.text import clean

__all__ = ["Webhook"]

logger = logging.getLogger(__name__)

LONGEST_S = 4.0
"""For all of it: a server that ends waits for no more."""

_MOST_REMEMBERED = 1_000


class Webhook:
    """One address, and what it has been told."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._told: dict[tuple[str, str], None] = {}
        self._failed = ""

    async def tell(self, batch: Batch, count: int) -> None:
        """That a batch waits, one of `count` writes that do; once, however often it is asked for as it is."""
        first = batch.waiting[0]
        mark = (first.id, batch.digest)
        if mark in self._told:
            return
        self._told[mark] = None
        while len(self._told) > _MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        title = first.plan.title if len(batch.waiting) == 1 else f"{len(batch.waiting)} writes, decided together"
        badge = "SANDBOX: " if is_embedded(first.identity.base_url) else ""
        waits = "1 write waits" if count == 1 else f"{count} writes wait"
        # `text` is what chats show, and take for their own markup: nothing in it came out of an ERP.
        told = {"text": f"{badge}{waits} for approval.", "title": f"{badge}{clean(title)}"}
        await self._sent(json.dumps({**told, "id": first.id, "count": count}).encode())

    async def _sent(self, body: bytes) -> None:
        failed = _late()
        with anyio.move_on_after(LONGEST_S, shield=True):  # a server that ends takes it along
            failed = await left_behind(lambda: _post(self._address, body))
        if failed and failed != self._failed:
            host = urlsplit(self._address).hostname
            logger.warning("the webhook at %s could not be told that a write waits: %s", host, failed)
        self._failed = failed


def _late() -> str:
    return f"it did not answer within {LONGEST_S:.0f} s"


def _post(address: str, body: bytes) -> str:
    """What went wrong; empty where nothing did."""
    opener = request.OpenerDirector()  # with none of the usual handlers: a redirect, or a file, is none of ours
    opener.add_handler(request.ProxyHandler({} if stays_here(address) else None))
    opener.add_handler(request.HTTPHandler())
    opener.add_handler(request.HTTPSHandler())
    opener.addheaders = [("User-Agent", f"fraction-mcp/{__version__}")]
    asked = request.Request(address, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - checked
    try:
        with opener.open(asked, timeout=LONGEST_S) as answer:
            return "" if 200 <= answer.status < 300 else f"it answered HTTP {answer.status}"
    except OSError as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            return _late()
        return clean(reason.strerror or type(reason).__name__) if isinstance(reason, OSError) else "it is unreachable"
    except Exception as error:  # noqa: BLE001 - http.client's, whose words may hold what came back
        return f"it answered something else than HTTP ({type(error).__name__})"
