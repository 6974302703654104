"""Who may come in: one-time links, sessions, and which requests are a person's own.

Knows header values and nothing else; it reads no socket and holds everything in memory, so that ending the process
signs everybody out. Three walls stand behind one another: the loopback address with a checked `Host` (against DNS
rebinding), a session cookie that is never sent from other sites, and for what changes something the origin and a token
that only our own pages hold.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Door", "Session"]

_MOST_LINKS = 20


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that came in through a link. `csrf` stands in every form that it is shown."""

    id: str
    csrf: str


class Door:
    """The door of one inbox, which listens on `port`."""

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.address = f"http://127.0.0.1:{port}"
        # Cookies are shared by all ports of a host: each inbox has its own name.
        self.cookie = f"fraction_mcp_inbox_{port}"
        names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
        self._hosts = {*names, *(name.removesuffix(":80") for name in names)} if port == 80 else set(names)
        self._clock = clock
        self._links: dict[str, float] = {}
        self._sessions: dict[str, Session] = {}

    def new_link(self, *, lasts_s: float | None = None) -> str:
        """A sign-in link that counts once, within `lasts_s` seconds (None: as long as the inbox is served)."""
        token = secrets.token_urlsafe(24)
        while len(self._links) >= _MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links[_digest(token)] = float("inf") if lasts_s is None else self._clock() + lasts_s
        return f"{self.address}/enter?token={token}"

    def enter(self, token: str) -> Session | None:
        """A new session for the token of a link, which is then used up; None where it does not count."""
        until = self._links.pop(_digest(token), None)
        if until is None or until <= self._clock():
            return None
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._sessions[_digest(session.id)] = session
        return session

    def session(self, cookies: Mapping[str, str]) -> Session | None:
        return self._sessions.get(_digest(cookies.get(self.cookie, "")))

    def is_host(self, host: str) -> bool:
        """Whether a request was addressed to this inbox, and not to a name that somebody else made lead here."""
        return host.lower() in self._hosts

    def is_own_form(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something was sent by a page of ours, as far as its headers tell.

        Our pages send no referrer, and such a page's form has the origin `null` (Fetch, "append a request Origin
        header"): then the browser must say by itself that the request is of the same origin.
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site != "same-origin":
            return False
        if origin is None:
            return True
        if origin == "null":
            return site == "same-origin"
        scheme, _, host = origin.partition("://")
        return scheme == "http" and self.is_host(host) and host.lower() == headers.get("host", "").lower()

    @staticmethod
    def is_token(session: Session, csrf: str) -> bool:
        return hmac.compare_digest(session.csrf.encode(), csrf.encode())


def _digest(secret: str) -> str:
    """What secrets are kept and looked up by: the time that a lookup takes then tells nothing about them."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
