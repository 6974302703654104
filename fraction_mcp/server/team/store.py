"""What the replicas of a team's server share of its sign-in: people, grants, codes, tokens, browsers, attempts.

It stands in the journal's database, on SQLite and on PostgreSQL. Every method is one transaction; what may happen once
only is decided in it. Codes and tokens are kept as hashes, the ERP's tokens sealed under the key ring, passwords not at
all. What has expired is removed by the way, a few rows at a time.

The methods raise JournalError where the database fails. That SQLAlchemy is imported in these `store*` files, beside the
journal's own, is for this: what replicas share must stand in one database, and what the server signs in people with is
none of the journal's ideas.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.operations.writes.journal_database import JournalDatabase
from fraction_mcp.server.team import store_attempts, store_grants, store_people
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store_grants import Consented, Grant, StoredCode, Tokens
from fraction_mcp.server.team.store_people import StoredPerson
from fraction_mcp.server.team.store_tables import browsers, clients, hashed, inserted, secret, sweep
from fraction_mcp.server.team.store_together import Together

__all__ = ["BrowserSession", "Consented", "Grant", "StoredCode", "StoredPerson", "TeamStore", "Tokens"]

_AT_ONCE = 8  # the others wait here, where no time limit of the database runs yet
_BROWSER_S = 12 * 3600.0
_BROWSER_IDLE_S = 2 * 3600.0
_SEEN_S = 300.0  # a browser is noted as seen no oftener: most requests write nothing
_UNUSED_CLIENT_S = 86_400.0
_MOST_UNUSED_CLIENTS = 1_000


@dataclass(frozen=True, slots=True, repr=False)
class BrowserSession:
    """A browser in which somebody has signed in. `secret` is for its cookie alone, `csrf` for the forms of its pages.
    `expires_at` in Unix seconds."""

    secret: str
    csrf: str
    subject: str
    expires_at: float


class TeamStore:
    """Use from one event loop. `database` is brought up to the newest schema, and is the journal's own object, so that
    the two take turns; whoever opened it closes it. `clock` is in Unix seconds."""

    def __init__(self, database: JournalDatabase, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._room = anyio.CapacityLimiter(_AT_ONCE)
        self._access = Together(self._grants_of_access)

    def now(self) -> float:
        return self._clock()

    # -------------------------------------------------------------------------------------------------------- people

    async def signed_in(self, session: ErpSession) -> str:
        """Keep the ERP's token, in place of any before it, and return the person's subject; empty where that is, or
        could be taken for, somebody else's, and then nothing is kept."""
        async with self._changing() as connection:
            return await store_people.keep(connection, self._ring, session, self._clock())

    async def person(self, subject: str) -> StoredPerson | None:
        """None where no token is kept that the keys open: they have to sign in."""
        async with self._reading() as connection:
            return await store_people.read(connection, self._ring, subject)

    async def claim_renewal(self, subject: str, version: int, *, owner: str, lease_s: float) -> bool:
        """Whether it is `owner`'s, for so long, to renew the token of this version; nobody else is to touch it."""
        async with self._changing() as connection:
            now = self._clock()
            return await store_people.claim_renewal(connection, subject, version, owner=owner, now=now, lease_s=lease_s)

    async def renewed(self, subject: str, version: int, owner: str, session: ErpSession) -> bool:
        """Keep what the renewal gave. False where it is no longer `owner`'s, or they signed in anew meanwhile."""
        async with self._changing() as connection:
            return await store_people.renewed(connection, self._ring, subject, version, session, owner=owner)

    async def released(self, subject: str, version: int, owner: str) -> None:
        """A renewal that came to nothing: whoever is next may try at once."""
        async with self._changing() as connection:
            await store_people.released(connection, subject, version, owner)

    async def ended(self, subject: str, version: int) -> None:
        """The token of this version is dead: the person is signed out everywhere. Nothing for an older version."""
        async with self._changing() as connection:
            await store_people.ended(connection, subject, version)

    # ------------------------------------------------------------------------------------- codes, grants and tokens

    async def new_code(self, consented: Consented) -> str:
        """An authorization code, good once and for a minute."""
        async with self._changing() as connection:
            return await store_grants.new_code(connection, consented, self._clock())

    async def find_code(self, code: str) -> StoredCode | None:
        """What a code stands for that may still be taken. One that was taken takes its grant with it."""
        asked_at = self._clock()
        async with self._reading() as connection:
            stored_code = await store_grants.find_code(connection, code, asked_at)
            was_taken = stored_code is None and await store_grants.grant_of_code(connection, code)
        if was_taken:
            async with self._changing() as connection:
                await store_grants.replayed(connection, code)
        return stored_code

    async def take_code(self, code: str, client_id: str, *, asked_at: float | None = None) -> Tokens | None:
        """The first pair of tokens of a new grant; None for a code that is not this client's to take.

        What counts is when it was asked for, which is now unless it is said: many may have had to wait for one another.
        """
        asked_at = self._clock() if asked_at is None else asked_at
        async with self._changing() as connection:
            return await store_grants.take_code(
                connection, self._ring, code, client_id, asked_at=asked_at, now=self._clock()
            )

    async def grant_of_access(self, token: str) -> Grant | None:
        """None for a token that is unknown, expired or revoked, or whose person has to sign in again. Read anew at each
        call, together with others that are asked for at the same time."""
        return await self._access.of(token)

    async def _grants_of_access(self, tokens: Collection[str]) -> Mapping[str, Grant]:
        async with self._room, self._database.query() as connection:
            return await store_grants.of_access(connection, self._ring, tokens, self._clock())

    async def grant_of_refresh(self, token: str) -> Grant | None:
        """Of a token that was ours, spent or not; `rotate` tells which. None for any other."""
        asked_at = self._clock()
        async with self._reading() as connection:
            return await store_grants.of_refresh(connection, self._ring, token, asked_at)

    async def rotate(
        self, token: str, client_id: str, scopes: Collection[str], *, asked_at: float | None = None
    ) -> Tokens | None:
        """The pair that follows a refresh token, with those of the granted scopes that are in `scopes`.

        The same token, sent again within ten seconds of its first use, gets the same answer. Later it is somebody
        else's: the whole grant is revoked. None then, and for a token that is none of this client's.
        """
        asked_at = self._clock() if asked_at is None else asked_at
        async with self._changing() as connection:
            return await store_grants.rotate(
                connection, self._ring, token, client_id, scopes, asked_at=asked_at, now=self._clock()
            )

    async def grants_of(self, subject: str) -> list[Grant]:
        """What this person has allowed, the newest first."""
        async with self._reading() as connection:
            return await store_grants.of_person(connection, subject, self._clock())

    async def revoke(self, grant_id: str) -> None:
        """None of its tokens is good any more, at any replica."""
        async with self._changing() as connection:
            await store_grants.remove(connection, grant_id)

    # ------------------------------------------------------------------------------------------------------ browsers

    async def new_browser(self, subject: str) -> BrowserSession:
        """For a person who has just signed in, never for anybody else: the secret is new each time."""
        made, now = secret(), self._clock()
        ends_at, expires_at = now + _BROWSER_S, now + _BROWSER_IDLE_S
        values = {"hash": hashed(made), "subject": subject, "ends_at": ends_at, "expires_at": expires_at}
        async with self._changing() as connection:
            await sweep(connection, browsers, now)
            await connection.execute(sa.insert(browsers).values(**values))
        return _browser(made, subject, expires_at)

    async def browser(self, secret: str) -> BrowserSession | None:
        """None for one that is unknown, ended, older than 12 hours, or not seen for two. It is seen by this."""
        now, by_secret = self._clock(), browsers.c.hash == hashed(secret)
        async with self._reading() as connection:
            row = (await connection.execute(sa.select(browsers).where(by_secret, browsers.c.expires_at > now))).first()
        if row is None:
            return None
        until = min(now + _BROWSER_IDLE_S, row.ends_at)
        if until - row.expires_at >= _SEEN_S:
            async with self._changing() as connection:
                await connection.execute(sa.update(browsers).where(by_secret).values(expires_at=until))
        return _browser(secret, row.subject, until)

    async def end_browser(self, secret: str) -> None:
        async with self._changing() as connection:
            await connection.execute(sa.delete(browsers).where(browsers.c.hash == hashed(secret)))

    # ------------------------------------------------------------------------------------------------------ attempts

    async def may_try(self, *buckets: str) -> float:
        """Seconds to wait before signing in may be tried; 0 for now, and then the try is counted already.

        Buckets are `account:…` and `address:…` (an IPv6 address by its first 64 bits). Then say how it went, with the
        same buckets; a try of which nothing is said stays counted.
        """
        async with self._changing() as connection:
            return await store_attempts.may_try(connection, self._ring, buckets, self._clock())

    async def failed(self, *buckets: str) -> None:
        async with self._changing() as connection:
            await store_attempts.failed(connection, self._ring, buckets, self._clock())

    async def succeeded(self, *buckets: str) -> None:
        async with self._changing() as connection:
            await store_attempts.succeeded(connection, self._ring, buckets, self._clock())

    async def untried(self, *buckets: str) -> None:
        """The ERP could not be asked, so that nobody is to wait for it."""
        async with self._changing() as connection:
            await store_attempts.untried(connection, self._ring, buckets, self._clock())

    async def once(self, what: str, *, until: float) -> bool:
        """Whether nobody has done `what` before, at any replica; after `until` nobody may. `what` names itself apart
        from all else that happens once."""
        async with self._changing() as connection:
            return await store_attempts.once(connection, what, until)

    # ------------------------------------------------------------------------------- clients that registered themselves

    async def new_client(self, client_id: str, document: str) -> bool:
        """Keep a registration: for a day, and once it was granted something, until long after. False where too many
        wait to be used."""
        async with self._changing() as connection:
            now = self._clock()
            await sweep(connection, clients, now)
            unused = sa.select(sa.func.count()).where(clients.c.expires_at <= now + _UNUSED_CLIENT_S)
            if ((await connection.execute(unused)).scalar() or 0) >= _MOST_UNUSED_CLIENTS:
                return False
            return await inserted(
                connection, clients, id=client_id, document=document, expires_at=now + _UNUSED_CLIENT_S
            )

    async def client(self, client_id: str) -> str | None:
        """The document of a registration."""
        async with self._reading() as connection:
            query = sa.select(clients.c.document).where(clients.c.id == client_id, clients.c.expires_at > self._clock())
            return (await connection.execute(query)).scalar()

    # -------------------------------------------------------------------------------------------------- transactions

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        async with self._room, self._database.transaction() as connection:
            yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._room, self._database.reading() as connection:
            yield connection


def _browser(secret: str, subject: str, expires_at: float) -> BrowserSession:
    """Whoever has the secret may know the csrf token; whoever has that, or the database, knows no secret by it."""
    csrf = hashlib.sha256(f"csrf of {secret}".encode()).hexdigest()
    return BrowserSession(secret, csrf, subject, expires_at)
