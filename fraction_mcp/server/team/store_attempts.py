"""How often somebody may try to sign in, in a transaction of the store.

A bucket is what tries are counted against: `account:…` or `address:…`. The first few are free; after those, each makes
the wait twice as long. A try counts before its outcome is known, so that many at once are no way round.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store_tables import attempts, hashed, inserted, sweep

__all__ = ["failed", "may_try", "once", "succeeded", "untried"]

_FREE = {"account": 5, "address": 20}
_FIRST_S = 2.0
_LONGEST_S = 900.0
_FORGOTTEN_S = 3600.0  # after the last try, all of them are


@dataclass(frozen=True, slots=True)
class _Bucket:
    kind: str
    key: str  # not the account's name: people mistake the field, and type their password there

    @classmethod
    def all(cls, ring: KeyRing, names: Iterable[str]) -> "list[_Bucket]":
        """In one order for everybody, since they are locked in it."""
        buckets = {cls(name.partition(":")[0], ring.derive("attempts", name).hex()) for name in names}
        return sorted(buckets, key=lambda each: each.key)

    def wait_s(self, tries: int) -> float:
        beyond = tries - _FREE[self.kind]
        return 0.0 if beyond < 0 else min(_FIRST_S * 2.0 ** min(beyond, 30), _LONGEST_S)


async def may_try(connection: AsyncConnection, ring: KeyRing, names: Iterable[str], now: float) -> float:
    await sweep(connection, attempts, now)
    buckets = _Bucket.all(ring, names)
    tried = [(bucket, *await _locked(connection, bucket, now)) for bucket in buckets]
    wait = max((open_at - now for _, _, open_at in tried), default=0.0)
    if wait > 0:
        return wait
    for bucket, tries, _ in tried:
        await _count(connection, bucket, tries + 1, now)
    return 0.0


async def failed(connection: AsyncConnection, ring: KeyRing, names: Iterable[str], now: float) -> None:
    """The wait counts from here: the ERP may have taken its time to say no."""
    for bucket in _Bucket.all(ring, names):
        tries, _ = await _locked(connection, bucket, now)
        await _count(connection, bucket, max(tries, 1), now)


async def succeeded(connection: AsyncConnection, ring: KeyRing, names: Iterable[str], now: float) -> None:
    """An account starts anew. An address gets this one try back and no more: whoever has an account of their own could
    otherwise try others' for ever."""
    for bucket in _Bucket.all(ring, names):
        tries, _ = await _locked(connection, bucket, now)
        left = 0 if bucket.kind == "account" else max(tries - 1, 0)
        await _count(connection, bucket, left, now)


async def untried(connection: AsyncConnection, ring: KeyRing, names: Iterable[str], now: float) -> None:
    """The try told nobody anything, since the ERP was not there to be asked: each bucket gets it back."""
    for bucket in _Bucket.all(ring, names):
        tries, _ = await _locked(connection, bucket, now)
        await _count(connection, bucket, max(tries - 1, 0), now)


async def once(connection: AsyncConnection, what: str, until: float) -> bool:
    """Whether nobody has done `what` before, which nobody can any more after `until`."""
    return await inserted(connection, attempts, bucket=hashed(f"once {what}"), tries=1, open_at=0.0, expires_at=until)


async def _locked(connection: AsyncConnection, bucket: _Bucket, now: float) -> tuple[int, float]:
    """How many tries count, and when the next is open."""
    await inserted(connection, attempts, bucket=bucket.key, tries=0, open_at=0.0, expires_at=now + _FORGOTTEN_S)
    query = sa.select(attempts).where(attempts.c.bucket == bucket.key).with_for_update()
    row = (await connection.execute(query)).one()
    return (row.tries, row.open_at) if row.expires_at > now else (0, 0.0)


async def _count(connection: AsyncConnection, bucket: _Bucket, tries: int, now: float) -> None:
    counted = sa.update(attempts).where(attempts.c.bucket == bucket.key)
    values = {"tries": tries, "open_at": now + bucket.wait_s(tries), "expires_at": now + _FORGOTTEN_S}
    await connection.execute(counted.values(**values))
