"""What clients were allowed, and the codes and tokens that say so, in a transaction of the store.

Of a code and of a token only the hash is kept. A refresh token is `grant.generation.mac`, where the mac is derived
under the key ring from the grant's seed: the successor of each is thus settled before anybody asks for it. Whoever
sends one again within the grace gets what its first use got, at any replica, as often as it is asked; and one that was
spent before is known as genuine, however old. Knowing the database alone, or the keys alone, makes no token.
"""

import base64
import hmac
import logging
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.server.team import store_people
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store_tables import access, clients, codes, grants, hashed, people, secret, sweep

__all__ = ["Consented", "Grant", "StoredCode", "Tokens"]
__all__ += ["find_code", "new_code", "of_access", "of_person", "of_refresh", "remove", "rotate", "take_code"]

logger = logging.getLogger(__name__)

_CODE_S = 60.0
_ACCESS_S = 3600.0
_REFRESH_S = 30 * 86_400.0  # from its last use
_GRACE_S = 10.0
_KEPT = 16  # access tokens of one grant that are good at a time: whoever renews in a loop fills no disk
_CLIENT_S = 90 * 86_400.0  # for which a client that registered itself is known after its last grant
_REFRESH = re.compile(r"([A-Za-z0-9_-]{22})\.([1-9][0-9]{0,8})\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Consented:
    """What a person has agreed to: everything that the code, and then the grant, is bound to.

    `redirect_uri` as the client spelt it; `redirect_named` is whether it did, or left it to its registration.
    `challenge` is the S256 one, as sent.
    """

    subject: str
    client_id: str
    scopes: tuple[str, ...]
    resource: str
    redirect_uri: str
    redirect_named: bool
    challenge: str


@dataclass(frozen=True, slots=True)
class StoredCode:
    consented: Consented
    expires_at: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for. `scopes` are the token's: of an access token perhaps fewer than were granted.
    `expires_at` is the token's, too, in Unix seconds. `name` is what people read, of an access token alone."""

    id: str
    subject: str
    client_id: str
    scopes: tuple[str, ...]
    resource: str
    expires_at: float
    name: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """A pair as a client gets it: the only place where they stand in the clear."""

    access: str
    refresh: str
    scopes: tuple[str, ...]
    expires_at: float


# ------------------------------------------------------------------------------------------------------------- codes


async def new_code(connection: AsyncConnection, consented: Consented, now: float) -> str:
    await sweep(connection, codes, now)
    code = secret()
    values = {
        "subject": consented.subject,
        "client_id": consented.client_id,
        "scopes": " ".join(consented.scopes),
        "resource": consented.resource,
        "redirect_uri": consented.redirect_uri,
        "redirect_named": int(consented.redirect_named),
        "challenge": consented.challenge,
        "expires_at": now + _CODE_S,
    }
    await connection.execute(sa.insert(codes).values(hash=hashed(code), **values))
    return code


async def find_code(connection: AsyncConnection, code: str, asked_at: float) -> StoredCode | None:
    query = sa.select(codes).where(codes.c.hash == hashed(code), codes.c.expires_at > asked_at)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    scopes, named = tuple(row.scopes.split()), bool(row.redirect_named)
    consented = Consented(row.subject, row.client_id, scopes, row.resource, row.redirect_uri, named, row.challenge)
    return StoredCode(consented, row.expires_at)


async def take_code(
    connection: AsyncConnection, ring: KeyRing, code: str, client_id: str, *, asked_at: float, now: float
) -> Tokens | None:
    """The first pair of a new grant, for whoever removes the code. None for a code that is not there to be taken; one
    that was taken before takes its grant with it."""
    stored_code = await find_code(connection, code, asked_at)
    if stored_code is None or stored_code.consented.client_id != client_id:
        await replayed(connection, code)
        return None
    consented = stored_code.consented
    if not await store_people.alive(connection, ring, consented.subject, lock=True):
        return None
    if (await connection.execute(sa.delete(codes).where(codes.c.hash == hashed(code)))).rowcount == 0:
        await replayed(connection, code)
        return None
    await sweep(connection, grants, now)
    await sweep(connection, access, now)
    known = sa.update(clients).where(clients.c.id == client_id)
    await connection.execute(known.values(expires_at=now + _CLIENT_S))
    return await _new_grant(connection, ring, consented, code, now)


async def grant_of_code(connection: AsyncConnection, code: str) -> str | None:
    """The id of the grant that a code has made."""
    return (await connection.execute(sa.select(grants.c.id).where(grants.c.code_hash == hashed(code)))).scalar()


async def replayed(connection: AsyncConnection, code: str) -> None:
    """A code came that is not there: if it made a grant, somebody else has it, too."""
    made = await grant_of_code(connection, code)
    if made:
        logger.warning("an authorization code came a second time: what it had allowed is revoked")
        await remove(connection, made)


async def _new_grant(connection: AsyncConnection, ring: KeyRing, consented: Consented, code: str, now: float) -> Tokens:
    grant_id, seed = secrets.token_urlsafe(16), secret()
    tokens = Tokens(*next(_pairs(ring, grant_id, 1, seed)), consented.scopes, now + _ACCESS_S)
    values = {
        "subject": consented.subject,
        "client_id": consented.client_id,
        "scopes": " ".join(consented.scopes),
        "resource": consented.resource,
        "code_hash": hashed(code),
        "seed": seed,
        "generation": 1,
        "refresh_hash": hashed(tokens.refresh),
        "made_at": now,
        "expires_at": now + _REFRESH_S,
    }
    await connection.execute(sa.insert(grants).values(id=grant_id, **values))
    await _issue(connection, grant_id, 1, tokens, now)
    return tokens


# ------------------------------------------------------------------------------------------------------------ tokens


async def of_access(
    connection: AsyncConnection, ring: KeyRing, tokens: Collection[str], now: float
) -> dict[str, Grant]:
    """By their tokens. None of a person whose ERP token is dead: they have to sign in again."""
    by_hash = {hashed(token): token for token in tokens}
    query = (
        sa.select(
            grants,
            access.c.hash,
            access.c.scopes.label("narrowed"),
            access.c.expires_at.label("until"),
            people.c.name,
            people.c.sealed,
        )
        .join(access, access.c.grant_id == grants.c.id)
        .join(people, people.c.subject == grants.c.subject)
        .where(access.c.hash.in_(_filled_up(list(by_hash))), access.c.expires_at > now)
    )
    grants_by_token = {}
    for row in await connection.execute(query):
        if store_people.is_good(ring, row.sealed):
            scopes = tuple(row.narrowed.split())
            grant = Grant(row.id, row.subject, row.client_id, scopes, row.resource, row.until, row.name)
            grants_by_token[by_hash[row.hash]] = grant
    return grants_by_token


def _filled_up(hashes: list[str]) -> list[str]:
    """To a power of two: PostgreSQL prepares a statement for each length that it is asked with."""
    return hashes + hashes[:1] * ((1 << (len(hashes) - 1).bit_length()) - len(hashes))


async def of_refresh(connection: AsyncConnection, ring: KeyRing, token: str, asked_at: float) -> Grant | None:
    """Of a genuine token, whether or not it was spent."""
    row = await _genuine(connection, ring, token, asked_at)
    if row is None:
        return None
    return Grant(row.id, row.subject, row.client_id, tuple(row.scopes.split()), row.resource, row.expires_at)


async def rotate(
    connection: AsyncConnection,
    ring: KeyRing,
    token: str,
    client_id: str,
    scopes: Collection[str],
    *,
    asked_at: float,
    now: float,
) -> Tokens | None:
    """The pair that follows. None for a token that is none of this client's, and for one that was spent before the
    grace: the whole grant is gone then."""
    row = await _genuine(connection, ring, token, asked_at, lock=True)
    if row is None or row.client_id != client_id or not await store_people.alive(connection, ring, row.subject):
        return None
    generation = _generation(token)
    if generation < row.generation:
        return await _first_answer(connection, ring, row, generation, asked_at)
    granted = tuple(scope for scope in row.scopes.split() if scope in scopes)
    tokens = Tokens(*next(_pairs(ring, row.id, generation + 1, row.seed)), granted, now + _ACCESS_S)
    spend = sa.update(grants).where(grants.c.id == row.id, grants.c.generation == generation)
    after = {"generation": generation + 1, "refresh_hash": hashed(tokens.refresh), "expires_at": now + _REFRESH_S}
    if (await connection.execute(spend.values(**after))).rowcount == 0:
        return None
    await _issue(connection, row.id, generation + 1, tokens, now)
    return tokens


async def of_person(connection: AsyncConnection, subject: str, now: float) -> list[Grant]:
    """The newest first."""
    query = sa.select(grants).where(grants.c.subject == subject, grants.c.expires_at > now)
    rows = await connection.execute(query.order_by(grants.c.made_at.desc(), grants.c.id))
    return [Grant(r.id, r.subject, r.client_id, tuple(r.scopes.split()), r.resource, r.expires_at) for r in rows]


async def remove(connection: AsyncConnection, grant_id: str) -> None:
    await connection.execute(sa.delete(access).where(access.c.grant_id == grant_id))
    await connection.execute(sa.delete(grants).where(grants.c.id == grant_id))


async def _first_answer(
    connection: AsyncConnection, ring: KeyRing, row: sa.Row[Any], generation: int, asked_at: float
) -> Tokens | None:
    """What the first use of a spent token was given, if that was a moment ago."""
    answer = sa.select(access).where(access.c.grant_id == row.id, access.c.generation == generation + 1)
    issued = (await connection.execute(answer)).first()
    if issued is None or asked_at > issued.made_at + _GRACE_S:
        logger.warning("a refresh token came again that had been spent before: what it stood for is revoked")
        await remove(connection, row.id)
        return None
    for access_token, refresh in _pairs(ring, row.id, generation + 1, row.seed):
        if hashed(access_token) == issued.hash:
            return Tokens(access_token, refresh, tuple(issued.scopes.split()), issued.expires_at)
    return None  # it was given under a key that is not here


async def _issue(connection: AsyncConnection, grant_id: str, generation: int, tokens: Tokens, now: float) -> None:
    await connection.execute(
        sa.insert(access).values(
            hash=hashed(tokens.access),
            grant_id=grant_id,
            generation=generation,
            scopes=" ".join(tokens.scopes),
            made_at=now,
            expires_at=tokens.expires_at,
        )
    )
    old = sa.or_(access.c.expires_at <= now, access.c.generation <= generation - _KEPT)
    await connection.execute(sa.delete(access).where(access.c.grant_id == grant_id, old))


async def _genuine(
    connection: AsyncConnection, ring: KeyRing, token: str, asked_at: float, *, lock: bool = False
) -> sa.Row[Any] | None:
    """The row of the grant that a refresh token is of. The newest is known by its hash, and so under any keys; those
    before it by what they are derived from."""
    read = _REFRESH.fullmatch(token)
    if read is None:
        return None
    query = sa.select(grants).where(grants.c.id == read[1], grants.c.expires_at > asked_at)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None or _generation(token) > row.generation:
        return None
    if _generation(token) == row.generation:
        return row if hmac.compare_digest(hashed(token), row.refresh_hash) else None
    derived = (refresh for _, refresh in _pairs(ring, row.id, _generation(token), row.seed))
    return row if any(hmac.compare_digest(token, refresh) for refresh in derived) else None


def _generation(token: str) -> int:
    return int(token.split(".")[1])


def _pairs(ring: KeyRing, grant_id: str, generation: int, seed: str) -> Iterator[tuple[str, str]]:
    """The access and the refresh token of a generation, under each key, the first one's first."""
    of = (grant_id, str(generation), seed)
    for access_mac, refresh_mac in zip(ring.derivations("access", *of), ring.derivations("refresh", *of), strict=True):
        yield _text(access_mac), f"{grant_id}.{generation}.{_text(refresh_mac)}"


def _text(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
