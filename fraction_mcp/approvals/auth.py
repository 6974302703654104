"""Who may come in: one-time links, sessions, and which requests are a person's own.

Knows header values and nothing else; it reads no socket and holds everything in memory, so that ending the process
signs everybody out. Four walls stand behind one another: the loopback address with a checked `Host` (against DNS
rebinding), a path of its own for each session, a session cookie that is sent there alone and never from other sites,
and for what changes something the origin and a token that only our own pages hold.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from fraction_mcp.loopback import authorities

__all__ = ["InboxAuth", "Link", "Session", "is_own_form", "is_same"]

_MOST_LINKS = 20


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """An address that signs in whoever opens it first, before `until`. `used` is set when somebody has."""

    address: str
    until: float
    used: anyio.Event


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """One browser that came in through a link. `csrf` stands in every form that it is shown.

    A browser sends a host's cookies to every port of that host, whoever listens there. So the cookie is bound to the
    path of this session's pages, which no other server can guess, and whose name it could not guess either.
    """

    place: str
    id: str
    csrf: str

    @property
    def root(self) -> str:
        return f"/s/{self.place}/"

    @property
    def cookie(self) -> str:
        return f"fraction_mcp_{self.place[:8]}"


class InboxAuth:
    """Who may come into one inbox, which listens on `port`."""

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._hosts = set(authorities(port))
        self._clock = clock
        self._links: dict[str, Link] = {}
        self._sessions: dict[str, Session] = {}

    def new_link(self, *, lasts_s: float | None = None, write: str = "") -> Link:
        """A sign-in link that counts once, within `lasts_s` seconds (None: as long as the inbox is served), and leads
        to one write where that is named."""
        token = secrets.token_urlsafe(24)
        self._links = {digest: link for digest, link in self._links.items() if link.until > self._clock()}
        while len(self._links) >= _MOST_LINKS:
            del self._links[next(iter(self._links))]
        until = float("inf") if lasts_s is None else self._clock() + lasts_s
        to = f"&write={write}" if write else ""
        link = Link(f"{self.address}/enter?token={token}{to}", until, anyio.Event())
        self._links[_digest(token)] = link
        return link

    def forget(self, link: Link) -> None:
        """A link that counts no more, whether or not it was used."""
        self._links = {digest: kept for digest, kept in self._links.items() if kept is not link}

    def enter(self, token: str) -> Session | None:
        """A new session for the token of a link, which is used up by this; None where it does not count."""
        link = self._links.pop(_digest(token), None)
        if link is None or link.until <= self._clock():
            return None
        session = Session(*(secrets.token_urlsafe(32) for _ in range(3)))
        self._sessions[_digest(session.place)] = session
        link.used.set()
        return session

    def session(self, place: str, cookies: Mapping[str, str]) -> Session | None:
        """The session whose pages lie at `place`, for the browser that has its cookie."""
        session = self._sessions.get(_digest(place))
        if session is None or not is_same(session.id, cookies.get(session.cookie, "")):
            return None
        return session

    @property
    def visitors(self) -> int:
        """How many have come in."""
        return len(self._sessions)

    def is_host(self, host: str) -> bool:
        """Whether a request was addressed to this inbox, and not to a name that somebody else made lead here."""
        return host.lower() in self._hosts

    def is_own_form(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something was sent by a page of ours, as far as its headers tell."""

        def is_ours(origin: str) -> bool:
            scheme, _, host = origin.partition("://")
            return scheme == "http" and self.is_host(host) and host.lower() == headers.get("host", "").lower()

        return is_own_form(headers, is_ours)


def is_own_form(headers: Mapping[str, str], is_ours: Callable[[str], bool]) -> bool:
    """Whether a request that changes something was sent by a page of an origin that `is_ours`.

    Our pages send no referrer, and such a page's form has the origin `null` (Fetch, "append a request Origin header"):
    then the browser must say by itself that the request is of the same origin.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return True
    return site == "same-origin" if origin == "null" else is_ours(origin)


def is_same(secret: str, presented: str) -> bool:
    return hmac.compare_digest(secret.encode(), presented.encode("utf-8", "surrogatepass"))


def _digest(secret: str) -> str:
    """What secrets are kept and looked up by: the time that a lookup takes then tells nothing about them."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
