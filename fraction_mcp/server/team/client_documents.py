"""Clients that are known by an address: what the client id metadata document there says of them, as far as it is taken.

Knows the draft (draft-ietf-oauth-client-id-metadata-document) and how its senders fill it. Whom the operator trusts to
publish such documents is a list of hosts, since a document says who its client is in its own words. What is taken of it
is little: a name, where it may be sent back to, and that it comes without a secret; nothing else of it is kept. Refuses
to know who asks, and what for.
"""

import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import ValidationError

from fraction_mcp.server.team.fetch import DOCUMENT_BYTES, Fetcher, FetchError
from fraction_mcp.server.team.redirects import is_usable
from fraction_mcp.server.team.scopes import SCOPES
from fraction_mcp.values.text import clean

__all__ = ["CLIENT_HOSTS", "ClientDocuments"]

logger = logging.getLogger(__name__)

CLIENT_HOSTS = (
    "claude.ai",  # /oauth/mcp-oauth-client-metadata (claude.ai, Claude Desktop), /oauth/claude-code-client-metadata
    "chatgpt.com",  # /oauth/client.json, /oauth/<id>/client.json, /oauth/codex/client.json
    "vscode.dev",  # /oauth/client-metadata.json
    "zed.dev",  # /oauth/client-metadata.json
    "opencode.ai",  # /oauth/opencode/client.json
)
"""Who is known to publish documents of programs that people use (seen in 2026); Cursor publishes none. All of these
serve their own documents alone: a host whose users publish files, as a forge's pages, would let anyone in."""
_BY_HEART: dict[str, dict[str, Any]] = {
    "https://claude.ai/oauth/mcp-oauth-client-metadata": {
        "client_name": "Claude",
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
    },
    "https://claude.ai/oauth/claude-code-client-metadata": {
        "client_name": "Claude Code",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    },
    "https://chatgpt.com/oauth/client.json": {
        "client_name": "ChatGPT",
        "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
    },
    "https://vscode.dev/oauth/client-metadata.json": {
        "client_name": "Visual Studio Code",
        "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    },
}
"""What these said in autumn 2026, for where they cannot be read: claude.ai shows machines in some data centres a page
with a riddle instead, and a company's server may not be let out at all. What is read counts before this."""
_FRESH_S = (300.0, 86_400.0)
_FRESH_UNSAID_S = 3_600.0
_BY_HEART_S = 300.0
_REFUSED_S = 60.0
_PASSING_S = 5.0
_MOST_KEPT = 200
_MOST_FAILED = 1_000
_MOST_LOGGED = 100
_NAME_LENGTH = 60
_MOST_REDIRECTS = 20

_CLIENT_ID = re.compile(r"https://(?P<host>[a-z0-9.-]+(?::[0-9]{1,5})?)(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]+)")
_REDIRECT = re.compile(r"(?P<scheme>https?)://(?P<authority>(?P<host>[a-z0-9.-]+|\[::1\])(?::[0-9]{1,5})?)(?:/.*)?")
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class _RefusedError(Exception):
    """What of a document is not taken, fit for a log: none of its own words."""


@dataclass(slots=True)
class _Kept:
    client: OAuthClientInformationFull
    fresh_until: float
    usable_until: float  # while its host does not answer


class ClientDocuments:
    """The clients that allowed hosts publish, each read once in a while and by one request at a time."""

    def __init__(
        self, allowed_hosts: Collection[str], fetch: Fetcher, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts = frozenset(allowed_hosts)
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._failed: dict[str, float] = {}  # until when it is not asked again
        self._reading: dict[str, anyio.Lock] = {}
        self._logged: set[tuple[str, str]] = set()
        self._logged_until = 0.0

    async def client(self, client_id: str) -> OAuthClientInformationFull | None:
        """Whom an address stands for; None for what is no such address, or not taken, or cannot be read now."""
        if len(client_id) > 400 or not (address := _CLIENT_ID.fullmatch(client_id)) or _is_crooked(address["path"]):
            return None
        if address["host"] not in self._hosts:
            self._say(address["host"], "the host is none of those allowed (--client-host)")
            return None
        if self._is_known(client_id):
            return self._known(client_id)
        async with self._alone(client_id):
            if not self._is_known(client_id):
                await self._read(client_id, address["host"])
            return self._known(client_id)

    def _is_known(self, client_id: str) -> bool:
        now = self._clock()
        if now < self._failed.get(client_id, 0.0):
            return True
        return (kept := self._kept.get(client_id)) is not None and now < kept.fresh_until

    def _known(self, client_id: str) -> OAuthClientInformationFull | None:
        kept = self._kept.get(client_id)
        return kept.client if kept and self._clock() < kept.usable_until else None

    @asynccontextmanager
    async def _alone(self, client_id: str) -> AsyncIterator[None]:
        lock = self._reading.setdefault(client_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():  # nobody waits who was handed it
                self._reading.pop(client_id, None)

    async def _read(self, client_id: str, host: str) -> None:
        try:
            fetched = await self._fetch(client_id, most=DOCUMENT_BYTES)
            client = _client(client_id, host, fetched.document)
        except (FetchError, _RefusedError) as error:
            self._say(host, str(error))
            passing = isinstance(error, FetchError) and error.passing
            if passing and client_id in _BY_HEART and self._known(client_id) is None:
                self._keep(client_id, _client(client_id, host, {"client_id": client_id, **_BY_HEART[client_id]}))
                return
            if not passing:
                self._kept.pop(client_id, None)
            _remember(self._failed, client_id, self._clock() + (_PASSING_S if passing else _REFUSED_S), _MOST_FAILED)
            return
        self._failed.pop(client_id, None)
        least, most = _FRESH_S
        fresh_s = _FRESH_UNSAID_S if fetched.max_age is None else fetched.max_age
        self._keep(client_id, client, min(max(fresh_s, least), most), most)

    def _keep(
        self,
        client_id: str,
        client: OAuthClientInformationFull,
        fresh_s: float = _BY_HEART_S,
        usable_s: float = _BY_HEART_S,
    ) -> None:
        now = self._clock()
        _remember(self._kept, client_id, _Kept(client, now + fresh_s, now + usable_s), _MOST_KEPT)

    def _say(self, host: str, why: str) -> None:
        """Once an hour, and not much in all: anybody can have any address asked for."""
        now = self._clock()
        if now >= self._logged_until:
            self._logged.clear()
            self._logged_until = now + 3_600
        if (host, why) not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add((host, why))
            logger.warning("a client that calls itself by a document of %s is not taken: %s", host, why)


def _is_crooked(path: str) -> bool:
    """Whether it leads elsewhere than it reads: no segment may be empty, or go up."""
    segments = path.lower().replace("%2e", ".").split("/")[1:]
    return any(segment in {"", ".", ".."} for segment in segments)


def _client(client_id: str, host: str, document: dict[str, Any]) -> OAuthClientInformationFull:
    if document.get("client_id") != client_id:
        raise _RefusedError("its document is of another client_id")
    if "client_secret" in document or "client_secret_expires_at" in document:
        raise _RefusedError("its document holds a secret")
    if "none" not in _methods(document):
        raise _RefusedError("it cannot do without authentication of its own (`none`)")
    if not _has(document, "response_types", "code") or not _has(document, "grant_types", "authorization_code"):
        raise _RefusedError("it does not ask for codes")
    redirects = document.get("redirect_uris")
    if not isinstance(redirects, list) or len(redirects) > _MOST_REDIRECTS:
        raise _RefusedError("it has no list of redirect addresses, or a very long one")
    name = document.get("client_name")
    try:
        return OAuthClientInformationFull.model_validate(
            {
                "client_id": client_id,
                "client_name": (clean(name, _NAME_LENGTH) if isinstance(name, str) else "") or host,
                "redirect_uris": _taken(redirects, host),
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "scope": " ".join(SCOPES),
            }
        )
    except ValidationError:
        raise _RefusedError("its redirect addresses are none") from None


def _methods(document: dict[str, Any]) -> Collection[str]:
    """How it can authenticate. One that says nothing has nothing: a shared secret, RFC 7591's default, is forbidden."""
    preferred, able = document.get("token_endpoint_auth_method"), document.get("token_endpoint_auth_methods_supported")
    if preferred is not None and not (isinstance(preferred, str) and preferred in {"none", "private_key_jwt"}):
        return ()
    if able is not None:  # ChatGPT's prefers private_key_jwt, and lists `none` for those who offer nothing else
        return [each for each in able if isinstance(each, str)] if isinstance(able, list) else ()
    return (preferred or "none",)


def _has(document: dict[str, Any], name: str, value: str) -> bool:
    values = document.get(name)
    return values is None or (isinstance(values, list) and value in values)


def _taken(redirects: list[Any], host: str) -> list[str]:
    """Those that go to the client's own host, or to a program on the person's own machine. Others (a scheme that any
    program may have registered, another host) are left out: they are as good as unregistered."""
    own = [each for each in redirects if isinstance(each, str) and _is_own(each, host)]
    if not own:
        raise _RefusedError("none of its redirect addresses is on its own host, or of a program on this machine")
    return own


def _is_own(redirect: str, host: str) -> bool:
    address = _REDIRECT.fullmatch(redirect)
    if address is None or len(redirect) > 500 or not is_usable(redirect):
        return False
    return address["authority"] == host if address["scheme"] == "https" else address["host"] in _LOOPBACK


ValueT = TypeVar("ValueT")


def _remember(kept: dict[str, ValueT], key: str, value: ValueT, most: int) -> None:
    """As the newest of at most so many."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]
