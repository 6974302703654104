"""Telling a webhook that a write waits: a small JSON, to the one address that the operator has named.

Knows HTTP as the standard library speaks it, through the environment's proxies. It tells a write's title and id and how
many wait; in a team also whose it is, who may decide, and where; and nothing else of them. Whoever receives it can tell
by its signature that it is ours and of now, where there is a key. The address is a secret, as a chat's webhooks are: no
log shows it, and no redirect is followed. What fails is logged once, until something else happens.
"""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib import request
from urllib.error import URLError
from urllib.parse import urlsplit

import anyio

from fraction_mcp import __version__
from fraction_mcp.config import is_embedded, stays_here
from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.threads import left_behind
from fraction_mcp.values.text import clean

__all__ = ["Team", "Webhook"]

logger = logging.getLogger(__name__)

LONGEST_S = 4.0
"""For all of it: a server that ends waits for no more."""

_MOST_REMEMBERED = 1_000
_KEY_FOR = b"fraction-mcp webhook"


@dataclass(frozen=True, slots=True)
class Team:
    """What only a team's server knows: whose writes these are (`person`), where one is decided (`address_of` its id;
    empty: nowhere), and whether this replica is the one that tells (`once`: a mark, and until when it counts)."""

    person: str
    address_of: Callable[[str], str]
    once: Callable[[str, float], Awaitable[bool]]


class Webhook:
    """One address, and what it has been told. With `keys` (those of FRACTION_MCP_SECRET_KEY) it is signed.
    `clock` in Unix seconds."""

    def __init__(
        self,
        address: str,
        keys: Sequence[str] = (),
        team: Team | None = None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._address = address
        self._keys = [hmac.digest(key.encode(), _KEY_FOR, "sha256") for key in keys]
        self._team = team
        self._clock = clock
        self._notified: dict[tuple[str, str], None] = {}
        self._failed = ""

    async def tell(self, batch: Batch, count: int) -> None:
        """That a batch waits, one of `count` writes that do; once, however often it is asked for as it is."""
        first = batch.waiting[0]
        mark = (first.id, batch.digest)
        if mark in self._notified:
            return
        self._notified[mark] = None
        while len(self._notified) > _MOST_REMEMBERED:
            del self._notified[next(iter(self._notified))]
        event = "msg_" + hashlib.sha256(" ".join(mark).encode()).hexdigest()[:32]
        if self._team is not None and not await self._team.once(f"webhook {event}", first.expires_at):
            return
        await self._sent(event, json.dumps(self._message(batch, count)).encode())

    def _message(self, batch: Batch, count: int) -> dict[str, object]:
        first = batch.waiting[0]
        title = first.plan.title if len(batch.waiting) == 1 else f"{len(batch.waiting)} writes, decided together"
        badge = "SANDBOX: " if is_embedded(first.identity.base_url) else ""
        waits = "1 write waits" if count == 1 else f"{count} writes wait"
        # `text` is what chats show, and take for their own markup: nothing in it came out of an ERP.
        payload = {"text": f"{badge}{waits} for approval.", "title": f"{badge}{clean(title)}", "id": first.id}
        return {**payload, "count": count, **self._of_the_team(batch)}

    def _of_the_team(self, batch: Batch) -> dict[str, object]:
        if self._team is None:
            return {}
        named = [frozenset(write.approvers) for write in batch.waiting if write.approvers]
        may_decide = sorted(frozenset.intersection(*named)) if named else [self._team.person]
        return {
            "person": self._team.person,
            "approvers": may_decide,
            "address": self._team.address_of(batch.waiting[0].id),
        }

    def _headers(self, event: str, body: bytes) -> dict[str, str]:
        """As the Standard Webhooks have them (standardwebhooks.com): one signature for each key, the first one's first,
        so that a receiver goes on while a key is replaced."""
        moment = str(int(self._clock()))  # the receiver compares it with its own clock
        headers = {"Content-Type": "application/json", "Webhook-Id": event, "Webhook-Timestamp": moment}
        if self._keys:
            signed = f"{event}.{moment}.".encode() + body
            macs = (hmac.digest(key, signed, "sha256") for key in self._keys)
            headers["Webhook-Signature"] = " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
        return headers

    async def _sent(self, event: str, body: bytes) -> None:
        failed, headers = _late(), self._headers(event, body)
        with anyio.move_on_after(LONGEST_S, shield=True):  # a server that ends takes it along
            failed = await left_behind(lambda: _post(self._address, body, headers))
        if failed and failed != self._failed:
            host = urlsplit(self._address).hostname
            logger.warning("the webhook at %s could not be told that a write waits: %s", host, failed)
        self._failed = failed


def _late() -> str:
    return f"it did not answer within {LONGEST_S:.0f} s"


def _post(address: str, body: bytes, headers: dict[str, str]) -> str:
    """What went wrong; empty where nothing did."""
    opener = request.OpenerDirector()  # with none of the usual handlers: a redirect, or a file, is none of ours
    opener.add_handler(request.ProxyHandler({} if stays_here(address) else None))
    opener.add_handler(request.HTTPHandler())
    opener.add_handler(request.HTTPSHandler())
    opener.addheaders = [("User-Agent", f"fraction-mcp/{__version__}")]
    http_request = request.Request(address, body, headers, method="POST")  # noqa: S310 - checked
    try:
        with opener.open(http_request, timeout=LONGEST_S) as answer:
            return "" if 200 <= answer.status < 300 else f"it answered HTTP {answer.status}"
    except OSError as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            return _late()
        return clean(reason.strerror or type(reason).__name__) if isinstance(reason, OSError) else "it is unreachable"
    except Exception as error:  # noqa: BLE001 - http.client's, whose words may hold what came back
        return f"it answered something else than HTTP ({type(error).__name__})"
